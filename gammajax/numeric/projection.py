"""Projections of the sphere on a plane (Calabretta & Greisen 2002), from unit vectors, with finite derivatives.

In native coordinates the pole of a zenithal projection (TAN, SIN, ...) and the point (0, 0) of a cylindrical one (CAR,
...) lie at the reference of the map. Vectors are (cos theta cos phi, cos theta sin phi, sin theta).
"""

from collections.abc import Callable

import jax.numpy as jnp

from gammajax._typing import Scalar

Plane = tuple[Scalar, Scalar]
_FAR = 1e6
"""Where directions without an image are put [deg]: outside of any map."""
_TINY = 1e-12


def _root(x: Scalar) -> Scalar:
    positive = x > _TINY**2
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


def _angles(x: Scalar, y: Scalar, z: Scalar) -> tuple[Scalar, Scalar]:
    """phi and theta [rad]; phi is 0 at the poles."""
    flat = x**2 + y**2
    away = flat > _TINY**2
    phi = jnp.where(away, jnp.arctan2(jnp.where(away, y, 0.0), jnp.where(away, x, 1.0)), 0.0)
    return phi, jnp.arctan2(z, _root(flat))


def _zenithal(scale: Callable[[Scalar], tuple[Scalar, Scalar]]) -> Callable[[Scalar, Scalar, Scalar], Plane]:
    """A projection with radius `scale cos(theta)`; `scale` also says whether the direction has an image."""

    def project(x: Scalar, y: Scalar, z: Scalar) -> Plane:
        factor, known = scale(z)
        across, along = jnp.rad2deg(factor * y), -jnp.rad2deg(factor * x)
        return jnp.where(known, across, _FAR), jnp.where(known, along, _FAR)

    return project


def _tan(z: Scalar) -> tuple[Scalar, Scalar]:
    return 1.0 / jnp.where(z > _TINY, z, 1.0), z > _TINY


def _sin(z: Scalar) -> tuple[Scalar, Scalar]:
    return jnp.ones_like(z), z >= 0.0


def _stg(z: Scalar) -> tuple[Scalar, Scalar]:
    known = z > _TINY - 1.0
    return 2.0 / (1.0 + jnp.where(known, z, 0.0)), known


def _zea(z: Scalar) -> tuple[Scalar, Scalar]:
    known = z > _TINY - 1.0
    return jnp.sqrt(2.0 / (1.0 + jnp.where(known, z, 0.0))), known


def _arc(z: Scalar) -> tuple[Scalar, Scalar]:
    # acos(z) / sqrt(1 - z^2), 1 + (1 - z) / 3 next to the pole
    inside = (z < 1.0 - 1e-6) & (z > _TINY - 1.0)
    safe = jnp.where(inside, z, 0.0)
    return jnp.where(inside, jnp.arccos(safe) / jnp.sqrt(1.0 - safe**2), 1.0 + (1.0 - z) / 3.0), z > _TINY - 1.0


def _car(x: Scalar, y: Scalar, z: Scalar) -> Plane:
    phi, theta = _angles(x, y, z)
    return jnp.rad2deg(phi), jnp.rad2deg(theta)


def _cea(x: Scalar, y: Scalar, z: Scalar) -> Plane:
    return jnp.rad2deg(_angles(x, y, z)[0]), jnp.rad2deg(z)


def _mer(x: Scalar, y: Scalar, z: Scalar) -> Plane:
    known = jnp.abs(z) < 1.0 - _TINY
    return jnp.rad2deg(_angles(x, y, z)[0]), jnp.where(known, jnp.rad2deg(jnp.arctanh(jnp.where(known, z, 0.0))), _FAR)


def _sfl(x: Scalar, y: Scalar, z: Scalar) -> Plane:
    phi, theta = _angles(x, y, z)
    return jnp.rad2deg(phi * jnp.cos(theta)), jnp.rad2deg(theta)


def _ait(x: Scalar, y: Scalar, z: Scalar) -> Plane:
    phi, _ = _angles(x, y, z)
    flat = _root(x**2 + y**2)
    size = jnp.sqrt(2.0 / (1.0 + flat * jnp.cos(0.5 * phi)))
    return jnp.rad2deg(2.0 * size * flat * jnp.sin(0.5 * phi)), jnp.rad2deg(size * z)


PROJECTIONS: dict[str, Callable[[Scalar, Scalar, Scalar], Plane]] = {
    "CAR": _car,
    "CEA": _cea,
    "MER": _mer,
    "SFL": _sfl,
    "AIT": _ait,
    "TAN": _zenithal(_tan),
    "SIN": _zenithal(_sin),
    "STG": _zenithal(_stg),
    "ARC": _zenithal(_arc),
    "ZEA": _zenithal(_zea),
}
"""From a unit vector to the plane [deg], by the code in CTYPE."""
PERIODIC = ("CAR", "CEA", "MER")
"""Projections in which x is proportional to the longitude."""
