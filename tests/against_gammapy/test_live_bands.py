"""Butterfly, flux error and pivot energy against Gammapy on a fit of real spectra.

Gammapy propagates draws of the parameters. Its own draws come from the unscaled covariance, whose elements differ by
twenty orders of magnitude, and are wrong (`test_gammapys_own_draws`): it is given well-scaled ones of the same
covariance here, by its argument `samples`.
"""

import numpy as np
import pytest
from astropy import units as u

import gammajax as gj
from gammajax.datasets.files import read_dataset

peer = pytest.importorskip("gammapy.modeling.models")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def data(gammajax_data):
    runs = (23523, 23526, 23559, 23592)
    folder = gammajax_data / "joint-crab" / "spectra" / "hess"
    spectra = gj.Datasets(read_dataset(folder / f"pha_obs{run}.fits", name=f"hess-{run}") for run in runs)
    return spectra.select_energy("0.66 TeV", "30 TeV")


@pytest.fixture(scope="module")
def fit(data):
    model = gj.LogParabola(amplitude=3.8e-11, reference=1.0, alpha=2.5, beta=0.24)
    return gj.fit(data, gj.Models(crab=gj.SkyModel(model)))


@pytest.fixture(scope="module")
def theirs(fit, tmp_path_factory):
    path = fit.models.write(tmp_path_factory.mktemp("fit") / "crab.yaml", gammapy=True)
    return peer.Models.read(path)["crab"].spectral_model


def draws(fit, theirs, number=60000):
    """Parameters of Gammapy's model from the covariance of the fit, drawn in units of their errors."""
    found = fit.models.covariance
    rng = np.random.default_rng(0)
    scaled = rng.multivariate_normal(np.zeros(len(found.paths)), found.correlation, size=number)
    moved = dict(zip((path.split(".")[-1] for path in found.paths), (scaled * found.errors).T, strict=True))
    return [(p.value + moved.get(p.name, np.zeros(number))) * p.unit for p in theirs.parameters]


def test_butterfly(fit, theirs):
    """Equal where the flux is linear in the parameters within their errors; the last energies are beyond that."""
    energy = np.geomspace(0.7, 20.0, 9)
    best, error = gj.flux_band(fit, "crab", energy)
    np.testing.assert_allclose(best, theirs(energy * u.TeV).to_value("cm-2 s-1 TeV-1"), rtol=1e-10)
    _, low, high = theirs.evaluate_error(energy * u.TeV, samples=draws(fit, theirs))
    width = 0.5 * (low + high).to_value("cm-2 s-1 TeV-1")
    np.testing.assert_allclose(error[:6], width[:6], rtol=0.015)
    np.testing.assert_allclose(error, width, rtol=0.05)


def test_gammapys_own_draws(fit, theirs):
    """Why they are not used: their width is that of the covariance for no parameter as small as an amplitude.

    It hangs on the last digits of the covariance, so that many are drawn from, equal to a part in 1e12.
    """
    names, covariance, rng = theirs.parameters.names, theirs.covariance.data, np.random.default_rng(0)
    np.testing.assert_allclose(theirs.amplitude.error, fit.models.error("*.amplitude"), rtol=1e-9)
    spreads = []
    for noise in 1e-12 * rng.normal(size=(41, *covariance.shape)):
        theirs.covariance = covariance * (1.0 + noise + noise.T)
        drawn = theirs.sample_parameters_from_covariance(n_samples=20000, free_only=False)
        spreads.append(drawn.std(axis=0))
    theirs.covariance = covariance
    spread = np.median(spreads, axis=0)
    np.testing.assert_allclose(spread[names.index("alpha")], theirs.alpha.error, rtol=0.03)
    assert spread[names.index("amplitude")] < 0.8 * theirs.amplitude.error


def test_flux_errors(fit, theirs):
    samples = draws(fit, theirs, 20000)
    for mine, other in (
        (gj.flux(fit, "crab", 1, 10), theirs.integral_error(1 * u.TeV, 10 * u.TeV, samples=samples)),
        (gj.energy_flux(fit, "crab", 1, 10), theirs.energy_flux_error(1 * u.TeV, 10 * u.TeV, samples=samples)),
    ):
        median, low, high = (float(np.squeeze(x.to_value(mine.value.unit))) for x in other)
        # A tolerance in units of the error: pytest's absolute default is as large as a flux.
        assert abs(mine.value.value - median) < 0.03 * mine.error.value
        assert abs(mine.error.value / (0.5 * (low + high)) - 1) < 0.03


def test_pivot_energy(data, tmp_path):
    """Gammapy has a closed form for a power law."""
    straight = gj.fit(data, gj.Models(crab=gj.SkyModel(gj.PowerLaw(amplitude=3.8e-11, index=2.6))))
    theirs = peer.Models.read(straight.models.write(tmp_path / "m.yaml", gammapy=True))["crab"].spectral_model
    expected = theirs.pivot_energy.to_value("TeV")
    np.testing.assert_allclose(gj.pivot_energy(straight, "crab").to_value("TeV"), expected, rtol=1e-9)
