"""A source: what it emits, and which datasets see it."""

from typing import Any

import equinox as eqx

from gammajax.errors import ModelError
from gammajax.models.spectral import SpectralModel
from gammajax.params.field import Model


class SkyModel(Model):
    """A source with a spectrum; `datasets_names` limits it to the datasets of these names (None: all).

    >>> SkyModel(spectral=PowerLaw(index=2.3))                                          # doctest: +SKIP
    """

    spectral: SpectralModel
    datasets_names: tuple[str, ...] | None = eqx.field(static=True, default=None)

    def __init__(self, spectral: SpectralModel, *, datasets_names: Any = None):
        if not isinstance(spectral, SpectralModel):
            raise ModelError(f"SkyModel: spectral must be a spectral model, got {type(spectral).__name__}")
        if spectral.unit == "":
            raise ModelError(f"SkyModel: {type(spectral).__name__} has no unit: multiply it with the flux of a source")
        if isinstance(datasets_names, str):
            datasets_names = (datasets_names,)
        self.spectral = spectral
        self.datasets_names = None if datasets_names is None else tuple(datasets_names)
