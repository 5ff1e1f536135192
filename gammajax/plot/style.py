"""One look for all figures: colours, sizes, axis labels with units, ticks.

Figures are made without pyplot: no display, no list of open figures; a notebook shows them by their picture.
"""

import io
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from astropy import units as u
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from gammajax.errors import ConfigError
from gammajax.units import unit_of

# Okabe & Ito (2008): told apart with every common kind of colour blindness, and in grey.
DATA = "#1a1a1a"
MODEL = "#0072B2"
BACKGROUND = "#D55E00"
TRUTH = "#009E73"
POSTERIOR = "#E69F00"
FAINT = "#9a9a9a"
RANGE = "#56B4E9"

CYCLE = (MODEL, BACKGROUND, "#CC79A7", POSTERIOR, "#56B4E9", "#6a51a3", "#7a7a7a")
"""Colours of several results in one figure, in this order; none is that of the truth."""

SIZE = (5.4, 4.2)
"""Width and height of a figure with one panel [inch]."""

PANEL = (3.3, 2.9)
"""Width and height of one of many panels [inch]."""

_RC: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.labelsize": 10.0,
    "axes.linewidth": 0.8,
    "axes.titlesize": 10.0,
    "font.size": 9.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "lines.linewidth": 1.5,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
}

_GREEK = {name: rf"$\{name.rstrip('_')}$" for name in ("alpha", "beta", "gamma", "lambda_", "sigma")}


class Picture(Figure):
    """A figure that belongs to no window, and that a notebook shows as a PNG."""

    def _repr_png_(self) -> bytes:
        return to_png(self)


def style() -> Any:
    """A context in which artists are made in this style; settings of the user come back after it."""
    return mpl.rc_context(_RC)


def new_figure(size: tuple[float, float] = SIZE, layout: Any = "constrained") -> Picture:
    """An empty figure of a size [inch]."""
    return Picture(figsize=size, dpi=130, layout=layout)


def figure_of(ax: Axes) -> Figure:
    """The whole figure that an axes is part of."""
    figure = ax.get_figure(root=True)
    if not isinstance(figure, Figure):
        raise ConfigError("the axes given were removed from their figure")
    return figure


def save(figure: Figure, path: str | Path, dpi: int = 200) -> Path:
    """Write a figure; the ending of `path` decides on the format (png, pdf, svg).

    >>> save(plot_profile(scan), "alpha.pdf")                                           # doctest: +SKIP
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with style():
        figure.savefig(path, dpi=dpi)
    return path


def to_png(figure: Figure, dpi: int = 130) -> bytes:
    """A figure as the bytes of a PNG file."""
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


# -- text --------------------------------------------------------------------------------------------------


def unit_text(unit: str | u.UnitBase, exponent: int = 0) -> str:
    """A unit with a power of ten in front, as mathtext without brackets; empty if there is neither.

    >>> unit_text("TeV", -3)
    '$10^{-3}\\\\,\\\\mathrm{TeV}$'
    """
    parts = [f"10^{{{exponent}}}"] if exponent else []
    found = unit_of(unit)
    for base, power in sorted(zip(found.bases, found.powers, strict=True), key=_rank):
        parts.append(rf"\mathrm{{{base}}}" + (f"^{{{power}}}" if power != 1 else ""))
    return "$" + r"\,".join(parts) + "$" if parts else ""


def _rank(part: tuple[u.UnitBase, Any]) -> tuple[bool, int]:
    # As the field writes fluxes: TeV cm-2 s-1, and cm-2 s-1 TeV-1.
    return part[1] < 0, {"m": 0, "cm": 0, "s": 1}.get(str(part[0]), 2)


def label(name: str, unit: str | u.UnitBase, exponent: int = 0) -> str:
    """An axis label, "name [10^n unit]"."""
    text = unit_text(unit, exponent)
    return f"{name} [{text}]" if text else name


def exponent_of(values: Any) -> int:
    """The power of ten to take out of numbers so that ticks stay short; 0 if they are short as they are."""
    largest = float(np.max(np.abs(values), initial=0.0))
    if not math.isfinite(largest) or largest == 0 or 1e-2 <= largest < 1e4:
        return 0
    return math.floor(math.log10(largest))


def short_names(paths: Iterable[str]) -> list[str]:
    """Parameter paths as a person says them: without "spectral", and without a model name that all share."""
    split = [[part for part in path.split(".") if part != "spectral"] for path in paths]
    shared = len({parts[0] for parts in split}) == 1 and all(len(parts) > 1 for parts in split)
    return [" ".join(_GREEK.get(part, part) for part in (parts[1:] if shared else parts)) for parts in split]


# -- axes --------------------------------------------------------------------------------------------------


def energy_axis(ax: Axes, low: float, high: float, *, named: bool = True) -> None:
    """A logarithmic energy axis from `low` to `high` [TeV], with plain numbers at its ticks."""
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    decades = math.log10(high / low)
    # A short axis needs 2 and 5 as well; a very long one cannot hold every decade.
    subs = (1.0, 2.0, 5.0) if decades < 1.7 else (1.0, 3.0) if decades < 2.3 else (1.0,)
    ax.xaxis.set_major_locator(LogLocator(10, subs=subs, numticks=8))
    ax.xaxis.set_major_formatter(FuncFormatter(_plain))
    ax.xaxis.set_minor_locator(LogLocator(10, subs=tuple(range(2, 10)), numticks=40))
    ax.xaxis.set_minor_formatter(NullFormatter())
    if named:
        ax.set_xlabel(label("Energy", "TeV"))


def log_axis(ax: Axes, low: float, high: float) -> None:
    """A logarithmic y axis from `low` to `high`, with labels also between the decades of a short one."""
    # limits first: the scale would work out its own, which fail for a line that is flat
    ax.set_ylim(low, high)
    ax.set_yscale("log")
    ax.set_ylim(low, high)
    decades = math.log10(high / low)
    subs = (1.0, 2.0, 5.0) if decades < 1.3 else (1.0, 3.0) if decades < 2.0 else (1.0,)
    ax.yaxis.set_major_locator(LogLocator(10, subs=subs, numticks=8))
    ax.yaxis.set_major_formatter(FuncFormatter(_plain if low > 1e-3 and high < 1e5 else _power))
    ax.yaxis.set_minor_locator(LogLocator(10, subs=tuple(range(2, 10)), numticks=40))
    ax.yaxis.set_minor_formatter(NullFormatter())


def no_ticks(axis: Any) -> None:
    """An axis without ticks and numbers."""
    axis.set_major_locator(NullLocator())
    axis.set_minor_locator(NullLocator())


def _plain(x: float, _: int) -> str:
    return f"{x:g}" if 1e-4 < x < 1e5 else _power(x, 0)


def _power(x: float, _: int) -> str:
    exponent = math.floor(math.log10(x) + 1e-9)
    mantissa = round(x / 10.0**exponent)
    return rf"$10^{{{exponent}}}$" if mantissa == 1 else rf"${mantissa}\times10^{{{exponent}}}$"
