"""The same joint Crab analysis in Gammapy, as its own tutorials write it."""

from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from gammapy.data import DataStore
from gammapy.datasets import Datasets, SpectrumDataset, SpectrumDatasetOnOff
from gammapy.makers import ReflectedRegionsBackgroundMaker, SpectrumDatasetMaker
from gammapy.maps import Map, MapAxis, RegionGeom
from gammapy.modeling.models import LogParabolaSpectralModel, SkyModel
from regions import CircleSkyRegion

from gammajax.workflow.joint_crab import FERMI_RANGE, POSITION, SETUPS


def model(alpha: float = 2.5, beta: float = 0.24) -> SkyModel:
    """The log parabola at 1 TeV that both sides start from."""
    spectral = LogParabolaSpectralModel(
        amplitude=3.8e-11 * u.Unit("cm-2 s-1 TeV-1"), reference=1 * u.TeV, alpha=alpha, beta=beta
    )
    return SkyModel(spectral_model=spectral, name="crab")


def read_ogip(files: dict[str, Path], ranges: dict[str, tuple[Any, Any]]) -> Datasets:
    """The ready spectra with the paper's fit ranges; keys are dataset names, "<instrument>-..."."""
    datasets = Datasets()
    for name, path in files.items():
        dataset = SpectrumDatasetOnOff.read(path, name=name)
        low, high = ranges[name.split("-")[0]]
        dataset.mask_fit = dataset.counts.geom.energy_mask(u.Quantity(low), u.Quantity(high))
        datasets.append(dataset)
    return datasets


def reduce(data: Path, instrument: str) -> Datasets:
    """The on-off spectra of one telescope from DL3, stacked for FACT."""
    setup, base = SETUPS[instrument], data / "joint-crab"
    axis = MapAxis.from_edges(np.logspace(-2, 2, 81), unit="TeV", name="energy", interp="log")
    axis_true = MapAxis.from_edges(np.logspace(-2, 2, 81), unit="TeV", name="energy_true", interp="log")
    observations = DataStore.from_dir(base / "data" / instrument).get_observations(
        required_irf=["aeff", "edisp"] if setup.radius is None else ["aeff", "edisp", "psf"]
    )
    first = observations[0]
    radius = first.rad_max.quantity[0, 0] if setup.radius is None else setup.radius * u.deg
    empty = SpectrumDataset.create(
        geom=RegionGeom.create(CircleSkyRegion(POSITION, radius), axes=[axis]), energy_axis_true=axis_true
    )
    maker = SpectrumDatasetMaker(
        containment_correction=setup.containment_correction,
        selection=["counts", "exposure", "edisp"],
        use_region_center=True,
    )
    mask = Map.read(base / "exclusion" / "exclusion_mask_crab.fits.gz")
    mask.data = mask.data.astype(bool)
    background = ReflectedRegionsBackgroundMaker(exclusion_mask=mask)
    datasets = Datasets()
    for observation in observations:
        dataset = maker.run(empty.copy(name=f"{instrument}-{observation.obs_id}"), observation)
        datasets.append(background.run(dataset, observation))
    if setup.stack:
        datasets = Datasets([datasets.stack_reduce(name=f"{instrument}-stacked")])
    for dataset in datasets:
        low, high = (u.Quantity(x) for x in setup.fit_range)
        dataset.mask_fit = dataset.counts.geom.energy_mask(low, high)
    return datasets


def reduce_all(data: Path) -> Datasets:
    """All four telescopes from DL3, and Fermi-LAT from its ready spectrum."""
    fermi = {"fermi-obs0": data / "joint-crab" / "spectra" / "fermi" / "pha_obs0.fits"}
    datasets = list(read_ogip(fermi, {"fermi": FERMI_RANGE}))
    for instrument in SETUPS:
        datasets += list(reduce(data, instrument))
    return Datasets(datasets)
