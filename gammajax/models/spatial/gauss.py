"""Gaussians on the sphere, plain and generalised, round and elliptical."""

import jax.numpy as jnp
from jax.scipy.special import gammaln

from gammajax._typing import Scalar
from gammajax.models.spatial.base import SpatialModel
from gammajax.models.spatial.place import Ellipse, ellipse, seen_from
from gammajax.params.field import param

_NODES = 16


class GaussianSpatial(SpatialModel):
    r"""Gaussian on the sphere, `N exp(-(1 - cos s) / (2 (1 - cos r)))` at the separation s from (`lon_0`, `lat_0`).

    r = `sigma` [deg]; with the eccentricity `e`, the radius of the ellipse of semimajor axis `sigma` under the position
    angle `phi` [deg] (from north towards increasing longitude) in the direction. N makes the integral over the sphere 1
    for any ellipse; Gammapy's N for e > 0 holds in the plane, and is larger by `(a^2 + b^2) / 24` with semiaxes in rad.

    >>> model = GaussianSpatial(lon_0="83.63 deg", lat_0="22.01 deg", sigma="0.1 deg")
    >>> round(model(model.position).to_value("deg-2").item(), 3)
    15.915
    """

    tag = ("GaussianSpatialModel", "gauss")
    lon_0: Scalar = param(0.0, unit="deg")
    lat_0: Scalar = param(0.0, unit="deg", lower=-90.0, upper=90.0)
    sigma: Scalar = param(1.0, unit="deg", lower=0.0)
    e: Scalar = param(0.0, lower=0.0, upper=1.0, frozen=True)
    phi: Scalar = param(0.0, unit="deg", lower=-180.0, upper=180.0, frozen=True)

    def brightness(self, lon: Scalar, lat: Scalar) -> Scalar:
        form = ellipse(seen_from(self.lon_0, self.lat_0, lon, lat), self.sigma, self.e, self.phi)
        radius = 1.0 / jnp.sqrt(form.radius)
        haversine = form.place.haversine
        # (1 - cos s) / (1 - cos r): near the centre the quadratic form, opposite to it the plain ratio
        close = haversine < 0.5
        near = form.stretched / jnp.where(close, 1.0 - haversine, 1.0)
        ratio = jnp.where(close, near, 4.0 * haversine * form.radius) / _sinc(0.5 * radius) ** 2
        return jnp.exp(-0.5 * ratio) / _gaussian_integral(form)

    def extent(self) -> Scalar:
        return 5.0 * self.sigma

    def resolution(self) -> Scalar:
        return self.sigma / 3.0


def _gaussian_integral(form: Ellipse) -> Scalar:
    """Integral over the sphere of the Gaussian with peak 1, `2 int A (1 - exp(-1 / A)) dphi` with `A = 1 - cos r(phi)`.

    In the parameter t of the ellipse, r^2 = a^2 cos^2 t + b^2 sin^2 t and dphi = a b / r^2 dt, the integrand is smooth
    for any ratio of the axes: 16 points of a periodic sum are exact to rounding. A circle gives Gammapy's norm.
    """
    t = jnp.pi / _NODES * jnp.arange(_NODES)
    half = 0.5 * jnp.sqrt((form.major * jnp.cos(t)) ** 2 + (form.minor * jnp.sin(t)) ** 2)
    inside = -jnp.expm1(-0.5 / jnp.sin(half) ** 2)
    return 2.0 * jnp.pi * form.major * form.minor * jnp.mean(_sinc(half) ** 2 * inside)


def _sinc(x: Scalar) -> Scalar:
    """sin(x) / x of a positive x."""
    return jnp.sin(x) / x


class GeneralizedGaussianSpatial(SpatialModel):
    r"""Generalised Gaussian, `N exp(-(s / r)^(1 / eta))` with `N = 1 / (2 pi a b eta Gamma(2 eta))`.

    s is the separation from (`lon_0`, `lat_0`), r the radius of the ellipse (semiaxes a = `r_0` [deg] and b) in the
    direction. `eta` -> 0 is a disk, 1/2 a Gaussian of width `r_0 / sqrt(2)`, 1 an exponential. N is that of the plane,
    as in Gammapy: the integral over the sphere is 1 up to terms of order `r_0`^2 in rad^2.

    >>> GeneralizedGaussianSpatial(r_0="0.2 deg", eta=0.5).extent().item()
    1.0
    """

    tag = ("GeneralizedGaussianSpatialModel", "gauss-general")
    lon_0: Scalar = param(0.0, unit="deg")
    lat_0: Scalar = param(0.0, unit="deg", lower=-90.0, upper=90.0)
    r_0: Scalar = param(1.0, unit="deg")
    eta: Scalar = param(0.5, lower=0.01, upper=1.0)
    e: Scalar = param(0.0, lower=0.0, upper=1.0, frozen=True)
    phi: Scalar = param(0.0, unit="deg", lower=-180.0, upper=180.0, frozen=True)

    def brightness(self, lon: Scalar, lat: Scalar) -> Scalar:
        form = ellipse(seen_from(self.lon_0, self.lat_0, lon, lat), self.r_0, self.e, self.phi)
        # 1e-24 rounds off the tip of an exponential, exp(7) keeps 0 * inf out of derivatives where nothing is left
        power = 0.5 / self.eta * jnp.log(form.distance_square + 1e-24)
        shape = jnp.exp(-jnp.exp(jnp.minimum(power, 7.0)))
        size = jnp.exp(gammaln(2.0 * self.eta)) * self.eta
        return shape / (2.0 * jnp.pi * form.major * form.minor * size)

    def extent(self) -> Scalar:
        return self.r_0 * (1.0 + 8.0 * self.eta)

    def resolution(self) -> Scalar:
        return self.r_0 / (3.0 + 8.0 * self.eta) / (self.e + 1.0)
