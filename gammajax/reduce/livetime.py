"""Livetime against the position on the sky: at given directions, on a grid, and along the distance from a source."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table

from gammajax._typing import Float
from gammajax.data import Observation
from gammajax.data.observations import as_runs
from gammajax.errors import ConfigError
from gammajax.geom.position import position as as_position
from gammajax.geom.position import positions as as_positions
from gammajax.geom.shapes import from_plane
from gammajax.numeric.sphere import offset_by, separation
from gammajax.units import to_number, to_value


def livetime_map(
    observations: Observation | Iterable[Observation], positions: Any, offset_max: Any = None
) -> Float[np.ndarray, "*position"]:
    """Livetime [s] of the runs that see each position: those that point nearer to it than `offset_max`.

    `positions` are a `SkyCoord` of any shape, text of one position, or (ra, dec) [deg], numbers or arrays. Without
    `offset_max`, the field of view of each run is where its effective area is given. Raises `ConfigError` for
    point-like responses without `offset_max`. Gammapy: `make_observation_time_map`.

    >>> seconds = livetime_map(runs, sky_grid("83.63 22.01", "4 deg", "0.1 deg"))  # doctest: +SKIP
    """
    sky = as_positions(positions)
    total = np.zeros(sky[0].shape)
    for run in as_runs(observations):
        total += run.livetime * (_offsets(run, sky) < _field_of_view(run, offset_max))
    return total


def effective_livetime_map(
    observations: Observation | Iterable[Observation], positions: Any, energy_true: Any, offset_max: Any = None
) -> Float[np.ndarray, "energy_true *position"]:
    """Livetime [s] weighted with the effective area relative to that on axis: `sum_k t_k A_k(E, offset) / A_k(E, 0)`.

    `energy_true` are energies [TeV], or with a unit. Zero at energies without effective area on axis. Gammapy:
    `make_effective_livetime_map`.
    """
    energy = np.atleast_1d(np.asarray(to_value(energy_true, "TeV", "energy_true"), dtype=float))
    sky = as_positions(positions)
    total = np.zeros((energy.size, *sky[0].shape))
    for run in as_runs(observations):
        offset = _offsets(run, sky)
        seen = offset < _field_of_view(run, offset_max)
        # on axis first: one evaluation of one shape for all energies and positions
        area = np.asarray(run.aeff.evaluate(energy[:, None], np.append(0.0, offset[seen])))
        ratio = np.divide(area[:, 1:], area[:, :1], out=np.zeros_like(area[:, 1:]), where=area[:, :1] > 0)
        total[:, seen] += run.livetime * ratio
    return total


def sky_grid(center: Any, width: Any, binsz: Any = "0.1 deg") -> SkyCoord:
    """Pixel centres of a square of the sky as coordinates of shape (lat, lon): gnomonic projection at `center`.

    The first row is the southernmost, longitude falls along a row, as in FITS images; ICRS. Raises `ConfigError` for
    a width without pixels.

    >>> sky_grid("10d 0d", "3 deg", "1 deg").shape
    (3, 3)
    """
    size, step = to_number(width, "deg", "width"), to_number(binsz, "deg", "binsz")
    if not 0 < step <= size < 180:
        raise ConfigError(f"a grid of the sky needs 0 < binsz <= width < 180 deg, got {step:g} and {size:g} deg")
    n = int(np.rint(size / step))
    axis = (np.arange(n) - (n - 1) / 2) * step
    ra, dec = from_plane(axis[None, :], axis[:, None], *as_position(center, "center"), 0.0)
    return SkyCoord(ra, dec, unit="deg")


def livetime_table(
    observations: Observation | Iterable[Observation],
    position: Any,
    offset: Any,
    *,
    energy_true: Any = "1 TeV",
    offset_max: Any = None,
    spokes: int = 36,
) -> Table:
    """Livetime against the distance from a position (see `theta_squared_table`), in bins with the edges `offset` [deg].

    Columns: offset_min, offset_max [deg]; runs and livetime_runs [h], the runs that point at such a distance from the
    position, and their livetime; livetime and effective_livetime [h] at the middle of the bin, averaged over the ring
    (see `livetime_map`, `effective_livetime_map` at `energy_true`).

    >>> table = livetime_table(runs, "83.63 22.01", np.linspace(0, 2, 9))  # doctest: +SKIP
    """
    edges = np.asarray(to_value(offset, "deg", "offset"), dtype=float)
    if edges.ndim != 1 or edges.size < 2 or not np.all(np.diff(edges) > 0) or not edges[0] >= 0:
        raise ConfigError("offset needs at least two increasing bin edges [deg], from 0 on")
    runs = as_runs(observations)
    ra, dec = as_position(position)
    distance = [float(separation(*run.pointing_radec, ra, dec)) for run in runs]
    middle, angle = (edges[1:] + edges[:-1]) / 2, np.arange(spokes) * 360.0 / spokes
    ring = offset_by(ra, dec, angle[:, None], middle)
    hours = np.array([run.livetime for run in runs]) / 3600
    return Table(
        {
            "offset_min": edges[:-1],
            "offset_max": edges[1:],
            "runs": np.histogram(distance, edges)[0],
            "livetime_runs": np.histogram(distance, edges, weights=hours)[0],
            "livetime": livetime_map(runs, ring, offset_max).mean(axis=0) / 3600,
            "effective_livetime": effective_livetime_map(runs, ring, energy_true, offset_max)[0].mean(axis=0) / 3600,
        },
        units={"offset_min": "deg", "offset_max": "deg", **dict.fromkeys(_HOURS, "h")},
    )


_HOURS = ("livetime_runs", "livetime", "effective_livetime")


def _offsets(run: Observation, sky: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return separation(*run.pointing_radec, *sky)


def _field_of_view(run: Observation, offset_max: Any) -> float:
    """Offset [deg] up to which a run sees the sky: given, or that of the last point of its effective area."""
    if offset_max is not None:
        return to_number(offset_max, "deg", "offset_max")
    if run.rad_max is not None:
        raise ConfigError(f"run {run.obs_id} has a point-like response, which tells no field of view: give offset_max")
    return float(np.asarray(run.aeff.offset.points)[-1])
