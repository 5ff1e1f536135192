"""Datasets in files: one in OGIP spectra or region maps in Gammapy's "gadf" format, many in one HDF5 file."""

import dataclasses
import re
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import numpy as np

from gammajax.datasets.cube import Cube, MapDataset, MapDatasetOnOff
from gammajax.datasets.cube_files import read_cube, write_cube
from gammajax.datasets.flux_points import FluxPointsDataset
from gammajax.datasets.groups import Dataset
from gammajax.datasets.spectrum import Provenance, SpectrumDataset, SpectrumDatasetOnOff
from gammajax.errors import DatasetError, FileFormatError, GammajaxError
from gammajax.io.gadf import GadfSpectrum, is_gadf, read_gadf, write_gadf
from gammajax.io.hdf5 import Node, read_tree, write_tree
from gammajax.io.ogip import Grouping, OgipSpectrum, read_ogip
from gammajax.io.ogip_write import write_ogip

_NO_LIVETIME = 1.0
"""EXPOSURE [s] of an OGIP file whose effective area is the exposure."""

_FLAGS = ("mask_safe", "mask_fit", "is_ul")
_OPTIONAL = ("norm_scan", "stat_scan")
_KINDS: dict[str, type[Any]] = {cls.__name__: cls for cls in (SpectrumDataset, SpectrumDatasetOnOff, FluxPointsDataset)}
_CUBES = (MapDataset.__name__, MapDatasetOnOff.__name__)
_TYPES = (*_KINDS, *_CUBES)


def read_dataset(
    path: str | Path,
    *,
    name: str | None = None,
    kind: str | None = None,
    grouping: Grouping = "ignore",
    stat_type: str | None = None,
) -> Dataset:
    """Read one dataset from an OGIP PHA file, from a dataset file that Gammapy wrote, or flux points (by `kind`).

    It is on-off if the file has off counts, else counts against a background. `kind` ("SpectrumDataset",
    "SpectrumDatasetOnOff") is what a YAML says it is: `DatasetError` if that is no spectrum or contradicts the file.
    An EXPOSURE of exactly 1 s (Fermi-LAT: the area is the exposure) means that the livetime is unknown: NaN.
    """
    if kind is not None and kind not in _TYPES:
        raise DatasetError(f"{path}: {name} is of type {kind!r}, which cannot be read; types are {', '.join(_TYPES)}")
    if kind in _CUBES:
        cube = read_cube(path, name)
        if type(cube).__name__ != kind:
            holds = type(cube).__name__
            raise DatasetError(f"{path} holds a {holds}: list {cube.name} as {holds}, not as {kind}")
        return cube
    if kind == FluxPointsDataset.__name__:
        return FluxPointsDataset.read(path, name=name, stat_type=cast(Any, stat_type or "chi2"))
    gadf = is_gadf(path)
    dataset = _from_gadf(read_gadf(path), name) if gadf else _from_ogip(read_ogip(path, grouping=grouping), name)
    if kind == "SpectrumDatasetOnOff" and type(dataset) is SpectrumDataset:
        raise DatasetError(f"{path} has no off counts (BACKFILE), but {dataset.name} is listed as {kind}")
    if kind == "SpectrumDataset" and type(dataset) is not SpectrumDataset:
        raise DatasetError(f"{path} has off counts: list {dataset.name} as SpectrumDatasetOnOff, not as {kind}")
    return dataset


def write_dataset(dataset: Dataset, folder: Path) -> str:
    """Write one dataset into a folder: OGIP files for on-off spectra, a dataset file else; returns the file's name.

    OGIP files cannot hold a background that was not measured as off counts.
    """
    stem = file_stem(dataset.name)
    if isinstance(dataset, FluxPointsDataset):
        file = f"{stem}.fits"
        dataset.write(folder / file)
    elif isinstance(dataset, SpectrumDatasetOnOff):
        file = f"pha_{stem}.fits"
        write_ogip(_to_ogip(dataset), folder / file)
    elif isinstance(dataset, Cube):
        file = f"{stem}.fits.gz"
        write_cube(dataset, folder / file)
    else:
        file = f"{stem}.fits"
        write_gadf(_to_gadf(dataset), folder / file)
    return file


def file_stem(name: str) -> str:
    """What a file of a dataset is called: its name, without characters that file names should not have."""
    stem = re.sub(r"[^A-Za-z0-9_.+-]", "_", name)
    # the number keeps apart what would become equal
    return stem if stem == name else f"{stem}-{zlib.crc32(name.encode()):08x}"


def _from_ogip(found: OgipSpectrum, name: str | None) -> Dataset:
    common: dict[str, Any] = {
        "name": name or found.name,
        "energy": found.energy,
        "energy_true": found.energy_true,
        "counts": found.counts,
        "exposure": found.area * found.exposure,
        "edisp": found.edisp,
        "mask_safe": found.quality == 0,
        "livetime": np.nan if found.exposure == _NO_LIVETIME else found.exposure,
        "provenance": Provenance(found.telescope, (int(found.name),) if found.name.isdigit() else ()),
    }
    if found.counts_off is None or found.backscale_off is None:
        return SpectrumDataset(**common)
    return SpectrumDatasetOnOff(
        **common, counts_off=found.counts_off, acceptance=found.backscale, acceptance_off=found.backscale_off
    )


