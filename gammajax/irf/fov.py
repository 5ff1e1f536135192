"""Coordinates in the field of view, on the host."""

import numpy as np

from gammajax._typing import Float


def fov_lonlat(
    lon: Float[np.ndarray, "..."],
    lat: Float[np.ndarray, "..."],
    lon_0: Float[np.ndarray, "..."] | float,
    lat_0: Float[np.ndarray, "..."] | float,
    reverse: bool = False,
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """(fov_lon, fov_lat) [deg] of directions (lon, lat) [deg] for the pointing (lon_0, lat_0) [deg].

    The sphere is turned so that the pointing comes to (0, 0). fov_lon grows towards *smaller* right ascension or
    azimuth, fov_lat towards larger declination or altitude (GADF "FOV coordinates"); `reverse` turns fov_lon around.

    >>> lon, lat = fov_lonlat(np.array(83.0), np.array(22.0), 84.0, 22.0)
    >>> round(float(lon), 3), round(float(lat), 3)
    (0.927, 0.003)
    """
    theta, theta_0, delta = np.deg2rad(lat), np.deg2rad(lat_0), np.deg2rad(np.asarray(lon) - lon_0)
    x = np.cos(theta) * np.cos(theta_0) * np.cos(delta) + np.sin(theta) * np.sin(theta_0)
    y = np.cos(theta) * np.sin(delta)
    z = np.sin(theta) * np.cos(theta_0) - np.cos(theta) * np.sin(theta_0) * np.cos(delta)
    fov_lon = np.rad2deg(np.arctan2(y, x))
    return fov_lon if reverse else -fov_lon, np.rad2deg(np.arctan2(z, np.hypot(x, y)))
