"""One door to the figures: `peek` finds the one that fits an object."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from astropy.table import Table
from matplotlib.figure import Figure

from gammajax.data import GTI, DataStore, Events, Observation, Observations
from gammajax.datasets.collection import Datasets
from gammajax.datasets.cube import Cube, MapDataset, MapDatasetOnOff
from gammajax.datasets.flux_points import FluxPointsDataset
from gammajax.datasets.groups import Dataset
from gammajax.datasets.spectrum import SpectrumDataset, SpectrumDatasetOnOff
from gammajax.errors import ConfigError, DatasetError
from gammajax.geom.maps import HealpixMap, SkyMap
from gammajax.infer.compare import Comparison
from gammajax.infer.contour import Contour, Surface
from gammajax.infer.coverage import Coverage
from gammajax.infer.evidence import Evidence
from gammajax.infer.fit import Fit
from gammajax.infer.goodness import Goodness
from gammajax.infer.limits import AsymmetricErrors, Limit
from gammajax.infer.posterior import Posterior
from gammajax.infer.predictive import Predictive
from gammajax.infer.profile import Profile
from gammajax.infer.refit import Toys
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
from gammajax.models.spatial import SpatialModel
from gammajax.models.spectral import SpectralModel
from gammajax.plot.contour import plot_contour, plot_surface
from gammajax.plot.corner import plot_corner
from gammajax.plot.counts import plot_counts
from gammajax.plot.coverage import plot_coverage
from gammajax.plot.cube import plot_cube
from gammajax.plot.dataset import plot_dataset, plot_flux_points
from gammajax.plot.events import plot_events, plot_observation
from gammajax.plot.field import plot_background, plot_psf
from gammajax.plot.limits import plot_limits
from gammajax.plot.livetime import NEEDED as LIVETIME
from gammajax.plot.livetime import plot_livetime
from gammajax.plot.parameters import plot_parameters
from gammajax.plot.predictive import plot_predictive
from gammajax.plot.profile import plot_profile
from gammajax.plot.pulls import plot_pulls
from gammajax.plot.responses import plot_effective_area, plot_energy_dispersion, plot_rad_max
from gammajax.plot.runs import plot_gti, plot_pointing
from gammajax.plot.skymap import plot_map
from gammajax.plot.spatial import plot_spatial
from gammajax.plot.spectrum import plot_nuisance, plot_spectrum
from gammajax.plot.theta_squared import NEEDED as THETA_SQUARED
from gammajax.plot.theta_squared import plot_theta_squared
from gammajax.plot.toys import plot_comparison, plot_goodness

_MANY = 16
"""Spectra of which each has a panel of its own; more are stacked."""


def _datasets(datasets: Datasets, **options: Any) -> Figure:
    points = [d for d in datasets if isinstance(d, FluxPointsDataset)]
    cubes = [d for d in datasets if isinstance(d, Cube)]
    if len(cubes) == 1 == len(datasets):
        return plot_cube(cubes[0], **options)
    if cubes:
        raise DatasetError(f"{', '.join(d.name for d in cubes)}: a cube has a figure of its own: peek at one of them")
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


def _table(table: Table, **options: Any) -> Figure:
    for needed, draw in ((THETA_SQUARED, plot_theta_squared), (LIVETIME, plot_livetime)):
        if set(needed) <= set(table.colnames):
            return _drawn(draw, table, options)
    have = ", ".join(table.colnames) or "none"
    raise ConfigError(
        f"a table of theta_squared_table() or livetime_table() has a figure, not one of the columns {have}"
    )


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
    MapDataset: plot_cube,
    MapDatasetOnOff: plot_cube,
    SkyMap: plot_map,
    HealpixMap: plot_map,
    SpectralModel: plot_spectrum,
    SpatialModel: plot_spatial,
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
    AsymmetricErrors: plot_limits,
    Limit: plot_limits,
    Toys: plot_pulls,
    Goodness: plot_goodness,
    Comparison: plot_comparison,
    Coverage: plot_coverage,
    Predictive: plot_predictive,
    Table: _table,
}
"""The figure of each kind of object, and of kinds derived from it."""

_NAMES = {Table: "tables of theta_squared_table() and livetime_table()"}


def peek(thing: Any, **options: Any) -> Figure:
    """A first look at any object: the figure that fits its kind, with the options of that figure.

    Runs, events, good time and every response; datasets, which need no model, cubes, maps and flux points; spectra,
    shapes, sources, `Models` and nuisances; a fit (its parameters, or with `energy_bounds` its spectra), posteriors,
    profiles, contours, errors and limits, toys, goodness of fit, comparisons, predictive checks, coverage; tables of
    theta squared and livetime. A list is a collection of what it holds. Raises `ConfigError` for anything else, and
    for options that the figure does not have.

    >>> peek(run)                                                                       # doctest: +SKIP
    >>> peek(run.aeff, offset="0.5 deg")                                                # doctest: +SKIP
    >>> peek(fit, energy_bounds=("50 GeV", "20 TeV"))                                   # doctest: +SKIP
    """
    if isinstance(thing, list | tuple) and thing and all(isinstance(one, Limit) for one in thing):
        return _drawn(plot_limits, thing, options)
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
    if all(isinstance(one, Dataset) for one in thing):
        return Datasets(thing)
    return thing
