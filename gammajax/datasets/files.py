"""Datasets in files of their own: OGIP spectra, Gammapy's dataset files, flux points."""

import re
import zlib
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from gammajax.data.gti import GTI
from gammajax.datasets.binned import Provenance
from gammajax.datasets.cube import Cube, MapDataset, MapDatasetOnOff
from gammajax.datasets.cube_files import read_cube, write_cube
from gammajax.datasets.flux_points import FluxPointsDataset
from gammajax.datasets.groups import Dataset
from gammajax.datasets.spectrum import SpectrumDataset, SpectrumDatasetOnOff
from gammajax.errors import DatasetError
from gammajax.io.fits import open_fits
from gammajax.io.gadf import GadfSpectrum, read_gadf, write_gadf
from gammajax.io.maps import hdu_list
from gammajax.io.ogip import Grouping, OgipSpectrum, read_ogip
from gammajax.io.ogip_write import write_ogip

_NO_LIVETIME = 1.0
"""EXPOSURE [s] of an OGIP file whose effective area is the exposure."""

_CUBES = (MapDataset.__name__, MapDatasetOnOff.__name__)
_TYPES = (*(cls.__name__ for cls in (SpectrumDataset, SpectrumDatasetOnOff, FluxPointsDataset)), *_CUBES)


def read_dataset(
    path: str | Path,
    *,
    name: str | None = None,
    kind: str | None = None,
    grouping: Grouping = "ignore",
    stat_type: str | None = None,
) -> Dataset:
    """Read one dataset from an OGIP PHA file, from a dataset file that Gammapy wrote, or flux points (by `kind`).

    It is on-off if the file has off counts, else counts against a background. `kind` is what a YAML says it is:
    `DatasetError` if that cannot be read or contradicts the file.
    An EXPOSURE of exactly 1 s (Fermi-LAT: the area is the exposure) means that the livetime is unknown: NaN.
    """
    if kind is not None and kind not in _TYPES:
        raise DatasetError(f"{path}: {name} is of type {kind!r}, which cannot be read; types are {', '.join(_TYPES)}")
    if kind == FluxPointsDataset.__name__:
        return FluxPointsDataset.read(path, name=name, stat_type=cast(Any, stat_type or "chi2"))
    layout = "cube" if kind in _CUBES else _layout(path)
    if layout == "cube" and kind in (None, *_CUBES):
        cube = read_cube(path, name)
        if kind is not None and type(cube).__name__ != kind:
            holds = type(cube).__name__
            raise DatasetError(f"{path} holds a {holds}: list {cube.name} as {holds}, not as {kind}")
        return cube
    gadf = layout == "region"
    dataset = _from_gadf(read_gadf(path), name) if gadf else _from_ogip(read_ogip(path, grouping=grouping), name)
    if kind == "SpectrumDatasetOnOff" and type(dataset) is SpectrumDataset:
        raise DatasetError(f"{path} has no off counts (BACKFILE), but {dataset.name} is listed as {kind}")
    if kind == "SpectrumDataset" and type(dataset) is not SpectrumDataset:
        raise DatasetError(f"{path} has off counts: list {dataset.name} as SpectrumDatasetOnOff, not as {kind}")
    return dataset


def _layout(path: str | Path) -> Literal["cube", "region", "ogip"]:
    """What a FITS file holds: images of the sky, dense or sparse, maps of a region, or else an OGIP spectrum."""
    with open_fits(path) as hdus:
        found = {hdu.name.upper(): hdu for hdu in hdu_list(hdus)}
    maps = [found[name] for name in ("COUNTS", "EXPOSURE") if name in found]
    if any(hdu.is_image or "WCSSHAPE" in hdu.header for hdu in maps):
        return "cube"
    return "region" if {"EXPOSURE", "EXPOSURE_BANDS"} <= found.keys() else "ogip"


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
        "provenance": Provenance(
            found.telescope, (int(found.name),) if found.name.isdigit() else (), GTI.from_table(found.gti)
        ),
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
        "provenance": Provenance(found.telescope, found.obs_ids, GTI.from_table(found.gti)),
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
        gti=dataset.provenance.gti,
    )


def _to_gadf(dataset: SpectrumDataset) -> GadfSpectrum:
    names = ("energy", "energy_true", "exposure", "edisp", "counts", "background", "mask_safe", "mask_fit")
    arrays: dict[str, Any] = {key: np.asarray(getattr(dataset, key)) for key in names}
    known = dataset.provenance
    origin: dict[str, Any] = {"telescope": known.telescope, "obs_ids": known.obs_ids, "gti": known.gti}
    return GadfSpectrum(name=dataset.name, livetime=float(dataset.livetime), **origin, **arrays)
