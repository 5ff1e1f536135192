"""What figures of runs and responses share: panels, images with a bar of colours, the sky, a few of many curves."""

from collections.abc import Sequence
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from gammajax.errors import ConfigError
from gammajax.irf import Axis
from gammajax.plot.style import MODEL, PANEL, exponent_of, figure_of, label, log_axis, new_figure
from gammajax.units import to_value

Many = Axes | Sequence[Axes]

IMAGE = "Blues"
"""Colours of images: nothing is white."""

_SHADES = "viridis"
"""Colours of curves that differ in a number."""

_DEEP = 1e5
"""Ratio of the largest to the smallest number that a logarithmic axis shows."""

_CURVES = 5


def panels(axes: Many | None, rows: int, columns: int) -> list[Axes]:
    """The axes given, or those of a new figure. Raises `ConfigError` for a wrong number of them."""
    n = rows * columns
    if axes is None:
        return list(new_figure((PANEL[0] * columns + 0.6, PANEL[1] * rows)).subplots(rows, columns, squeeze=False).flat)
    given = [axes] if isinstance(axes, Axes) else list(np.ravel(np.asarray(axes, dtype=object)))
    if len(given) != n:
        raise ConfigError(f"this figure has {n} panels, got axes for {len(given)}: give {n}, or none for a new figure")
    return given


def edges_of(axis: Axis, log: bool = False) -> np.ndarray:
    """Edges of the bins of an axis for an image; those around a node that stands for all are near it."""
    edges, points = np.array(axis.edges, dtype=float), np.asarray(axis.points)
    if np.isfinite(edges).all() and (not log or edges[0] > 0):
        return edges
    if points.size == 1:
        return points[0] * np.array([0.5, 2.0]) if log else points[0] + np.array([-0.5, 0.5])
    edges[0] = points[0] ** 2 / points[1] if log else 2 * points[0] - points[1]
    return edges


def some(points: Any, given: Any = None, unit: str = "deg", what: str = "offset") -> np.ndarray:
    """Where curves are drawn: at the values `given`, or at up to five of the points of an axis."""
    if given is not None:
        return np.atleast_1d(np.asarray(to_value(given, unit, what), dtype=float))
    points = np.asarray(points)
    return points[np.unique(np.linspace(0, points.size - 1, _CURVES).round().astype(int))]


def shades(n: int) -> list[Any]:
    """Colours of curves that differ in a number, from dark to light."""
    return list(mpl.colormaps[_SHADES](np.linspace(0.0, 0.82, n))) if n > 1 else [MODEL]


def image(
    ax: Axes,
    x: np.ndarray,
    y: np.ndarray,
    values: np.ndarray,
    name: str,
    unit: str = "",
    vmax: float | None = None,
) -> None:
    """`values[x, y]` in colour on bins with the edges `x`, `y` (or the corners of each pixel), with a bar."""
    exponent = exponent_of(values[np.isfinite(values)])
    top = None if vmax is None else vmax / 10.0**exponent
    drawn = ax.pcolormesh(x, y, values.T / 10.0**exponent, cmap=IMAGE, vmin=0.0, vmax=top, rasterized=True)
    figure_of(ax).colorbar(drawn, ax=ax, pad=0.02).set_label(label(name, unit, exponent))


def unwrapped(ra: Any, centre: float) -> np.ndarray:
    """Right ascensions [deg] within half a turn of `centre`, so that a field across 0 is drawn in one piece."""
    return centre + (np.asarray(ra, dtype=float) - centre + 180.0) % 360.0 - 180.0


def sky(ax: Axes, dec: float, adjust: Literal["box", "datalim"] = "datalim") -> None:
    """Axes in right ascension, to the left, and declination [deg], to scale at the declination `dec`."""
    ax.set_aspect(1.0 / max(float(np.cos(np.radians(dec))), 0.05), adjustable=adjust)
    ax.xaxis.set_inverted(True)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{round(x % 360.0, 6):g}"))
    ax.set_xlabel(label("Right ascension", "deg"))
    ax.set_ylabel(label("Declination", "deg"))


def positive(values: Any) -> np.ndarray:
    """Values for a logarithmic axis: NaN in place of what is not positive."""
    values = np.asarray(values, dtype=float)
    return np.where(values > 0, values, np.nan)


def deep_axis(ax: Axes, values: np.ndarray) -> None:
    """A logarithmic y axis for values, some of which may be zero or tiny."""
    top = float(np.max(values, initial=0.0))
    low = float(np.min(values, initial=top, where=values > 0))
    if top > 0:
        log_axis(ax, max(low / 1.5, top / _DEEP), 2.0 * top)
