"""Statistics of toys beside the measured one: goodness of fit, and the likelihood ratio of two hypotheses."""

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import chi2

from gammajax.errors import ConfigError
from gammajax.infer.compare import Comparison
from gammajax.infer.goodness import Goodness
from gammajax.plot.panels import Many, panels
from gammajax.plot.style import BACKGROUND, DATA, FAINT, MODEL, RANGE, figure_of, log_axis, new_figure, style

_FINE = 400
_DASHES = (0, (4, 1.5))
_LEAST = 1e-20
"""Probabilities below this are left to run out of the panel."""


def plot_goodness(goodness: Goodness, *, axes: Many | None = None) -> Figure:
    """Deviances and largest residuals of the toys as histograms, those of the data as lines with their p-values.

    Toys that deviate at least as much as the data are coloured; the curve is chi-squared, right for many counts in a
    bin only. `axes`: where to draw, (deviance, largest residual). Raises `ConfigError` if no refit converged.

    >>> plot_goodness(gj.goodness(datasets, fit, key=1))                                # doctest: +SKIP
    """
    good = goodness.converged
    if not good.any():
        raise ConfigError(f"there is no toy to plot: {goodness.message}")
    with style():
        total, largest = panels(axes, 1, 2)
        dof = goodness.n_bins - goodness.n_free
        edges = _histogram(total, goodness.toys_deviance[good], goodness.deviance, goodness.p_value)
        if dof > 0:
            x = np.linspace(edges[0], edges[-1], _FINE)
            expected = good.sum() * (edges[1] - edges[0]) * chi2.pdf(x, dof)
            total.plot(x, expected, color=BACKGROUND, linestyle=_DASHES, label=rf"$\chi^2$, {dof} d.o.f.")
        _histogram(largest, goodness.toys_largest[good], goodness.largest, goodness.p_value_largest)
        total.set_xlabel("Deviance")
        largest.set_xlabel(r"Largest absolute residual of a bin [$\sigma$]")
        for ax in (total, largest):
            ax.set_ylabel("Toys per bin")
            # room for the legend
            ax.set_ylim(0.0, 1.5 * ax.dataLim.ymax)
            ax.legend(loc="upper right", frameon=True, framealpha=0.9, edgecolor="none")
    return figure_of(total)


def _histogram(ax: Axes, toys: np.ndarray, measured: float, p_value: tuple[float, float]) -> np.ndarray:
    """Toys in bins that have an edge at the measured value, which parts them; returns the edges."""
    low, high = (float(x(np.append(toys, measured))) for x in (np.min, np.max))
    width = (high - low or 1.0) / max(10, min(40, int(2 * np.sqrt(len(toys)))))
    first, last = np.floor((low - measured) / width + 1e-9), np.ceil((high - measured) / width + 1e-9)
    edges = measured + width * np.arange(first, max(last, first) + 2)
    n, _ = np.histogram(toys, edges)
    ax.stairs(n, edges, fill=True, color=RANGE, alpha=0.35, linewidth=0)
    beyond = int(-first)
    ax.stairs(n[beyond:], edges[beyond:], fill=True, color=BACKGROUND, alpha=0.45, linewidth=0)
    ax.stairs(n, edges, color=MODEL, linewidth=1.0, label=f"{len(toys)} toys")
    ax.axvline(measured, color=DATA, linewidth=1.5, label=f"Data: {measured:.4g}, {_p_text(*p_value)}")
    ax.set_xlim(edges[0], edges[-1])
    return edges


def _p_text(p: float, error: float) -> str:
    return rf"p = {p:.2g} $\pm$ {error:.1g}"


def plot_comparison(comparison: Comparison, ax: Axes | None = None) -> Figure:
    """Probability of a larger TS under the null: of its toys, by Wilks and by Chernoff; the measured TS is a line.

    The band is the binomial error of the toys; where a curve meets the line it reads the p-value.

    >>> plot_comparison(gj.likelihood_ratio(datasets, null, models, key=1, n=1000))     # doctest: +SKIP
    """
    ts, toys, dof = comparison.ts, np.sort(np.maximum(comparison.toys, 0.0)), comparison.dof
    with style():
        ax = new_figure().subplots() if ax is None else ax
        # a source that stands far out is an arrow: to scale, nothing else would be seen
        usual = max(float(toys.max(initial=0.0)), float(chi2.isf(1e-4, dof)))
        far = ts > 5.0 * usual
        right = 1.1 * (usual if far else max(ts, usual))
        x = np.linspace(0.0, right, _FINE)
        if toys.size:
            p, error = comparison.p_value_toys
            _survival(ax, toys, right, f"{toys.size} toys of the null: {_p_text(p, error)}")
        for tail, value, color, name in _laws(comparison):
            # at zero itself all toys lie above
            ax.plot(x[1:], tail(x[1:]), color=color, linestyle=_DASHES, label=f"{name}: p = {value:.2g}")
        sigma = f" ({comparison.significance:.1f}" + r"$\sigma$)"
        name = f"Data: TS = {ts:.4g}{sigma}"
        if far:
            ax.plot([], [], color=DATA, marker=r"$\rightarrow$", linestyle="none", markersize=10.0, label=name)
            look = {"arrowstyle": "->", "color": DATA, "linewidth": 1.5}
            ax.annotate("", (1.0, 0.5), (0.9, 0.5), xycoords="axes fraction", arrowprops=look)
        else:
            ax.axvline(ts, color=DATA, linewidth=1.5, label=name)
        least = min(0.3 / toys.size if toys.size else 1.0, 0.3 * float(chi2.sf(right, dof)))
        log_axis(ax, max(least, _LEAST), 1.5)
        ax.set_xlim(0.0, right)
        ax.set_xlabel(r"TS = $-2\,\Delta\ln L$ of null and alternative")
        ax.set_ylabel("Probability of a larger TS")
        ax.legend(loc="best", frameon=True, framealpha=0.8, edgecolor="none")
    return figure_of(ax)


def _survival(ax: Axes, toys: np.ndarray, right: float, name: str) -> None:
    """Share of the sorted toys that lie at or above a value, as steps with their binomial errors."""
    n = toys.size
    edges = np.concatenate([[0.0], toys, [right]])
    share = np.concatenate([np.arange(n, 0, -1) / n, [0.0]])
    # between the toy before and this one, as many lie above
    share = np.concatenate([[1.0], share[1:]])
    error = np.sqrt(share * (1.0 - share) / n)
    low, high = _step(share - error), _step(share + error)
    ax.fill_between(edges, low, high, step="post", color=RANGE, alpha=0.3, linewidth=0)
    ax.stairs(share, edges, baseline=None, color=MODEL, linewidth=1.5, label=name)


def _step(y: np.ndarray) -> np.ndarray:
    return np.append(np.maximum(y, 1e-30), max(y[-1], 1e-30))


def _laws(comparison: Comparison) -> list[tuple[Callable[[np.ndarray], np.ndarray], float, str, str]]:
    """Tails of TS that have a closed form, the p-value of each, its colour and its name."""
    dof = comparison.dof
    laws = [(lambda x: chi2.sf(x, dof), comparison.p_value, BACKGROUND, rf"$\chi^2$, {dof} d.o.f.")]
    if np.isfinite(comparison.p_value_mixture):
        fewer = (lambda x: chi2.sf(x, dof - 1)) if dof > 1 else np.zeros_like
        mixture = comparison.p_value_mixture
        laws.append((lambda x: 0.5 * fewer(x) + 0.5 * chi2.sf(x, dof), mixture, FAINT, r"Mixture of $\chi^2$"))
    return laws
