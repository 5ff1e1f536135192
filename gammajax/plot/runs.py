"""Runs: their good time, where they point, and the livetime that the sky got from them."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.time import Time
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gammajax.data import GTI, DataStore, Observation
from gammajax.data.times import iso
from gammajax.errors import ConfigError, GammajaxError
from gammajax.geom.position import position as as_position
from gammajax.numeric.sphere import mean_direction, separation
from gammajax.plot.panels import image, sky, unwrapped
from gammajax.plot.style import BACKGROUND, CYCLE, MODEL, SIZE, figure_of, label, new_figure, style
from gammajax.reduce.livetime import livetime_map, sky_grid
from gammajax.units import to_number

_ROW, _TRACK, _PIXELS = 0.16, 50, 80

Runs = Observation | Iterable[Observation]


def plot_gti(gti: GTI | Runs, ax: Axes | None = None) -> Figure:
    """Good time intervals as bars: one row for each interval of a GTI, or for each run, from the start of each.

    Raises `ConfigError` where there is no interval at all.

    >>> plot_gti(run.gti)                                                               # doctest: +SKIP
    >>> plot_gti(runs)                                                                  # doctest: +SKIP
    """
    if isinstance(gti, GTI):
        start = f"{iso(gti.reference.to_time(gti.start.min()))[:19]} UTC" if len(gti) else ""
        rows = {str(i): np.array([one]) for i, one in enumerate(zip(gti.start, gti.stop, strict=True), start=1)}
        shift, names = {name: float(gti.start.min()) for name in rows}, ("Interval", f"Time since {start}")
    else:
        runs = [gti] if isinstance(gti, Observation) else list(gti)
        rows = {str(run.obs_id): np.stack([run.gti.start, run.gti.stop], axis=1) for run in runs if len(run.gti)}
        shift, names = {name: float(row.min()) for name, row in rows.items()}, ("Run", "Time since the start of a run")
    if not rows:
        raise ConfigError("there is no good time interval to plot")
    longest = max(float(row.max()) - shift[name] for name, row in rows.items())
    unit, text = (60.0, "min") if longest < 6 * 3600 else (3600.0, "h")
    with style():
        ax = new_figure((SIZE[0], max(1.6, 0.8 + _ROW * len(rows)))).subplots() if ax is None else ax
        for i, (name, row) in enumerate(rows.items()):
            spans = [((low - shift[name]) / unit, (high - low) / unit) for low, high in row]
            ax.broken_barh(spans, (i - 0.35, 0.7), facecolor=MODEL, alpha=0.7, edgecolor=MODEL)
        ax.set_ylim(len(rows) - 0.4, -0.6)
        # Of many rows, every second, third, ... has its name.
        step = int(np.ceil(len(rows) / 40))
        ax.set_yticks(range(0, len(rows), step), list(rows)[::step])
        ax.tick_params(axis="y", length=0)
        ax.set_xlim(0.0, 1.02 * longest / unit or 1.0)
        ax.set_xlabel(label(names[1], text))
        ax.set_ylabel(names[0])
    return figure_of(ax)


def plot_pointing(runs: DataStore | Runs, ax: Axes | None = None) -> Figure:
    """Where runs point, by target; a pointing that moves is a line. Of a `DataStore`, what its index says of all.

    Runs without a pointing are left out. Raises `ConfigError` if none has one.

    >>> plot_pointing(store)                                                            # doctest: +SKIP
    """
    tracks = _listed(runs) if isinstance(runs, DataStore) else _tracks(runs)
    if not tracks:
        raise ConfigError("there is no pointing to plot: no run has one")
    every = np.concatenate([track for _, track in tracks], axis=1)
    ra_0, dec_0 = mean_direction(*every)
    names = list(dict.fromkeys(name for name, _ in tracks))
    # The commonest targets have a colour of their own.
    common = sorted(names, key=lambda name: -sum(name == other for other, _ in tracks))[: len(CYCLE) - 1]
    with style():
        ax = new_figure().subplots() if ax is None else ax
        for color, name in zip(CYCLE, [*common, None], strict=False):
            mine = [track for other, track in tracks if other == name or (name is None and other not in common)]
            for i, track in enumerate(mine):
                text = f"{'Others' if name is None else name or 'Pointings'} ({len(mine)})" if i == 0 else "_"
                ra, dec = unwrapped(track[0], ra_0), track[1]
                ax.plot(ra, dec, "-" if ra.size > 1 else "+", color=color, markersize=8.0, label=text)
        sky(ax, dec_0)
        if float(separation(ra_0, dec_0, *every).max()) > 30.0:
            ax.set_aspect("auto")
            ax.set_ylim(-90.0, 90.0)
        ax.margins(0.15)
        ax.legend(loc="best")
    return figure_of(ax)


def _listed(store: DataStore) -> list[tuple[str, np.ndarray]]:
    table = store.obs_table
    if not {"RA_PNT", "DEC_PNT"} <= set(table.colnames):
        return _tracks(store.observations())
    key = next((key for key in ("OBJECT", "TARGET_NAME") if key in table.colnames), None)
    names = [""] * len(table) if key is None else [str(name).strip() for name in table[key]]
    places = np.stack([np.asarray(table["RA_PNT"], dtype=float), np.asarray(table["DEC_PNT"], dtype=float)], axis=1)
    pairs = zip(names, places, strict=True)
    return [(name, place[:, None]) for name, place in pairs if np.isfinite(place).all()]


def _tracks(runs: Runs) -> list[tuple[str, np.ndarray]]:
    """Target and pointings (ra, dec) [deg] of each run that can tell them: one, or several along its good time."""
    tracks = []
    for run in [runs] if isinstance(runs, Observation) else runs:
        try:
            moves = run.pointing_table is not None or run.meta.obs_mode == "DRIFT"
            where: Any = run.pointing_lonlat(_times(run)) if moves else run.pointing_radec
            tracks.append((run.target.strip(), np.reshape(where, (2, -1))))
        except GammajaxError:
            continue
    return tracks


def _times(run: Observation) -> Time:
    """Times along the good time of a run."""
    first: Any = run.tstart
    return first + np.linspace(0.0, 1.0, _TRACK) * (run.tstop - first)


def plot_livetime_map(
    observations: Runs,
    position: Any = None,
    width: Any = None,
    *,
    offset_max: Any = None,
    ax: Axes | None = None,
) -> Figure:
    """Livetime [h] of runs over the sky, with their pointings (crosses).

    A square of `width` [deg] around `position`; without, one that holds the fields of view of all runs. `offset_max`
    [deg] bounds the field of view; runs with point-like responses need it. Raises `ConfigError` without a run, or for
    runs that are too far apart for one map. See `livetime_map`.

    >>> plot_livetime_map(runs, offset_max="2 deg")                                     # doctest: +SKIP
    """
    runs = [observations] if isinstance(observations, Observation) else list(observations)
    if not runs:
        raise ConfigError("there is no run to plot the livetime of")
    ra, dec = np.reshape([run.pointing_radec for run in runs], (-1, 2)).T
    ra_0, dec_0 = mean_direction(ra, dec) if position is None else as_position(position)
    centre = SkyCoord(ra_0, dec_0, unit="deg")
    if width is None:
        field = max(_field(run) for run in runs) if offset_max is None else to_number(offset_max, "deg", "offset_max")
        side = 2.1 * (float(separation(ra_0, dec_0, ra, dec).max()) + field)
    else:
        side = to_number(width, "deg", "width")
    if side > 60.0:
        raise ConfigError(f"a map of {side:.0f} deg does not fit: select() runs near one position, or give a width")
    # The corners are the centres of the grid that is one pixel wider.
    step = side / _PIXELS
    pixels = livetime_map(runs, sky_grid(centre, side, step), offset_max)
    corners: Any = sky_grid(centre, side + step, step)
    with style():
        ax = new_figure().subplots() if ax is None else ax
        image(ax, unwrapped(corners.ra.deg, ra_0).T, corners.dec.deg.T, pixels.T / 3600, "Livetime", "h")
        ax.plot(unwrapped(ra, ra_0), dec, "+", color=BACKGROUND, markersize=7.0, label=f"Pointings ({len(runs)})")
        sky(ax, dec_0, "box")
        ax.legend(loc="upper right", frameon=True, framealpha=0.8, edgecolor="none")
    return figure_of(ax)


def _field(run: Observation) -> float:
    """The offset [deg] up to which a run sees the sky; `livetime_map` refuses runs for which it is unknown."""
    return 0.0 if run.rad_max is not None else float(np.asarray(run.aeff.offset.points)[-1])
