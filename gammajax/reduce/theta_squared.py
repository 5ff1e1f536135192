"""Theta-squared tables: counts against the squared angle from a position, on and off."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from astropy.table import Table

from gammajax._typing import Float
from gammajax.data import Observation
from gammajax.data.observations import as_runs
from gammajax.errors import ConfigError, EmptyRun
from gammajax.geom.position import position as as_position
from gammajax.geom.regions import Circle
from gammajax.io.regions import exclusion_mask as as_mask
from gammajax.numeric.sphere import separation
from gammajax.reduce.reflected import WobbleRegions
from gammajax.reduce.significance import excess_errors, li_ma
from gammajax.units import to_pair, to_value


def theta_squared_table(
    observations: Observation | Iterable[Observation],
    position: Any,
    theta_squared: Any,
    *,
    position_off: Any = None,
    energy: Any = None,
    off_regions_number: int = 1,
    exclusion_mask: Any = None,
) -> Table:
    """Counts of many runs in bins of the squared angle [deg2] from a position, and from off positions.

    Parameters
    ----------
    position
        Of the source: a `SkyCoord`, text such as "83.63 22.01" [deg], or (ra, dec) [deg].
    theta_squared
        Edges of the bins: a quantity, or numbers in deg2.
    position_off
        One fixed off position; without, there are `off_regions_number` positions at equal angles around the pointing
        of each run (1: the mirror position), less those whose circle touches the `exclusion_mask`. If the off circles
        overlap, the mirror position alone is taken.
    energy
        (energy_min, energy_max) of the events: quantities, text, numbers in TeV.

    Columns: theta2_min, theta2_max [deg2], counts, counts_off, acceptance (number of runs), acceptance_off (number of
    off positions), alpha (mean of the runs, weighted by livetime), excess, sqrt_ts (Li & Ma), excess_errn,
    excess_errp, and sums from the first bin on: cumulative_counts, cumulative_counts_off, cumulative_excess,
    cumulative_sqrt_ts. The meta data name the position, the runs and the energies.

    Raises `ConfigError` for edges that are no bins, for a fixed off position that is too near or combined with several,
    and `EmptyRun` if the circle is wider than its distance from a pointing, or there is no run. Definitions are those
    of Gammapy's `ThetaSquaredTable`.

    >>> table = theta_squared_table(runs, SkyCoord("83.63d", "22.01d"), np.linspace(0, 0.2, 21))  # doctest: +SKIP
    """
    edges = _edges(theta_squared)
    on = Circle(*as_position(position), float(np.sqrt(edges[-1])))
    fixed = None if position_off is None else _fixed_off(on, position_off, off_regions_number)
    band = None if energy is None else to_pair(energy, "TeV", "energy")
    mask = as_mask(exclusion_mask)

    rows, livetimes, ids = [], [], []
    for run in as_runs(observations):
        off = (fixed,) if fixed is not None else _off_positions(run, on, off_regions_number, mask)
        rows.append(_counts(run, on, off, edges, band))
        livetimes.append(run.livetime)
        ids.append(run.obs_id)
    if not rows:
        raise EmptyRun("a theta-squared table needs at least one run")
    counts, counts_off, n_off = (np.array(column) for column in zip(*rows, strict=True))
    table = _table(edges, counts.sum(axis=0), counts_off.sum(axis=0), n_off, np.array(livetimes))
    about: Any = table.meta
    about.update({"ON_RA": on.ra, "ON_DEC": on.dec, "OBS_IDS": ids})
    if band is not None:
        about["ENERGY"] = list(band)
    return table


def _edges(theta_squared: Any) -> np.ndarray:
    edges = np.asarray(to_value(theta_squared, "deg2", "theta_squared"), dtype=float)
    if edges.ndim != 1 or edges.size < 2 or not np.all(np.diff(edges) > 0) or not edges[0] >= 0:
        raise ConfigError("theta_squared needs at least two increasing bin edges [deg2], from 0 on")
    return edges


def _fixed_off(on: Circle, position: Any, number: int) -> Circle:
    """The off circle at one position for all runs."""
    off = Circle(*as_position(position, "position_off"), on.radius)
    if number != 1:
        raise ConfigError("a fixed position_off goes with off_regions_number=1")
    if separation(on.ra, on.dec, off.ra, off.dec) < 2 * on.extent:
        raise ConfigError("the off circle overlaps with the on circle: choose another position_off or a smaller range")
    return off


def _off_positions(run: Observation, on: Circle, number: int, mask: Any) -> tuple[Any, ...]:
    """Off circles around the pointing of a run."""
    pointing = run.pointing_radec
    if separation(*pointing, on.ra, on.dec) < on.extent:
        raise EmptyRun(
            f"run {run.obs_id}: the circle of {on.extent:g} deg reaches the pointing, so that on and off overlap: "
            "choose a smaller range of theta_squared"
        )
    try:
        off = WobbleRegions(number).find(on, pointing, mask)
    except EmptyRun:
        off = WobbleRegions(1).find(on, pointing, mask)
    if not off:
        raise EmptyRun(f"run {run.obs_id}: all off positions are excluded")
    return off


def _counts(
    run: Observation, on: Circle, off: tuple[Any, ...], edges: np.ndarray, band: tuple[float, ...] | None
) -> tuple[np.ndarray, np.ndarray, int]:
    events = run.events if band is None else run.events.select_energy(band)
    histograms = [np.histogram(separation(one.ra, one.dec, events.ra, events.dec) ** 2, edges)[0] for one in (on, *off)]
    return histograms[0], np.sum(histograms[1:], axis=0), len(off)


def _table(
    edges: Float[np.ndarray, "edge"],
    counts: Float[np.ndarray, "bin"],
    counts_off: Float[np.ndarray, "bin"],
    n_off: Float[np.ndarray, "run"],
    livetime: Float[np.ndarray, "run"],
) -> Table:
    alpha = float(np.average(1.0 / n_off, weights=livetime if np.sum(livetime) > 0 else None))
    low, high = excess_errors(counts, counts_off, alpha)
    total, total_off = np.cumsum(counts), np.cumsum(counts_off)
    ones = np.ones(len(counts))
    columns = {
        "theta2_min": edges[:-1],
        "theta2_max": edges[1:],
        "counts": counts,
        "counts_off": counts_off,
        "acceptance": ones * len(n_off),
        "acceptance_off": ones * np.sum(n_off),
        "alpha": ones * alpha,
        "excess": counts - alpha * counts_off,
        "sqrt_ts": li_ma(counts, counts_off, alpha),
        "excess_errn": low,
        "excess_errp": high,
        "cumulative_counts": total,
        "cumulative_counts_off": total_off,
        "cumulative_excess": total - alpha * total_off,
        "cumulative_sqrt_ts": li_ma(total, total_off, alpha),
    }
    return Table(columns, units={"theta2_min": "deg2", "theta2_max": "deg2"})
