"""Angles on the sphere, in degrees, for numpy arrays on the host and JAX arrays in kernels alike.

All functions follow the arguments: numpy in, numpy out (no compilation per event-list length); any JAX array
among them, JAX out, differentiable.
"""

from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def _namespace(*arrays: Any) -> ModuleType:
    return jnp if any(isinstance(x, jax.Array) for x in arrays) else np


def unit_vector(lon: Any, lat: Any) -> Any:
    """Unit vectors (x, y, z), along a new first axis, of directions [deg].

    >>> unit_vector(np.array([0.0, 0.0]), np.array([0.0, 90.0])).round(12).tolist()
    [[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]
    """
    xp = _namespace(lon, lat)
    phi, theta = xp.deg2rad(lon), xp.deg2rad(lat)
    return xp.stack([xp.cos(theta) * xp.cos(phi), xp.cos(theta) * xp.sin(phi), xp.sin(theta)])


def wrap(lon: Any) -> Any:
    """Longitude in [0, 360) deg.

    >>> float(wrap(-98.0))
    262.0
    """
    xp = _namespace(lon)
    wrapped = xp.mod(lon, 360.0)
    # a longitude of -1e-20 is rounded up to 360
    return xp.where(wrapped >= 360.0, 0.0, wrapped)


def separation(lon_1: Any, lat_1: Any, lon_2: Any, lat_2: Any) -> Any:
    """Angle between two directions [deg]; accurate at all angles, gradient zero where they coincide.

    Vincenty: atan2(|p1 x p2|, p1 . p2) (Sky & Telescope 68, 158, 1984). Arguments in deg, broadcast together.

    >>> float(separation(10.0, 0.0, 10.5, 0.0))
    0.5
    """
    xp = _namespace(lon_1, lat_1, lon_2, lat_2)
    phi_1, phi_2, delta = xp.deg2rad(lat_1), xp.deg2rad(lat_2), xp.deg2rad(xp.asarray(lon_2) - lon_1)
    sin_1, cos_1, sin_2, cos_2 = xp.sin(phi_1), xp.cos(phi_1), xp.sin(phi_2), xp.cos(phi_2)
    across = cos_2 * xp.sin(delta)
    along = cos_1 * sin_2 - sin_1 * cos_2 * xp.cos(delta)
    square = across**2 + along**2
    apart = square > 0
    norm = xp.where(apart, xp.sqrt(xp.where(apart, square, 1.0)), 0.0)
    return xp.rad2deg(xp.arctan2(norm, sin_1 * sin_2 + cos_1 * cos_2 * xp.cos(delta)))


def position_angle(lon_1: Any, lat_1: Any, lon_2: Any, lat_2: Any) -> Any:
    """Angle from north towards increasing longitude, at the first direction, to the second [deg in 0..360].

    >>> float(position_angle(0.0, 0.0, 1.0, 0.0))
    90.0
    """
    xp = _namespace(lon_1, lat_1, lon_2, lat_2)
    phi_1, phi_2, delta = xp.deg2rad(lat_1), xp.deg2rad(lat_2), xp.deg2rad(xp.asarray(lon_2) - lon_1)
    across = xp.cos(phi_2) * xp.sin(delta)
    along = xp.cos(phi_1) * xp.sin(phi_2) - xp.sin(phi_1) * xp.cos(phi_2) * xp.cos(delta)
    return wrap(xp.rad2deg(xp.arctan2(across, along)))


def offset_by(lon: Any, lat: Any, angle: Any, distance: Any) -> tuple[Any, Any]:
    """The direction at `distance` from (lon, lat) under the position angle `angle`; all in deg.

    >>> lon, lat = offset_by(10.0, 0.0, 90.0, 2.0)
    >>> round(float(lon), 9), round(float(lat), 9)
    (12.0, 0.0)
    """
    xp = _namespace(lon, lat, angle, distance)
    phi, pa, dist = xp.deg2rad(lat), xp.deg2rad(angle), xp.deg2rad(distance)
    east = xp.sin(dist) * xp.sin(pa)
    ahead = xp.cos(phi) * xp.cos(dist) - xp.sin(phi) * xp.sin(dist) * xp.cos(pa)
    up = xp.sin(phi) * xp.cos(dist) + xp.cos(phi) * xp.sin(dist) * xp.cos(pa)
    # atan2 instead of asin: no loss of digits near the poles
    return wrap(lon + xp.rad2deg(xp.arctan2(east, ahead))), xp.rad2deg(xp.arctan2(up, xp.hypot(east, ahead)))


def rotate_about(lon: Any, lat: Any, lon_0: Any, lat_0: Any, angle: Any) -> tuple[Any, Any]:
    """(lon, lat) turned by `angle` around (lon_0, lat_0), towards larger position angle; all in deg.

    >>> lon, lat = rotate_about(10.0, 1.0, 10.0, 0.0, 90.0)
    >>> round(float(lon), 9), round(float(lat), 9)
    (11.0, 0.0)
    """
    distance = separation(lon_0, lat_0, lon, lat)
    return offset_by(lon_0, lat_0, position_angle(lon_0, lat_0, lon, lat) + angle, distance)


def mean_direction(lon: Any, lat: Any) -> tuple[float, float]:
    """Direction of the mean of unit vectors [deg]: the middle of a field, also across longitude 0; NaN for none.

    >>> lon, lat = mean_direction(np.array([359.0, 1.0]), np.array([0.0, 0.0]))
    >>> round(lon % 360.0, 9) % 360.0, round(lat, 9)
    (0.0, 0.0)
    """
    if not np.size(lon):
        return np.nan, np.nan
    phi, theta = np.deg2rad(lon), np.deg2rad(lat)
    x, y = np.mean(np.cos(theta) * np.cos(phi)), np.mean(np.cos(theta) * np.sin(phi))
    z = np.mean(np.sin(theta))
    return float(np.rad2deg(np.arctan2(y, x)) % 360.0), float(np.rad2deg(np.arctan2(z, np.hypot(x, y))))
