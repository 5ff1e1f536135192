"""Event lists: where, when, at which energy and how far from the pointing; and a run with its responses."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gammajax.data import GTI, Events, Observation
from gammajax.data.times import iso
from gammajax.errors import ConfigError, GammajaxError
from gammajax.numeric.sphere import separation
from gammajax.plot.field import draw_background, draw_psf
from gammajax.plot.panels import Many, image, panels, sky, unwrapped
from gammajax.plot.responses import draw_effective_area, draw_energy_dispersion, plot_rad_max
from gammajax.plot.style import BACKGROUND, DATA, MODEL, RANGE, energy_axis, figure_of, label, style

_DOTS = 3000
"""Events that are drawn one by one; more are counted in pixels."""

_SIDE, _BINS = 60, 30
_PER_DECADE = 8


def plot_events(events: Events | Observation, *, axes: Many | None = None) -> Figure:
    """Positions on the sky, energies, times, and distances from the pointing, of an event list or of a run.

    A run shades its good time, and offsets are those from its pointing (cross); an event list alone has offsets from
    its mean direction. `axes`: where to draw, (sky, energy, time, offset). Raises `ConfigError` without events.

    >>> plot_events(run)                                                                # doctest: +SKIP
    >>> plot_events(run.events.select_energy(("1 TeV", "10 TeV")))                      # doctest: +SKIP
    """
    found = events.events if isinstance(events, Observation) else events
    if not len(found):
        raise ConfigError("there are no events to plot: widen the selection")
    with style():
        where, energy, time, offset = panels(axes, 2, 2)
        draw_sky(where, events)
        draw_energies(energy, found)
        draw_times(time, found, events.gti if isinstance(events, Observation) else None)
        draw_offsets(offset, events)
    return figure_of(where)


def plot_observation(run: Observation) -> Figure:
    """A run at a glance: events on the sky, in energy and in time; effective area, dispersion, and PSF or cut.

    A response that the run does not have, or that cannot be read, leaves its panel empty, with the reason.
    Raises `ConfigError` without events.

    >>> plot_observation(runs["23523"])                                                 # doctest: +SKIP
    """
    if not len(run.events):
        raise ConfigError(f"run {run.obs_id} has no events to plot")
    cut = "psf" not in run.locations
    draws = (
        ("aeff", draw_effective_area),
        ("edisp", draw_energy_dispersion),
        ("rad_max", lambda ax, radius: plot_rad_max(radius, ax)) if cut else ("psf", draw_psf),
        ("bkg", draw_background),
    )
    with style():
        axes = panels(None, 2, 4)
        draw_sky(axes[0], run)
        draw_energies(axes[1], run.events)
        draw_times(axes[2], run.events, run.gti)
        draw_offsets(axes[3], run)
        for ax, (name, draw) in zip(axes[4:], draws, strict=True):
            _response(ax, run, name, draw)
        name = " ".join(part for part in (run.telescope, f"run {run.obs_id}", run.target) if part)
        figure = figure_of(axes[0])
        figure.suptitle(f"{name}: {len(run.events)} events in {run.livetime / 60:.1f} min of livetime", fontsize=10.0)
    return figure


def _response(ax: Axes, run: Observation, name: str, draw: Any) -> None:
    try:
        response = getattr(run, name)
        reason = f"this run has no {name}"
    except GammajaxError as error:
        response, reason = None, str(error)
    if response is not None:
        draw(ax, response)
        return
    ax.set_axis_off()
    ax.text(0.5, 0.5, reason, ha="center", va="center", wrap=True, transform=ax.transAxes, fontsize=8.5)


def draw_sky(ax: Axes, events: Events | Observation) -> None:
    """Positions: dots for few events, counts in pixels for many."""
    found = events.events if isinstance(events, Observation) else events
    ra_0, dec_0 = found.centre
    ra, dec = unwrapped(found.ra, ra_0), found.dec
    reach = _reach(separation(ra_0, dec_0, ra, dec))
    wide = reach / max(float(np.cos(np.radians(dec_0))), 0.05)
    if len(found) <= _DOTS:
        ax.plot(ra, dec, ".", color=MODEL, markersize=2.0, alpha=0.6, rasterized=True)
        ax.set_xlim(ra_0 - wide, ra_0 + wide)
        ax.set_ylim(dec_0 - reach, dec_0 + reach)
    else:
        edges = [centre + np.linspace(-half, half, _SIDE + 1) for centre, half in ((ra_0, wide), (dec_0, reach))]
        image(ax, *edges, np.histogram2d(ra, dec, edges)[0], "Events per pixel")  # type: ignore[arg-type]
    sky(ax, dec_0, "box")
    pointing = _pointing(events)
    if pointing is not None:
        ax.plot(unwrapped(pointing[0], ra_0), pointing[1], "+", color=BACKGROUND, markersize=10.0, label="Pointing")
        ax.legend(loc="upper right", frameon=True, framealpha=0.8, edgecolor="none")


def draw_energies(ax: Axes, events: Events) -> None:
    """Events in equal steps of the logarithm of the energy."""
    energy = events.energy[events.energy > 0]
    if not energy.size:
        raise ConfigError("no event has a positive energy: there is nothing to plot")
    low, high = np.floor(_PER_DECADE * np.log10(energy.min())), np.ceil(_PER_DECADE * np.log10(energy.max()))
    edges = 10.0 ** (np.arange(low, max(high, low + 1) + 1) / _PER_DECADE)
    edges[0], edges[-1] = min(edges[0], energy.min()), max(edges[-1], energy.max())
    counts = np.histogram(energy, edges)[0]
    ax.stairs(counts, edges, color=MODEL, linewidth=1.5)
    ax.set_yscale("log")
    ax.set_ylim(0.6, 2.0 * counts.max())
    energy_axis(ax, edges[0], edges[-1])
    ax.set_ylabel(f"Events per {1 / _PER_DECADE:g} decade")


def draw_times(ax: Axes, events: Events, gti: GTI | None) -> None:
    """Rate of the events over the time since the first of them or of the good time, which is shaded."""
    spans = None if gti is None else gti.to_reference(events.reference).union()
    start, stop = float(events.time.min()), float(events.time.max())
    if spans is not None and len(spans):
        start, stop = min(start, float(spans.start.min())), max(stop, float(spans.stop.max()))
    unit, name = (60.0, "min") if stop - start < 6 * 3600 else (3600.0, "h")
    edges = np.linspace(start, max(stop, start + 1e-3), _BINS + 1)
    counts = np.histogram(events.time, edges)[0]
    ax.stairs(counts / np.diff(edges), (edges - start) / unit, color=DATA, linewidth=1.2)
    for low, high in zip(*((spans.start, spans.stop) if spans is not None else ((), ())), strict=True):
        ax.axvspan((low - start) / unit, (high - start) / unit, color=RANGE, alpha=0.15, linewidth=0, zorder=0)
    ax.set_xlim(0.0, (edges[-1] - start) / unit)
    ax.set_ylim(0.0, 1.3 * float((counts / np.diff(edges)).max()))
    ax.set_xlabel(label(f"Time since {iso(events.reference.to_time(start))[:19]} UTC", name))
    ax.xaxis.label.set_fontsize(8.5)
    ax.set_ylabel(label("Event rate", "s-1"))


def draw_offsets(ax: Axes, events: Events | Observation) -> None:
    """Events per solid angle against the distance from the pointing, or from the mean direction."""
    if isinstance(events, Observation):
        offset, name = events.offsets, "Offset from the pointing"
    else:
        offset, name = separation(*events.centre, events.ra, events.dec), "Offset from the mean direction"
    edges = np.linspace(0.0, _reach(offset), _BINS + 1)
    area = np.pi * np.diff(edges**2)
    ax.stairs(np.histogram(offset, edges)[0] / area, edges, color=MODEL, linewidth=1.5)
    ax.set_xlim(0.0, edges[-1])
    ax.set_ylim(bottom=0.0)
    ax.set_xlabel(label(name, "deg"))
    ax.set_ylabel(label("Events", "deg-2"))


def _reach(offset: np.ndarray) -> float:
    """How far from the centre [deg] a figure goes: real lists hold a few events that were reconstructed anywhere."""
    return min(float(offset.max()), 1.2 * float(np.quantile(offset, 0.98))) * (1 + 1e-9) or 1.0


def _pointing(events: Events | Observation) -> tuple[np.ndarray, np.ndarray] | None:
    """Pointing (ra, dec) [deg] of a run in the middle of its good time, None where it has none."""
    if not isinstance(events, Observation):
        return None
    try:
        return events.pointing_lonlat(events.tmid)
    except GammajaxError:
        return None
