"""Spectra tabulated over energy and parameters of their own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from gammajax._typing import Array, Float, Scalar
from gammajax.errors import FileFormatError, ModelError
from gammajax.geom.map_axis import MapAxis
from gammajax.geom.maps import SkyMap
from gammajax.io.maps import read_map, write_map
from gammajax.io.yaml import text
from gammajax.models.mapped import map_from
from gammajax.models.spectral.base import SpectralModel
from gammajax.models.spectral.powerlaw import dimension_of
from gammajax.models.spectral.scale import SCALES, unscaled
from gammajax.numeric.interp import passages, shares
from gammajax.params.field import ParamSpec, param, table
from gammajax.units import DNDE, conversion

_ENERGY = ("energy_true", "energy")


class TemplateNDSpectralModel(SpectralModel):
    """Spectrum tabulated over energy and any number of other axes, each of which is a parameter.

    The logarithm of the values is linear in each axis between its points, on the scale that the axis states (lin, log,
    sqrt), and continued beyond its ends. A parameter carries the axis' name and unit, is bounded by the axis, and
    starts in its middle. A table without unit is a factor. `read` takes a region map of Gammapy (FITS).

    >>> TemplateNDSpectralModel.read("template.fits")                                   # doctest: +SKIP
    """

    tag = ("TemplateNDSpectralModel", "templateND")
    coordinates: Float[Array, "axis"] = param()
    points: Float[Array, "point"] = table()
    """Points of all axes, one after another, each on the scale of its axis."""
    values: Array = table()
    axes: tuple[tuple[str, str, str, bool, int], ...] = eqx.field(static=True, default=())
    """Name, unit, scale of each axis, if its points are edges, and where they begin."""
    dimension: str = eqx.field(static=True, default=DNDE)
    filename: str = eqx.field(static=True, default="")

    def __init__(self, content: SkyMap, coordinates: Any = None, *, filename: str | Path = ""):
        where = str(filename) or "TemplateNDSpectralModel"
        if not isinstance(content, SkyMap) or content.grid is not None:
            raise ModelError(f"{where}: a SkyMap without pixels (a region map) is needed; read() takes files")
        # Parameters come in the order of the axes in a file, which is not that of numpy.
        axes = content.axes[::-1]
        named = [axis.name for axis in axes]
        if sum(name in _ENERGY for name in named) != 1:
            raise ModelError(f"{where} needs one axis of energy, got {', '.join(named) or 'none'}")
        for axis in axes:
            if axis.kind not in ("edges", "nodes"):
                raise ModelError(f"{where}: the axis {axis.name} has {axis.kind}: a parameter needs numbers")
        self.dimension = dimension_of(f"1 {content.unit}", f"the unit of {where}")
        begin = np.cumsum([0, *(axis.points.size for axis in axes)])
        both = zip(axes, begin.tolist(), strict=False)
        self.axes = tuple((axis.name, axis.unit, axis.interp, axis.kind == "edges", start) for axis, start in both)
        scaled = [SCALES[axis.interp](jnp.asarray(axis.points)) for axis in axes]
        points: Any = np.concatenate([np.asarray(x) for x in scaled])
        # Gammapy too takes values that are not finite for zero.
        values = content.values[..., 0, 0].T
        finite: Any = np.where(np.isfinite(values), values, 0.0)
        self.points, self.values = points, finite * conversion(content.unit, self.dimension)
        middle = [0.5 * (axis.points[0] + axis.points[-1]) for axis in axes if axis.name not in _ENERGY]
        start: Any = np.array(middle) if coordinates is None else coordinates
        self.coordinates = start
        self.filename = str(filename)

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a region map. Raises `MissingFile`, `FileFormatError`, `UnitMismatch`."""
        return cls(read_map(path), filename=path)

    @property
    def unit(self) -> str:
        return self.dimension

    def dnde(self, energy: Scalar) -> Scalar:
        parts, k = [], 0
        for (name, _, interp, edges, _), points in zip(self.axes, self._points(), strict=True):
            x = energy if name in _ENERGY else self.coordinates[k]
            k += name not in _ENERGY
            place = jnp.sum(passages(points, SCALES[interp](x), extend=True)) - (0.5 if edges else 0.0)
            parts.append((name in _ENERGY, shares(jnp.arange(len(points) - edges) + 0.0, place, extend=True)))
        # The energy comes last: what the parameters alone decide is the same for all energies.
        table = SCALES["log"](self.values)
        for axis, (_, share) in sorted(enumerate(parts), key=lambda part: part[1][0]):
            shape = [1] * table.ndim
            shape[axis] = len(share)
            table = jnp.sum(table * share.reshape(shape), axis=axis, keepdims=True)
        return unscaled(table.squeeze(), "log")

    def _points(self) -> list[Array]:
        ends = [*(begin for *_, begin in self.axes[1:]), self.points.size]
        return [self.points[begin:end] for (*_, begin), end in zip(self.axes, ends, strict=True)]

    def kinks(self) -> list[float]:
        at = next(i for i, (name, *_) in enumerate(self.axes) if name in _ENERGY)
        points, (_, _, interp, edges, _) = np.asarray(self._points()[at]), self.axes[at]
        points = np.concatenate([points, 0.5 * (points[1:] + points[:-1])]) if edges else points
        return _plain(points, interp).tolist()

    def slots_of(self, name: str) -> Sequence[tuple[str, ParamSpec]] | None:
        found = []
        for (axis, unit, interp, _, _), points in zip(self.axes, self._points(), strict=True):
            if axis not in _ENERGY:
                low, high = _plain(np.asarray(points)[[0, -1]], interp)
                found.append((axis, ParamSpec(unit, float(low), float(high))))
        return found

    @property
    def map(self) -> SkyMap:
        """The map from which the model would be made again."""
        axes = [
            MapAxis(name, _plain(np.asarray(points), interp), unit, interp, "edges" if edges else "nodes")  # type: ignore[arg-type]
            for (name, unit, interp, edges, _), points in zip(self.axes, self._points(), strict=True)
        ]
        return SkyMap(np.asarray(self.values).T[..., None, None], tuple(axes[::-1]), None, self.unit)

    def write(self, path: str | Path) -> Path:
        """Write the map as FITS, so that `read` and Gammapy read it; returns the path."""
        return write_map(self.map, path)

    # -- files

    @classmethod
    def from_yaml(cls, content: Mapping[str, Any], where: str) -> dict[str, Any]:
        if "filename" not in content and "map" not in content:
            raise FileFormatError("a TemplateNDSpectralModel needs the filename of its table")
        path = text(content.get("filename") or "", "the filename")
        held = map_from(content["map"], f"{where}.map") if "map" in content else read_map(path)
        return {"content": held, "filename": path}

    def to_yaml(self, content: dict[str, Any], gammapy: bool) -> dict[str, Any]:
        plain = {key: content[key] for key in ("type", "parameters") if key in content}
        return {**plain, "filename": self.filename, "unit": self.dimension}


def _plain(points: np.ndarray, interp: str) -> np.ndarray:
    """Points of an axis from those on its scale."""
    return np.exp(points) if interp == "log" else points**2 if interp == "sqrt" else points
