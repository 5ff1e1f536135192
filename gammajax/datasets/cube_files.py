"""Cubes in FITS files (Gammapy's `MapDataset`), in both directions."""

from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from gammajax.datasets.cube import MapDataset
from gammajax.datasets.spectrum import Provenance
from gammajax.errors import FileFormatError
from gammajax.io.map_dataset import MapDatasetFile, read_map_dataset
from gammajax.io.map_dataset_write import write_map_dataset


def write_cube(dataset: MapDataset, path: str | Path) -> Path:
    """Write a cube as FITS that `read_cube` and Gammapy's `MapDataset.read` take; gzip if the name ends in `.gz`."""
    livetime = float(dataset.livetime)
    content = MapDatasetFile(
        name=dataset.name,
        kind="MapDataset",
        grid=dataset.grid,
        energy=np.asarray(dataset.energy),
        counts=np.asarray(dataset.counts),
        background=np.asarray(dataset.background),
        mask_safe=np.asarray(dataset.mask_safe),
        mask_fit=np.asarray(dataset.mask_fit),
        energy_true=np.asarray(dataset.energy_true),
        exposure=np.asarray(dataset.exposure),
        psf=dataset.psf,
        edisp=dataset.edisp,
        livetime=livetime if np.isfinite(livetime) else None,
        meta_table=_meta_table(dataset.provenance),
    )
    return write_map_dataset(path, content)


def read_cube(path: str | Path, name: str | None = None) -> MapDataset:
    """The cube of a FITS file; `name` replaces the one in the file.

    Raises `FileFormatError` for a `MapDatasetOnOff`, `MissingFile` and what `read_map_dataset` raises.
    """
    content = read_map_dataset(path, name, require=("counts", "exposure"))
    if content.kind != "MapDataset":
        raise FileFormatError(f"{path} is a {content.kind}: only MapDataset can be read as a cube")
    return MapDataset(
        name=content.name,
        grid=content.grid,
        energy=content.energy,
        energy_true=content.energy_true,
        counts=content.counts,
        background=content.background,
        exposure=content.exposure if content.exposure is not None else 0.0,
        mask_safe=content.mask_safe,
        mask_fit=content.mask_fit,
        psf=content.psf,
        edisp=content.edisp,
        livetime=np.nan if content.livetime is None else content.livetime,
        provenance=_provenance(content.meta_table),
    )


def _meta_table(provenance: Provenance) -> Table | None:
    """The columns of Gammapy's table of runs that a cube knows; None without runs."""
    if not provenance.obs_ids:
        return None
    table = Table({"OBS_ID": np.array([provenance.obs_ids], dtype=np.int64)})
    if provenance.telescope:
        table["TELESCOP"] = [provenance.telescope]
    return table


def _provenance(table: Table | None) -> Provenance:
    if table is None:
        return Provenance()
    telescopes = {str(x).strip() for x in _cells(table, "TELESCOP")}
    known = tuple(int(i) for i in _cells(table, "OBS_ID") if str(i).strip().lstrip("-").isdigit())
    return Provenance("+".join(sorted(telescopes - {""})), known)


def _cells(table: Table, name: str) -> list[Any]:
    """All cells of a column, none where the table lacks it."""
    return np.ravel(np.asarray(table[name])).tolist() if name in table.colnames else []
