"""Datasets of all kinds in one HDF5 file, with everything they hold."""

import dataclasses
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from gammajax.data.gti import GTI
from gammajax.datasets.binned import Provenance
from gammajax.datasets.cube import MapDataset, MapDatasetOnOff
from gammajax.datasets.flux_points import FluxPointsDataset
from gammajax.datasets.groups import Dataset
from gammajax.datasets.spectrum import SpectrumDataset, SpectrumDatasetOnOff
from gammajax.errors import FileFormatError, GammajaxError
from gammajax.geom.grid import SkyGrid
from gammajax.io.dl3 import TimeReference
from gammajax.io.hdf5 import Node, read_tree, write_tree
from gammajax.io.map_dataset import EdispMap, PsfMap

_KINDS: dict[str, type[Any]] = {
    cls.__name__: cls for cls in (SpectrumDataset, SpectrumDatasetOnOff, FluxPointsDataset, MapDataset, MapDatasetOnOff)
}
_FLAGS = ("mask_safe", "mask_fit", "is_ul")


def write_hdf5_datasets(datasets: Iterable[Dataset], path: str | Path) -> Path:
    """Write datasets into one HDF5 file; returns the path."""
    # Groups are numbered: names of datasets may hold any character, and their order counts.
    tree = {f"{i:05d}": {"type": type(dataset).__name__, **_tree(dataset)} for i, dataset in enumerate(datasets)}
    return write_tree(path, "datasets", tree)


def read_hdf5_datasets(path: str | Path) -> list[Dataset]:
    """The datasets of such a file, in order. Raises `FileFormatError` or `DatasetError`, naming the group."""
    node = read_tree(path, "datasets")
    return [_dataset(node.group(name)) for name in sorted(x for x in node if x.isdigit())]


def _tree(part: Any) -> dict[str, Any]:
    return {field.name: _entry(getattr(part, field.name)) for field in dataclasses.fields(part)}


def _entry(value: Any) -> Any:
    if isinstance(value, SkyGrid):
        return value.to_text()
    if isinstance(value, Provenance):
        return {"telescope": value.telescope, "obs_ids": np.asarray(value.obs_ids), "gti": _entry(value.gti)}
    if isinstance(value, GTI):
        return {"start": value.start, "stop": value.stop, **dataclasses.asdict(value.reference)}
    if isinstance(value, PsfMap | EdispMap):
        return _tree(value)
    if value is None or isinstance(value, str | bool):
        return value
    array = np.asarray(value)
    return array if array.ndim else array.item()


def _dataset(node: Node) -> Dataset:
    kind = node.text("type")
    if kind not in _KINDS:
        raise FileFormatError(f"{node.where}: datasets of type {kind!r} cannot be read; types are {', '.join(_KINDS)}")
    return _part(node, _KINDS[kind])


def _part(node: Node, kind: type[Any]) -> Any:
    """An object from the entries of a group; what it does not have is absent."""
    fields = {field.name: _field(node, field.name, typing.get_args(field.type)) for field in dataclasses.fields(kind)}
    try:
        return kind(**fields)
    except GammajaxError as error:
        raise type(error)(f"{node.where}: {error}") from error


def _field(node: Node, name: str, kinds: tuple[type[Any], ...]) -> Any:
    if name not in node and type(None) in kinds:
        return None
    for kind in (PsfMap, EdispMap):
        if kind in kinds:
            return _part(node.group(name), kind)
    return _READ.get(name, _array)(node, name)


def _array(node: Node, name: str) -> np.ndarray:
    return node.array(name, kinds="b" if name in _FLAGS else "iuf")


def _provenance(node: Node, name: str) -> Provenance:
    part = node.group(name)
    obs_ids = tuple(int(x) for x in part.array("obs_ids", 1))
    return Provenance(part.text("telescope"), obs_ids, _gti(part.group("gti")) if "gti" in part else None)


def _gti(node: Node) -> GTI:
    reference = TimeReference(node.number("mjdrefi"), node.number("mjdreff"), node.text("scale"))
    return GTI(node.array("start", 1), node.array("stop", 1), reference)


_READ: dict[str, Callable[[Node, str], Any]] = {
    **dict.fromkeys(("name", "stat_type"), Node.text),
    **dict.fromkeys(("livetime", "ul_conf"), Node.number),
    **dict.fromkeys(("kernel", "reco"), Node.flag),
    "provenance": _provenance,
    "grid": lambda node, name: SkyGrid.from_text(node.text(name), f"{node.where}: {name}"),
}
