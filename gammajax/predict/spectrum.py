"""Predicted counts of spectra: flux times exposure, taken to reconstructed energies."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from gammajax._typing import Array, Bool, Float
from gammajax.models.nuisance import Nuisance
from gammajax.models.sky import SkyModel
from gammajax.predict.bend import bent


def predict_spectra(
    models: Sequence[SkyModel | Nuisance], acts: Bool[Array, "model dataset"], spectra: Any
) -> Float[Array, "dataset energy"]:
    """Counts of the sources in each bin, `mu_j = sum_i F_i exposure_i edisp_ij`.

    `acts` says which model acts on which dataset. All datasets that share an axis must see the same nuisances of
    energy and efficiency (`arrange` sees to that).
    """
    nodes, weights = bent(models, acts, spectra)
    flux = jnp.zeros_like(spectra.exposure)
    for model, seen in zip(models, acts, strict=True):
        if isinstance(model, SkyModel):
            own = model.spectral.integrate(nodes, weights)
            flux = flux + jnp.where(seen[:, None], own[spectra.axis], 0.0)
    return jnp.einsum("dt,dte->de", flux * spectra.exposure, spectra.edisp)
