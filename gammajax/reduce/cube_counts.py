"""Events and expected background of a run on the pixels of a grid."""

import numpy as np
from astropy.time import Time

from gammajax._typing import Edges, Float, Int
from gammajax.data import Observation
from gammajax.data.background import field_of_view, time_steps
from gammajax.errors import FileFormatError
from gammajax.geom.axes import bin_of
from gammajax.geom.grid import SkyGrid
from gammajax.irf.background_map import rates_in_bins
from gammajax.irf.fov import fov_lonlat
from gammajax.numeric.sphere import offset_by, unit_vector
from gammajax.reduce.cube_plan import Part

Cube = Float[np.ndarray, "energy lat lon"]

TIME_STEP = 60.0
"""Longest step [s] at which a field of view that turns is followed."""


def count_map(observation: Observation, energy: Edges, grid: SkyGrid) -> Cube:
    """Number of events in each pixel and bin of reconstructed energy (edges [TeV]).

    All events of the run count, also those that spill over its good time intervals by less than a second. A bin holds
    its lower edges.
    """
    events = observation.events
    place = bin_of(events.energy, energy)
    kept = place >= 0
    x, y = _pixel_of(grid, events.ra[kept], events.dec[kept])
    ny, nx = grid.shape
    inside = (x >= 0) & (x < nx) & (y >= 0) & (y < ny)
    flat = (place[kept][inside] * ny + y[inside]) * nx + x[inside]
    return np.bincount(flat, minlength=(len(energy) - 1) * ny * nx).reshape(-1, ny, nx).astype(float)


def _pixel_of(grid: SkyGrid, ra: np.ndarray, dec: np.ndarray) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "n"]]:
    """Column and row of directions [deg, ICRS]; -1 where the projection has none."""
    if not len(ra):
        return np.zeros(0, int), np.zeros(0, int)
    x, y = (np.where(np.isfinite(v), v, -1.0) for v in grid.pixel(*grid.from_icrs(ra, dec)))
    return np.floor(x + 0.5).astype(int), np.floor(y + 0.5).astype(int)


def background_map(
    observation: Observation, energy: Edges, part: Part, solid_angle: Float[np.ndarray, "lat lon"], exact: bool
) -> Cube:
    """Expected background counts of the response, as `background_counts` gives them at the pixel centres.

    Raises `FileFormatError` for a run without background response.
    """
    bkg = observation.bkg
    if bkg is None:
        raise FileFormatError(
            "it has no background response (BKG_2D, BKG_3D): background=None makes cubes without background"
        )
    known = np.isfinite(part.ra)
    ra, dec = part.ra[known], part.dec[known]
    rate = np.zeros((len(energy) - 1, len(ra)))
    times, lengths = time_steps(observation, bkg.alignment, TIME_STEP)
    for time, length in zip(times, lengths, strict=True):
        if bkg.alignment == "ALTAZ":
            lon, lat = _turned(observation, ra, dec, time)
        else:
            lon, lat = field_of_view(observation, bkg.alignment, ra, dec, time)
        rate += length * rates_in_bins(bkg, energy, lon, lat, exact)
    cube = np.zeros((len(energy) - 1, *part.grid.shape))
    cube[:, known] = rate * solid_angle[known]
    return cube


def _turned(observation: Observation, ra: np.ndarray, dec: np.ndarray, time: Time) -> tuple[np.ndarray, np.ndarray]:
    """Places [deg] in the horizontal field of view, which is the equatorial one turned rigidly (and mirrored).

    The turn is found from a few directions around the pointing (Kabsch 1976): transforming every pixel at every time
    would take minutes. What is not rigid (differential aberration) is below an arc second.
    """
    ra_0, dec_0 = (float(x) for x in observation.pointing_lonlat(time))
    around = offset_by(ra_0, dec_0, np.arange(8) * 45.0, np.tile([0.5, 2.5], 4))
    before = unit_vector(*fov_lonlat(*around, ra_0, dec_0))
    after = unit_vector(*field_of_view(observation, "ALTAZ", *around, time))
    u, _, vt = np.linalg.svd(after @ before.T)
    x, y, z = (u @ vt) @ unit_vector(*fov_lonlat(ra, dec, ra_0, dec_0))
    return np.rad2deg(np.arctan2(y, x)), np.rad2deg(np.arctan2(z, np.hypot(x, y)))
