"""Theta-squared tables: counts on and off against the squared angle, and their excess."""

import numpy as np
from astropy.table import Table
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gammajax.errors import ConfigError
from gammajax.plot.bins import garwood
from gammajax.plot.panels import Many, panels
from gammajax.plot.style import BACKGROUND, DATA, FAINT, MODEL, SIZE, figure_of, label, new_figure, style

NEEDED = (
    "theta2_min",
    "theta2_max",
    "counts",
    "counts_off",
    "alpha",
    "excess",
    "excess_errn",
    "excess_errp",
)


def plot_theta_squared(table: Table, *, axes: Many | None = None) -> Figure:
    """Counts with 68 % Poisson intervals against `alpha * counts_off`, and the excess with its errors below.

    `table` is that of `theta_squared_table`; the significance is that of all bins together. `axes`: where to draw,
    (counts, excess). Raises `ConfigError` for another table.

    >>> plot_theta_squared(gj.theta_squared_table(runs, source, np.linspace(0, 0.2, 21)))  # doctest: +SKIP
    """
    lacking = [name for name in NEEDED if name not in table.colnames]
    if lacking or not len(table):
        raise ConfigError(f"this is no table of theta_squared_table(): it lacks {', '.join(lacking) or 'rows'}")
    with style():
        if axes is None:
            axes = list(new_figure(SIZE).subplots(2, 1, height_ratios=[2.0, 1.2], sharex=True))
        upper, lower = panels(axes, 2, 1)
        edges = np.append(_column(table, "theta2_min"), _column(table, "theta2_max")[-1])
        _counts(upper, table, edges)
        centre, excess = 0.5 * (edges[1:] + edges[:-1]), _column(table, "excess")
        errors = [_column(table, "excess_errn"), _column(table, "excess_errp")]
        look = {"color": DATA, "markersize": 3.2, "elinewidth": 1.0}
        lower.errorbar(centre, excess, yerr=errors, xerr=0.5 * np.diff(edges), fmt="o", **look)
        lower.axhline(0.0, color=FAINT, linewidth=0.8, zorder=1.0)
        lower.set_xlim(edges[0], edges[-1])
        lower.set_xlabel(label(r"$\theta^2$", "deg2"))
        lower.set_ylabel("Excess")
    return figure_of(upper)


def _counts(ax: Axes, table: Table, edges: np.ndarray) -> None:
    counts, background = _column(table, "counts"), _column(table, "alpha") * _column(table, "counts_off")
    low, high = garwood(counts)
    centre = 0.5 * (edges[1:] + edges[:-1])
    look = {"color": DATA, "markersize": 3.2, "elinewidth": 1.0}
    ax.errorbar(centre, counts, yerr=[counts - low, high - counts], fmt="o", label="On", **look)
    ax.stairs(background, edges, color=BACKGROUND, fill=True, alpha=0.25, linewidth=0, label=r"Off $\times\ \alpha$")
    ax.stairs(background, edges, color=BACKGROUND, linewidth=1.2)
    ax.stairs(counts, edges, color=MODEL, linewidth=0.8)
    ax.set_ylim(0.0, 1.25 * float(max(high.max(), background.max())))
    ax.set_ylabel("Counts per bin")
    total = f"excess {_column(table, 'excess').sum():.1f}"
    if "cumulative_sqrt_ts" in table.colnames:
        total += rf", {_column(table, 'cumulative_sqrt_ts')[-1]:.1f}$\sigma$"
    ax.legend(loc="upper right", title=f"In all bins: {total}", alignment="left")


def _column(table: Table, name: str) -> np.ndarray:
    return np.asarray(table[name], dtype=float)
