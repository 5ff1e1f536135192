"""Where a direction lies as seen from the centre of a model: smooth at the centre, at poles and across longitude 0.

Separations and position angles have no derivative at the centre; what is used here instead are functions of them that
have one. Lengths are in rad.
"""

from typing import NamedTuple

import jax.numpy as jnp

from gammajax._typing import Scalar

_NEAR = 1e-24
"""Square of an angle [rad2] below which two directions are one: its power -3/2 still fits in single precision."""
_SMALLEST = 1e-7
"""Size [deg] below which a source is as small as a source can be."""
_FLATTEST = 1e-8
"""Square of the smallest ratio of two axes."""


class Place(NamedTuple):
    """A direction as seen from a centre."""

    north: Scalar
    """sin(separation) cos(position angle)."""
    east: Scalar
    """sin(separation) sin(position angle)."""
    haversine: Scalar
    """sin^2(separation / 2)."""

    @property
    def square(self) -> Scalar:
        """sin^2(separation)."""
        return self.north**2 + self.east**2

    @property
    def separation(self) -> Scalar:
        """Angle to the centre [rad]; its derivatives are zero at the centre and opposite to it."""
        return jnp.arctan2(safe_sqrt(self.square), 1.0 - 2.0 * self.haversine)

    @property
    def separation_square(self) -> Scalar:
        """Square of the separation [rad2], smooth at the centre."""
        return self.spread(self.square, self.separation**2)

    def spread(self, near: Scalar, far: Scalar) -> Scalar:
        """`near`, a form of the sines that is quadratic at the centre, as one of the angles; `far` in the far half."""
        apart = self.square > _NEAR
        ratio = jnp.where(apart, self.separation**2 / jnp.where(apart, self.square, 1.0), 1.0)
        return jnp.where(self.haversine < 0.5, near * ratio, far)


def seen_from(lon_0: Scalar, lat_0: Scalar, lon: Scalar, lat: Scalar) -> Place:
    """The direction (lon, lat) as seen from (lon_0, lat_0), all in deg; no digits are lost at small separations."""
    phi_0, phi, delta = jnp.deg2rad(lat_0), jnp.deg2rad(lat), jnp.deg2rad(lon - lon_0)
    half = jnp.sin(0.5 * delta) ** 2
    north = jnp.sin(phi - phi_0) + 2.0 * jnp.sin(phi_0) * jnp.cos(phi) * half
    east = jnp.cos(phi) * jnp.sin(delta)
    haversine = jnp.sin(0.5 * (phi - phi_0)) ** 2 + jnp.cos(phi_0) * jnp.cos(phi) * half
    return Place(north, east, haversine)


def safe_sqrt(x: Scalar) -> Scalar:
    """The square root, and 0 with derivatives 0 below 1e-24."""
    apart = x > _NEAR
    return jnp.where(apart, jnp.sqrt(jnp.where(apart, x, 1.0)), 0.0)


def length(size: Scalar) -> Scalar:
    """A size [deg] in rad, at least 1e-7 deg and smooth in it: densities of sources without extension are finite."""
    return jnp.deg2rad(jnp.sqrt(size**2 + _SMALLEST**2))


class Ellipse(NamedTuple):
    """An ellipse around a centre, and the direction in it."""

    place: Place
    major: Scalar
    minor: Scalar
    """Semiaxes [rad]."""
    stretched: Scalar
    """(u / major)^2 + (v / minor)^2, with u and v the sines along the axes: a quadratic form at the centre."""
    radius: Scalar
    """Inverse square of the radius of the ellipse in the direction [rad-2]; at the centre, of the major axis."""

    @property
    def distance_square(self) -> Scalar:
        """(separation / radius of the ellipse in that direction)^2: 1 on the ellipse."""
        return self.place.spread(self.stretched, self.place.separation**2 * self.radius)


def ellipse(place: Place, size: Scalar, e: Scalar, phi: Scalar) -> Ellipse:
    """The ellipse with the semimajor axis `size` [deg], eccentricity `e`, position angle `phi` [deg] of that axis.

    In the direction at the angle d from the major axis its radius is `1 / sqrt(cos^2 d / major^2 + sin^2 d / minor^2)`.
    """
    major = length(size)
    flat = 1.0 - e**2
    minor = major * jnp.sqrt(jnp.where(flat > _FLATTEST, flat, _FLATTEST))
    cos, sin = jnp.cos(jnp.deg2rad(phi)), jnp.sin(jnp.deg2rad(phi))
    along, across = place.north * cos + place.east * sin, place.east * cos - place.north * sin
    stretched = (along / major) ** 2 + (across / minor) ** 2
    apart = place.square > _NEAR
    radius = jnp.where(apart, stretched / jnp.where(apart, place.square, 1.0), 1.0 / major**2)
    return Ellipse(place, major, minor, stretched, radius)