def _from_gadf(found: GadfSpectrum, name: str | None) -> Dataset:
    common: dict[str, Any] = {
        "name": name or found.name,
        "energy": found.energy,
        "energy_true": found.energy_true,
        "exposure": found.exposure,
        "edisp": found.edisp,
        "counts": found.counts,
        "mask_safe": found.mask_safe,
        "mask_fit": found.mask_fit,
        "livetime": found.livetime,
        "provenance": Provenance(found.telescope, found.obs_ids),
    }
    if found.counts_off is None:
        return SpectrumDataset(**common, background=found.background)
    if found.acceptance is None or found.acceptance_off is None:
        raise DatasetError(f"{common['name']} has COUNTS_OFF, but lacks ACCEPTANCE or ACCEPTANCE_OFF")
    return SpectrumDatasetOnOff(
        **common, counts_off=found.counts_off, acceptance=found.acceptance, acceptance_off=found.acceptance_off
    )


def _to_ogip(dataset: SpectrumDatasetOnOff) -> OgipSpectrum:
    livetime = float(dataset.livetime)
    # Without a known livetime the whole exposure goes into the effective area.
    livetime = livetime if livetime > 0 else _NO_LIVETIME
    ids = dataset.provenance.obs_ids
    return OgipSpectrum(
        name=str(ids[0]) if len(ids) == 1 else dataset.name,
        telescope=dataset.provenance.telescope,
        energy=np.asarray(dataset.energy),
        energy_true=np.asarray(dataset.energy_true),
        counts=np.asarray(dataset.counts),
        counts_off=np.asarray(dataset.counts_off),
        backscale=np.asarray(dataset.acceptance),
        backscale_off=np.asarray(dataset.acceptance_off),
        quality=(~np.asarray(dataset.mask_safe)).astype(int),
        area=np.asarray(dataset.exposure) / livetime,
        edisp=np.asarray(dataset.edisp),
        exposure=livetime,
    )


def _to_gadf(dataset: SpectrumDataset) -> GadfSpectrum:
    names = ("energy", "energy_true", "exposure", "edisp", "counts", "background", "mask_safe", "mask_fit")
    arrays: dict[str, Any] = {key: np.asarray(getattr(dataset, key)) for key in names}
    origin = {"telescope": dataset.provenance.telescope, "obs_ids": dataset.provenance.obs_ids}
    return GadfSpectrum(name=dataset.name, livetime=float(dataset.livetime), **origin, **arrays)


# -- HDF5 ----------------------------------------------------------------------------------------------------------


def write_hdf5_datasets(datasets: Iterable[Dataset], path: str | Path) -> Path:
    """Write datasets with everything they hold into one HDF5 file; returns the path."""
    # Groups are numbered: names of datasets may hold any character, and their order counts.
    return write_tree(path, "datasets", {f"{i:05d}": _dataset_tree(dataset) for i, dataset in enumerate(datasets)})


def read_hdf5_datasets(path: str | Path) -> list[Dataset]:
    """The datasets of such a file, in order. Raises `FileFormatError` or `DatasetError`, naming the group."""
    node = read_tree(path, "datasets")
    return [_dataset_from_node(node.group(name)) for name in sorted(x for x in node if x.isdigit())]


def _dataset_tree(dataset: Dataset) -> dict[str, Any]:
    fields = {field.name: getattr(dataset, field.name) for field in dataclasses.fields(dataset)}
    provenance = fields.pop("provenance")
    return {
        "type": type(dataset).__name__,
        "provenance": {key: x if isinstance(x, str) else np.asarray(x) for key, x in vars(provenance).items()},
        **{key: x if isinstance(x, str | None) else _number_or_array(np.asarray(x)) for key, x in fields.items()},
    }


def _number_or_array(x: np.ndarray) -> Any:
    return x if x.ndim else x.item()


def _dataset_from_node(node: Node) -> Dataset:
    kind = node.text("type")
    if kind not in _KINDS:
        raise FileFormatError(f"{node.where}: datasets of type {kind!r} cannot be read; types are {', '.join(_KINDS)}")
    read: dict[str, Any] = {**dict.fromkeys(("name", "stat_type"), node.text), "livetime": node.number}
    read |= {"ul_conf": node.number, "provenance": lambda _: _provenance(node.group("provenance"))}
    names = [field.name for field in dataclasses.fields(_KINDS[kind])]
    fields: dict[str, Any] = {
        name: read[name](name) if name in read else node.array(name, kinds="b" if name in _FLAGS else "iuf")
        for name in names
        if name in node or name not in _OPTIONAL
    }
    try:
        return _KINDS[kind](**fields)
    except GammajaxError as error:
        raise type(error)(f"{node.where}: {error}") from error


def _provenance(node: Node) -> Provenance:
    return Provenance(node.text("telescope"), tuple(int(x) for x in node.array("obs_ids", 1)))
