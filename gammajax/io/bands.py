"""BANDS tables: the axes of a map beside longitude and latitude (GADF "Sky maps", Gammapy's format `gadf`).

There is one row for each combination of bins, axis 1 running fastest; the header says in AXCOLSn which columns belong
to axis n (two for bins, one for nodes or labels) and in INTERPn how it is interpolated. An axis is the sorted set of
values in its columns. Fermi's EBOUNDS and ENERGIES tables are the same with one axis and no such keywords.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from gammajax.errors import ConfigError, FileFormatError
from gammajax.geom.map_axis import MapAxis, interp_of
from gammajax.io.fits import ascii_text, column, column_index, number, text

_NAMES = {"e": "energy", "theta": "rad"}
_UNITS = {"energy": "TeV", "energy_true": "TeV", "rad": "deg", "offset": "deg", "migra": "", "time": "s"}


def read_bands(hdu: fits.BinTableHDU, path: Path) -> tuple[MapAxis, ...]:
    """The axes of a map in the order of the file (axis 1 first, which is the last in numpy).

    Raises `FileFormatError` for axes that are none, `UnitMismatch` for energies in deg.
    """
    where = f"{path}[{hdu.name}]"
    try:
        if "AXCOLS1" not in hdu.header or hdu.name.upper() == "ENERGIES":
            return (_fermi_axis(hdu, path),)
        numbers = range(1, 1 + next(i for i in range(1, 99) if f"AXCOLS{i + 1}" not in hdu.header))
        return tuple(_axis(hdu, path, i) for i in numbers)
    except ConfigError as error:
        raise FileFormatError(f"{where}: {error}") from error


def _fermi_axis(hdu: fits.BinTableHDU, path: Path) -> MapAxis:
    """Energy bins of EBOUNDS (keV unless the table says so), or energy nodes of ENERGIES (MeV)."""
    if column_index(hdu, "E_MIN") is not None and hdu.name.upper() != "ENERGIES":
        low, high = (column(hdu, path, name, unit="TeV", default="keV") for name in ("E_MIN", "E_MAX"))
        return MapAxis.from_edges("energy", np.append(low, high[-1:]), "TeV", "log")
    if column_index(hdu, "ENERGY") is not None:
        return MapAxis.from_nodes("energy_true", column(hdu, path, "ENERGY", unit="TeV", default="MeV"), "TeV", "log")
    raise FileFormatError(
        f"{path}[{hdu.name}] says nothing of the axes: it has neither AXCOLS1 nor columns E_MIN, E_MAX or ENERGY"
    )


def _axis(hdu: fits.BinTableHDU, path: Path, i: int) -> MapAxis:
    where = f"{path}[{hdu.name}]"
    names = [name.strip() for name in text(hdu.header, f"AXCOLS{i}").split(",")]
    if not 1 <= len(names) <= 2:
        raise FileFormatError(f"{where}: AXCOLS{i} must name one column or two, it is {','.join(names)!r}")
    name = names[0].lower().removesuffix("_min")
    name = _NAMES.get(name, name)
    interp = interp_of(text(hdu.header, f"INTERP{i}", "lin"), f"axis {i}")
    table: Any = hdu
    index = column_index(hdu, names[0])
    if index is not None and len(names) == 1 and table.data.field(index).dtype.kind in "SU":
        return MapAxis.from_labels(name, np.unique(np.char.strip(np.asarray(table.data.field(index), dtype=str))))
    stated = "" if index is None else (table.columns[index].unit or "").strip()
    found = [np.unique(_points(hdu, path, c, _UNITS.get(name, stated))) for c in names]
    unit = _UNITS.get(name, stated)
    if len(found) == 1:
        return MapAxis(name, found[0], unit, interp, "nodes")
    if len(found[0]) != len(found[1]):
        raise FileFormatError(f"{where}: {names[0]} has {len(found[0])} values and {names[1]} has {len(found[1])}")
    if name == "time":
        return MapAxis(name, np.stack(found, axis=1), unit, "lin", "intervals", _epoch(hdu.header))
    low, high = found
    # lower and upper edges may differ by roundings: the lower ones and the last upper one are taken
    if np.any(apart := np.abs(low[1:] - high[:-1]) > 0.01 * (high - low)[:-1]):
        j = int(np.flatnonzero(apart)[0])
        raise FileFormatError(
            f"{where}: bins of {name} must follow one another, but one ends at {high[j]:.6g} and the next begins at "
            f"{low[j + 1]:.6g} {unit}"
        )
    return MapAxis(name, np.append(low, high[-1]), unit, interp, "edges")


def _points(hdu: fits.BinTableHDU, path: Path, name: str, unit: str) -> np.ndarray:
    values = column(hdu, path, name, unit=unit, default={"TeV": "MeV"}.get(unit) if hdu.name == "ENERGIES" else None)
    if not np.all(np.isfinite(values)):
        raise FileFormatError(f"{path}[{hdu.name}] column {name} has values that are not finite")
    return values


def _epoch(header: fits.Header) -> tuple[int, float, str]:
    days = number(header, "MJDREFI", 0.0) + 0.0
    return int(days), number(header, "MJDREFF", 0.0), text(header, "TIMESYS", "tt").lower()


def bands_hdu(axes: Sequence[MapAxis], name: str) -> fits.BinTableHDU:
    """The table of the axes, given in the order of numpy, so that `read_bands` and Gammapy read it."""
    axes = axes[::-1]
    place = np.indices([axis.size for axis in axes[::-1]])[::-1].reshape(len(axes), -1)
    columns = [fits.Column("CHANNEL", "K", array=np.arange(place.shape[1]))]
    for axis, index in zip(axes, place, strict=True):
        columns += _columns(axis, index)
    table = fits.BinTableHDU.from_columns(columns, name=name)
    table.header.update(axes_header(axes[::-1]))
    return table


def axes_header(axes: Sequence[MapAxis]) -> dict[str, Any]:
    """AXCOLSn and INTERPn of axes in the order of numpy, for the map and for its table."""
    keys: dict[str, Any] = {}
    for i, axis in enumerate(axes[::-1], 1):
        one, low, high = _column_names(axis)
        keys[f"AXCOLS{i}"] = f"{low},{high}" if axis.kind in ("edges", "intervals") else one
        if axis.kind != "labels":
            keys[f"INTERP{i}"] = axis.interp
        if axis.epoch is not None:
            keys |= {"MJDREFI": axis.epoch[0], "MJDREFF": axis.epoch[1], "TIMESYS": axis.epoch[2], "TIMEUNIT": "s"}
    return keys


def _column_names(axis: MapAxis) -> tuple[str, str, str]:
    name = ascii_text(axis.name).upper()
    return (name, "E_MIN", "E_MAX") if name == "ENERGY" else (name, f"{name}_MIN", f"{name}_MAX")


def _columns(axis: MapAxis, index: np.ndarray) -> list[fits.Column]:
    names = _column_names(axis)
    if axis.kind == "labels":
        labels = axis.points.astype("S")
        return [fits.Column(names[0], f"{labels.dtype.itemsize}A", array=labels[index])]
    if axis.kind == "intervals":
        low, high = axis.points.T
    else:
        # an axis of one node has no edges: a bin without width
        edges = axis.edges if axis.kind == "edges" or axis.size > 1 else axis.points[[0, 0]]
        low, high = edges[:-1], edges[1:]
    values = (axis.centers, low, high)
    return [fits.Column(n, "D", unit=axis.unit, array=x[index]) for n, x in zip(names, values, strict=True)]
