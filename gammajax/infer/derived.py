"""Numbers that follow from a fitted spectrum: pivot energy, flux and energy flux, with their errors."""

import dataclasses
from functools import partial
from typing import Any, overload

import jax
import jax.numpy as jnp
import numpy as np
from astropy import units as u

from gammajax._typing import Array, Float, Vector
from gammajax.errors import ModelError, NothingToFit
from gammajax.infer.covariance import propagated
from gammajax.infer.fit import Fit
from gammajax.infer.place import Place, locate
from gammajax.infer.posterior import Posterior
from gammajax.infer.quantity import Derived
from gammajax.models.collection import Models
from gammajax.models.spectral.base import SpectralModel, evaluate
from gammajax.models.spectral.pieces import Pieces, pieces
from gammajax.params.layout import Layout
from gammajax.params.tree import fill
from gammajax.units import FLUX, to_number, to_value

_GRID = 257
_ZOOMS = 8


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A quantity derived from a fit: `value` and its standard `error`, with units."""

    value: u.Quantity
    error: u.Quantity

    def __repr__(self) -> str:
        if not self.value.isscalar:
            return f"{self.value} +- {self.error}"
        return f"{self.value.value:.6g} +- {self.error.value:.2g} {self.value.unit}"


@overload
def flux(source: Fit | Models, name: str, energy_min: Any, energy_max: Any) -> Estimate: ...


@overload
def flux(source: Posterior, name: str, energy_min: Any, energy_max: Any) -> Derived: ...


def flux(source: Fit | Models | Posterior, name: str, energy_min: Any, energy_max: Any) -> Estimate | Derived:
    r"""Flux of one model between two energies, `int dnde dE` [cm-2 s-1], with its error.

    Of a fit by first-order propagation with the exact Jacobian in all free parameters, `error^2 = J C J^T` (links and
    correlations between models are carried along, network weights count as known); of a posterior one flux for each
    draw. Arrays of energies give one flux for each pair. `name` is that of a source, or the path of a spectrum inside
    its own: "pks.spectral.model1" is the intrinsic one where `model2` absorbs. The error is NaN if the flux depends on
    a parameter on its bound, which has none; what is frozen counts as known.
    Raises `ModelError` for an unknown name, `NothingToFit` if the models carry no covariance.

    >>> flux(fit, "crab", "1 TeV", "10 TeV")                                            # doctest: +SKIP
    """
    return _moment(source, name, energy_min, energy_max, 0, FLUX)


@overload
def energy_flux(source: Fit | Models, name: str, energy_min: Any, energy_max: Any) -> Estimate: ...


@overload
def energy_flux(source: Posterior, name: str, energy_min: Any, energy_max: Any) -> Derived: ...


def energy_flux(source: Fit | Models | Posterior, name: str, energy_min: Any, energy_max: Any) -> Estimate | Derived:
    r"""Energy flux of one model between two energies, `int E dnde dE` [TeV cm-2 s-1]; otherwise like `flux`."""
    return _moment(source, name, energy_min, energy_max, 1, f"TeV {FLUX}")


def pivot_energy(
    source: Fit | Models, name: str, *, energy_min: Any = "1 MeV", energy_max: Any = "10 PeV"
) -> u.Quantity:
    r"""Energy at which the relative error of `dnde` of one model is least: there flux and shape are not correlated.

    The root of `d/dlnE (J C J^T / dnde^2)` with exact derivatives, at the deepest minimum between the two energies. For
    a power law it is `reference exp(cov(amplitude, index) / (amplitude var(index)))`.
    Raises `ModelError` if the relative error has no minimum there, `NothingToFit` if the models carry no covariance.

    >>> pivot_energy(fit, "crab")                                                       # doctest: +SKIP
    """
    models = _models(source)
    matrix, place = _matrix(models), locate(models, name)
    layout = models.layout
    low, high = (np.log(to_number(x, "TeV", n)) for x, n in ((energy_min, "energy_min"), (energy_max, "energy_max")))
    natural = layout.natural(layout.z)
    found = False
    for _ in range(_ZOOMS):
        x = np.linspace(low, high, _GRID)
        both = _relative_variance(models.tree, layout, natural, matrix, jnp.asarray(x), place)
        variance, slope = (np.asarray(a, dtype=float) for a in both)
        usable = np.isfinite(variance) & np.isfinite(slope)
        varies = usable.any() and np.ptp(variance[usable]) > 1e-9 * variance[usable].max()
        turns = np.flatnonzero((slope[:-1] < 0) & (slope[1:] >= 0) & usable[:-1] & usable[1:])
        # From the second zoom on the variance is flat to rounding: its slope alone tells.
        if turns.size == 0 or not (found or varies):
            break
        best, found = turns[np.argmin(variance[turns] + variance[turns + 1])], True
        low, high = x[best], x[best + 1]
    if found:
        return u.Quantity(np.exp(0.5 * (low + high)), "TeV")
    raise ModelError(
        f"{name} has no pivot energy between {energy_min} and {energy_max}: the relative error of its flux has no "
        "minimum there. At least one parameter of its shape must have been fitted"
    )


def _moment(
    source: Fit | Models | Posterior, name: str, energy_min: Any, energy_max: Any, power: int, unit: str
) -> Estimate | Derived:
    models = _models(source)
    place = locate(models, name)
    low, high = (to_value(x, "TeV", n) for x, n in ((energy_min, "energy_min"), (energy_max, "energy_max")))
    if not np.all(np.asarray(low) < np.asarray(high)):
        raise ModelError(f"{name}: energy_min must be below energy_max, got {energy_min} and {energy_max}")
    split = pieces(low, high, place.of(tuple(models.filled.values())).kinks())
    layout = models.layout
    arguments = (jnp.asarray(split.nodes), jnp.asarray(split.weights), place, power)
    if isinstance(source, Posterior):
        parts = np.asarray(_drawn(models.tree, layout, jnp.asarray(source.flat), *arguments), dtype=float)
        found = np.moveaxis(_totals(split, parts.T), -1, 0)
        return Derived(found.reshape(*source.samples.shape[:2], *split.count.shape), unit)
    matrix = _matrix(models)
    natural = layout.natural(layout.z)
    parts, jacobian = _parts_and_jacobian(models.tree, layout, natural, *arguments)
    rows = _totals(split, np.asarray(jacobian, dtype=float))
    value = _totals(split, np.asarray(parts, dtype=float)[:, None])[..., 0]
    return Estimate(u.Quantity(value, unit), u.Quantity(propagated(rows, matrix), unit))


def _totals(split: Pieces, parts: np.ndarray) -> np.ndarray:
    """Columns of pieces summed over each range: shape (*ranges, column)."""
    columns = [split.total(column) for column in parts.T]
    return np.stack(columns, axis=-1) if columns else np.zeros((*split.count.shape, 0))


def _models(source: Fit | Models | Posterior) -> Models:
    return source if isinstance(source, Models) else source.models


def _matrix(models: Models) -> np.ndarray:
    if models.covariance is None:
        raise NothingToFit("these models carry no covariance: take those of a fit, as they came out of it")
    return models.covariance.matrix


def _spectrum(tree: tuple[Any, ...], layout: Layout, natural: Vector, place: Place) -> SpectralModel:
    """The spectrum at `place` for values of all free parameters, in their units."""
    return place.of(fill(tree, layout.values(layout.to_z(natural))))


@partial(jax.jit, static_argnames=("place", "power"))
def _parts_and_jacobian(
    tree: tuple[Any, ...], layout: Layout, natural: Vector, nodes: Array, weights: Array, place: Place, power: int
) -> tuple[Float[Array, "piece"], Float[Array, "piece free"]]:
    def moment(natural: Vector) -> tuple[Array, Array]:
        out = _spectrum(tree, layout, natural, place).integrate(nodes, weights, power)
        return out, out

    jacobian, parts = jax.jacfwd(moment, has_aux=True)(natural)
    return parts, jacobian


@partial(jax.jit, static_argnames=("place", "power"))
def _drawn(
    tree: tuple[Any, ...], layout: Layout, natural: Array, nodes: Array, weights: Array, place: Place, power: int
) -> Float[Array, "draw piece"]:
    return jax.vmap(lambda x: _spectrum(tree, layout, x, place).integrate(nodes, weights, power))(natural)


@partial(jax.jit, static_argnames="place")
def _relative_variance(
    tree: tuple[Any, ...], layout: Layout, natural: Vector, matrix: Array, x: Float[Array, "energy"], place: Place
) -> tuple[Float[Array, "energy"], Float[Array, "energy"]]:
    """Variance of ln dnde at energies exp(x), and its derivative in x."""
    # In units of the parameters' values: squares of fluxes are too small for float32.
    size = jnp.where(natural == 0, 1.0, jnp.abs(natural))
    scaled = matrix / size[:, None] / size[None, :]

    def variance(t: Array) -> Array:
        def logarithm(step: Vector) -> Array:
            spectrum = _spectrum(tree, layout, natural + step * size, place)
            return jnp.log(evaluate(spectrum, jnp.exp(t)[None])[0])

        row = jax.jacfwd(logarithm)(jnp.zeros_like(natural))
        return row @ scaled @ row

    return jax.vmap(jax.value_and_grad(variance))(x)
