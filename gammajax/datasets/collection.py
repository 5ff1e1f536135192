"""`Datasets`: an immutable, named collection of DL4 datasets, read from and written to disk."""

import html
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self, overload

import numpy as np
from astropy.table import Table

from gammajax.checks import as_paths, one_or_many
from gammajax.datasets.cube import Cube, MapDataset, MapDatasetOnOff
from gammajax.datasets.files import read_dataset, write_dataset
from gammajax.datasets.flux_points import FluxPointsDataset
from gammajax.datasets.groups import Dataset
from gammajax.datasets.hdf5_files import read_hdf5_datasets, write_hdf5_datasets
from gammajax.datasets.spectrum import SpectrumDataset, SpectrumDatasetOnOff
from gammajax.errors import DatasetError, UnknownDataset, nearest
from gammajax.io.fits import is_fits
from gammajax.io.hdf5 import SUFFIXES, is_hdf5
from gammajax.io.ogip import Grouping
from gammajax.io.yaml import dataset_entries, write_yaml
from gammajax.tables import as_text

_KNOWN = (SpectrumDataset, SpectrumDatasetOnOff, FluxPointsDataset, MapDataset, MapDatasetOnOff)


class Datasets(Sequence[Dataset]):
    """Datasets in a fixed order, by position or by name.

    >>> datasets = Datasets.read("crab/datasets.yaml")                                  # doctest: +SKIP
    >>> datasets["hess-23523"].counts.sum()                                             # doctest: +SKIP
    """

    def __init__(self, datasets: Dataset | Iterable[Dataset]):
        self._datasets = _checked(datasets)
        names = self.names
        double = sorted({name for name in names if names.count(name) > 1})
        if double:
            raise DatasetError(f"dataset names must be unique; given more than once: {', '.join(double)}")

    @classmethod
    def read(cls, paths: str | Path | Iterable[str | Path]) -> Self:
        """Read a datasets YAML of Gammapy (files are relative to it), an HDF5 file of gammajax, or a FITS file; or
        several such files.

        A FITS file holds one dataset: a cube or a spectrum that Gammapy wrote, or an OGIP spectrum.
        """
        return cls(dataset for path in as_paths(paths) for dataset in _read(path))

    @classmethod
    def read_ogip(cls, paths: str | Path | Iterable[str | Path], *, grouping: Grouping = "ignore") -> Self:
        """Read OGIP spectra from one PHA file or several; each is named after its OBS_ID.

        `grouping="apply"` joins channels as the column GROUPING of X-ray spectra asks.
        """
        return cls(read_dataset(path, grouping=grouping) for path in as_paths(paths))

    def write(self, folder: str | Path) -> Path:
        """Write `datasets.yaml` and the files it names into a folder, as Gammapy reads them; returns its path.

        On-off spectra become OGIP files, spectra with a known background Gammapy's dataset files. A name that ends in
        .h5 or .hdf5 is that of one HDF5 file instead, which holds everything: fit ranges with gaps, provenance.
        """
        folder = Path(folder)
        if folder.suffix.lower() in SUFFIXES:
            return write_hdf5_datasets(self, folder)
        ranges = [_fit_range(dataset) for dataset in self]
        folder.mkdir(parents=True, exist_ok=True)
        entries = []
        for dataset, limits in zip(self, ranges, strict=True):
            entry = {"name": dataset.name, "type": type(dataset).__name__, "filename": write_dataset(dataset, folder)}
            entries.append({**entry, **limits})
        return write_yaml({"datasets": entries}, folder / "datasets.yaml")

    @property
    def names(self) -> list[str]:
        """Names in order."""
        return [dataset.name for dataset in self._datasets]

    @overload
    def __getitem__(self, key: int | str) -> Dataset: ...
    @overload
    def __getitem__(self, key: slice) -> "Datasets": ...
    def __getitem__(self, key: int | str | slice) -> "Dataset | Datasets":
        if isinstance(key, slice):
            return Datasets(self._datasets[key])
        if isinstance(key, str):
            if key not in self.names:
                close = nearest(key, self.names)
                have = ", ".join(map(repr, self.names[:10])) + (", ..." if len(self) > 10 else "")
                hint = f"nearest: {close}" if close else f"there are {have or 'none'}"
                raise UnknownDataset(f"no dataset {key!r}; {hint}")
            return self._datasets[self.names.index(key)]
        return self._datasets[key]

    def __iter__(self) -> Iterator[Dataset]:
        return iter(self._datasets)

    def __len__(self) -> int:
        return len(self._datasets)

    def __add__(self, other: Dataset | Iterable[Dataset]) -> "Datasets":
        return Datasets([*self, *_checked(other)])

    def select_energy(self, energy_min: Any, energy_max: Any) -> "Datasets":
        """The datasets with `mask_fit` set to the whole bins inside [energy_min, energy_max]."""
        return Datasets(dataset.select_energy(energy_min, energy_max) for dataset in self)

    @property
    def table(self) -> Table:
        """One row per dataset: name, type, bins and counts in the fit range, excess, livetime [h]."""
        rows = [_summary(dataset) for dataset in self]
        return Table(rows=rows, names=list(rows[0])) if rows else Table()

    def __repr__(self) -> str:
        return as_text(self.table) if len(self) else "Datasets: none"

    def _repr_html_(self) -> str:
        return self.table._repr_html_() if len(self) else html.escape(repr(self))


