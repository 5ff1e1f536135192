"""Parameters of several results side by side."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gammajax.checks import names
from gammajax.errors import NothingToFit
from gammajax.infer.fit import Fit
from gammajax.infer.posterior import Posterior
from gammajax.models.collection import Models
from gammajax.plot.style import CYCLE, FAINT, TRUTH, exponent_of, label, new_figure, short_names, style

_ROW, _PANEL, _NAMES = 0.30, 2.3, 1.5

Interval = tuple[float, float, float]
"""Low end, value, high end."""


def plot_parameters(
    results: Mapping[str, Fit | Posterior] | Fit | Posterior,
    paths: str | Sequence[str] = ("*",),
    *,
    truth: Models | None = None,
    published: Mapping[str, tuple[float, float]] | None = None,
) -> Figure:
    """One panel per parameter, one row per result: best value and standard error, or median and central 68 %.

    `paths` picks parameters by name or pattern; a result that does not have one free leaves its row empty. `truth` adds
    the true values, `published` (path: value, error; canonical units) a grey band.
    Raises `NothingToFit` if no result has one of the parameters free.

    >>> plot_parameters({"statistics": fit, "with scales": wider}, ["crab.*"])          # doctest: +SKIP
    """
    paths = names(paths, "paths")
    results = {type(results).__name__.lower(): results} if isinstance(results, Fit | Posterior) else results
    found = {name: _intervals(result) for name, result in results.items()}
    rows = {path: row for result in results.values() for path, row in result.models.rows.items()}
    known = {path for one in found.values() for path in one}
    chosen = [p for p in rows if p in known and any(fnmatchcase(p, pattern) for pattern in paths)]
    if not chosen:
        raise NothingToFit(f"none of {', '.join(paths)} is free in any of {', '.join(results)}")
    given = published or {}
    with style():
        figure = new_figure((_NAMES + _PANEL * len(chosen), 0.9 + _ROW * len(found)))
        axes = figure.subplots(1, len(chosen), squeeze=False, sharey=True)[0]
        for ax, path, name in zip(axes, chosen, short_names(chosen), strict=True):
            true = truth.value(path) if truth is not None and path in truth.rows else None
            _panel(ax, [one.get(path) for one in found.values()], true, given.get(path), name, rows[path].unit)
        axes[0].set_ylim(len(found) - 0.4, -0.6)
        axes[0].set_yticks(range(len(found)), list(found))
    return figure


def _intervals(result: Fit | Posterior) -> dict[str, Interval]:
    if isinstance(result, Posterior):
        quantiles = np.quantile(result.flat, (0.16, 0.5, 0.84), axis=0).T
        return {path: (q[0], q[1], q[2]) for path, q in zip(result.paths, quantiles.tolist(), strict=True)}
    models = result.models
    pairs = {path: (models.value(path), models.error(path)) for path in models.free_paths}
    return {path: (x - error, x, x + error) for path, (x, error) in pairs.items() if np.isfinite(error)}


def _panel(
    ax: Axes,
    rows: list[Interval | None],
    truth: float | None,
    published: tuple[float, float] | None,
    name: str,
    unit: str,
) -> None:
    numbers = [x for row in rows if row is not None for x in row]
    exponent = exponent_of(numbers)
    scale = 10.0**exponent
    if published is not None:
        value, error = published
        ax.axvspan((value - error) / scale, (value + error) / scale, color=FAINT, alpha=0.25, linewidth=0, zorder=0)
        ax.axvline(value / scale, color=FAINT, linewidth=1.0, zorder=1.0)
    if truth is not None:
        ax.axvline(truth / scale, color=TRUTH, linewidth=1.2, zorder=1.0)
    for i, row in enumerate(rows):
        if row is None:
            continue
        low, middle, high = (x / scale for x in row)
        look = {"color": CYCLE[i % len(CYCLE)], "markersize": 4.0, "elinewidth": 1.6}
        ax.errorbar(middle, i, xerr=[[middle - low], [high - middle]], fmt="o", **look)
    ax.set_xlabel(label(name, unit, exponent))
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.margins(x=0.08)
    ax.tick_params(axis="y", length=0)
