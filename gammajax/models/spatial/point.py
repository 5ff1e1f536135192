"""A source without extension."""

import jax.numpy as jnp

from gammajax._typing import Scalar
from gammajax.errors import NotDefined
from gammajax.models.spatial.base import SpatialModel
from gammajax.params.field import param


class PointSpatial(SpatialModel):
    """A point: all flux comes from (`lon_0`, `lat_0`) [deg]. It has no surface brightness, only predicted counts.

    >>> PointSpatial(lon_0="83.63 deg", lat_0="22.01 deg").position.to_string()
    '83.63 22.01'
    """

    tag = ("PointSpatialModel", "point")
    lon_0: Scalar = param(0.0, unit="deg")
    lat_0: Scalar = param(0.0, unit="deg", lower=-90.0, upper=90.0)

    def brightness(self, lon: Scalar, lat: Scalar) -> Scalar:
        raise NotDefined("a point source has no surface brightness: predict its counts, or give it an extension")

    def extent(self) -> Scalar:
        return jnp.zeros_like(self.lon_0)

    def resolution(self) -> Scalar:
        return jnp.zeros_like(self.lon_0)
