"""Two parameters at a time: contours of confidence, and the profile likelihood on a grid."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gammajax.infer.contour import Contour, Surface
from gammajax.models.collection import Models
from gammajax.plot.style import (
    CYCLE,
    FAINT,
    MODEL,
    TRUTH,
    exponent_of,
    figure_of,
    label,
    new_figure,
    short_names,
    style,
)

# Of the contours, from the innermost outwards.
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1.3)), (0, (5, 1.5, 1, 1.5)))
_NAMES = {2.30: "68 %", 5.99: "95 %", 9.21: "99 %"}
"""Rise of the statistic and probability, for two parameters."""


def plot_contour(
    contour: Contour | Mapping[str, Contour],
    ax: Axes | None = None,
    *,
    truth: Models | None = None,
) -> Figure:
    """Contours of confidence with the best fit (cross); several of the same two parameters, by name, for comparison.

    Levels are told apart by dashes, results by colour. `truth` adds the true values (lines).

    >>> plot_contour(gj.contour(datasets, fit, "*.alpha", "*.beta"))                    # doctest: +SKIP
    >>> plot_contour({"H.E.S.S.": one, "MAGIC": other})                                 # doctest: +SKIP
    """
    many = contour if isinstance(contour, Mapping) else {"": contour}
    first = next(iter(many.values()))
    with style():
        ax = new_figure().subplots() if ax is None else ax
        every = [np.stack([c.x, c.y]).reshape(2, -1) for c in many.values()]
        units = _units(np.concatenate(every, axis=1))
        for color, one in zip(_colors(len(many)), many.values(), strict=False):
            order = np.argsort(one.levels)
            for dash, level in zip(_DASHES, np.asarray(one.levels)[order], strict=False):
                x, y = one.polygon(float(level)).T
                ax.plot(x / units[0], y / units[1], color=color, linestyle=dash, linewidth=1.4)
            ax.plot(one.best[0] / units[0], one.best[1] / units[1], "+", color=color, markersize=7.0)
        handles = [Line2D([], [], color=c, label=n) for c, n in zip(_colors(len(many)), many, strict=False) if n]
        look: dict[str, Any] = {"color": MODEL if len(many) == 1 else FAINT}
        levels = sorted({level for one in many.values() for level in one.levels})
        for dash, level in zip(_DASHES, levels, strict=False):
            handles.append(Line2D([], [], linestyle=dash, label=f"{100 * level:g} %", **look))
        handles += _truth(ax, (first.path_x, first.path_y), units, truth)
        _name(ax, first, units)
        ax.margins(0.06)
        ax.legend(handles=handles, loc="best")
    return figure_of(ax)


def plot_surface(surface: Surface, ax: Axes | None = None, *, truth: Models | None = None) -> Figure:
    r"""Profile of the statistic over two parameters: `sqrt(delta)` in colour, lines at 68, 95, 99 % for two parameters.

    Points whose fit did not converge are left white.

    >>> plot_surface(gj.surface(datasets, fit, "*.alpha", "*.beta"))                    # doctest: +SKIP
    """
    with style():
        ax = new_figure().subplots() if ax is None else ax
        units = _units(np.stack(np.broadcast_arrays(surface.x[:, None], surface.y)).reshape(2, -1))
        x, y = surface.x / units[0], surface.y / units[1]
        delta = np.where(surface.converged, surface.delta, np.nan).T
        drawn = ax.pcolormesh(x, y, np.sqrt(np.maximum(delta, 0.0)), cmap="Blues_r", shading="nearest", rasterized=True)
        bar = figure_of(ax).colorbar(drawn, ax=ax, pad=0.02)
        bar.set_label(r"$\sqrt{\Delta\,\mathrm{statistic}}$")
        inside = [d for d in _NAMES if np.nanmin(delta) < d < np.nanmax(delta)]
        if inside:
            ax.contour(x, y, delta, inside, colors=CYCLE[1], linestyles=list(_DASHES[: len(inside)]), linewidths=1.4)
        ax.plot(surface.best[0] / units[0], surface.best[1] / units[1], "+", color=CYCLE[1], markersize=7.0)
        lines = zip(_DASHES, inside, strict=False)
        handles = [Line2D([], [], color=CYCLE[1], linestyle=dash, label=_NAMES[d]) for dash, d in lines]
        handles += _truth(ax, (surface.path_x, surface.path_y), units, truth)
        _name(ax, surface, units)
        ax.legend(handles=handles, loc="best", frameon=True, framealpha=0.9, edgecolor="none")
    return figure_of(ax)


def _colors(n: int) -> tuple[str, ...]:
    return tuple(CYCLE[i % len(CYCLE)] for i in range(n))


def _units(values: np.ndarray) -> tuple[float, float]:
    """Powers of ten to take out of the two axes."""
    x, y = (10.0 ** exponent_of(row[np.isfinite(row)]) for row in values)
    return x, y


def _name(ax: Axes, drawn: Contour | Surface, units: tuple[float, float]) -> None:
    names = short_names([drawn.path_x, drawn.path_y])
    for set_label, name, unit, power in zip(
        (ax.set_xlabel, ax.set_ylabel), names, drawn.units, np.log10(units), strict=True
    ):
        set_label(label(name, unit, round(float(power))))


def _truth(ax: Axes, paths: tuple[str, str], units: tuple[float, float], truth: Models | None) -> list[Line2D]:
    if truth is None:
        return []
    for path, unit, draw in zip(paths, units, (ax.axvline, ax.axhline), strict=True):
        if path in truth.rows:
            draw(truth.value(path) / unit, color=TRUTH, linewidth=1.2, zorder=1.5)
    return [Line2D([], [], color=TRUTH, label="Truth")]
