"""When and where to point: wobble positions around a source, runs around its culmination at midnight."""

from typing import Any

import numpy as np
from astropy.time import Time

from gammajax.io.dl3_write import Site
from gammajax.numeric.sphere import offset_by, position_angle, separation

RUNS_PER_NIGHT = 4
PAUSE = 120.0
"""Time between two runs [s]."""

_SIDEREAL_RATE = 360.98564736629
"""Turns of the Earth [deg / d]."""


def sidereal_angle(mjd: float, lon: float) -> float:
    """Right ascension [deg] in the meridian of the longitude `lon` (east) [deg].

    280.46 deg + 360.9856 deg (MJD - 51544.5) + lon, to an arc minute over decades; Meeus, Astronomical
    Algorithms, ch. 12.
    """
    return (280.46061837 + _SIDEREAL_RATE * (mjd - 51544.5) + lon) % 360.0


def starts(ra: float, site: Site, year: int, runs: int, duration: float) -> list[float]:
    """MJD (UTC) at which each of `runs` runs of `duration` [s] starts.

    Four per night, one after the other around the culmination of `ra` [deg], from the night on when the Sun
    stands opposite and the source culminates at midnight.
    """
    # the Sun has the right ascension 0 on March 20, and gains a turn in a year
    equinox: Any = Time(f"{year}-03-20").mjd
    opposition = float(equinox) + ((ra + 180.0) % 360.0) / 360.0 * 365.25
    culmination = opposition + ((ra - sidereal_angle(opposition, site.lon)) % 360.0) / _SIDEREAL_RATE
    step = (duration + PAUSE) / 86400.0
    return [
        culmination + i // RUNS_PER_NIGHT * 360.0 / _SIDEREAL_RATE
        + (i % RUNS_PER_NIGHT - 0.5 * min(runs, RUNS_PER_NIGHT)) * step
        for i in range(runs)
    ]  # fmt: skip


def wobbles(source: tuple[float, float], distance: float, runs: int) -> list[tuple[float, float]]:
    """Pointings (ra, dec) [deg] at `distance` [deg] north, south, east, west of the source, north, ...

    >>> [round(dec, 2) for _, dec in wobbles((83.63, 22.01), 0.5, 2)]
    [22.51, 21.51]
    """
    angles = (0.0, 180.0, 90.0, 270.0)
    found = [offset_by(*source, angles[i % 4], distance) for i in range(runs)]
    return [(float(lon), float(lat)) for lon, lat in found]


def horizontal(pointing: tuple[float, float], site: Site, mjd: float) -> tuple[float, float]:
    """Altitude and azimuth (north over east) [deg] of a direction; without refraction and precession."""
    zenith = sidereal_angle(mjd, site.lon), site.lat
    return 90.0 - float(separation(*zenith, *pointing)), float(np.asarray(position_angle(*zenith, *pointing)))
