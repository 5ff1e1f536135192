"""Images of the sky on the pixels of a grid: axes with the projection of the grid, colours, bars, smoothing."""

from collections.abc import Sequence
from typing import Any, Literal, cast

import matplotlib as mpl
import numpy as np
from astropy import units as u
from astropy.visualization.wcsaxes import WCSAxes
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize, PowerNorm
from matplotlib.figure import Figure
from scipy.ndimage import convolve1d

from gammajax.errors import ConfigError
from gammajax.geom.grid import SkyGrid
from gammajax.plot.panels import IMAGE, Many
from gammajax.plot.style import exponent_of, figure_of, label, new_figure

Stretch = Literal["linear", "sqrt", "log"]

SIGNED = "RdBu_r"
"""Colours of images around zero: blue below, red above."""

_HIDDEN = "#dddddd"
_NAMES = {"icrs": ("Right ascension", "Declination"), "galactic": ("Galactic longitude", "Galactic latitude")}
_DEEP = 1e4
"""Ratio of the largest to the smallest number that a logarithmic image shows."""
_HEIGHT, _BAR = 2.75, 1.05


def sky_panels(axes: Many | None, grid: SkyGrid, rows: int, columns: int) -> list[WCSAxes]:
    """The axes given, or those of a new figure, in the projection of `grid`; the coordinates stand on the outer ones.

    Raises `ConfigError` for a wrong number of axes, or for axes without a projection.
    """
    n = rows * columns
    if axes is None:
        wide = float(np.clip(grid.shape[1] / grid.shape[0], 0.6, 3.0)) * (_HEIGHT - 0.6)
        figure = new_figure((columns * (wide + _BAR) + 0.5, rows * _HEIGHT + 0.6), "compressed")
        given: list[Any] = [figure.add_subplot(rows, columns, i + 1, projection=grid.wcs) for i in range(n)]
    else:
        given = [axes] if isinstance(axes, Axes) else list(np.ravel(np.asarray(axes, dtype=object)))
        if len(given) != n:
            raise ConfigError(f"this figure has {n} panels, got axes for {len(given)}: give {n}, or none")
        if not all(isinstance(ax, WCSAxes) for ax in given):
            raise ConfigError("a map needs axes with a projection: figure.add_subplot(projection=grid.wcs)")
    for i, ax in enumerate(given):
        _name(ax, grid, lower=i // columns == rows - 1 or axes is not None, left=i % columns == 0 or axes is not None)
    return given


def _name(ax: WCSAxes, grid: SkyGrid, *, lower: bool, left: bool) -> None:
    columns = zip(cast(Any, ax.coords), _NAMES[grid.frame], (lower, left), ("b", "l"), strict=True)
    for coordinate, name, shown, side in columns:
        coordinate.set_format_unit(u.deg, decimal=True, show_decimal_unit=False)
        coordinate.set_ticks(number=4)
        coordinate.set_auto_axislabel(False)
        coordinate.set_axislabel(label(name, "deg") if shown else "", minpad=0.6)
        # near a pole they would move to other sides
        coordinate.set_axislabel_position(side)
        coordinate.set_ticklabel_position(side)
        coordinate.set_ticklabel_visible(shown)
        coordinate.set_ticklabel(exclude_overlapping=True)


def sky_image(
    ax: WCSAxes,
    values: np.ndarray,
    name: str,
    unit: str = "",
    *,
    stretch: Stretch = "linear",
    limits: tuple[float, float] | None = None,
    signed: bool = False,
) -> None:
    """`values` (lat, lon) in colour with a bar; NaN is grey. `signed`: colours around zero, always linear.

    `limits` are those of the colours; what lies beyond is shown by the ends of the bar.
    """
    finite = values[np.isfinite(values)]
    exponent = exponent_of(finite)
    shown = values / 10.0**exponent
    low, high = _ends(finite, signed) if limits is None else limits
    stretch = "linear" if signed else stretch
    norm = _norm(stretch, low / 10.0**exponent, high / 10.0**exponent)
    if stretch == "log":
        # what is not positive has the lowest colour
        shown = np.where(np.isfinite(shown), np.maximum(shown, norm.vmin or 0.0), np.nan)
    colours = mpl.colormaps[SIGNED if signed else IMAGE].with_extremes(bad=_HIDDEN)
    drawn = ax.imshow(shown, origin="lower", cmap=colours, norm=norm, interpolation="nearest")
    beyond = finite.size > 0, finite.min(initial=low) < low, finite.max(initial=high) > high
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[beyond[1:]]
    bar = figure_of(ax).colorbar(drawn, ax=ax, pad=0.02, extend="neither" if stretch == "log" else extend)
    bar.set_label(label(name, unit, exponent))


def _ends(finite: np.ndarray, signed: bool) -> tuple[float, float]:
    if not finite.size:
        return (-1.0, 1.0) if signed else (0.0, 1.0)
    low, top = float(finite.min()), float(np.abs(finite).max() if signed else finite.max())
    top = top if top > 0 else 1.0
    # what is nearly flat, such as many an exposure, shows how it varies
    return (-top, top) if signed else (low if 0.5 * top < low < top else 0.0, top)


def _norm(stretch: Stretch, low: float, high: float) -> Normalize:
    if stretch == "linear":
        return Normalize(low, high)
    if stretch == "sqrt":
        return PowerNorm(0.5, low, high)
    if stretch == "log":
        return LogNorm(max(low, high / _DEEP), high)
    raise ConfigError(f"stretch is one of 'linear', 'sqrt', 'log', got {stretch!r}")


def smoothed(values: np.ndarray, grid: SkyGrid, width: float, power: int = 1) -> np.ndarray:
    """Values (lat, lon) times a Gaussian of the standard deviation `width` [deg], itself normalised to a sum of one.

    With `power` 2 the weights are squared: what variances are summed with. Zero width: the values as they are.
    """
    for axis, size in ((1, grid.pixel_scales[0]), (0, grid.pixel_scales[1])):
        if width > 0:
            reach = min(int(np.ceil(4.0 * width / size)), values.shape[axis])
            weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) * size / width) ** 2)
            values = convolve1d(values, (weights / weights.sum()) ** power, axis=axis, mode="constant")
    return values


def mark(ax: WCSAxes, places: Sequence[tuple[str, float, float]], grid: SkyGrid) -> None:
    """Crosses with names at (name, right ascension, declination) [deg]; of many only the crosses."""
    for name, ra, dec in places:
        x, y = (float(v) for v in grid.pixel(*grid.from_icrs(ra, dec)))
        if -0.5 <= x <= grid.shape[1] - 0.5 and -0.5 <= y <= grid.shape[0] - 0.5:
            ax.plot(x, y, "+", color="black", markersize=6.0, markeredgewidth=0.9)
            if len(places) <= 8:
                ax.annotate(name, (x, y), xytext=(4, 4), textcoords="offset points", fontsize=8.0)


def whole(figure: Figure, text: str) -> None:
    """A title over all panels."""
    figure.suptitle(text, fontsize=10.0)
