"""Predicted counts of spectra: where datasets and models meet."""

from collections.abc import Sequence

import jax.numpy as jnp

from gammajax._typing import Array, Bool, Float
from gammajax.datasets.groups import SpectrumGroup
from gammajax.models.sky import SkyModel
from gammajax.models.spectral import SpectralModel, evaluate


def integrated_flux(model: SpectralModel, group: SpectrumGroup) -> Float[Array, "axis energy_true"]:
    """Flux of a model in each true-energy bin of each distinct axis of a group [cm-2 s-1].

    `F_i = sum_k w_ik dnde(E_ik)` with the Gauss-Legendre nodes of the group.
    """
    return jnp.sum(evaluate(model, group.nodes) * group.node_weights, axis=-1)


def predicted_signal(
    models: Sequence[SkyModel], acts: Bool[Array, "model dataset"], group: SpectrumGroup
) -> Float[Array, "dataset energy"]:
    """Counts that the models predict in each bin, `mu_j = sum_i F_i exposure_i edisp_ij`, without background.

    `acts` says which model is seen by which dataset.
    """
    flux = jnp.zeros_like(group.exposure)
    for model, seen in zip(models, acts, strict=True):
        flux = flux + jnp.where(seen[:, None], integrated_flux(model.spectral, group)[group.axis], 0.0)
    return jnp.einsum("dt,dte->de", flux * group.exposure, group.edisp)
