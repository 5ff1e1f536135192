"""The same brightness everywhere."""

from typing import Any

import jax.numpy as jnp

from gammajax._typing import Scalar
from gammajax.models.spatial.base import SpatialModel
from gammajax.params.field import param


class ConstantSpatial(SpatialModel):
    """The same brightness `value` [sr-1] in all directions, such as that of isotropic emission.

    >>> ConstantSpatial(value="2 sr-1").brightness(jnp.array(10.0), jnp.array(-5.0)).item()
    2.0
    """

    tag = ("ConstantSpatialModel", "const")
    value: Scalar = param(1.0, unit="sr-1", frozen=True)

    @property
    def normalized(self) -> bool:
        return False

    def brightness(self, lon: Scalar, lat: Scalar) -> Scalar:
        return self.value * jnp.ones_like(lon)

    def to_yaml(self, content: dict[str, Any], gammapy: bool) -> dict[str, Any]:
        # Gammapy's files give a model without directions no frame.
        return {key: x for key, x in content.items() if key != "frame"} if gammapy else content


class ConstantFluxSpatial(SpatialModel):
    """The whole flux in every pixel: 1 sr-1, and an integral of 1 over each pixel of any size.

    Gammapy's model of a spectrum in a region; a source with `spatial=None` is the same thing.

    >>> ConstantFluxSpatial().position is None
    True
    """

    tag = ("ConstantFluxSpatialModel", "const-flux")

    def brightness(self, lon: Scalar, lat: Scalar) -> Scalar:
        return jnp.ones_like(lon)

    @property
    def in_gammapy(self) -> bool:
        # Gammapy's reader does not find its own class.
        return False
