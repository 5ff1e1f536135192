"""Every OGIP spectrum of the real data: read, fitted with, written, read again."""

import numpy as np
import pytest
from astropy.io import fits

import gammajax as gj
from gammajax.errors import MissingFile
from gammajax.io.ogip import read_ogip

PHA = [
    *(f"joint-crab/spectra/hess/pha_obs{i}.fits" for i in (23523, 23526, 23559, 23592)),
    *(f"joint-crab/spectra/magic/pha_obs{i}.fits" for i in (5029747, 5029748)),
    *(f"joint-crab/spectra/veritas/pha_obs{i}.fits" for i in (54809, 57993)),
    "joint-crab/spectra/fact/pha_stacked.fits",
    "joint-crab/spectra/fermi/pha_obs0.fits",
    "datasets/simulations/simulated_spectrum_dataset_PL.fits",
    "datasets/simulations/simulated_spectrum_dataset_ECPL.fits",
    "PKS2155-steady/pks2155-304_steady.fits.gz",
]
STATS = {
    "hess/pha_obs23523": 82.14028390, "hess/pha_obs23526": 59.49854862, "hess/pha_obs23559": 101.00023723,
    "hess/pha_obs23592": 61.29704932, "magic/pha_obs5029747": 180.08363545, "magic/pha_obs5029748": 110.66569663,
    "veritas/pha_obs54809": 96.51244553, "veritas/pha_obs57993": 79.05199724, "fact/pha_stacked": 113.98960054,
    "fermi/pha_obs0": 144.25597563, "dataset_PL": 31844.85852544, "dataset_ECPL": 35691.00800551,
    "304_steady": 435.47346753,
}  # fmt: skip
"""Statistic of a power law (index 2.3, 2e-11 cm-2 s-1 TeV-1 at 1 TeV) by Gammapy 2.1."""


def statistic(dataset):
    models = gj.Models(s=gj.SkyModel(gj.PowerLaw(index=2.3, amplitude=2e-11)))
    problem = gj.Problem([dataset], models)
    return float(gj.stat(problem, problem.start))


@pytest.mark.parametrize("file", PHA, ids=lambda x: x.rsplit("/", 1)[-1])
def test_statistic_of_gammapy_and_round_trip(gammajax_data, tmp_path, file):
    (dataset,) = gj.Datasets.read_ogip([gammajax_data / file])
    assert isinstance(dataset, gj.SpectrumDatasetOnOff)
    (expected,) = (x for key, x in STATS.items() if f"{key}.fits" in file)
    assert statistic(dataset) == pytest.approx(expected, rel=1e-7)
    for path in (gj.Datasets([dataset]).write(tmp_path), gj.Datasets([dataset]).write(tmp_path / "d.h5")):
        (back,) = gj.Datasets.read(path)
        assert statistic(back) == pytest.approx(expected, rel=1e-7)
        np.testing.assert_array_equal(back.mask_safe, dataset.mask_safe)
        np.testing.assert_allclose(back.livetime, dataset.livetime, rtol=1e-12)


def test_areas_per_hour(gammajax_data):
    """The simulated spectra state the area in m2 s / h, for an exposure in s: what was divided by hours."""
    folder = gammajax_data / "datasets/simulations"
    found = read_ogip(folder / "simulated_spectrum_dataset_PL.fits")
    with fits.open(folder / "simulated_spectrum_dataset_PL_arf.fits") as hdus:
        assert hdus["SPECRESP"].columns["SPECRESP"].unit == "m2 s h-1"
        written = hdus["SPECRESP"].data["SPECRESP"].astype(float)
    np.testing.assert_allclose(found.area, written * 1e4 / 3600, rtol=1e-12)
    assert found.exposure == 360000.0
    np.testing.assert_array_equal(found.backscale, 1.0)


def test_empty_rows_of_responses(gammajax_data):
    """Rows without a group, or with one of no channels, are energies that nothing is seen from."""
    for file, empty in (("hess/pha_obs23523.fits", (15, 27)), ("fact/pha_stacked.fits", (15, 27))):
        found = read_ogip(gammajax_data / "joint-crab/spectra" / file)
        rows = int(np.sum(found.edisp.sum(axis=1) == 0))
        assert empty[0] <= rows <= empty[1]


def test_a_file_that_is_not_there(gammajax_data):
    with pytest.raises(MissingFile, match="pha_obs1.fits does not exist"):
        gj.Datasets.read_ogip([gammajax_data / "joint-crab/spectra/hess/pha_obs1.fits"])


def test_an_area_alone_is_no_spectrum(gammajax_data):
    with pytest.raises(gj.GammajaxError, match=r"arf\.fits has no HDU 'SPECTRUM'"):
        gj.Datasets.read_ogip([gammajax_data / "tests/unbundled/irfs/arf.fits"])
