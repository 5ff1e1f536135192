"""Disks with a smooth edge."""

import jax.numpy as jnp
from jax.scipy.special import erfc

from gammajax._typing import Scalar
from gammajax.models.spatial.base import SpatialModel
from gammajax.models.spatial.place import ellipse, safe_sqrt, seen_from
from gammajax.params.field import param

_NODES = 16
_EDGE_95 = 2.326174307353347
"""Gammapy's scale of the error function, by which `edge_width` is the range in which the edge falls."""
_SHARPEST = 1e-7
_SMEAR = 1.0 / 6.0
"""Variance of what samples are smeared by, in units of their squared distance: that of a triangle."""


class DiskSpatial(SpatialModel):
    r"""Constant on a disk or ellipse, `N erfc(k (s / r - 1) / edge_width) / 2` at the separation s from the centre.

    r = `r_0` [deg], or the radius of the ellipse (`e`, position angle `phi` [deg] of the major axis) in the direction;
    `edge_width` is the width of the edge in units of r, k = 2.326. 1 / N is the solid angle of the ellipse, as in
    Gammapy: the soft edge adds `(edge_width / k)^2 / 2` to the integral over the sphere, 9e-6 at the default width.

    >>> round(DiskSpatial(r_0="0.5 deg").extent().item(), 6)
    0.5555
    """

    tag = ("DiskSpatialModel", "disk")
    lon_0: Scalar = param(0.0, unit="deg")
    lat_0: Scalar = param(0.0, unit="deg", lower=-90.0, upper=90.0)
    r_0: Scalar = param(1.0, unit="deg", lower=0.0)
    e: Scalar = param(0.0, lower=0.0, upper=1.0, frozen=True)
    phi: Scalar = param(0.0, unit="deg", lower=-180.0, upper=180.0, frozen=True)
    edge_width: Scalar = param(0.01, lower=0.0, upper=1.0, frozen=True)

    def brightness(self, lon: Scalar, lat: Scalar) -> Scalar:
        return self.sampled(lon, lat, jnp.zeros_like(self.r_0))

    def sampled(self, lon: Scalar, lat: Scalar, apart: Scalar) -> Scalar:
        form = ellipse(seen_from(self.lon_0, self.lat_0, lon, lat), self.r_0, self.e, self.phi)
        # The edge is that of a Gaussian mean of the disk: the variances of its own and of the samples' width add up.
        smear = _SMEAR * jnp.deg2rad(apart) ** 2 / (form.major * form.minor)
        width = jnp.sqrt(self.edge_width**2 + 2.0 * _EDGE_95**2 * smear + _SHARPEST**2)
        inside = 0.5 * erfc(_EDGE_95 * (safe_sqrt(form.distance_square) - 1.0) / width)
        return inside / (_solid_angle(form.major, form.minor) * (1.0 + smear))

    def extent(self) -> Scalar:
        return 1.1 * self.r_0 * (1.0 + self.edge_width)

    def resolution(self) -> Scalar:
        return self.r_0 * (1.0 - self.edge_width) / 10.0


def _solid_angle(major: Scalar, minor: Scalar) -> Scalar:
    """Solid angle [sr] of an ellipse on the sphere: the cone whose sines make an ellipse in the plane.

    `int (1 - sqrt(1 - S^2)) dphi`, in the parameter t of the ellipse with S^2 = A^2 cos^2 t + B^2 sin^2 t for the sines
    A and B of the semiaxes: `A B int dt / (1 + sqrt(1 - S^2))`, a periodic sum that converges for any ratio of axes.
    """
    t = jnp.pi / _NODES * jnp.arange(_NODES)
    square = (jnp.sin(major) * jnp.cos(t)) ** 2 + (jnp.sin(minor) * jnp.sin(t)) ** 2
    return 2.0 * jnp.pi * jnp.sin(major) * jnp.sin(minor) * jnp.mean(1.0 / (1.0 + safe_sqrt(1.0 - square)))
