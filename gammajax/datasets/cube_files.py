"""Cubes in Gammapy's dataset files."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from gammajax._typing import Edges
from gammajax.data.gti import GTI
from gammajax.datasets.binned import Provenance
from gammajax.datasets.cube import Cube, MapDataset, MapDatasetOnOff
from gammajax.datasets.cube_responses import interpolated
from gammajax.errors import DatasetError
from gammajax.io.map_dataset import EdispMap, MapDatasetFile, read_map_dataset
from gammajax.io.map_dataset_write import write_map_dataset


def read_cube(path: str | Path, name: str | None = None) -> Cube:
    """Read a file of Gammapy's `MapDataset` or `MapDatasetOnOff`; it is on-off if it has off counts or acceptances.

    Raises `DatasetError` for one without exposure, or with a part of the off measurement only.

    >>> read_cube("fermi-3fhl-gc/fermi-3fhl-gc.fits.gz", "gc")                          # doctest: +SKIP
    """
    found = read_map_dataset(path, name)
    if found.exposure is None or found.energy_true is None:
        raise DatasetError(f"{path} has no EXPOSURE: without it no counts can be predicted")
    edisp = found.edisp
    if edisp is not None and not edisp.kernel:
        edisp = kernel_of(edisp, found.energy_true, found.energy)
    fields: dict[str, Any] = {key: getattr(found, key) for key in _ARRAYS}
    fields |= {
        "name": found.name,
        "grid": found.grid,
        "psf": found.psf,
        "edisp": edisp,
        "livetime": np.nan if found.livetime is None else found.livetime,
        "provenance": _provenance(found),
    }
    if found.kind == "MapDataset":
        return MapDataset(**fields, background=found.background)
    missing = [key.upper() for key in _OFF if getattr(found, key) is None]
    if missing:
        have = ", ".join(key.upper() for key in _OFF if getattr(found, key) is not None)
        raise DatasetError(f"{path} has {have} but no {', '.join(missing)}: an on-off cube needs all three")
    return MapDatasetOnOff(**fields, **{key: getattr(found, key) for key in _OFF})


def write_cube(dataset: Cube, path: str | Path) -> Path:
    """Write a cube as Gammapy reads it."""
    on_off = isinstance(dataset, MapDatasetOnOff)
    keys = (*_ARRAYS, *(_OFF if on_off else ("background",)))
    arrays: dict[str, Any] = {key: np.asarray(getattr(dataset, key)) for key in keys}
    return write_map_dataset(
        path,
        MapDatasetFile(
            name=dataset.name,
            kind="MapDatasetOnOff" if on_off else "MapDataset",
            grid=dataset.grid,
            psf=dataset.psf,
            edisp=dataset.edisp,
            livetime=float(dataset.livetime),
            gti=dataset.provenance.gti,
            meta_table=_meta_table(dataset.provenance),
            **arrays,
        ),
    )


_ARRAYS = ("energy", "energy_true", "exposure", "counts", "mask_safe", "mask_fit")
_OFF = ("counts_off", "acceptance", "acceptance_off")


def _meta_table(provenance: Provenance) -> Table | None:
    """The columns of Gammapy's table of runs that a cube knows; None without runs."""
    if not provenance.obs_ids:
        return None
    table = Table({"OBS_ID": np.array([provenance.obs_ids], dtype=np.int64)})
    if provenance.telescope:
        table["TELESCOP"] = [provenance.telescope]
    return table


def _provenance(found: MapDatasetFile) -> Provenance:
    table = Table() if found.meta_table is None else found.meta_table
    telescopes = {str(x).strip() for x in _cells(table, "TELESCOP")}
    known = tuple(int(i) for i in _cells(table, "OBS_ID") if str(i).strip().lstrip("-").isdigit())
    return Provenance("+".join(sorted(telescopes - {""})), known, GTI.from_table(found.gti))


def _cells(table: Table, name: str) -> list[Any]:
    """All cells of a column, none where the table lacks it."""
    return np.ravel(np.asarray(table[name])).tolist() if name in table.colnames else []


def kernel_of(edisp: EdispMap, energy_true: Edges, energy: Edges) -> EdispMap:
    """The probabilities of a table over migra for bins of energy, at the centres of the true-energy bins.

    `R_ij = int dP/dmu dmu` over `mu = E'_j / E_i`, from the cumulative of the table, which is normalised to one where
    it is not empty. Values at the centres of true energy are interpolated linearly in ln E.
    """
    assert edisp.migra is not None
    width = np.diff(edisp.migra)[:, None, None]
    share = np.clip(edisp.values, 0.0, None) * width
    total = share.sum(axis=1, keepdims=True)
    share = np.divide(share, total, out=np.zeros_like(share), where=total > 0)
    inside = np.concatenate([np.zeros_like(share[:, :1]), np.cumsum(share, axis=1)], axis=1)
    centres, own = (np.sqrt(e[1:] * e[:-1]) for e in (energy_true, edisp.energy_true))
    inside = interpolated(np.log(own), inside, np.log(centres))
    flat = inside.reshape(*inside.shape[:2], -1)
    kernel = np.empty((len(centres), len(energy) - 1, flat.shape[2]))
    for i, centre in enumerate(centres):
        for k in range(flat.shape[2]):
            kernel[i, :, k] = np.diff(np.interp(energy / centre, edisp.migra, flat[i, :, k]))
    values = kernel.reshape(*kernel.shape[:2], *inside.shape[2:])
    return dataclasses.replace(edisp, values=values, kernel=True, energy_true=energy_true, energy=energy, migra=None)