def _read(path: Path) -> Iterable[Dataset]:
    if is_hdf5(path):
        return read_hdf5_datasets(path)
    if is_fits(path):
        return [read_dataset(path)]
    datasets = []
    for entry in dataset_entries(path):
        dataset = read_dataset(entry.filename, name=entry.name, kind=entry.type, stat_type=entry.stat_type)
        datasets.append(dataset if entry.fit_range is None else dataset.select_energy(*entry.fit_range))
    return datasets


def _fit_range(dataset: Dataset) -> dict[str, Any]:
    """The fit range as an entry of a datasets YAML; nothing if all bins are in it, or if the file itself holds it."""
    if isinstance(dataset, FluxPointsDataset):
        return {"stat_type": dataset.stat_type}
    if isinstance(dataset, Cube):
        return {}
    mask, edges = np.asarray(dataset.mask_fit), np.asarray(dataset.energy)
    if mask.all():
        return {}
    bins = np.flatnonzero(mask)
    if len(bins) == 0 or len(bins) != bins[-1] - bins[0] + 1:
        raise DatasetError(
            f"{dataset.name}: only a contiguous fit range can be written; move gaps to mask_safe, or write to a name "
            "that ends in .h5"
        )
    low, high = float(edges[bins[0]]), float(edges[bins[-1] + 1])
    return {"fit_range": {"min": f"{low!r} TeV", "max": f"{high!r} TeV"}}


def _summary(dataset: Dataset) -> dict[str, Any]:
    mask = np.asarray(dataset.mask)
    if isinstance(dataset, FluxPointsDataset):
        edges = np.asarray(dataset.energy_ref)[[*range(len(mask)), -1]]
        counts = background = np.array([np.nan])
    else:
        edges = np.asarray(dataset.energy)
        counts, background = np.asarray(dataset.counts)[mask], np.asarray(dataset.background)[mask]
    used = mask.reshape(len(mask), -1).any(axis=1)
    return {
        "name": dataset.name,
        "type": type(dataset).__name__,
        "telescope": dataset.provenance.telescope,
        "livetime_h": round(float(dataset.livetime) / 3600, 3),
        "n_bins": int(mask.sum()),
        "energy_min_TeV": float(f"{edges[:-1][used].min():.4g}") if mask.any() else np.nan,
        "energy_max_TeV": float(f"{edges[1:][used].max():.4g}") if mask.any() else np.nan,
        "counts": float(counts.sum()),
        "background": round(float(background.sum()), 2),
        "excess": round(float(counts.sum() - background.sum()), 2),
    }


def as_datasets(datasets: Dataset | Iterable[Dataset]) -> Datasets:
    """What a person passes as datasets, one or many, as a collection. Raises `DatasetError` for anything else."""
    return datasets if isinstance(datasets, Datasets) else Datasets(datasets)


def _checked(datasets: Any) -> tuple[Dataset, ...]:
    found = one_or_many(datasets, *_KNOWN)
    for item in found:
        if not isinstance(item, _KNOWN):
            kinds = ", ".join(k.__name__ for k in _KNOWN)
            hint = "Datasets.read() reads files"
            if hasattr(datasets, "free_paths"):
                item, hint = datasets, "datasets come first, then the models"
            raise DatasetError(f"datasets must be {kinds}, got {type(item).__name__}; {hint}")
    return tuple(found)
