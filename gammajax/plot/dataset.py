"""Datasets as they are, without a model: counts, background, excess, exposure, dispersion; flux points."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy import units as u
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gammajax.datasets.flux_points import FluxPointsDataset
from gammajax.datasets.spectrum import Spectrum, SpectrumDatasetOnOff
from gammajax.errors import DatasetError
from gammajax.plot.bins import garwood
from gammajax.plot.panels import Many, deep_axis, image, panels
from gammajax.plot.style import (
    BACKGROUND,
    CYCLE,
    DATA,
    FAINT,
    MODEL,
    RANGE,
    energy_axis,
    figure_of,
    label,
    log_axis,
    new_figure,
    style,
)
from gammajax.reduce.significance import excess_errors
from gammajax.units import DNDE, conversion, unit_of

_LEAST = 0.03
"""Counts below this are left to run out of the panel."""


def plot_dataset(dataset: Spectrum, *, axes: Many | None = None) -> Figure:
    """A spectrum without a model: counts and background, excess, exposure, dispersion matrix, bin by bin.

    Counts have 68 % Poisson intervals, the excess of on-off data errors of WStat; the background is
    `alpha * counts_off` or the one given; bins with neither counts nor background are left out. The fit range is
    shaded, bins outside it are grey. `axes`: where to draw, (counts, excess, exposure, dispersion).
    Raises `DatasetError` for what is no single spectrum.

    >>> plot_dataset(datasets["hess-23523"])                                            # doctest: +SKIP
    """
    if not isinstance(dataset, Spectrum):
        raise DatasetError(f"plot_dataset() takes one spectrum, got {type(dataset).__name__}: peek() takes all kinds")
    with style():
        counts, excess, exposure, dispersion = panels(axes, 2, 2)
        _counts(counts, dataset)
        _excess(excess, dataset)
        edges = np.asarray(dataset.energy)
        for ax in (counts, excess):
            energy_axis(ax, edges[0], edges[-1])
            _shade(ax, edges, np.asarray(dataset.mask))
        _response(exposure, dispersion, dataset)
        if axes is None:
            hours = float(dataset.livetime) / 3600
            when = f", livetime {hours:.3g} h" if np.isfinite(hours) else ""
            figure_of(counts).suptitle(f"{dataset.name}{when}", fontsize=10.0)
    return figure_of(counts)


def _counts(ax: Axes, dataset: Spectrum) -> None:
    edges, n = np.asarray(dataset.energy), np.asarray(dataset.counts)
    background = np.asarray(dataset.background)
    low, high = garwood(n)
    _points(ax, dataset, n, (n - low, high - n))
    name = r"Off $\times\ \alpha$" if isinstance(dataset, SpectrumDatasetOnOff) else "Background"
    ax.stairs(background, edges, baseline=None, color=BACKGROUND, linewidth=1.5, label=name)
    positive = np.concatenate([n[n > 0], background[background > 0], [1.0]])
    log_axis(ax, max(0.5 * positive.min(), _LEAST), 12.0 * max(float(high.max()), float(background.max())))
    ax.set_ylabel("Counts per bin")
    ax.legend(loc="upper right")


def _excess(ax: Axes, dataset: Spectrum) -> None:
    n = np.asarray(dataset.counts)
    if isinstance(dataset, SpectrumDatasetOnOff):
        alpha, off = np.asarray(dataset.alpha), np.asarray(dataset.counts_off)
        # Without an off region the excess is that of the counts alone, as for a known background.
        errors = [np.array(x) for x in excess_errors(n, off, np.where(alpha > 0, alpha, 1e-9))]
    else:
        low, high = garwood(n)
        errors = [n - low, high - n]
    _points(ax, dataset, n - np.asarray(dataset.background), (errors[0], errors[1]))
    ax.axhline(0.0, color=BACKGROUND, linewidth=1.2, zorder=1.0)
    inside = np.asarray(dataset.mask) & ((n > 0) | (np.asarray(dataset.background) > 0))
    if inside.any():
        # Bins that nobody fits may hold a hundred times more: they are left to run out of the panel.
        excess = (n - np.asarray(dataset.background))[inside]
        low, high = (excess - errors[0][inside]).min(), (excess + errors[1][inside]).max()
        ax.set_ylim(min(low, 0.0) - 0.08 * (high - low), max(high, 1.0) + 0.08 * (high - low))
    ax.set_ylabel("Excess per bin")


def _points(ax: Axes, dataset: Spectrum, y: np.ndarray, errors: tuple[np.ndarray, np.ndarray]) -> None:
    edges, used = np.asarray(dataset.energy), np.asarray(dataset.mask)
    full = (np.asarray(dataset.counts) > 0) | (np.asarray(dataset.background) > 0)
    x = np.sqrt(edges[1:] * edges[:-1])
    wide = np.stack([x - edges[:-1], edges[1:] - x])
    for select, color, name in ((used & full, DATA, "Counts"), (~used & full, FAINT, "Counts, not fitted")):
        if select.any():
            yerr = [np.maximum(e[select], 0.0) for e in errors]
            look: dict[str, Any] = {"fmt": "o", "color": color, "markersize": 3.2, "elinewidth": 1.0, "label": name}
            ax.errorbar(x[select], y[select], yerr=yerr, xerr=wide[:, select], **look)


def _shade(ax: Axes, edges: np.ndarray, used: np.ndarray) -> None:
    """The fit range, where it is not everything."""
    change = np.flatnonzero(np.diff(used.astype(int), prepend=0, append=0)).reshape(-1, 2)
    for low, high in change if not used.all() else ():
        ax.axvspan(float(edges[low]), float(edges[high]), color=RANGE, alpha=0.10, linewidth=0, zorder=0)


def _response(upper: Axes, lower: Axes, dataset: Spectrum) -> None:
    true, reco = np.asarray(dataset.energy_true), np.asarray(dataset.energy)
    exposure = np.asarray(dataset.exposure)
    upper.stairs(exposure * 1e-4, true, baseline=None, color=MODEL, linewidth=1.5)
    deep_axis(upper, exposure * 1e-4)
    energy_axis(upper, true[0], true[-1])
    upper.set_xlabel(label("True energy", "TeV"))
    upper.set_ylabel(label("Exposure", "m2 s"))
    image(lower, true, reco, np.asarray(dataset.edisp), "Probability per bin")
    lower.plot(true, true, color=FAINT, linewidth=0.8)
    energy_axis(lower, true[0], true[-1])
    log_axis(lower, reco[0], reco[-1])
    lower.set_xlabel(label("True energy", "TeV"))
    lower.set_ylabel(label("Energy", "TeV"))


def plot_flux_points(
    points: FluxPointsDataset | Sequence[FluxPointsDataset],
    ax: Axes | None = None,
    *,
    energy_power: float = 2,
    unit: str | None = None,
) -> Figure:
    """`E^p dN/dE` of flux points with their errors; limits are arrows, points that are not used are hollow.

    `unit` of the result, for example "erg cm-2 s-1" (default: TeV powers). Several datasets differ in colour.
    Raises `DatasetError` without a finite flux, `UnitMismatch` for a wrong unit.

    >>> plot_flux_points(gj.FluxPointsDataset.read("crab_hess_fp.fits"))                # doctest: +SKIP
    """
    many = [points] if isinstance(points, FluxPointsDataset) else list(points)
    native = unit_of(DNDE) * u.TeV**energy_power
    shown = native if unit is None else unit_of(unit)
    factor = conversion(native, shown, "unit of the flux points")
    with style():
        ax = new_figure().subplots() if ax is None else ax
        drawn = [
            _flux_points(ax, one, energy_power, factor, CYCLE[i % len(CYCLE)] if len(many) > 1 else DATA)
            for i, one in enumerate(many)
        ]
        values = np.concatenate([np.zeros(0), *drawn])
        if not values.size:
            raise DatasetError("there is no flux point with a finite flux or limit to plot")
        log_axis(ax, 0.4 * float(values.min()), 2.5 * float(values.max()))
        energy = np.concatenate([np.asarray(one.energy_ref) for one in many])
        energy_axis(ax, 0.7 * float(energy.min()), 1.4 * float(energy.max()))
        power = "" if energy_power == 0 else r"E\," if energy_power == 1 else rf"E^{{{energy_power:g}}}\,"
        ax.set_ylabel(label(rf"${power}\mathrm{{d}}N/\mathrm{{d}}E$", shown))
        ax.legend(loc="best")
    return figure_of(ax)


def _flux_points(ax: Axes, points: FluxPointsDataset, power: float, factor: float, color: str) -> np.ndarray:
    """Draw the points of one dataset; returns the positive values."""
    x, used = np.asarray(points.energy_ref), points.mask
    scale = factor * x**power
    y, limit = scale * np.asarray(points.dnde), scale * np.asarray(points.dnde_ul)
    is_ul = np.asarray(points.is_ul) | ~np.isfinite(y)
    bounds = np.stack([x - np.asarray(points.energy_min), np.asarray(points.energy_max) - x])
    wide = np.where(np.isfinite(bounds), np.maximum(bounds, 0.0), 0.0)
    errors = scale * np.stack([np.asarray(points.dnde_errn), np.asarray(points.dnde_errp)])
    look: dict[str, Any] = {"fmt": "o", "color": color, "markersize": 3.6, "elinewidth": 1.0}
    name, positive = points.name, [limit[is_ul & (limit > 0)], y[~is_ul & (y > 0)]]
    for select, face in ((~is_ul & used, color), (~is_ul & ~used, "white")):
        if select.any():
            yerr = np.nan_to_num(errors[:, select], nan=0.0)
            ax.errorbar(x[select], y[select], yerr=yerr, xerr=wide[:, select], label=name, markerfacecolor=face, **look)
            name = "_"
    select = is_ul & (limit > 0)
    if select.any():
        arrows = {"fmt": "none", "color": color, "elinewidth": 1.0, "uplims": True, "label": name}
        ax.errorbar(x[select], limit[select], yerr=0.4 * limit[select], xerr=wide[:, select], **arrows)
    return np.concatenate(positive)
