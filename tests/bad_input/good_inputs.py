"""Good inputs that the table of bad ones starts from: made once, broken in copies."""

import copy
import gzip
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dl3_files
import h5py
import numpy as np
import yaml
from astropy.io import fits
from made_spectra import log_parabola, on_off

import gammajax as gj
from gammajax.data import DataStore
from gammajax.geom.regions import Circle
from gammajax.reduce.reflected import ReflectedRegions, WobbleRegions
from gammajax.reduce.spectrum import reduce_observation

ON = Circle(83.63, 22.01, 0.2)
EDGES = np.geomspace(0.2, 50.0, 7)
POINTING = (83.63, 22.51)


class Case:
    """A row: `made` makes the input in a folder, `called` is what a person does with it, `parts` are in the message."""

    def __init__(
        self,
        id: str,
        made: Callable[["Good"], Any],
        called: Callable[[Any], Any],
        error: type[Exception],
        *parts: str,
    ):
        self.id, self.made, self.called, self.error, self.parts = id, made, called, error, parts


@dataclass(frozen=True)
class Good:
    """Good files in `shared`, which is only read, and a folder for copies."""

    shared: Path
    folder: Path

    # -- DL3

    def run(
        self, hdu: str | None = None, change: Callable[[Any], Any] | None = None, *, source: str = "run.fits"
    ) -> Path:
        """A copy of a run; `change` acts on one of its HDUs, or on the list of all."""
        path = self.folder / "run.fits"
        with fits.open(self.shared / source, memmap=False) as hdus:
            if change is not None:
                new = change(hdus if hdu is None else hdus[hdu])
                if hdu is not None and new is not None:
                    hdus[hdus.index_of(hdu)] = new
                hdus = new if isinstance(new, fits.HDUList) else hdus
            hdus.writeto(path, overwrite=True)
        return path

    def cells(self, hdu: str, column: str, value: Any, *, source: str = "run.fits") -> Path:
        """A copy of a run with all cells of a column replaced: by a number, or by what a function makes of them."""

        def change(table: Any) -> None:
            data = table.data[column]
            data[...] = value(data) if callable(value) else value

        return self.run(hdu, change, source=source)

    def bytes(self, change: Callable[[bytes], bytes], name: str = "run.fits") -> Path:
        """A copy of a file of `shared` with other bytes."""
        path = self.folder / name
        path.write_bytes(change((self.shared / name).read_bytes()))
        return path

    def store(self, table: str | None = None, change: Callable[[Any], Any] | None = None) -> Path:
        """A folder with three runs and index tables, one of them changed."""
        folder = self.folder / "dl3"
        shutil.copytree(self.shared / "dl3", folder)
        if table is not None and change is not None:
            path = folder / f"{table}-index.fits"
            with fits.open(path, memmap=False) as hdus:
                new = change(hdus[1])
                hdus[1] = hdus[1] if new is None else new
                hdus.writeto(path, overwrite=True)
        return folder

    # -- spectra

    def ogip(self, file: str = "", hdu: str = "", change: Callable[[Any], Any] | None = None) -> Path:
        """A copy of an OGIP spectrum with a change in one HDU of "pha", "bkg", "arf" or "rmf"."""
        folder = self.folder / "ogip"
        shutil.copytree(self.shared / "ogip", folder)
        if change is not None:
            path = folder / ("pha_d0.fits" if file == "pha" else f"pha_d0_{file}.fits")
            with fits.open(path, memmap=False) as hdus:
                new = change(hdus[hdu])
                if new is not None:
                    hdus[hdu] = new
                hdus.writeto(path, overwrite=True)
        return folder / "pha_d0.fits"

    def hdf5(self, change: Callable[[Any], Any], name: str = "datasets.h5") -> Path:
        """A copy of an HDF5 file, changed through h5py."""
        path = Path(shutil.copy(self.shared / name, self.folder / name))
        with h5py.File(path, "a") as file:
            change(file)
        return path

    # -- text

    def yaml(self, name: str, change: Callable[[Any], Any] | str) -> Path:
        """A YAML file of a name in `TEXTS`, its content changed in place, or a text as it is."""
        path = self.folder / name
        if isinstance(change, str):
            path.write_text(change)
            return path
        content = copy.deepcopy(TEXTS[name])
        new = change(content)
        path.write_text(yaml.safe_dump(content if new is None else new, sort_keys=False))
        return path


def make_good(shared: Path) -> None:
    """The good files."""
    for name, aeff in (("run.fits", False), ("pointlike.fits", True)):
        hdus = [events(1), dl3_files.gti_hdu(stop=(2000.0,)), dl3_files.aeff_hdu(pointlike=aeff), dl3_files.edisp_hdu()]
        hdus += [rad_max()] if aeff else [dl3_files.psf_table_hdu(), dl3_files.bkg_2d_hdu()]
        dl3_files.write(shared / name, *hdus)
    folder = shared / "dl3"
    folder.mkdir()
    files = {}
    for i in (11, 12, 13):
        hdus = [events(i), dl3_files.gti_hdu(stop=(2000.0,)), dl3_files.aeff_hdu(), dl3_files.edisp_hdu()]
        dl3_files.write(folder / f"run{i}.fits", *hdus, dl3_files.psf_table_hdu())
        files[i] = f"run{i}.fits"
    dl3_files.write_index(folder, files)
    on_off(n=1).write(shared / "ogip")
    on_off(n=1).write(shared / "datasets.h5")
    log_parabola().write(shared / "models.h5")


