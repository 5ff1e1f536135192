"""Butterfly, flux error and pivot energy against Gammapy, which draws parameters, on a fit of real spectra."""

import numpy as np
import pytest
from astropy import units as u

import gammajax as gj
from gammajax.datasets.files import read_dataset

peer = pytest.importorskip("gammapy.modeling.models")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def fit(gammajax_data):
    runs = (23523, 23526, 23559, 23592)
    folder = gammajax_data / "joint-crab" / "spectra" / "hess"
    data = gj.Datasets(read_dataset(folder / f"pha_obs{run}.fits", name=f"hess-{run}") for run in runs)
    model = gj.LogParabola(amplitude=3.8e-11, reference=1.0, alpha=2.5, beta=0.24)
    return gj.fit(data.select_energy("0.66 TeV", "30 TeV"), gj.Models(crab=gj.SkyModel(model)))


@pytest.fixture(scope="module")
def theirs(fit, tmp_path_factory):
    path = fit.models.write(tmp_path_factory.mktemp("fit") / "crab.yaml", gammapy=True)
    return peer.Models.read(path)["crab"].spectral_model


def test_butterfly(fit, theirs):
    """Theirs is the width of 10 500 or more draws: a per cent of noise, and the asymmetry of a product of exponentials."""
    energy = np.geomspace(0.7, 20.0, 9)
    best, error = gj.flux_band(fit, "crab", energy)
    _, low, high = theirs.evaluate_error(energy * u.TeV, n_samples=20000)
    np.testing.assert_allclose(best, theirs(energy * u.TeV).to_value("cm-2 s-1 TeV-1"), rtol=1e-10)
    width = 0.5 * (low + high).to_value("cm-2 s-1 TeV-1")
    np.testing.assert_allclose(error[energy < 8], width[energy < 8], rtol=0.03)
    np.testing.assert_allclose(error, width, rtol=0.15)


def test_flux_errors(fit, theirs):
    for mine, other in (
        (gj.flux(fit, "crab", 1, 10), theirs.integral_error(1 * u.TeV, 10 * u.TeV, n_samples=20000)),
        (gj.energy_flux(fit, "crab", 1, 10), theirs.energy_flux_error(1 * u.TeV, 10 * u.TeV, n_samples=20000)),
    ):
        median, low, high = (x.to_value(mine.value.unit) for x in other)
        assert mine.value.value == pytest.approx(float(median), rel=5e-3)
        assert mine.error.value == pytest.approx(0.5 * float(low + high), rel=0.03)


def test_pivot_energy(fit, theirs):
    """Theirs minimises a noisy curve."""
    found = gj.pivot_energy(fit, "crab").to_value("TeV")
    assert found == pytest.approx(theirs.pivot_energy.to_value("TeV"), rel=0.05)
    width = [
        float(error[0] / best[0]) for best, error in (gj.flux_band(fit, "crab", [e]) for e in (found, found * 1.03))
    ]
    assert width[0] < width[1]
