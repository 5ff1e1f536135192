"""Shells: the projection of the space between two spheres, filled evenly."""

import jax.numpy as jnp

from gammajax._typing import Scalar
from gammajax.models.spatial.base import SpatialModel
from gammajax.models.spatial.chord import smeared_chord, thinnest
from gammajax.models.spatial.place import Place, length, safe_sqrt, seen_from
from gammajax.params.field import param


class ShellSpatial(SpatialModel):
    r"""Projected shell, `3 / (2 pi (R^3 - r^3)) (sqrt(R^2 - s^2) - sqrt(r^2 - s^2))`, a root being 0 where s is larger.

    s is the separation from (`lon_0`, `lat_0`), r = `radius` [deg] the inner and R = `radius` + `width` [deg] the outer
    radius. The norm is that of the plane, as in Gammapy. Derivatives grow without limit towards both edges;
    in fits samples are means over their distance, which have two derivatives everywhere.

    >>> round(ShellSpatial(radius="0.5 deg", width="0.1 deg").extent().item(), 6)
    0.6
    """

    tag = ("ShellSpatialModel", "shell")
    lon_0: Scalar = param(0.0, unit="deg")
    lat_0: Scalar = param(0.0, unit="deg", lower=-90.0, upper=90.0)
    radius: Scalar = param(1.0, unit="deg")
    width: Scalar = param(0.2, unit="deg")

    def brightness(self, lon: Scalar, lat: Scalar) -> Scalar:
        inner = _positive(self.radius)
        return _shell(seen_from(self.lon_0, self.lat_0, lon, lat), inner, inner + _positive(self.width))

    def sampled(self, lon: Scalar, lat: Scalar, apart: Scalar) -> Scalar:
        place = seen_from(self.lon_0, self.lat_0, lon, lat)
        return _smeared_shell(place, _positive(self.radius), _positive(self.width), apart)

    def extent(self) -> Scalar:
        return self.radius + self.width

    def resolution(self) -> Scalar:
        return self.width


class Shell2Spatial(SpatialModel):
    r"""The shell of `ShellSpatial` by its outer radius `r_0` [deg] and the width of the shell `eta` in units of it.

    >>> Shell2Spatial(r_0="0.5 deg", eta=0.2).extent().item()
    0.5
    """

    tag = ("Shell2SpatialModel", "shell2")
    lon_0: Scalar = param(0.0, unit="deg")
    lat_0: Scalar = param(0.0, unit="deg", lower=-90.0, upper=90.0)
    r_0: Scalar = param(1.0, unit="deg")
    eta: Scalar = param(0.2, lower=0.02, upper=1.0)

    def brightness(self, lon: Scalar, lat: Scalar) -> Scalar:
        outer = _positive(self.r_0)
        return _shell(seen_from(self.lon_0, self.lat_0, lon, lat), _positive(1.0 - self.eta) * outer, outer)

    def sampled(self, lon: Scalar, lat: Scalar, apart: Scalar) -> Scalar:
        outer, place = _positive(self.r_0), seen_from(self.lon_0, self.lat_0, lon, lat)
        return _smeared_shell(place, _positive(1.0 - self.eta) * outer, self.eta * outer, apart)

    def extent(self) -> Scalar:
        return self.r_0

    def resolution(self) -> Scalar:
        return self.eta * self.r_0


def _positive(size: Scalar) -> Scalar:
    """|size|, with the slope 1 at zero: files of Gammapy let sizes go below."""
    return jnp.where(size >= 0.0, size, -size)


def _shell(place: Place, inner: Scalar, outer: Scalar) -> Scalar:
    """Brightness [sr-1] of a shell with its radii in deg, written so that an infinitely thin one is finite."""
    r, out = jnp.deg2rad(inner), length(outer)
    square = place.separation_square
    root, inner_root = safe_sqrt(out**2 - square), safe_sqrt(r**2 - square)
    inside, covered = square < r**2, square < out**2
    both = root + inner_root
    through = (out + r) / (jnp.where(both > 1e-12, both, 1e-12) * (out**2 + out * r + r**2))
    ring = covered & ~inside
    rim = root / jnp.where(ring, out**3 - r**3, 1.0)
    return 1.5 / jnp.pi * jnp.where(inside, through, jnp.where(ring, rim, 0.0))


def _smeared_shell(place: Place, inner: Scalar, width: Scalar, apart: Scalar) -> Scalar:
    """Brightness [sr-1] of a shell with its sizes in deg, averaged over a triangle of `apart` [deg] to both sides."""
    r, wide = jnp.deg2rad(inner), jnp.deg2rad(width)
    out = r + jnp.sqrt(wide**2 + (thinnest(wide) * (r + wide)) ** 2 + length(jnp.zeros_like(wide)) ** 2)
    s, step = safe_sqrt(place.separation_square), jnp.deg2rad(apart)
    chord = smeared_chord(s, out, step) - smeared_chord(s, r, step)
    # Averages along the radius add to the integral over the plane; of a mean in both directions nothing would.
    return 1.5 / jnp.pi * chord / (out**3 - r**3 + 0.25 * step**2 * (out - r))
