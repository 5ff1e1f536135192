"""Maps: one plane, or the sum of planes, as an image of the sky."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from gammajax.errors import ConfigError
from gammajax.geom.grid import SkyGrid
from gammajax.geom.map_axis import MapAxis
from gammajax.geom.maps import HealpixMap, SkyMap
from gammajax.plot.style import figure_of, style
from gammajax.plot.wcs import Stretch, sky_image, sky_panels
from gammajax.units import to_number, to_pair

_ENERGIES = ("energy", "energy_true")


def plot_map(
    content: SkyMap | HealpixMap, ax: Any = None, *, energy: Any = None, stretch: Stretch = "linear"
) -> Figure:
    """A map in the projection of its pixels, the unit of its values on the bar; colours around zero if some are below.

    `energy` [TeV] chooses the plane that holds one energy, or the sum of the whole bins in a range (low, high).
    Without, counts and other maps without a unit are summed over their axes, of others the middle plane is drawn; the
    title tells which. A HEALPix map is drawn over the whole sky. `stretch` of the colours: "linear", "sqrt", "log";
    `ax` has the projection `content.grid.wcs`. Raises `ConfigError` for a map of a region, or an energy that the map
    does not have.

    >>> plot_map(gj.TemplateSpatial.read("template.fits").map, stretch="sqrt")          # doctest: +SKIP
    """
    content = _on_grid(content)
    if content.grid is None:
        raise ConfigError("the map of a region has no pixels to draw")
    values, told = np.asarray(content.values, dtype=float), []
    for axis in content.axes:
        # the first axis that is left
        values, text = _plane(values, axis, energy if axis.name in _ENERGIES else None, content.unit)
        told.append(text)
    if energy is not None and not any(axis.name in _ENERGIES for axis in content.axes):
        raise ConfigError(f"the map has no energies, its axes are {[axis.name for axis in content.axes]}")
    with style():
        (ax,) = sky_panels(ax, content.grid, 1, 1)
        signed = bool(np.nanmin(values, initial=0.0) < 0)
        name = "Sum" if any("sum" in text for text in told) else "Value"
        sky_image(ax, values, name, content.unit, stretch=stretch, signed=signed)
        ax.set_title("\n".join(told))
    return figure_of(ax)


def _on_grid(content: SkyMap | HealpixMap) -> SkyMap:
    if isinstance(content, SkyMap):
        return content
    # about the size of the pixels, but no more than a picture shows
    binsz = float(np.clip(58.6 / content.nside, 0.5, 4.0))
    return content.to_grid(SkyGrid.create(binsz=binsz, proj="CAR", frame=content.frame))


def _plane(values: np.ndarray, axis: MapAxis, energy: Any, unit: str) -> tuple[np.ndarray, str]:
    """What is drawn of the first axis of `values`, and how it is called."""
    if energy is None:
        if axis.size == 1:
            return values[0], ""
        if not unit:
            return values.sum(axis=0), f"{axis.name}: sum of {axis.size}{_span(axis)}"
        return values[axis.size // 2], f"{axis.name}: {_told(axis, axis.size // 2)}"
    edges = axis.edges if axis.kind == "edges" or axis.size > 1 else axis.points[0] * np.array([0.9, 1.1])
    if _is_pair(energy):
        low, high = to_pair(energy, "TeV", "energy")
        inside = (edges[:-1] >= low * (1 - 1e-6)) & (edges[1:] <= high * (1 + 1e-6))
        if not inside.any():
            raise ConfigError(f"no bin of {axis.name} lies in {low:g} .. {high:g} TeV; its edges are {_edges(edges)}")
        first, last = np.flatnonzero(inside)[[0, -1]]
        return values[inside].sum(axis=0), f"{axis.name}: sum, {edges[first]:.3g} .. {edges[last + 1]:.3g} {axis.unit}"
    at = to_number(energy, "TeV", "energy")
    i = int(np.searchsorted(edges, at, side="right")) - 1
    if not 0 <= i < axis.size:
        raise ConfigError(f"{at:g} TeV is in no bin of {axis.name}; its edges are {_edges(edges)}")
    return values[i], f"{axis.name}: {_told(axis, i)}"


def _is_pair(energy: Any) -> bool:
    return isinstance(energy, tuple | list | np.ndarray) and np.size(energy) == 2


def _edges(edges: np.ndarray) -> str:
    return f"{edges[0]:.3g} .. {edges[-1]:.3g} TeV"


def _span(axis: MapAxis) -> str:
    return f", {axis.edges[0]:.3g} .. {axis.edges[-1]:.3g} {axis.unit}".rstrip() if axis.kind == "edges" else ""


def _told(axis: MapAxis, i: int) -> str:
    if axis.kind == "edges":
        return f"{axis.points[i]:.3g} .. {axis.points[i + 1]:.3g} {axis.unit}".rstrip()
    return f"{axis.points[i]}" if axis.kind == "labels" else f"{np.mean(axis.points[i]):.3g} {axis.unit}".rstrip()
