"""The joint Crab nebula analysis: four telescopes from DL3, Fermi-LAT from OGIP, one log parabola.

Reference: C. Nigro et al., A&A 625, A10 (2019), "Towards open and reproducible multi-instrument analysis in
gamma-ray astronomy".
"""

from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from astropy.coordinates import SkyCoord

from gammajax.checks import names
from gammajax.data import DataStore
from gammajax.datasets.collection import Datasets
from gammajax.datasets.files import read_dataset
from gammajax.errors import EmptyRun
from gammajax.geom.axes import energy_edges
from gammajax.geom.regions import circle
from gammajax.io.skymap import read_exclusion_mask
from gammajax.models.collection import Models
from gammajax.models.sky import SkyModel
from gammajax.models.spectral import LogParabola
from gammajax.reduce.pipeline import reduce_spectra

POSITION = SkyCoord("83d37m59.0988s", "22d00m52.2s", frame="icrs")
FERMI_RANGE = ("0.03 TeV", "2 TeV")


@dataclass(frozen=True)
class Setup:
    """How one telescope's runs are reduced: on radius [deg] (None: RAD_MAX of the response), fit range."""

    radius: float | None
    containment_correction: bool
    fit_range: tuple[str, str]
    stack: bool = False


SETUPS = {
    "hess": Setup(0.11, True, ("0.66 TeV", "30 TeV")),
    "magic": Setup(None, False, ("0.08 TeV", "30 TeV")),
    "veritas": Setup(None, False, ("0.15 TeV", "30 TeV")),
    "fact": Setup(None, False, ("0.4 TeV", "30 TeV"), stack=True),
}


def crab_models() -> Models:
    """A log parabola at 1 TeV near the Crab nebula's spectrum."""
    values = {"amplitude": "3.8e-11 cm-2 s-1 TeV-1", "reference": "1 TeV", "alpha": 2.5, "beta": 0.24}
    return Models(crab=SkyModel(LogParabola())).set({f"crab.spectral.{name}": x for name, x in values.items()})


def crab_datasets(
    data: str | Path,
    instruments: str | Iterable[str] = tuple(SETUPS),
    *,
    executor: Executor | None = None,
    progress: bool = False,
) -> Datasets:
    """Reduce the DL3 runs under `<data>/joint-crab/data`, and add Fermi-LAT from `<data>/joint-crab/spectra`.

    Energy axes have 20 bins per decade, reconstructed and true alike. Raises `EmptyRun` if a telescope has no run left.
    """
    base = Path(data) / "joint-crab"
    fermi = read_dataset(base / "spectra" / "fermi" / "pha_obs0.fits", name="fermi-obs0")
    edges = energy_edges("10 GeV", "100 TeV", per_decade=20)
    mask = read_exclusion_mask(base / "exclusion" / "exclusion_mask_crab.fits.gz")
    datasets = [fermi.select_energy(*FERMI_RANGE)]
    for name in names(instruments, "instruments"):
        setup = SETUPS[name]
        reduction = reduce_spectra(
            DataStore.from_dir(base / "data" / name).observations(),
            circle(POSITION, None if setup.radius is None else f"{setup.radius} deg"),
            energy=edges,
            energy_true=edges,
            exclusion_mask=mask,
            containment_correction=setup.containment_correction,
            stack=setup.stack,
            name=f"{name}-stacked" if setup.stack else name,
            executor=executor,
            progress=progress,
        )
        if not reduction.datasets:
            raise EmptyRun(f"{name}: no run could be reduced: {'; '.join(reduction.failures.values())}")
        datasets += Datasets(reduction.datasets).select_energy(*setup.fit_range)
    return Datasets(datasets)
