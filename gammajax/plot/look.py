"""One door to the figures: `peek` finds the one that fits an object."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from astropy.table import Table
from matplotlib.figure import Figure

from gammajax.data import GTI, DataStore, Events, Observation, Observations
from gammajax.datasets.collection import Datasets
from gammajax.datasets.cube import MapDataset
from gammajax.datasets.flux_points import FluxPointsDataset
from gammajax.datasets.spectrum import SpectrumDataset, SpectrumDatasetOnOff
from gammajax.errors import ConfigError, DatasetError
from gammajax.infer.contour import Contour, Surface
from gammajax.infer.evidence import Evidence
from gammajax.infer.fit import Fit
from gammajax.infer.posterior import Posterior
from gammajax.infer.profile import Profile
from gammajax.infer.variational import Variational
from gammajax.irf import (
    Background2D,
    Background3D,
    EffectiveArea,
    EnergyDispersion,
    PSF3Gauss,
    PSFKing,
    PSFTable,
    RadMax,
)
from gammajax.models.collection import Models
from gammajax.models.nuisance import Nuisance
from gammajax.models.sky import SkyModel
from gammajax.models.spectral import SpectralModel
from gammajax.plot.contour import plot_contour, plot_surface
from gammajax.plot.corner import plot_corner
from gammajax.plot.counts import plot_counts
from gammajax.plot.dataset import plot_dataset, plot_flux_points
from gammajax.plot.events import plot_events, plot_observation
from gammajax.plot.field import plot_background, plot_psf
from gammajax.plot.parameters import plot_parameters
from gammajax.plot.profile import plot_profile
from gammajax.plot.responses import plot_effective_area, plot_energy_dispersion, plot_rad_max
from gammajax.plot.runs import plot_gti, plot_pointing
from gammajax.plot.spectrum import plot_nuisance, plot_spectrum
from gammajax.plot.theta_squared import plot_theta_squared

_MANY = 16
"""Spectra of which each has a panel of its own; more are stacked."""


def _datasets(datasets: Datasets, **options: Any) -> Figure:
    points = [d for d in datasets if isinstance(d, FluxPointsDataset)]
    cubes = [d.name for d in datasets if isinstance(d, MapDataset)]
    if cubes:
        raise DatasetError(f"{', '.join(cubes)}: cubes have no figure yet: draw their arrays on `grid.wcs`")
    spectra = [d for d in datasets if isinstance(d, SpectrumDataset | SpectrumDatasetOnOff)]
    if points and spectra:
        raise DatasetError("spectra and flux points do not share a figure: peek at a slice of these datasets")
    if points:
        return plot_flux_points(points, **options)
    if len(spectra) == 1 and not options:
        return plot_dataset(spectra[0])
    return plot_counts(spectra, **{"stacked": len(spectra) > _MANY, **options})


def _fit(fit: Fit, **options: Any) -> Figure:
    if "energy_bounds" in options:
        return plot_spectrum(fit, **options)
    return plot_parameters({"fit": fit}, **options)


def _corner(result: Variational | Evidence, **options: Any) -> Figure:
    return plot_corner(result.posterior, **options)


_KINDS: dict[type, Callable[..., Figure]] = {
    DataStore: plot_pointing,
    Observations: plot_pointing,
    Observation: plot_observation,
    Events: plot_events,
    GTI: plot_gti,
    EffectiveArea: plot_effective_area,
    EnergyDispersion: plot_energy_dispersion,
    PSFTable: plot_psf,
    PSF3Gauss: plot_psf,
    PSFKing: plot_psf,
    Background2D: plot_background,
    Background3D: plot_background,
    RadMax: plot_rad_max,
    SpectrumDataset: plot_dataset,
    SpectrumDatasetOnOff: plot_dataset,
    FluxPointsDataset: plot_flux_points,
    Datasets: _datasets,
    SpectralModel: plot_spectrum,
    SkyModel: plot_spectrum,
    Models: plot_spectrum,
    Nuisance: plot_nuisance,
    Fit: _fit,
    Posterior: plot_corner,
    Variational: _corner,
    Evidence: _corner,
    Profile: plot_profile,
    Contour: plot_contour,
    Surface: plot_surface,
    Table: plot_theta_squared,
}
"""The figure of each kind of object, and of kinds derived from it."""

_NAMES = {Table: "the table of theta_squared_table()"}


def peek(thing: Any, **options: Any) -> Figure:
    """A first look at any object: the figure that fits its kind, with the options of that figure.

    Runs, events, good time and every response; datasets, which need no model, and flux points; spectra, sources,
    `Models` and nuisances; a fit (its parameters, or with `energy_bounds` its spectra), posteriors, profiles, contours;
    theta-squared tables. A list is a collection of what it holds. Raises `ConfigError` for anything else, and for
    options that the figure does not have.

    >>> peek(run)                                                                       # doctest: +SKIP
    >>> peek(run.aeff, offset="0.5 deg")                                                # doctest: +SKIP
    >>> peek(fit, energy_bounds=("50 GeV", "20 TeV"))                                   # doctest: +SKIP
    """
    thing = _collected(thing)
    for kind, draw in _KINDS.items():
        if isinstance(thing, kind):
            return _drawn(draw, thing, options)
    known = ", ".join(_NAMES.get(kind, kind.__name__) for kind in _KINDS)
    raise ConfigError(f"peek() has no figure of a {type(thing).__name__}; it takes {known}, and lists of them")


def _drawn(draw: Callable[..., Figure], thing: Any, options: Mapping[str, Any]) -> Figure:
    parameters = inspect.signature(draw).parameters
    unknown = sorted(set(options) - set(parameters))
    if unknown and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        have = ", ".join(list(parameters)[1:])
        raise ConfigError(f"{draw.__name__}() has no option {', '.join(unknown)}; it has {have}")
    return draw(thing, **options)


def _collected(thing: Any) -> Any:
    """A list of runs or of datasets as their collection."""
    if not isinstance(thing, list | tuple) or not thing:
        return thing
    if all(isinstance(one, Observation) for one in thing):
        return Observations(thing)
    if all(isinstance(one, SpectrumDataset | SpectrumDatasetOnOff | FluxPointsDataset) for one in thing):
        return Datasets(thing)
    return thing
