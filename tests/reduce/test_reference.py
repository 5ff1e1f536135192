"""All 133 runs of the joint Crab analysis against frozen reference numbers (made with Gammapy 2.1)."""

import json

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from gammajax.data import DataStore
from gammajax.geom.axes import energy_edges
from gammajax.geom.regions import circle
from gammajax.io.skymap import read_exclusion_mask
from gammajax.likelihood.stats import wstat
from gammajax.reduce.pipeline import reduce_spectra

pytestmark = pytest.mark.data

CRAB = SkyCoord("83d37m59.0988s", "22d00m52.2s")
EDGES = energy_edges("10 GeV", "100 TeV", per_decade=20)


@pytest.fixture(scope="module")
def reference(gammajax_data):
    path = gammajax_data.parent / "reference" / "crab_joint_1d.json"
    if not path.is_file():
        pytest.skip("the reference numbers are not next to the data")
    return json.loads(path.read_text())


@pytest.fixture(scope="module", params=["hess", "magic", "veritas", "fact"])
def datasets(request, gammajax_data, reference):
    """The datasets of one telescope in the fit range of the reference; the 125 runs of FACT as one."""
    name = request.param
    found = reduce_spectra(
        DataStore.from_dir(gammajax_data / "joint-crab/data" / name).observations(),
        circle(CRAB, reference["on_radius_used_deg"][name]),
        energy=EDGES,
        energy_true=EDGES,
        exclusion_mask=read_exclusion_mask(gammajax_data / "joint-crab/exclusion/exclusion_mask_crab.fits.gz"),
        containment_correction=name == "hess",
        name="fact-stacked" if name == "fact" else name,
        stack=name == "fact",
    )
    assert not found.failures
    low, high = reference["fit_ranges_TeV"][name]
    return [dataset.select_energy(low, high) for dataset in found]


def test_totals(datasets, reference):
    expected = {entry["name"]: entry for entry in reference["datasets"]}
    for dataset in datasets:
        entry, mask = expected[dataset.name], np.asarray(dataset.mask)
        assert int(mask.sum()) == entry["n_bins_in_mask"]
        for field in ("counts", "counts_off"):
            assert float(np.sum(getattr(dataset, field))) == entry[f"{field}_total"]
            assert float(np.sum(getattr(dataset, field)[mask])) == entry[f"{field}_in_mask"]
        for field in ("acceptance", "acceptance_off"):
            assert float(np.sum(getattr(dataset, field))) == pytest.approx(entry[f"{field}_sum"], rel=1e-6)
        assert float(np.sum(dataset.exposure)) == pytest.approx(entry["exposure_sum"] * 1e4, rel=1e-4)


@pytest.mark.parametrize("point", ["A_natural_beta_0.24", "B_log10_beta_0.24"])
def test_statistic_at_fixed_points(datasets, reference, point):
    values = reference["fixed_points"][point]
    amplitude, alpha, beta = (p["value"] for p in values["point"].values())
    energy = np.geomspace(EDGES[:-1], EDGES[1:], 101)
    flux = amplitude * energy ** (-alpha - beta * np.log(energy))
    folded = np.trapezoid(flux, energy, axis=0)
    for dataset in datasets:
        mask = np.asarray(dataset.mask)
        predicted = (folded * np.asarray(dataset.exposure)) @ np.asarray(dataset.edisp)
        stat = wstat(dataset.counts, dataset.counts_off, dataset.alpha, predicted)
        expected = values["stat_per_dataset"][dataset.name]
        assert float(np.sum(np.asarray(stat)[mask])) == pytest.approx(expected, rel=1e-4)
