"""Counts spectra: measured against expected counts, with residuals below."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, MultipleLocator

from gammajax.datasets.spectrum import Spectrum, SpectrumDataset, SpectrumDatasetOnOff
from gammajax.errors import DatasetError
from gammajax.infer.fit import Fit
from gammajax.likelihood.expected import predict_all
from gammajax.models.collection import Models
from gammajax.plot.bins import CountBins, count_bins
from gammajax.plot.style import (
    BACKGROUND,
    DATA,
    FAINT,
    MODEL,
    PANEL,
    RANGE,
    SIZE,
    energy_axis,
    figure_of,
    log_axis,
    new_figure,
    style,
)

_HEIGHTS = [2.7, 1.0]


def plot_counts(
    datasets: Spectrum | Sequence[Spectrum],
    models: Models | Fit | None = None,
    *,
    axes: tuple[Axes, Axes] | None = None,
    stacked: bool = False,
    min_expected: float = 5.0,
) -> Figure:
    """Counts per energy bin with 68 % Poisson intervals against signal + background, and residuals.

    Without `models`: counts against the background, and the significance of the excess.

    Several datasets are drawn as a grid of panels, or as their sum with `stacked`. Neighbouring bins are
    merged until `min_expected` counts are expected in each (0: as they are); the mean per original bin is
    drawn. Residuals are the signed roots of WStat (on-off) or of the Cash deviance. The fit range is shaded,
    bins outside it are grey. `axes`: where to draw one dataset, (counts, residuals).
    Raises `DatasetError` without datasets, or if datasets to be stacked differ in kind or axes.

    >>> plot_counts(datasets["hess-23523"], fit)                                        # doctest: +SKIP
    >>> plot_counts(datasets["hess-23523"])                                             # doctest: +SKIP
    >>> plot_counts(datasets, fit, stacked=True)                                        # doctest: +SKIP
    """
    bare, models = models is None, models.models if isinstance(models, Fit) else models
    single = isinstance(datasets, SpectrumDataset | SpectrumDatasetOnOff)
    chosen: list[Spectrum] = [datasets] if single else list(datasets)
    if not chosen:
        raise DatasetError("there is no dataset to plot")
    expected = predict_all(chosen, Models() if models is None else models)
    with style():
        if stacked or len(chosen) == 1:
            title = chosen[0].name if len(chosen) == 1 else f"{len(chosen)} datasets"
            return _one(count_bins(chosen, expected, min_expected, bare), title, axes)
        if axes is not None:
            raise DatasetError(f"axes= holds one dataset, got {len(chosen)}: leave it out, or stack them")
        bins = [count_bins([d], [x], min_expected, bare) for d, x in zip(chosen, expected, strict=True)]
        return _grid(bins, [d.name for d in chosen])


def _one(bins: CountBins, title: str, axes: tuple[Axes, Axes] | None) -> Figure:
    if axes is None:
        axes = tuple(new_figure(SIZE).subplots(2, 1, height_ratios=_HEIGHTS))
    _draw(bins, *axes)
    axes[0].legend(loc="best", title=title, alignment="left", title_fontsize=9.5)
    _name_y(*axes, bare=bins.bare)
    axes[0].figure.align_ylabels(axes)
    return figure_of(axes[0])


def _grid(bins: list[CountBins], names: list[str]) -> Figure:
    n = len(bins)
    columns = min(4, math.ceil(math.sqrt(n)))
    rows = math.ceil(n / columns)
    figure = new_figure((PANEL[0] * columns, PANEL[1] * rows + 0.4))
    axes = figure.subplots(2 * rows, columns, squeeze=False, height_ratios=_HEIGHTS * rows)
    handles: dict[str, Any] = {}
    for i in range(rows * columns):
        row, column = divmod(i, columns)
        upper, lower = axes[2 * row, column], axes[2 * row + 1, column]
        if i >= n:
            upper.set_axis_off()
            lower.set_axis_off()
            continue
        _draw(bins[i], upper, lower)
        upper.set_title(names[i], fontsize=9.0, pad=3.0)
        if i + columns < n:
            lower.set_xlabel("")
        if column == 0:
            _name_y(upper, lower, size=9.0, bare=bins[i].bare)
        found = upper.get_legend_handles_labels()
        handles |= dict(zip(found[1], found[0], strict=True))
    figure.align_ylabels(axes[:, 0])
    figure.legend(list(handles.values()), list(handles), loc="outside upper center", ncols=len(handles))
    return figure


def _name_y(upper: Axes, lower: Axes, size: float = 10.0, *, bare: bool) -> None:
    upper.set_ylabel("Counts per bin", fontsize=size)
    lower.set_ylabel(r"Excess [$\sigma$]" if bare else r"Residual [$\sigma$]", fontsize=size)


def _draw(bins: CountBins, upper: Axes, lower: Axes) -> None:
    shown = (bins.counts > 0) | bins.used
    shown = slice(*(np.flatnonzero(shown)[[0, -1]] + [0, 1])) if shown.any() else slice(None)
    cut = {name: x[shown] for name, x in vars(bins).items() if isinstance(x, np.ndarray)}
    bins = replace(bins, **cut)
    if not bins.bare:
        _steps(upper, bins, bins.expected, color=MODEL, label="Signal + background")
    _steps(upper, bins, bins.background, color=BACKGROUND, label="Background", linestyle=(0, (4, 1.5)))
    points = ((bins.used, DATA, "Counts"), (~bins.used, FAINT, "Counts, not fitted"))
    for select, colour, name in points:
        if select.any():
            _points(upper, lower, bins, select, colour, name)
    log_axis(upper, *_range(bins))
    _residual_axis(lower, bins)
    energy_axis(lower, bins.edges[0, 0], bins.edges[-1, 1])
    energy_axis(upper, bins.edges[0, 0], bins.edges[-1, 1], named=False)
    upper.tick_params(labelbottom=False)
    for low, high in _spans(bins):
        for ax in (upper, lower):
            ax.axvspan(low, high, color=RANGE, alpha=0.10, linewidth=0, zorder=0)


def _points(upper: Axes, lower: Axes, bins: CountBins, select: np.ndarray, colour: str, name: str) -> None:
    x = bins.centre[select]
    wide = np.abs(bins.edges[select].T - x)
    look: dict[str, Any] = {"fmt": "o", "color": colour, "markersize": 3.2, "elinewidth": 1.0}
    look["zorder"] = 3.0 if colour == DATA else 2.5
    n, size = bins.counts[select], bins.merged[select]
    low, high = (end[select] for end in bins.interval)
    upper.errorbar(x, n / size, yerr=[(n - low) / size, (high - n) / size], xerr=wide, label=name, **look)
    lower.errorbar(x, bins.residual[select], yerr=1.0, xerr=wide, **look)


def _steps(ax: Axes, bins: CountBins, values: np.ndarray, **look: Any) -> None:
    edges = np.append(bins.edges[:, 0], bins.edges[-1, 1])
    ax.stairs(values / bins.merged, edges, baseline=None, linewidth=1.5, zorder=2.0, **look)


def _range(bins: CountBins) -> tuple[float, float]:
    """Limits of the counts: all measured ones, and what is expected where the likelihood looks."""
    where = bins.used if bins.used.any() else np.ones_like(bins.used)
    expected = (bins.expected / bins.merged)[where]
    measured = (bins.counts / bins.merged)[bins.counts > 0]
    top = max(expected.max(), (bins.interval[1] / bins.merged).max())
    low = np.concatenate([expected[expected > 0], measured, [top]]).min()
    # Expectations far below one count say nothing about the data: they are left to run out of the panel.
    return max(low / 3.0, min(0.03, top / 100.0)), top * 2.5


def _residual_axis(ax: Axes, bins: CountBins) -> None:
    most = 1.2 + float(np.abs(bins.residual).max())
    # An excess without a model may stand out by any number of sigma; residuals of a model that does not fit need not.
    reach = max(3.5, most if bins.bare else min(7.5, most))
    ax.set_ylim(-reach if not bins.bare or bins.residual.min() < -2.0 else -2.0, reach)
    ax.yaxis.set_major_locator(MultipleLocator(2.0 if reach < 6 else 4.0) if reach < 9 else MaxNLocator(4))
    ax.axhline(0.0, color=MODEL, linewidth=1.2, zorder=1.0)


def _spans(bins: CountBins) -> list[tuple[float, float]]:
    """Contiguous stretches of energy inside the fit range [TeV]; none if everything is."""
    if bins.used.all():
        return []
    change = np.flatnonzero(np.diff(bins.used.astype(int), prepend=0, append=0))
    return [(bins.edges[a, 0], bins.edges[b - 1, 1]) for a, b in change.reshape(-1, 2)]
