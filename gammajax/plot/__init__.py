"""Figures, made with matplotlib: the only room that imports it."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gammajax.plot.contour import plot_contour as plot_contour
    from gammajax.plot.contour import plot_surface as plot_surface
    from gammajax.plot.corner import plot_corner as plot_corner
    from gammajax.plot.counts import plot_counts as plot_counts
    from gammajax.plot.parameters import plot_parameters as plot_parameters
    from gammajax.plot.profile import plot_profile as plot_profile
    from gammajax.plot.sed import plot_sed as plot_sed
    from gammajax.plot.style import CYCLE as CYCLE
    from gammajax.plot.style import save as save

_HOME = {
    "CYCLE": "style",
    "plot_contour": "contour",
    "plot_corner": "corner",
    "plot_counts": "counts",
    "plot_parameters": "parameters",
    "plot_profile": "profile",
    "plot_sed": "sed",
    "plot_surface": "contour",
    "save": "style",
}

__all__ = sorted(_HOME)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    # On first use, so that only those who plot load matplotlib.
    if name not in _HOME:
        raise AttributeError(f"module 'gammajax.plot' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"gammajax.plot.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
