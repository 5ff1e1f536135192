"""Responses: effective area, energy dispersion, directional cut."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gammajax.irf import EffectiveArea, EnergyDispersion, RadMax
from gammajax.plot.panels import Many, deep_axis, edges_of, image, panels, positive, shades, some
from gammajax.plot.style import BACKGROUND, FAINT, MODEL, energy_axis, figure_of, label, new_figure, style

_M2 = 1e-4
"""m2 per cm2."""


def plot_effective_area(aeff: EffectiveArea, *, offset: Any = None, axes: Many | None = None) -> Figure:
    """Effective area [m2] against true energy, at up to five offsets or at those given [deg], and as an image.

    A table of one offset has no image. Grey: outside the safe range of reconstructed energy that the file gives.
    `axes`: where to draw, (curves, image). Raises `ConfigError` for another number of axes.

    >>> plot_effective_area(run.aeff, offset=["0.5 deg", "1 deg"])                      # doctest: +SKIP
    """
    with style():
        curves, *picture = panels(axes, 1, 1 if aeff.offset.points.size == 1 else 2)
        draw_effective_area(curves, aeff, offset)
        x, y = edges_of(aeff.energy, log=True), edges_of(aeff.offset)
        for ax in picture:
            image(ax, x, y, np.asarray(aeff.values) * _M2, "Effective area", "m2")
            energy_axis(ax, x[0], x[-1])
            ax.set_ylim(max(y[0], 0.0), y[-1])
            ax.set_xlabel(label("True energy", "TeV"))
            ax.set_ylabel(label("Offset", "deg"))
    return figure_of(curves)


def draw_effective_area(ax: Axes, aeff: EffectiveArea, offset: Any = None) -> None:
    """The curves alone."""
    energy, offsets = np.asarray(aeff.energy.points), some(aeff.offset.points, offset)
    area = np.asarray(aeff.evaluate(energy[:, None], offsets)) * _M2
    for color, at, curve in zip(shades(len(offsets)), offsets, area.T, strict=True):
        ax.plot(energy, positive(curve), color=color, label=f"{at:.3g} deg")
    edges = edges_of(aeff.energy, log=True)
    deep_axis(ax, area)
    energy_axis(ax, edges[0], edges[-1])
    for low, high in ((edges[0], float(aeff.lo_thres)), (float(aeff.hi_thres), edges[-1])):
        if low < high:
            ax.axvspan(low, high, color=FAINT, alpha=0.2, linewidth=0, zorder=0)
    ax.set_xlabel(label("True energy", "TeV"))
    ax.set_ylabel(label("Effective area", "m2"))
    ax.legend(loc="lower right", title="Offset")


def plot_energy_dispersion(edisp: EnergyDispersion, *, offset: Any = None, axes: Many | None = None) -> Figure:
    """Density of the migration at one offset [deg] (the smallest of the file), its bias and its resolution.

    The bias is the median of mu - 1, mu = E_reco / E_true, the resolution half the width of the central 68 % of mu.
    `axes`: where to draw, (image, curves).

    >>> plot_energy_dispersion(run.edisp, offset="0.5 deg")                             # doctest: +SKIP
    """
    with style():
        picture, curves = panels(axes, 1, 2)
        at = draw_energy_dispersion(picture, edisp, offset)
        energy = np.asarray(edisp.energy.points)
        bias, resolution = bias_and_resolution(edisp, at)
        curves.axhline(0.0, color=FAINT, linewidth=0.8)
        curves.plot(energy, bias, color=MODEL, label="Bias")
        curves.plot(energy, resolution, color=BACKGROUND, linestyle=(0, (4, 1.5)), label="Resolution")
        edges = edges_of(edisp.energy, log=True)
        energy_axis(curves, edges[0], edges[-1])
        curves.set_xlabel(label("True energy", "TeV"))
        curves.set_ylabel(r"Bias and resolution of $\mu$")
        reach = float(np.nanmax(np.abs([bias, resolution]), initial=0.1, where=np.isfinite([bias, resolution])))
        curves.set_ylim(-min(1.1 * reach, 0.6), min(1.1 * reach, 1.2))
        curves.legend(loc="best", title=f"Offset {at:.3g} deg")
    return figure_of(picture)


def draw_energy_dispersion(ax: Axes, edisp: EnergyDispersion, offset: Any = None) -> float:
    """The image alone; returns the offset [deg] at which it is."""
    at = float(some(edisp.offset.points, offset)[0])
    energy, migra = np.asarray(edisp.energy.points), np.asarray(edisp.migra.points)
    density = np.asarray(edisp.evaluate(energy[:, None], migra, at))
    x, y = edges_of(edisp.energy, log=True), edges_of(edisp.migra)
    # A few narrow rows at the ends, made of single photons, would leave no colours for the others.
    peaks = density.max(axis=1)
    top = float(np.quantile(peaks[peaks > 0], 0.9)) if (peaks > 0).any() else 1.0
    image(ax, x, y, density, r"$\mathrm{d}P/\mathrm{d}\mu$", vmax=top)
    energy_axis(ax, x[0], x[-1])
    shown = migra[(density > 0.01 * top).any(axis=0)]
    ax.set_ylim(y[0], min(y[-1], 1.1 * shown[-1]) if shown.size else y[-1])
    ax.axhline(1.0, color=FAINT, linewidth=0.8)
    ax.set_xlabel(label("True energy", "TeV"))
    ax.set_ylabel(r"$\mu = E_\mathrm{reco} / E_\mathrm{true}$")
    ax.set_title(f"Offset {at:.3g} deg")
    return at


def bias_and_resolution(edisp: EnergyDispersion, offset: float) -> tuple[np.ndarray, np.ndarray]:
    """Median of mu - 1 and half the width of its central 68 %, at the true energies of the table; NaN where empty."""
    density = np.asarray(
        edisp.evaluate(np.asarray(edisp.energy.points)[:, None], np.asarray(edisp.migra.points), offset)
    )
    edges = edges_of(edisp.migra)
    found = np.full((3, len(density)), np.nan)
    for i, row in enumerate(density):
        steps = row * np.diff(edges)
        if steps.sum() > 0:
            cumulative = np.append(0.0, np.cumsum(steps)) / steps.sum()
            found[:, i] = np.interp((0.16, 0.5, 0.84), cumulative, edges)
    return found[1] - 1.0, 0.5 * (found[2] - found[0])


def plot_rad_max(rad_max: RadMax, ax: Axes | None = None, *, offset: Any = None) -> Figure:
    """Radius of the directional cut [deg] against reconstructed energy, at up to five offsets or those given [deg].

    >>> plot_rad_max(run.rad_max)                                                       # doctest: +SKIP
    """
    with style():
        ax = new_figure().subplots() if ax is None else ax
        edges = edges_of(rad_max.energy, log=True)
        offsets = some(rad_max.offset.points, offset)
        radius = np.asarray(rad_max.evaluate(np.asarray(rad_max.energy.points)[:, None], offsets))
        for color, at, steps in zip(shades(len(offsets)), offsets, radius.T, strict=True):
            name = "all offsets" if not np.isfinite(np.asarray(rad_max.offset.edges)).all() else f"{at:.3g} deg"
            ax.stairs(steps, edges, baseline=None, color=color, linewidth=1.5, label=name)
        energy_axis(ax, edges[0], edges[-1])
        ax.set_ylim(0.0, 1.15 * float(radius.max()) or 1.0)
        ax.set_ylabel(label("Radius of the cut", "deg"))
        ax.legend(loc="best", title="Offset")
    return figure_of(ax)
