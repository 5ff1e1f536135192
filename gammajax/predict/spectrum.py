"""Predicted counts of spectra: where datasets and models meet."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gammajax._typing import Array, Bool, Float
from gammajax.datasets.grouping import group, refine
from gammajax.datasets.groups import Dataset, Group, SpectrumGroup
from gammajax.errors import ModelError
from gammajax.models.nuisance import Nuisance
from gammajax.models.sky import SkyModel, needs_map
from gammajax.models.spectral import SpectralModel

Nodes = Float[Array, "axis energy_true node"]


class Prediction(NamedTuple):
    """What models predict for the bins of a group."""

    signal: Float[Array, "dataset energy"]
    """Counts of the sources."""
    scale: Float[Array, "dataset energy"] | None
    """Factor on the background; None where no model touches it: one."""


def predict(
    models: Sequence[SkyModel | Nuisance], acts: Bool[Array, "model dataset"], spectra: SpectrumGroup
) -> Prediction:
    """Counts that the models predict in each bin, `mu_j = sum_i F_i exposure_i edisp_ij`, and the background's factor.

    `acts` says which model acts on which dataset. All datasets that share an axis must see the same nuisances of
    energy and efficiency (`arrange` sees to that).
    """
    nuisances = [(model, seen) for model, seen in zip(models, acts, strict=True) if isinstance(model, Nuisance)]
    nodes, weights = _bent(nuisances, spectra)
    flux = jnp.zeros_like(spectra.exposure)
    for model, seen in zip(models, acts, strict=True):
        if isinstance(model, SkyModel):
            own = integrated_flux(model.spectral, nodes, weights)
            flux = flux + jnp.where(seen[:, None], own[spectra.axis], 0.0)
    return Prediction(jnp.einsum("dt,dte->de", flux * spectra.exposure, spectra.edisp), _scale(nuisances, spectra))


def arrange(
    datasets: Sequence[Dataset],
    models: Sequence[SkyModel | Nuisance],
    sees: Bool[np.ndarray, "model dataset"],
    nodes: int = 4,
) -> list[tuple[Group, Bool[Array, "model dataset"]]]:
    """The datasets in groups that `predict` takes, each with `acts`: the columns of `sees` of its datasets."""
    bends = [isinstance(m, Nuisance) and (m.bends("energy") or m.bends("efficiency")) for m in models]
    sees = sees.reshape(len(models), len(datasets))
    out = []
    for g in group(datasets, nodes):
        own = sees[:, np.asarray(g.index)]
        out.append((refine(g, own[bends]) if any(bends) else g, jnp.asarray(own)))
    return out


def check_regions(models: Mapping[str, SkyModel | Nuisance], sees: Sequence[Sequence[bool]]) -> None:
    """Raise `ModelError` for a model that acts on a spectrum, but predicts nothing without its map."""
    for (name, model), seen in zip(models.items(), sees, strict=True):
        if any(seen) and (why := needs_map(model)):
            raise ModelError(f"{name} {why}: name its cubes in datasets_names, or drop({name!r})")


def integrated_flux(model: SpectralModel, nodes: Nodes, weights: Nodes) -> Float[Array, "axis energy_true"]:
    """Flux of a model in each true-energy bin of each axis [cm-2 s-1], `F_i = sum_k w_ik dnde(E_ik)`."""
    return model.integrate(nodes, weights)


def _bent(nuisances: Sequence[tuple[Nuisance, Array]], spectra: SpectrumGroup) -> tuple[Nodes, Nodes]:
    """Energies at which spectra are evaluated and the weights of their sum, as nuisances of the response have them.

    A response that is off by `energy(E)` sees the spectrum `phi(energy(E)) |d energy / dE|`.
    """
    nodes, weights = spectra.nodes, spectra.node_weights
    for model, seen in nuisances:
        on_axis = jnp.zeros(nodes.shape[0], bool).at[spectra.axis].set(seen)[:, None, None]
        if model.bends("efficiency"):
            weights = jnp.where(on_axis, weights * _mapped(model.efficiency, spectra.nodes), weights)
        if model.bends("energy"):
            moved, slope = jax.jvp(lambda x, m=model: _mapped(m.energy, x), (nodes,), (jnp.ones_like(nodes),))
            nodes = jnp.where(on_axis, moved, nodes)
            weights = jnp.where(on_axis, weights * jnp.abs(slope), weights)
    return nodes, weights


def _scale(nuisances: Sequence[tuple[Nuisance, Array]], spectra: SpectrumGroup) -> Array | None:
    scale = None
    for model, seen in nuisances:
        if model.bends("background"):
            factor = jnp.where(seen[:, None], _mapped(model.background, spectra.energy), 1.0)
            scale = factor if scale is None else scale * factor
    return scale


def _mapped(method, energy: Array) -> Array:
    """A method for one energy, applied to energies of any shape."""
    return jax.vmap(method)(energy.reshape(-1)).reshape(energy.shape)
