"""Posterior draws of all pairs of parameters, with the Gaussian of a fit and the truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from gammajax.checks import names
from gammajax.errors import NothingToFit
from gammajax.infer.fit import Fit
from gammajax.infer.posterior import Posterior
from gammajax.models.collection import Models
from gammajax.models.covariance import Covariance
from gammajax.plot.style import (
    BACKGROUND,
    FAINT,
    MODEL,
    TRUTH,
    exponent_of,
    label,
    new_figure,
    no_ticks,
    short_names,
    style,
)

# What one and two standard deviations of a Gaussian in two dimensions enclose.
LEVELS = (1.0 - np.exp(-0.5), 1.0 - np.exp(-2.0))
_BINS = 40
_SIDE, _GAP = 1.6, 0.09
_LEFT, _BOTTOM, _TOP, _RIGHT = 0.85, 0.85, 0.5, 0.15
_LEGEND = 1.6
# Solid, so that they cover the dots of the draws inside.
_FILLS = ["#c3ddee", "#7db5d8"]


@dataclass(frozen=True)
class _Column:
    """One parameter as it is drawn, in powers of ten `unit`; best value and truth where there are any."""

    draws: np.ndarray
    unit: float
    low: float
    high: float
    name: str
    label: str
    truth: float | None
    best: float | None


def plot_corner(
    posterior: Posterior,
    fit: Fit | None = None,
    truth: Models | None = None,
    *,
    paths: str | Sequence[str] = ("*",),
) -> Figure:
    """Histogram of each sampled parameter, and for each pair the contours that hold 39 and 86 % of the draws.

    `fit` overlays the Gaussian of its covariance (1 and 2 sigma ellipses), `truth` the true values; `paths`
    picks parameters by name or pattern. Dashed lines and titles tell the 16, 50 and 84 % quantiles.
    Raises `NoSuchParameter` if a path matches nothing, `NothingToFit` if nothing of it was sampled or the fit
    has no covariance.

    >>> plot_corner(posterior, fit, paths=["crab.*"])                                   # doctest: +SKIP
    """
    paths = names(paths, "paths")
    matched = [p for pattern in paths for p in posterior.models.match(pattern)]
    chosen = [p for p in posterior.paths if p in matched]
    if not chosen:
        raise NothingToFit(f"none of {', '.join(paths)} was sampled: they are frozen or linked")
    columns = _columns(posterior, chosen, fit, truth)
    covariance = None if fit is None else _scaled(fit.covariance, chosen, columns)
    n = len(chosen)
    with style():
        figure, axes = _panels(n)
        for i, j in np.ndindex(n, n):
            ax: Any = axes[i, j]
            x, y = columns[j], columns[i]
            if j > i:
                ax.set_axis_off()
                continue
            part = None if covariance is None else covariance[np.ix_([j, i], [j, i])]
            if i == j:
                _one(ax, x, part)
            else:
                _pair(ax, x, y, part)
            _ticks(ax, x, y, i, j, n)
        _legend(figure, fit is not None, any(c.truth is not None for c in columns))
    return figure


def _panels(n: int) -> tuple[Figure, np.ndarray]:
    """Square panels at equal distances: a layout engine would widen columns for their labels."""
    side = _SIDE * n + _GAP * (n - 1)
    # With two or more parameters the corner above the diagonal holds the legend.
    left, right = (_LEFT, _RIGHT) if n > 1 else (_RIGHT, _LEGEND)
    width, height = left + side + right, _BOTTOM + side + _TOP
    figure = new_figure((width, height), layout="none")
    spacing = {"wspace": _GAP / _SIDE, "hspace": _GAP / _SIDE}
    x = {"left": left / width, "right": 1 - right / width}
    y = {"bottom": _BOTTOM / height, "top": 1 - _TOP / height}
    return figure, figure.subplots(n, n, squeeze=False, gridspec_kw={**spacing, **x, **y})


def _columns(posterior: Posterior, paths: list[str], fit: Fit | None, truth: Models | None) -> list[_Column]:
    columns = []
    for path, name in zip(paths, short_names(paths), strict=True):
        draws = posterior[path].ravel()
        exponent = exponent_of(draws)
        unit = 10.0**exponent
        true = truth.value(path) / unit if truth is not None and path in truth.rows else None
        best = None if fit is None else fit.models.value(path) / unit
        low, high = np.quantile(draws, (0.001, 0.999)) / unit
        low, high = (f([x] if true is None else [x, true]) for f, x in ((min, low), (max, high)))
        margin = 0.04 * (high - low) or 0.5
        text = label(name, posterior.models.rows[path].unit, exponent).replace(" [", "\n[")
        columns.append(_Column(draws / unit, unit, low - margin, high + margin, name, text, true, best))
    return columns


def _scaled(covariance: Covariance, paths: list[str], columns: list[_Column]) -> np.ndarray:
    index = [covariance.paths.index(path) for path in paths]
    unit = np.array([column.unit for column in columns])
    return covariance.matrix[np.ix_(index, index)] / np.outer(unit, unit)


def _one(ax: Axes, x: _Column, covariance: np.ndarray | None) -> None:
    height, edges = np.histogram(x.draws, bins=_BINS, range=(x.low, x.high), density=True)
    ax.stairs(height, edges, fill=True, color=_FILLS[0])
    ax.stairs(height, edges, color=MODEL, linewidth=1.1)
    low, middle, high = np.quantile(x.draws, (0.16, 0.5, 0.84))
    for value in (low, middle, high):
        ax.axvline(value, color=MODEL, linewidth=0.9, linestyle=(0, (4, 2)))
    if covariance is not None and x.best is not None and covariance[0, 0] > 0:
        sigma = np.sqrt(covariance[0, 0])
        fine = np.linspace(x.low, x.high, 200)
        bell = np.exp(-0.5 * ((fine - x.best) / sigma) ** 2) / (sigma * np.sqrt(2.0 * np.pi))
        ax.plot(fine, bell, color=BACKGROUND, linewidth=1.2)
    if x.truth is not None:
        ax.axvline(x.truth, color=TRUTH, linewidth=1.4)
    ax.set_title(f"{x.name}\n{_with_errors(low, middle, high)}", fontsize=9.0, pad=6.0)
    ax.set_ylim(0.0, ax.get_ylim()[1])


def _pair(ax: Axes, x: _Column, y: _Column, covariance: np.ndarray | None) -> None:
    few = slice(None, None, max(1, len(x.draws) // 1500))
    dots = {"color": FAINT, "markersize": 1.4, "alpha": 0.6, "rasterized": True}
    ax.plot(x.draws[few], y.draws[few], ".", zorder=1.0, **dots)
    centres, density, heights = _density(x, y)
    ax.contourf(*centres, density, [*heights, np.inf], colors=_FILLS, zorder=2.0)
    ax.contour(*centres, density, heights, colors=MODEL, linewidths=1.0, zorder=2.1)
    if covariance is not None and x.best is not None and y.best is not None:
        ax.plot(x.best, y.best, "+", color=BACKGROUND, markersize=5.0, zorder=3.0)
        for sigma in (1.0, 2.0):
            ax.plot(*_ellipse(x.best, y.best, covariance, sigma), color=BACKGROUND, linewidth=1.1, zorder=3.0)
    for value, draw in ((x.truth, ax.axvline), (y.truth, ax.axhline)):
        if value is not None:
            draw(value, color=TRUTH, linewidth=1.2, zorder=2.5)


def _ellipse(x: float, y: float, covariance: np.ndarray, sigma: float) -> np.ndarray:
    """Points at `sigma` standard deviations of a Gaussian; a line where a parameter has no error."""
    values, vectors = np.linalg.eigh(covariance)
    turn = np.linspace(0.0, 2.0 * np.pi, 121)
    circle = np.stack([np.cos(turn), np.sin(turn)])
    return np.array([[x], [y]]) + sigma * vectors @ (np.sqrt(np.maximum(values, 0.0))[:, None] * circle)


def _density(x: _Column, y: _Column) -> tuple[list[np.ndarray], np.ndarray, list[float]]:
    """Smoothed density of a pair on a grid, and the rising heights of the contours that enclose `LEVELS`."""
    counts, *edges = np.histogram2d(x.draws, y.draws, bins=_BINS, range=[(x.low, x.high), (y.low, y.high)])
    # A Gaussian of 1.2 bins, with rows that sum to one so that a posterior at a bound does not fade there.
    kernel = np.exp(-0.5 * (np.subtract.outer(np.arange(_BINS), np.arange(_BINS)) / 1.2) ** 2)
    kernel /= kernel.sum(axis=1, keepdims=True)
    density = kernel @ counts @ kernel.T
    # Smoothing widens; heights that the right share of the draws exceeds make up for it.
    at = [np.clip(np.searchsorted(e, c.draws) - 1, 0, _BINS - 1) for e, c in zip(edges, (x, y), strict=True)]
    heights = np.quantile(density[at[0], at[1]], [1.0 - level for level in LEVELS[::-1]])
    # Contours need rising heights, also where all draws are one point.
    heights[1] = max(heights[1], np.nextafter(heights[0], np.inf))
    return [0.5 * (e[1:] + e[:-1]) for e in edges], density.T, heights.tolist()


def _with_errors(low: float, middle: float, high: float) -> str:
    """Median with the distances to both quantiles, rounded to two digits of the smaller one."""
    smaller = min(high - middle, middle - low)
    digits = max(0, 1 - int(np.floor(np.log10(smaller)))) if smaller > 0 else 3
    return rf"${middle:.{digits}f}^{{+{high - middle:.{digits}f}}}_{{-{middle - low:.{digits}f}}}$"


def _ticks(ax: Axes, x: _Column, y: _Column, i: int, j: int, n: int) -> None:
    ax.set_xlim(x.low, x.high)
    ax.xaxis.set_major_locator(MaxNLocator(4, prune="both"))
    ax.tick_params(axis="x", labelrotation=45, labelbottom=i == n - 1)
    if i == n - 1:
        ax.set_xlabel(x.label, fontsize=9.0)
        ax.xaxis.set_label_coords(0.5, -0.26)
    if i == j:
        no_ticks(ax.yaxis)
        return
    ax.set_ylim(y.low, y.high)
    ax.yaxis.set_major_locator(MaxNLocator(4, prune="both"))
    ax.tick_params(axis="y", labelleft=j == 0)
    if j == 0:
        ax.set_ylabel(y.label, fontsize=9.0)
        ax.yaxis.set_label_coords(-0.33, 0.5)


def _legend(figure: Figure, fit: bool, truth: bool) -> None:
    single = len(figure.axes) == 1
    entries = [(MODEL, "Posterior" if single else "Posterior, 39, 86 %")]
    entries += [(BACKGROUND, "Covariance" if single else r"Covariance, 1, 2 $\sigma$")] * fit
    entries += [(TRUTH, "Truth")] * truth
    handles = [Line2D([], [], color=color, label=text) for color, text in entries]
    width, height = figure.get_size_inches()
    anchor = (1 - _RIGHT / width, 1 - _TOP / height)
    figure.legend(handles=handles, loc="upper right", bbox_to_anchor=anchor, borderaxespad=0.0)
