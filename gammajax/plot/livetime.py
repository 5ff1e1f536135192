"""Livetime tables: how long runs saw the sky at each distance from a position."""

import numpy as np
from astropy.table import Table
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gammajax.errors import ConfigError
from gammajax.plot.style import BACKGROUND, FAINT, MODEL, figure_of, label, new_figure, style

NEEDED = ("offset_min", "offset_max", "runs", "livetime_runs", "livetime", "effective_livetime")


def plot_livetime(table: Table, ax: Axes | None = None) -> Figure:
    """Livetime [h] against the distance from a position [deg]: of the sky, weighted, and of runs that point there.

    `table` is that of `livetime_table`; numbers of runs stand on the bins. Raises `ConfigError` for another table.

    >>> plot_livetime(gj.livetime_table(runs, "83.63 22.01", np.linspace(0, 2, 9)))     # doctest: +SKIP
    """
    lacking = [name for name in NEEDED if name not in table.colnames]
    if lacking or not len(table):
        raise ConfigError(f"this is no table of livetime_table(): it lacks {', '.join(lacking) or 'rows'}")
    column = {name: np.asarray(table[name], dtype=float) for name in NEEDED}
    edges = np.append(column["offset_min"], column["offset_max"][-1])
    with style():
        ax = new_figure().subplots() if ax is None else ax
        runs = column["livetime_runs"]
        ax.stairs(runs, edges, fill=True, color=FAINT, alpha=0.35, linewidth=0, label="Runs that point there")
        ax.stairs(column["livetime"], edges, color=MODEL, linewidth=1.5, label="Sky at this distance")
        name = "Sky, weighted with the effective area"
        ax.stairs(column["effective_livetime"], edges, color=BACKGROUND, linewidth=1.5, label=name)
        for low, high, n, hours in zip(edges[:-1], edges[1:], column["runs"], runs, strict=True):
            if n > 0:
                ax.annotate(
                    f"{n:.0f}", (0.5 * (low + high), hours), xytext=(0, 2), textcoords="offset points", ha="center",
                    va="bottom", color=FAINT, fontsize=8.0,
                )  # fmt: skip
        top = max(float(column[name].max()) for name in NEEDED[3:])
        ax.set_ylim(0.0, 1.35 * top or 1.0)
        ax.set_xlim(edges[0], edges[-1])
        ax.set_xlabel(label("Distance from the position", "deg"))
        ax.set_ylabel(label("Livetime", "h"))
        ax.legend(loc="upper right")
    return figure_of(ax)
