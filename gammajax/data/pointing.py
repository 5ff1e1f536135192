"""Where a telescope pointed at a time: from a pointing table, a fixed direction, or a drift scan.

Horizontal coordinates follow astropy without refraction; the Earth's orientation is taken from the tables that come
with astropy, never from the network.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import AltAz, EarthLocation, SkyCoord
from astropy.time import Time
from astropy.utils.exceptions import AstropyWarning
from astropy.utils.iers import conf

from gammajax.data.times import iso
from gammajax.errors import FileFormatError
from gammajax.io.dl3 import PointingTable, RunInfo, Site


def interpolated(table: PointingTable, seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pointing (ra, dec) [deg] at times [s since the reference of the table], linear on unit vectors.

    Held constant for one step beyond the first and the last row. Raises `FileFormatError` for times further out.
    """
    return _between(table, seconds, table.ra, table.dec)


def interpolated_altaz(table: PointingTable, seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """(alt, az) [deg] of the table, as `interpolated`; None where it has none."""
    if table.alt is None or table.az is None:
        return None
    az, alt = _between(table, seconds, table.az, table.alt)
    return alt, az


def _between(table: PointingTable, seconds: Any, lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    seconds = np.asarray(seconds, dtype=float)
    step = float(np.median(np.diff(table.time))) if table.time.size > 1 else np.inf
    low, high = table.time[0] - step, table.time[-1] + step
    beyond = (seconds < low) | (seconds > high)
    if np.any(beyond):
        first, last = (iso(table.reference.to_time(t)) for t in (table.time[0], table.time[-1]))
        asked = iso(table.reference.to_time(float(np.ravel(seconds)[np.ravel(beyond)][0])))
        raise FileFormatError(
            f"the pointing table covers {first} to {last} (UTC), not {asked}; cut the run with select_time"
        )
    phi, theta = np.deg2rad(lon), np.deg2rad(lat)
    vector = (np.cos(theta) * np.cos(phi), np.cos(theta) * np.sin(phi), np.sin(theta))
    x, y, z = (np.interp(seconds, table.time, component) for component in vector)
    return np.rad2deg(np.arctan2(y, x)) % 360.0, np.rad2deg(np.arctan2(z, np.hypot(x, y)))


def drift_pointing(meta: RunInfo, times: Time, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Pointing (ra, dec) [deg] of a drift scan, which keeps its altitude and azimuth.

    Raises `FileFormatError`, naming `where`, without ALT_PNT, AZ_PNT, GEOLON and GEOLAT.
    """
    if meta.site is None or not np.isfinite([meta.alt_pnt, meta.az_pnt]).all():
        raise FileFormatError(
            f"{where} is a drift scan: its pointing needs ALT_PNT, AZ_PNT, GEOLON and GEOLAT in the header of EVENTS, "
            f"got ALT_PNT={meta.alt_pnt}, AZ_PNT={meta.az_pnt}, site {meta.site}"
        )
    return equatorial(np.asarray(meta.alt_pnt), np.asarray(meta.az_pnt), times, meta.site)


def horizontal(ra: Any, dec: Any, times: Time, site: Site) -> tuple[np.ndarray, np.ndarray]:
    """Altitude and azimuth (north over east) [deg] of ICRS directions [deg] at times; broadcast together."""
    with _offline():
        found: Any = SkyCoord(ra, dec, unit="deg").transform_to(_frame(times, site))
        return np.asarray(found.alt.deg), np.asarray(found.az.deg)


def equatorial(alt: Any, az: Any, times: Time, site: Site) -> tuple[np.ndarray, np.ndarray]:
    """ICRS (ra, dec) [deg] of an altitude and azimuth [deg] at times."""
    with _offline():
        shape = np.broadcast_shapes(np.shape(alt), times.shape)
        fixed = SkyCoord(np.broadcast_to(az, shape), np.broadcast_to(alt, shape), unit="deg", frame=_frame(times, site))
        found: Any = fixed.icrs
        return np.asarray(found.ra.deg), np.asarray(found.dec.deg)


def _frame(times: Time, site: Site) -> AltAz:
    location = EarthLocation.from_geodetic(site.lon * u.deg, site.lat * u.deg, site.altitude * u.m)
    return AltAz(obstime=times, location=location)


@contextmanager
def _offline() -> Iterator[None]:
    """Without downloads; polar motion beyond the tables is below an arc second and needs no warning."""
    with (
        warnings.catch_warnings(),
        conf.set_temp("auto_download", False),
        conf.set_temp("iers_degraded_accuracy", "ignore"),
    ):
        warnings.simplefilter("ignore", AstropyWarning)
        yield
