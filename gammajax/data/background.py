"""Background that the responses of a run predict, at points and in circles on the sky."""

import reprlib
from typing import Any

import numpy as np
from astropy.time import Time

from gammajax._typing import Float
from gammajax.data.observation import Observation
from gammajax.errors import ConfigError, FileFormatError
from gammajax.geom.regions import Circle
from gammajax.io.regions import region as as_region
from gammajax.irf.fov import fov_lonlat
from gammajax.numeric.sphere import offset_by
from gammajax.units import to_number, to_value


def background_counts(
    run: Observation,
    ra: Float[np.ndarray, "point"],
    dec: Float[np.ndarray, "point"],
    solid_angle: Float[np.ndarray, "point"] | float,
    energy: Any,
    *,
    time_step: Any = "60 s",
    exact: bool = True,
) -> Float[np.ndarray, "point energy"]:
    """Expected background counts per point (pixel) and bin of reconstructed energy.

    N = T_on dOmega int B(E', fov_lon, fov_lat) dE' (GADF BKG): per on-time, without dead time.

    Parameters
    ----------
    ra, dec
        Directions [deg, ICRS]; pixels of a map, or points of a region.
    solid_angle
        Of each point [sr].
    energy
        Edges of the bins, in TeV or with a unit.
    time_step
        Longest step [s] at which a field of view that turns (alignment ALTAZ) or moves (pointing table, drift scan)
        is followed through the good time; for all others one step is exact.
    exact
        See `Background2D.integrate`; exact=False is Gammapy's rule.

    Raises `FileFormatError` for a run without background or, where it is needed, without site.
    """
    bkg = run.bkg
    if bkg is None:
        raise FileFormatError(f"run {run.obs_id} has no background response (BKG_2D or BKG_3D); it has {_kinds(run)}")
    edges = np.atleast_1d(to_value(energy, "TeV", "energy"))
    if edges.ndim != 1 or edges.size < 2 or not np.all(np.diff(edges) > 0) or edges[0] <= 0:
        raise ConfigError(f"energy must be increasing positive bin edges, got {edges}")
    ra, dec = (np.atleast_1d(np.asarray(x, dtype=float)) for x in (ra, dec))
    total = np.zeros((ra.size, edges.size - 1))
    for time, length in zip(*_steps(run, bkg.alignment, to_number(time_step, "s", "time_step")), strict=True):
        lon, lat = _field_of_view(run, bkg.alignment, ra, dec, time)
        total += length * np.asarray(bkg.integrate(edges, lon, lat, exact=exact))
    return total * np.broadcast_to(solid_angle, ra.shape)[:, None]


def background_in_circle(
    run: Observation, region: Any, energy: Any, *, rings: int = 6, spokes: int = 24, **options: Any
) -> Float[np.ndarray, "energy"]:
    """Expected background counts in a circle per bin of reconstructed energy.

    `region` is a circle with a radius; it is covered by `rings` times `spokes` points of `circle_points`, and the
    further options are those of `background_counts`. Raises `ConfigError` for a region without radius.
    """
    one = as_region(region)
    if not isinstance(one, Circle) or one.radius is None:
        raise ConfigError(f"a background in a circle needs a circle with a radius, got {reprlib.repr(region)}")
    ra, dec, solid_angle = circle_points(one.ra, one.dec, one.radius, rings, spokes)
    return background_counts(run, ra, dec, solid_angle, energy, **options).sum(axis=0)


def circle_points(
    ra: float, dec: float, radius: float, rings: int = 6, spokes: int = 24
) -> tuple[Float[np.ndarray, "point"], Float[np.ndarray, "point"], Float[np.ndarray, "point"]]:
    """Points (ra, dec) [deg] and solid angles [sr] that integrate smooth functions over a circle on the sphere.

    Gauss-Legendre in the cosine of the distance, uniform around; the solid angles sum to 2 pi (1 - cos radius).

    >>> points = circle_points(83.6, 22.0, 1.0)
    >>> bool(np.isclose(points[2].sum(), 2 * np.pi * (1 - np.cos(np.radians(1.0))), rtol=1e-12))
    True
    """
    nodes, weights = np.polynomial.legendre.leggauss(rings)
    # 1 - cos loses digits for small circles, 2 sin^2(r / 2) does not
    depth = 2.0 * np.sin(0.5 * np.radians(radius)) ** 2
    distance = np.rad2deg(2.0 * np.arcsin(np.sqrt(0.25 * depth * (nodes + 1.0))))
    angle = (np.arange(spokes) + 0.5) * 360.0 / spokes
    lon, lat = offset_by(ra, dec, angle[None, :], distance[:, None])
    solid_angle = np.broadcast_to(np.pi * depth * weights[:, None] / spokes, lon.shape)
    return lon.ravel(), lat.ravel(), solid_angle.ravel()


def _steps(run: Observation, alignment: str, longest: float) -> tuple[list[Time], list[float]]:
    """Times at which the field of view is looked at, and the on-time [s] each stands for."""
    moves = run.pointing_table is not None or run.meta.obs_mode == "DRIFT" or alignment == "ALTAZ"
    gti = run.gti
    share = run.ontime / gti.time_sum if gti.time_sum > 0 else 0.0
    if not moves or not gti.time_sum > 0:
        return ([run.tmid] if len(gti) else []), [run.ontime] * bool(len(gti))
    if not longest > 0:
        raise ConfigError(f"time_step must be positive, got {longest:g} s")
    times, lengths = [], []
    for start, stop in zip(gti.start, gti.stop, strict=True):
        n = max(1, int(np.ceil((stop - start) / longest)))
        step = (stop - start) / n
        times += [gti.reference.to_time(start + (i + 0.5) * step) for i in range(n)]
        lengths += [step * share] * n
    return times, lengths


def _field_of_view(
    run: Observation, alignment: str, ra: np.ndarray, dec: np.ndarray, time: Time
) -> tuple[np.ndarray, np.ndarray]:
    if alignment == "ALTAZ":
        alt_0, az_0 = run.pointing_altaz(time)
        alt, az = run.altaz(ra, dec, time)
        return fov_lonlat(az, alt, float(az_0), float(alt_0))
    ra_0, dec_0 = run.pointing_lonlat(time)
    return fov_lonlat(ra, dec, float(ra_0), float(dec_0), reverse=alignment == "REVERSE_LON_RADEC")


def _kinds(run: Observation) -> str:
    return ", ".join(place.kind for place in run.locations.values())
