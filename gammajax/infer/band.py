"""Uncertainty of a spectrum along energy: from the covariance of a fit, or from posterior draws."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gammajax._typing import Array, Float, Vector
from gammajax.errors import NothingToFit
from gammajax.infer.covariance import propagated
from gammajax.infer.fit import Fit
from gammajax.infer.place import Place, locate
from gammajax.infer.posterior import Posterior
from gammajax.models.collection import Models
from gammajax.models.sky import SkyModel
from gammajax.models.spectral import evaluate
from gammajax.params.layout import Layout
from gammajax.params.tree import fill
from gammajax.units import to_value

QUANTILES = (0.025, 0.16, 0.5, 0.84, 0.975)
"""Edges of the central 95 % and 68 % intervals, and the median."""


def flux_band(models: Models | Fit, name: str, energy: Any) -> tuple[np.ndarray, np.ndarray]:
    r"""Best-fit `dnde` of one model at energies [TeV], and its standard error, both in cm-2 s-1 TeV-1.

    First-order propagation with the exact Jacobian in all free parameters, `error^2 = J C J^T`; links and
    correlations between models are carried along. Network weights count as known. The error is NaN where the flux
    depends on a parameter on its bound, which has none. `name` is that of a source, or the
    path of a spectrum inside its own: "pks.spectral.model1" is the intrinsic one where `model2` absorbs.
    Raises `ModelError` for an unknown name, `NothingToFit` if the models carry no covariance.

    >>> best, error = flux_band(fit, "crab", np.geomspace(0.1, 10, 50))                 # doctest: +SKIP
    """
    models = models.models if isinstance(models, Fit) else models
    place, energy = locate(models, name), _energy(energy)
    if models.covariance is None:
        raise NothingToFit("these models carry no covariance: take those of a fit, as they came out of it")
    layout = models.layout
    natural = layout.natural(layout.z)
    best, jacobian = _dnde_and_jacobian(models.tree, layout, natural, energy, place)
    return np.asarray(best), propagated(np.asarray(jacobian), models.covariance.matrix)


def posterior_band(
    posterior: Posterior,
    name: str,
    energy: Any,
    quantiles: Sequence[float] = QUANTILES,
    *,
    draws: int = 1000,
) -> np.ndarray:
    """Quantiles of `dnde` of one model over posterior draws [cm-2 s-1 TeV-1], shape (quantile, energy).

    At most `draws` draws, spread evenly over all chains, are used. Raises `ModelError` for an unknown name.

    >>> low, median, high = posterior_band(posterior, "crab", energy, (0.16, 0.5, 0.84))  # doctest: +SKIP
    """
    models = posterior.models
    place = locate(models, name)
    flat = posterior.flat
    chosen = np.linspace(0, len(flat) - 1, min(draws, len(flat))).round().astype(int)
    curves = _curves(models.tree, models.layout, jnp.asarray(flat[chosen]), _energy(energy), place)
    return np.quantile(np.asarray(curves), quantiles, axis=0)


def _energy(energy: Any) -> Array:
    return jnp.atleast_1d(jnp.asarray(to_value(energy, "TeV", "energy"), dtype=jnp.result_type(float)))


def _dnde(
    tree: tuple[SkyModel, ...], layout: Layout, natural: Vector, energy: Float[Array, "energy"], place: Place
) -> Float[Array, "energy"]:
    """The flux of the spectrum at `place` for values of all free parameters, in their units."""
    models = fill(tree, layout.values(layout.to_z(natural)))
    return evaluate(place.of(models), energy)


@partial(jax.jit, static_argnames="place")
def _dnde_and_jacobian(
    tree: tuple[SkyModel, ...], layout: Layout, natural: Vector, energy: Float[Array, "energy"], place: Place
) -> tuple[Float[Array, "energy"], Float[Array, "energy free"]]:
    def flux(natural: Vector) -> tuple[Array, Array]:
        out = _dnde(tree, layout, natural, energy, place)
        return out, out

    # Forward mode: there are fewer parameters than energies.
    jacobian, best = jax.jacfwd(flux, has_aux=True)(natural)
    return best, jacobian


@partial(jax.jit, static_argnames="place")
def _curves(
    tree: tuple[SkyModel, ...],
    layout: Layout,
    natural: Float[Array, "draw free"],
    energy: Float[Array, "energy"],
    place: Place,
) -> Float[Array, "draw energy"]:
    return jax.vmap(lambda x: _dnde(tree, layout, x, energy, place))(natural)
