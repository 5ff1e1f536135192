"""`Datasets`: an immutable, named collection of DL4 datasets, read from and written to disk."""

import html
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self, overload

import jax.numpy as jnp
import numpy as np
from astropy.table import Table

from gammajax.datasets.spectrum import Provenance, Spectrum, SpectrumDataset, SpectrumDatasetOnOff
from gammajax.errors import DatasetError, UnknownDataset, nearest
from gammajax.io.ogip import OgipSpectrum, read_ogip, write_ogip
from gammajax.io.yaml import dataset_entries, write_yaml

from gammajax.tables import as_text


class Datasets(Sequence[Spectrum]):
    """Datasets in a fixed order, by position or by name.

    >>> datasets = Datasets.read("crab/datasets.yaml")                                  # doctest: +SKIP
    >>> datasets["hess-23523"].counts.sum()                                             # doctest: +SKIP
    """

    def __init__(self, datasets: Iterable[Spectrum]):
        self._datasets = tuple(datasets)
        names = self.names
        double = sorted({name for name in names if names.count(name) > 1})
        if double:
            raise DatasetError(f"dataset names must be unique; given more than once: {', '.join(double)}")

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a datasets YAML of Gammapy; file names in it are relative to it."""
        datasets = []
        for entry in dataset_entries(path):
            dataset = read_dataset(entry.filename, name=entry.name, kind=entry.type)
            datasets.append(dataset if entry.fit_range is None else dataset.select_energy(*entry.fit_range))
        return cls(datasets)

    @classmethod
    def read_ogip(cls, paths: Iterable[str | Path]) -> Self:
        """Read OGIP spectra from their PHA files; each is named after its OBS_ID."""
        return cls(read_dataset(path) for path in paths)

    def write(self, folder: str | Path) -> Path:
        """Write OGIP files and a `datasets.yaml` into a folder; returns the path of the YAML."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        entries = []
        for dataset in self:
            file = f"pha_{dataset.name}.fits"
            write_ogip(_to_ogip(dataset), folder / file)
            entry = {"name": dataset.name, "type": type(dataset).__name__, "filename": file}
            entries.append({**entry, **_fit_range(dataset)})
        return write_yaml({"datasets": entries}, folder / "datasets.yaml")

    @property
    def names(self) -> list[str]:
        """Names in order."""
        return [dataset.name for dataset in self._datasets]

    @overload
    def __getitem__(self, key: int | str) -> Spectrum: ...
    @overload
    def __getitem__(self, key: slice) -> "Datasets": ...
    def __getitem__(self, key: int | str | slice) -> "Spectrum | Datasets":
        if isinstance(key, slice):
            return Datasets(self._datasets[key])
        if isinstance(key, str):
            if key not in self.names:
                close = nearest(key, self.names)
                raise UnknownDataset(f"no dataset {key!r}" + (f"; nearest: {close}" if close else ""))
            return self._datasets[self.names.index(key)]
        return self._datasets[key]

    def __iter__(self) -> Iterator[Spectrum]:
        return iter(self._datasets)

    def __len__(self) -> int:
        return len(self._datasets)

    def __add__(self, other: Iterable[Spectrum]) -> "Datasets":
        return Datasets([*self, *other])

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


def _fit_range(dataset: Spectrum) -> dict[str, Any]:
    """The fit range as an entry of a datasets YAML; nothing if all bins are in it."""
    mask, edges = np.asarray(dataset.mask_fit), np.asarray(dataset.energy)
    if mask.all():
        return {}
    bins = np.flatnonzero(mask)
    if len(bins) == 0 or len(bins) != bins[-1] - bins[0] + 1:
        raise DatasetError(f"{dataset.name}: only a contiguous fit range can be written; move gaps to mask_safe")
    low, high = float(edges[bins[0]]), float(edges[bins[-1] + 1])
    return {"fit_range": {"min": f"{low!r} TeV", "max": f"{high!r} TeV"}}


def _summary(dataset: Spectrum) -> dict[str, Any]:
    mask = np.asarray(dataset.mask)
    edges = np.asarray(dataset.energy)
    counts, background = np.asarray(dataset.counts)[mask], np.asarray(dataset.background)[mask]
    return {
        "name": dataset.name,
        "type": type(dataset).__name__,
        "telescope": dataset.provenance.telescope,
        "livetime_h": round(float(dataset.livetime) / 3600, 3),
        "n_bins": int(mask.sum()),
        "energy_min_TeV": float(f"{edges[:-1][mask].min():.4g}") if mask.any() else np.nan,
        "energy_max_TeV": float(f"{edges[1:][mask].max():.4g}") if mask.any() else np.nan,
        "counts": float(counts.sum()),
        "background": round(float(background.sum()), 2),
        "excess": round(float(counts.sum() - background.sum()), 2),
    }


def read_dataset(pha: str | Path, *, name: str | None = None, kind: str | None = None) -> Spectrum:
    """Read one OGIP spectrum as a dataset: on-off if it has a BKG file (or `kind` says so), else counts alone.

    Raises `DatasetError` if `kind` is not a spectrum, or contradicts the file.
    """
    kinds = {cls.__name__: cls for cls in (SpectrumDataset, SpectrumDatasetOnOff)}
    if kind is not None and kind not in kinds:
        raise DatasetError(f"{name}: datasets of type {kind!r} cannot be read; types are {', '.join(kinds)}")
    found = read_ogip(pha)
    common: dict[str, Any] = {
        "name": name or found.name,
        "energy": found.energy,
        "energy_true": found.energy_true,
        "counts": found.counts,
        "exposure": found.area * found.exposure,
        "edisp": found.edisp,
        "mask_safe": found.quality == 0,
        "livetime": found.exposure,
        "provenance": Provenance(found.telescope, (int(found.name),) if found.name.isdigit() else ()),
    }
    if found.counts_off is None:
        if kind == "SpectrumDatasetOnOff":
            raise DatasetError(f"{pha} names no BACKFILE, but {common['name']} is listed as {kind}")
        return SpectrumDataset(**common)
    off = 1.0 if found.backscale_off is None else found.backscale_off
    return SpectrumDatasetOnOff(**common, counts_off=found.counts_off, acceptance=found.backscale, acceptance_off=off)


def _to_ogip(dataset: Spectrum) -> OgipSpectrum:
    if isinstance(dataset, SpectrumDataset) and bool(jnp.any(dataset.background > 0)):
        raise DatasetError(f"{dataset.name}: OGIP files hold off counts, not a background model: write HDF5 instead")
    livetime = float(dataset.livetime)
    livetime = livetime if livetime > 0 else 1.0
    on_off = isinstance(dataset, SpectrumDatasetOnOff)
    ids = dataset.provenance.obs_ids
    return OgipSpectrum(
        name=str(ids[0]) if len(ids) == 1 else dataset.name,
        telescope=dataset.provenance.telescope,
        energy=np.asarray(dataset.energy),
        energy_true=np.asarray(dataset.energy_true),
        counts=np.asarray(dataset.counts),
        counts_off=np.asarray(dataset.counts_off) if on_off else None,
        backscale=np.asarray(dataset.acceptance) if on_off else np.ones(len(dataset.counts)),
        backscale_off=np.asarray(dataset.acceptance_off) if on_off else None,
        quality=(~np.asarray(dataset.mask_safe)).astype(int),
        area=np.asarray(dataset.exposure) / livetime,
        edisp=np.asarray(dataset.edisp),
        exposure=livetime,
    )