def events(obs_id: int) -> fits.BinTableHDU:
    """Events around the pointing, a tenth of them from the source."""
    rng = np.random.default_rng(obs_id)
    n = 400
    ra, dec = POINTING[0] + rng.uniform(-1.2, 1.2, n), POINTING[1] + rng.uniform(-1.2, 1.2, n)
    ra[:40], dec[:40] = ON.ra + rng.normal(0, 0.05, 40), ON.dec + rng.normal(0, 0.05, 40)
    columns = [
        fits.Column("EVENT_ID", "K", array=np.arange(n)),
        fits.Column("TIME", "D", "s", array=np.sort(rng.uniform(0, 2000.0, n))),
        fits.Column("RA", "E", "deg", array=ra),
        fits.Column("DEC", "E", "deg", array=dec),
        fits.Column("ENERGY", "E", "TeV", array=0.2 * rng.uniform(0, 1, n) ** -0.6),
    ]
    header = {"OBS_ID": obs_id, "RA_PNT": POINTING[0], "DEC_PNT": POINTING[1], "DEADC": 0.9, "TELESCOP": "TEST"}
    return dl3_files.table("EVENTS", columns, ("EVENTS",), **(dl3_files.TIME | header | {"OBJECT": "Crab"}))


def rad_max() -> fits.BinTableHDU:
    """RAD_MAX of 0.1 deg or so, for all offsets of the other responses."""
    data = np.broadcast_to(np.linspace(0.15, 0.05, 6), (3, 6))
    columns = [
        *dl3_files.axis("ENERG", dl3_files.ENERGY, "TeV"),
        *dl3_files.axis("THETA", dl3_files.OFFSET, "deg"),
        dl3_files.value("RAD_MAX", data, "deg"),
    ]
    return dl3_files.table("RAD_MAX", columns, ("RESPONSE", "RAD_MAX", "POINT-LIKE", "RAD_MAX_2D"))


def observation(path: Path) -> Any:
    """The run of a file without index."""
    store = DataStore.from_files([path])
    return store.observation(store.obs_ids[0])


def reduced(path: Path, on: Any = ON, **options: Any) -> Any:
    """The spectrum of the run in a file."""
    options = {"background": ReflectedRegions()} | options
    return reduce_observation(observation(path), on, energy=EDGES, energy_true=EDGES, **options)


def reduced_pointlike(path: Path) -> Any:
    """The same with the regions that RAD_MAX gives."""
    return reduced(path, Circle(ON.ra, ON.dec), background=WobbleRegions(1))


def first(path: Path) -> Any:
    """The only dataset of a file."""
    return gj.Datasets.read_ogip([path])[0]


POWER_LAW = {
    "type": "PowerLawSpectralModel",
    "parameters": [
        {"name": "index", "value": 2.2},
        {"name": "amplitude", "value": 3e-11, "unit": "cm-2 s-1 TeV-1"},
        {"name": "reference", "value": 1.0, "unit": "TeV", "frozen": True},
    ],
}
TEXTS: dict[str, Any] = {
    "models.yaml": {
        "components": [
            {"name": "crab", "type": "SkyModel", "spectral": POWER_LAW},
            {"name": "norm", "type": "BackgroundNorm", "parameters": [{"name": "norm", "value": 1.0}]},
        ]
    },
    "datasets.yaml": {
        "datasets": [{"name": "d0", "type": "SpectrumDatasetOnOff", "filename": "ogip/pha_d0.fits"}],
    },
    "config.yaml": {
        "observations": {"datastore": "dl3", "obs_ids": [11, 12, 13]},
        "datasets": {
            "type": "1d",
            "stack": False,
            "on_region": {"frame": "icrs", "lon": "83.63 deg", "lat": "22.01 deg", "radius": "0.2 deg"},
            "geom": {
                "axes": {
                    "energy": {"min": "0.2 TeV", "max": "50 TeV", "nbins": 6},
                    "energy_true": {"min": "0.2 TeV", "max": "50 TeV", "nbins": 6},
                }
            },
            "background": {"method": "reflected"},
            "safe_mask": {"methods": ["aeff-max"], "parameters": {"aeff_percent": 10}},
            "containment_correction": False,
        },
        "fit": {"fit_range": {"min": "0.3 TeV", "max": "30 TeV"}},
    },
}


def cut(content: bytes, share: float) -> bytes:
    """The first part of a file."""
    return content[: int(len(content) * share)]


def zipped(content: bytes) -> bytes:
    """A gzip file that ends early."""
    return cut(gzip.compress(content), 0.5)
