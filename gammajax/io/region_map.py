"""Region maps: values over energy and other axes in one region, as FITS tables (format `gadf` of Gammapy).

Reference: GADF "Sky maps", non-spatial axes (AXCOLSn, INTERPn); the region itself is not used.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from astropy.io import fits

from gammajax.errors import FileFormatError
from gammajax.io.fits import column, column_index, find_hdu, open_fits, text

Interp = Literal["lin", "log", "sqrt"]
_INTERP = {"lin": "lin", "linear": "lin", "log": "log", "sqrt": "sqrt"}


@dataclass(frozen=True)
class MapAxis:
    """One axis: its edges or nodes, in `unit` (energies in TeV)."""

    name: str
    unit: str
    interp: Interp
    edges: bool
    """True if `points` are the edges of bins, False if they are nodes."""
    points: np.ndarray


@dataclass(frozen=True)
class RegionMap:
    """Values in `unit` with one dimension for each axis, in their order."""

    axes: tuple[MapAxis, ...]
    values: np.ndarray
    unit: str


def read_region_map(path: str | Path) -> RegionMap:
    """Read the HDUs SKYMAP and SKYMAP_BANDS. Raises `MissingFile`, `FileFormatError`, `UnitMismatch`."""
    path = Path(path)
    with open_fits(path) as hdus:
        sky = find_hdu(hdus, path, name="SKYMAP")
        bands = find_hdu(hdus, path, name=text(sky.header, "BANDSHDU", "SKYMAP_BANDS"))
        axes = []
        while f"AXCOLS{len(axes) + 1}" in bands.header:
            axes.append(_axis(bands, path, len(axes) + 1))
        index = column_index(sky, "DATA")
        if index is None:
            raise FileFormatError(f"{path}[SKYMAP] has no column DATA")
        columns: Any = sky.columns
        unit = (columns[index].unit or "").strip()
        values = column(sky, path, "DATA", unit=unit)
    # Rows are the last axis; within a row the first axis runs fastest, after two of length one.
    shape = tuple(axis.points.size - axis.edges for axis in reversed(axes))
    if values.size != np.prod(shape, dtype=int) or not axes:
        raise FileFormatError(f"{path}[SKYMAP] has {values.size} values for axes of {shape[::-1]} bins")
    return RegionMap(tuple(axes), values.reshape(shape).T, unit)


def _axis(bands: fits.BinTableHDU, path: Path, number: int) -> MapAxis:
    columns = text(bands.header, f"AXCOLS{number}").split(",")
    interp = text(bands.header, f"INTERP{number}", "lin").lower()
    if interp not in _INTERP or len(columns) > 2:
        raise FileFormatError(f"{path}[{bands.name}]: AXCOLS{number} or INTERP{number} ({interp}) is not understood")
    name = columns[0].removesuffix("_MIN").lower()
    index = column_index(bands, columns[0])
    table: Any = bands.columns
    unit = "" if index is None else (table[index].unit or "").strip()
    unit = "TeV" if name in ("energy", "energy_true") else unit
    found = [np.unique(column(bands, path, c, unit=unit)) for c in columns]
    points = found[0] if len(found) == 1 else np.append(found[0], found[1][-1])
    return MapAxis(name, unit, cast(Interp, _INTERP[interp]), len(found) == 2, points)


def write_region_map(content: RegionMap, path: str | Path) -> Path:
    """Write a region map, so that `read_region_map` and Gammapy read it."""
    path = Path(path)
    data = content.values.T
    shape = data.shape[1:] or (1,)
    rows = data.reshape(data.shape[0], -1)
    dims = "(1,1," + ",".join(map(str, reversed(shape))) + ")"
    sky = fits.BinTableHDU.from_columns(
        [
            fits.Column("CHANNEL", "I", array=np.arange(len(rows))),
            fits.Column("DATA", f"{rows.shape[1]}D", unit=content.unit, dim=dims, array=rows),
        ],
        name="SKYMAP",
    )
    grid = np.indices([axis.points.size - axis.edges for axis in content.axes]).reshape(len(content.axes), -1)
    columns = [fits.Column("CHANNEL", "K", array=np.arange(grid.shape[1]))]
    for axis, place in zip(content.axes, grid, strict=True):
        name = axis.name.upper()
        parts = [(f"{name}_MIN", axis.points[:-1]), (f"{name}_MAX", axis.points[1:])] if axis.edges else []
        parts = parts or [(name, axis.points)]
        columns += [fits.Column(n, "D", unit=axis.unit, array=x[place]) for n, x in parts]
    bands = fits.BinTableHDU.from_columns(columns, name="SKYMAP_BANDS")
    for i, axis in enumerate(content.axes, 1):
        name = axis.name.upper()
        for hdu in (sky, bands):
            hdu.header[f"AXCOLS{i}"] = f"{name}_MIN,{name}_MAX" if axis.edges else name
            hdu.header[f"INTERP{i}"] = axis.interp
    fits.HDUList([fits.PrimaryHDU(), sky, bands]).writeto(path, overwrite=True)
    return path
