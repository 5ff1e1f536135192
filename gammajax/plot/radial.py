"""Radial profiles of cubes: counts and model in rings around a position."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gammajax.datasets.cube import Cube, MapDatasetOnOff
from gammajax.errors import ConfigError
from gammajax.geom.grid import SkyGrid
from gammajax.geom.position import position as as_position
from gammajax.infer.fit import Fit
from gammajax.likelihood.expected import compare_known, compare_on_off
from gammajax.likelihood.problem import as_models
from gammajax.models.collection import Models
from gammajax.models.sky import SkyModel
from gammajax.numeric.sphere import separation
from gammajax.plot.bins import garwood
from gammajax.plot.cube import seen
from gammajax.plot.panels import Many, panels
from gammajax.plot.residuals import expected_in
from gammajax.plot.style import BACKGROUND, DATA, FAINT, MODEL, SIZE, exponent_of, figure_of, label, new_figure, style
from gammajax.units import to_value

_RINGS = 15
_DEG2 = float(np.degrees(1.0) ** 2)
"""deg2 per sr."""


def plot_radial_profile(
    dataset: Cube,
    models: Models | Fit,
    position: Any = None,
    *,
    edges: Any = None,
    energy: Any = None,
    axes: Many | None = None,
) -> Figure:
    """Counts per solid angle [deg-2] in rings around a position against model and background, residuals below.

    Counts have 68 % Poisson intervals; residuals are the signed roots of the Poisson deviance of each ring, of on-off
    cubes those of WStat, with `alpha n_off` as the background. `position` may be left out if one source has one. Rings
    have the `edges` [deg], by default 15 up to the nearest edge of the map; a pixel belongs to the ring that holds its
    centre. Summed over the energies in the mask, or over the whole bins in `energy` (low, high) [TeV]. `axes`: where
    to draw, (counts, residuals).
    Raises `ConfigError` without a position, for edges that do not increase, or if no ring holds a pixel in use.

    >>> plot_radial_profile(dataset, fit, "83.63 22.01", edges=np.linspace(0, 1, 21))   # doctest: +SKIP
    """
    part, grid = seen(dataset, energy), dataset.grid
    centre = _centre(as_models(models)) if position is None else as_position(position)
    ra, dec = grid.radec
    known = np.isfinite(ra)
    away = np.where(known, separation(*centre, np.where(known, ra, 0.0), np.where(known, dec, 0.0)), np.inf)
    rings = _reach(grid, centre, away) if edges is None else _edges(edges)
    signal, background, _ = expected_in(dataset, models)

    def total(image: np.ndarray) -> np.ndarray:
        return np.histogram(away[part.pixels], rings, weights=image[part.pixels])[0]

    area = total(np.asarray(grid.solid_angle) * _DEG2)
    if not (area > 0).any():
        raise ConfigError(f"{dataset.name}: no pixel in use lies within {rings[-1]:.3g} deg of the position")
    n, s, b = (total(part.image(cube)) for cube in (dataset.counts, signal, background))
    if isinstance(dataset, MapDatasetOnOff):
        off = total(part.image(dataset.counts_off))
        _, residual = compare_on_off(n, off, np.divide(b, off, out=np.zeros_like(b), where=off > 0), s)
    else:
        residual = compare_known(n, b, s)
    with style():
        if axes is None:
            axes = list(new_figure(SIZE).subplots(2, 1, height_ratios=[2.7, 1.0], sharex=True))
        upper, lower = panels(axes, 2, 1)
        _draw(upper, lower, rings, area, n, s, b, residual)
        where = f"{centre[0]:.3f} {centre[1]:+.3f}"
        upper.legend(loc="upper right", title=f"{dataset.name}, {part.text}\naround {where}", alignment="left")
        figure_of(upper).align_ylabels([upper, lower])
    return figure_of(upper)


def _centre(models: Models) -> tuple[float, float]:
    sources = {name: m.spatial.position for name, m in models.filled.items() if isinstance(m, SkyModel) and m.spatial}
    placed = {name: at for name, at in sources.items() if at is not None}
    if len(placed) != 1:
        raise ConfigError(f"give a position: {', '.join(placed) or 'no source'} {'have' if placed else 'has'} one")
    return as_position(next(iter(placed.values())))


def _reach(grid: SkyGrid, centre: tuple[float, float], away: np.ndarray) -> np.ndarray:
    """Edges of rings up to the nearest edge of the map, none narrower than a pixel."""
    x, y = (float(v) for v in grid.pixel(*grid.from_icrs(*centre)))
    inside = 0 <= x <= grid.shape[1] - 1 and 0 <= y <= grid.shape[0] - 1
    reach = float(np.concatenate([away[0], away[-1], away[:, 0], away[:, -1]]).min()) if inside else 0.0
    pixel = max(grid.pixel_scales)
    if reach < 3 * pixel:
        raise ConfigError("the position lies at the edge of the map, or outside: give the edges of the rings")
    return np.linspace(0.0, reach, min(_RINGS, int(reach / pixel)) + 1)


def _edges(given: Any) -> np.ndarray:
    edges = np.asarray(to_value(given, "deg", "edges"), dtype=float)
    if edges.ndim != 1 or edges.size < 2 or not np.all(np.diff(edges) > 0) or not edges[0] >= 0:
        raise ConfigError("edges needs at least two increasing radii [deg], from 0 on")
    return edges


def _draw(
    upper: Axes,
    lower: Axes,
    rings: np.ndarray,
    area: np.ndarray,
    n: np.ndarray,
    s: np.ndarray,
    b: np.ndarray,
    residual: np.ndarray,
) -> None:
    filled = area > 0
    low, high = garwood(n)
    density = [np.divide(x, area, out=np.full(len(area), np.nan), where=filled) for x in (n, s + b, b, low, high)]
    exponent = exponent_of(np.nan_to_num(density[4]))
    counts, model, background, low, high = (x / 10.0**exponent for x in density)
    middle, half = 0.5 * (rings[1:] + rings[:-1]), 0.5 * np.diff(rings)
    look: dict[str, Any] = {"fmt": "o", "color": DATA, "markersize": 3.2, "elinewidth": 1.0}
    errors = np.stack([counts - low, high - counts])[:, filled]
    upper.errorbar(middle[filled], counts[filled], yerr=errors, xerr=half[filled], label="Counts", **look)
    upper.stairs(model, rings, baseline=None, color=MODEL, linewidth=1.5, label="Model")
    upper.stairs(background, rings, baseline=None, color=BACKGROUND, linewidth=1.5, label="Background")
    upper.set_ylim(0.0, 1.15 * float(np.nanmax(np.stack([high, model]))) or 1.0)
    upper.set_ylabel(label("Counts per solid angle", "deg-2", exponent))
    residual = np.where(filled, residual, np.nan)
    lower.errorbar(middle[filled], residual[filled], yerr=1.0, xerr=half[filled], **look)
    lower.axhline(0.0, color=FAINT, linewidth=0.8, zorder=1.0)
    reach = max(3.5, 1.2 + float(np.nanmax(np.abs(residual), initial=0.0)))
    lower.set_ylim(-reach, reach)
    lower.set_xlim(rings[0], rings[-1])
    lower.set_xlabel(label("Distance from the position", "deg"))
    lower.set_ylabel(r"Residual [$\sigma$]")
