"""Coverage of intervals and limits against what they promise."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gammajax.errors import ConfigError
from gammajax.infer.coverage import METHODS, Coverage
from gammajax.plot.panels import Many, panels
from gammajax.plot.style import CYCLE, FAINT, RANGE, figure_of, new_figure, short_names, style

_ROW, _PANEL, _NAMES = 0.55, 2.6, 1.5
_SHIFT = 0.2
_TEXT = {"hessian": "Hessian", "profile": "Profile", "limit": "Upper limit"}
_MARKS = {"hessian": "o", "profile": "s", "limit": "<"}


def plot_coverage(coverage: Coverage, *, axes: Many | None = None) -> Figure:
    """Share of the toys whose interval or limit holds the truth, [%], one row per parameter, one panel per level.

    The line is the nominal level, bands are one and two of its binomial errors, error bars those of each share.
    `axes`: where to draw, one for each level. Raises `ConfigError` if no fit converged.

    >>> plot_coverage(gj.coverage(datasets, models, "*.amplitude", key=1))              # doctest: +SKIP
    """
    n = int(coverage.converged.sum())
    if not n:
        raise ConfigError(f"there is no coverage to plot: {coverage.message}")
    with style():
        if axes is None:
            size = (_NAMES + _PANEL * len(coverage.levels), 1.3 + _ROW * len(coverage.paths))
            axes = list(new_figure(size).subplots(1, len(coverage.levels), squeeze=False, sharey=True)[0])
        drawn = panels(axes, 1, len(coverage.levels))
        shares = {method: coverage.share(method) for method in METHODS}
        for i, (ax, level) in enumerate(zip(drawn, coverage.levels, strict=True)):
            _panel(ax, {method: share[i] for method, share in shares.items()}, level, coverage.binomial_error(level), n)
        drawn[0].set_yticks(range(len(coverage.paths)), short_names(coverage.paths))
        drawn[0].set_ylim(len(coverage.paths) - 0.4, -0.6)
        handles, texts = drawn[0].get_legend_handles_labels()
        figure = figure_of(drawn[0])
        figure.legend(handles, texts, loc="outside upper center", ncols=len(texts), title=f"{n} toys")
    return figure


def _panel(ax: Axes, shares: dict[str, np.ndarray], level: float, error: float, n: int) -> None:
    for width, alpha in ((2, 0.12), (1, 0.2)):
        low, high = 100 * (level - width * error), 100 * (level + width * error)
        ax.axvspan(low, high, color=RANGE, alpha=alpha, linewidth=0, zorder=0)
    ax.axvline(100 * level, color=FAINT, linewidth=1.2, zorder=1.0, label="Nominal")
    for color, shift, (method, share) in zip(CYCLE, (-_SHIFT, 0.0, _SHIFT), shares.items(), strict=False):
        y = np.arange(len(share)) + shift
        look: dict[str, Any] = {"color": color, "markersize": 4.0, "elinewidth": 1.2, "label": _TEXT[method]}
        ax.errorbar(100 * share, y, xerr=100 * np.sqrt(share * (1.0 - share) / n), fmt=_MARKS[method], **look)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.margins(x=0.1)
    ax.tick_params(axis="y", length=0)
    ax.set_title(f"Level {100 * level:.4g} %")
    ax.set_xlabel("Coverage [%]")
