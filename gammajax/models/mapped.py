"""Maps that belong to a model, in files that hold everything."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gammajax.errors import FileFormatError
from gammajax.geom.grid import SkyGrid
from gammajax.geom.map_axis import MapAxis
from gammajax.geom.maps import SkyMap
from gammajax.io.yaml import mapping, numbers, sequence, text


def map_content(content: SkyMap, values: str) -> dict[str, Any]:
    """A map as texts and numbers; its values are the array called `values`."""
    header = "" if content.grid is None else content.grid.to_text()
    axes = [
        {"name": a.name, "unit": a.unit, "interp": a.interp, "kind": a.kind, "points": a.points.tolist()}
        for a in content.axes
    ]
    return {"header": header, "axes": axes, "unit": content.unit, "values": values}


def map_from(content: Any, where: str) -> SkyMap:
    """The map that `map_content` described, with its array in place; raises `FileFormatError`."""
    content = mapping(content, where)
    header = text(content.get("header"), f"{where}.header")
    grid = SkyGrid.from_text(header, f"{where}.header") if header else None
    values = content.get("values")
    if not isinstance(values, np.ndarray):
        raise FileFormatError(f"{where}.values must be an array of the file")
    axes = tuple(_axis(x, f"{where}.axes") for x in sequence(content.get("axes"), f"{where}.axes"))
    return SkyMap(values, axes, grid, text(content.get("unit"), f"{where}.unit"))


def _axis(content: Mapping[str, Any], where: str) -> MapAxis:
    content = mapping(content, where)
    name, unit, interp, kind = (
        text(content.get(key), f"{key} of {where}") for key in ("name", "unit", "interp", "kind")
    )
    return MapAxis(name, numbers(content.get("points"), f"points of {where}"), unit, interp, kind)  # type: ignore[arg-type]
