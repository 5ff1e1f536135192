"""Figures, made with matplotlib: the only room that imports it."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gammajax.plot.contour import plot_contour as plot_contour
    from gammajax.plot.contour import plot_surface as plot_surface
    from gammajax.plot.corner import plot_corner as plot_corner
    from gammajax.plot.counts import plot_counts as plot_counts
    from gammajax.plot.coverage import plot_coverage as plot_coverage
    from gammajax.plot.cube import plot_cube as plot_cube
    from gammajax.plot.dataset import plot_dataset as plot_dataset
    from gammajax.plot.dataset import plot_flux_points as plot_flux_points
    from gammajax.plot.events import plot_events as plot_events
    from gammajax.plot.events import plot_observation as plot_observation
    from gammajax.plot.field import plot_background as plot_background
    from gammajax.plot.field import plot_psf as plot_psf
    from gammajax.plot.limits import plot_limits as plot_limits
    from gammajax.plot.livetime import plot_livetime as plot_livetime
    from gammajax.plot.look import peek as peek
    from gammajax.plot.parameters import plot_parameters as plot_parameters
    from gammajax.plot.predictive import plot_predictive as plot_predictive
    from gammajax.plot.profile import plot_profile as plot_profile
    from gammajax.plot.pulls import plot_pulls as plot_pulls
    from gammajax.plot.radial import plot_radial_profile as plot_radial_profile
    from gammajax.plot.residuals import plot_residual_map as plot_residual_map
    from gammajax.plot.residuals import plot_residuals as plot_residuals
    from gammajax.plot.responses import plot_effective_area as plot_effective_area
    from gammajax.plot.responses import plot_energy_dispersion as plot_energy_dispersion
    from gammajax.plot.responses import plot_rad_max as plot_rad_max
    from gammajax.plot.runs import plot_gti as plot_gti
    from gammajax.plot.runs import plot_livetime_map as plot_livetime_map
    from gammajax.plot.runs import plot_pointing as plot_pointing
    from gammajax.plot.sed import plot_sed as plot_sed
    from gammajax.plot.skymap import plot_map as plot_map
    from gammajax.plot.spatial import plot_spatial as plot_spatial
    from gammajax.plot.spectrum import plot_nuisance as plot_nuisance
    from gammajax.plot.spectrum import plot_spectrum as plot_spectrum
    from gammajax.plot.style import CYCLE as CYCLE
    from gammajax.plot.style import save as save
    from gammajax.plot.theta_squared import plot_theta_squared as plot_theta_squared
    from gammajax.plot.toys import plot_comparison as plot_comparison
    from gammajax.plot.toys import plot_goodness as plot_goodness

_HOME = {
    "CYCLE": "style",
    "peek": "look",
    "plot_background": "field",
    "plot_comparison": "toys",
    "plot_contour": "contour",
    "plot_corner": "corner",
    "plot_counts": "counts",
    "plot_coverage": "coverage",
    "plot_cube": "cube",
    "plot_dataset": "dataset",
    "plot_effective_area": "responses",
    "plot_energy_dispersion": "responses",
    "plot_events": "events",
    "plot_flux_points": "dataset",
    "plot_goodness": "toys",
    "plot_gti": "runs",
    "plot_limits": "limits",
    "plot_livetime": "livetime",
    "plot_livetime_map": "runs",
    "plot_map": "skymap",
    "plot_nuisance": "spectrum",
    "plot_observation": "events",
    "plot_parameters": "parameters",
    "plot_pointing": "runs",
    "plot_predictive": "predictive",
    "plot_profile": "profile",
    "plot_psf": "field",
    "plot_pulls": "pulls",
    "plot_rad_max": "responses",
    "plot_radial_profile": "radial",
    "plot_residual_map": "residuals",
    "plot_residuals": "residuals",
    "plot_sed": "sed",
    "plot_spatial": "spatial",
    "plot_spectrum": "spectrum",
    "plot_surface": "contour",
    "plot_theta_squared": "theta_squared",
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
