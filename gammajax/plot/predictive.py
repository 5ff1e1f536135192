"""Predictive checks: measured counts on the bands of the counts that a fit, a posterior or priors predict."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gammajax.checks import names
from gammajax.errors import DatasetError
from gammajax.infer.predictive import Predictive
from gammajax.plot.panels import Many, panels
from gammajax.plot.style import (
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

_HEIGHTS = [2.0, 1.0]
_LEAST = 0.3
"""Counts below this are left to run out of the panel."""


def plot_predictive(predictive: Predictive, datasets: Any = None, *, axes: Many | None = None) -> Figure:
    """Counts per bin against the central 68 and 95 % of the drawn ones and their median; below, in errors.

    The lower panels show (counts - median) / sqrt(mean of the draws), with the same bands. Two panels for each dataset;
    `datasets` picks by name, `axes`: (counts, deviation) of one. Bins outside the mask are left out; counts of cubes
    are summed over it.
    Raises `UnknownDataset` for an unknown name, `DatasetError` without a bin.

    >>> plot_predictive(gj.predictive(datasets, posterior, key=2))                      # doctest: +SKIP
    """
    chosen = predictive.datasets.names if datasets is None else names(datasets, "datasets")
    shown: list[Any] = [predictive.datasets[name] for name in chosen]
    if empty := [d.name for d in shown if not np.asarray(d.mask).any()] or (["no dataset"] if not shown else []):
        raise DatasetError(f"{', '.join(empty)}: there is no bin to plot")
    columns = min(4, math.ceil(math.sqrt(len(shown))))
    rows = math.ceil(len(shown) / columns)
    with style():
        if axes is None:
            size = SIZE if len(shown) == 1 else (PANEL[0] * columns, PANEL[1] * rows + 0.6)
            grid = new_figure(size).subplots(2 * rows, columns, squeeze=False, height_ratios=_HEIGHTS * rows)
            axes = [
                ax for row in range(rows) for column in range(columns) for ax in grid[2 * row : 2 * row + 2, column]
            ]
            drawn = panels(axes, 2 * rows, columns)
        else:
            drawn = panels(axes, 2, len(shown))
        for i, dataset in enumerate(shown):
            _draw(drawn[2 * i], drawn[2 * i + 1], predictive, dataset)
            if i % columns:
                drawn[2 * i].set_ylabel("")
                drawn[2 * i + 1].set_ylabel("")
        for ax in drawn[2 * len(shown) :]:
            ax.set_axis_off()
        p, error = predictive.p_values["deviance"]
        figure, (handles, texts) = figure_of(drawn[0]), drawn[0].get_legend_handles_labels()
        figure.align_ylabels(drawn[: 2 * len(shown)])
        title = f"{predictive.source.capitalize()}, {len(predictive.parameters)} draws: p(deviance) = {p:.2g}"
        title += rf" $\pm$ {error:.1g}"
        figure.legend(handles, texts, loc="outside upper center", ncols=len(texts), title=title)
    return figure


def _draw(upper: Axes, lower: Axes, predictive: Predictive, dataset: Any) -> None:
    edges = np.asarray(dataset.energy)
    counts, used = predictive.observed(dataset.name)
    low_2, low, median, high, high_2 = np.where(used, predictive.quantiles(dataset.name), np.nan)
    scale = np.sqrt(np.maximum(predictive.counts[dataset.name].mean(axis=0), 1e-9))
    x = np.sqrt(edges[1:] * edges[:-1])
    wide = np.stack([x - edges[:-1], edges[1:] - x])[:, used]
    look: dict[str, Any] = {"fmt": "o", "color": DATA, "markersize": 3.2, "elinewidth": 1.0, "zorder": 3.0}
    for ax, part in ((upper, lambda y: y), (lower, lambda y: (y - median) / scale)):
        for ends, alpha, name in (((low_2, high_2), 0.22, "95 %"), ((low, high), 0.4, "68 %")):
            bottom, top = (part(end) for end in ends)
            ax.stairs(top, edges, baseline=bottom, fill=True, color=RANGE, alpha=alpha, linewidth=0, label=name)
        ax.stairs(part(median), edges, baseline=None, color=MODEL, linewidth=1.5, label="Median")
        ax.errorbar(x[used], part(counts)[used], xerr=wide, label="Counts", **look)
        energy_axis(ax, edges[:-1][used][0], edges[1:][used][-1], named=ax is lower)
    upper.tick_params(labelbottom=False)
    shown = np.concatenate([low_2[used], high_2[used], counts[used]])
    least = float(np.min(shown, where=shown > 0, initial=1.0))
    log_axis(upper, max(0.5 * least, _LEAST), max(2.5 * float(shown.max()), 10.0))
    lower.axhline(0.0, color=FAINT, linewidth=0.8, zorder=1.0)
    upper.set_title(dataset.name, fontsize=9.0, pad=3.0)
    upper.set_ylabel("Counts per bin")
    lower.set_ylabel(r"From median [$\sigma$]", fontsize=9.0)
