"""Pivot energy, flux and energy flux of fits and posteriors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_spectra import log_parabola
from scipy.optimize import minimize_scalar

import gammajax as gj
from gammajax.errors import ModelError, NothingToFit


@pytest.fixture(scope="module")
def straight(asimov_spectra):
    return gj.fit(asimov_spectra, gj.Models(a=gj.SkyModel(gj.PowerLaw(amplitude=3e-11, index=2.4))))


def test_pivot_of_a_power_law(straight):
    """The textbook formula."""
    found = straight.models.covariance
    i, a = (found.paths.index(f"a.spectral.{name}") for name in ("index", "amplitude"))
    expected = np.exp(found.matrix[i, a] / (straight.models.value("*.amplitude") * found.matrix[i, i]))
    np.testing.assert_allclose(gj.pivot_energy(straight, "a").to_value("TeV"), expected, rtol=1e-9)


def test_pivot_is_where_the_band_is_narrowest(truth_fit):
    def width(x):
        best, error = gj.flux_band(truth_fit, "crab", [np.exp(x)])
        return float(error[0] / best[0])

    pivot = np.log(gj.pivot_energy(truth_fit, "crab").to_value("TeV"))
    found = minimize_scalar(width, bounds=(pivot - 1, pivot + 1), method="bounded", options={"xatol": 1e-7})
    assert pivot == pytest.approx(found.x, abs=1e-5)


def test_reference_at_the_pivot_is_not_correlated(asimov_spectra, straight):
    pivot = gj.pivot_energy(straight, "a")
    models = straight.models.set({"a.spectral.reference": pivot, "a.spectral.amplitude": 1e-11})
    found = gj.fit(asimov_spectra, models).models.covariance
    assert abs(found.correlation[0, 1]) < 1e-3


def test_no_pivot(asimov_spectra, straight):
    with pytest.raises(ModelError, match="a has no pivot energy between 1 MeV and 10 PeV: the relative error"):
        gj.pivot_energy(gj.fit(asimov_spectra, straight.models.freeze("*.index")), "a")
    with pytest.raises(ModelError, match="no pivot energy between 10 TeV and 20 TeV"):
        gj.pivot_energy(straight, "a", energy_min="10 TeV", energy_max="20 TeV")


def test_flux_by_the_law_of_a_power_law(straight):
    """d flux / d amplitude and d flux / d index in closed form."""
    models = straight.models
    a, g = models.value("*.amplitude"), models.value("*.index")
    found = gj.flux(straight, "a", "1 TeV", "10 TeV")
    np.testing.assert_allclose(found.value.to_value("cm-2 s-1"), a * (1 - 10 ** (1 - g)) / (g - 1), rtol=1e-12)

    def law(x):
        return x[1] * (1 - 10 ** (1 - x[0])) / (x[0] - 1)

    row = np.asarray(jax.grad(law)(jnp.array([g, a])))
    assert models.covariance.paths == ("a.spectral.index", "a.spectral.amplitude")
    np.testing.assert_allclose(found.error.value, np.sqrt(row @ models.covariance.matrix @ row), rtol=1e-9)
    assert "+-" in repr(found)


def test_flux_in_ranges(truth_fit):
    low, high = np.array([0.2, 1.0]), np.array([1.0, 10.0])
    found, energy = gj.flux(truth_fit, "crab", low, high), gj.energy_flux(truth_fit, "crab", low, high)
    spectrum = truth_fit.models["crab"].spectral
    np.testing.assert_allclose(found.value, spectrum.integral(low, high), rtol=1e-12)
    np.testing.assert_allclose(energy.value, spectrum.energy_flux(low, high), rtol=1e-12)
    whole = gj.flux(truth_fit, "crab", 0.2, 10.0)
    np.testing.assert_allclose(whole.value.value, found.value.value.sum(), rtol=1e-6)
    assert whole.error < found.error.sum()
    assert energy.error.unit == "TeV cm-2 s-1"


def test_flux_of_a_narrow_range_is_the_band(truth_fit):
    best, error = gj.flux_band(truth_fit, "crab", [2.0])
    found = gj.flux(truth_fit, "crab", 2.0, 2.0 * (1 + 1e-6))
    np.testing.assert_allclose(found.value.value, best[0] * 2e-6, rtol=1e-5)
    np.testing.assert_allclose(found.error.value, error[0] * 2e-6, rtol=1e-5)


def test_flux_of_draws(asimov_spectra, truth_fit):
    posterior = gj.sample(asimov_spectra, truth_fit, key=1, draws=50, chains=2, warmup=60)
    found = gj.flux(posterior, "crab", [1.0, 2.0], "10 TeV")
    assert found.draws.shape == (2, 50, 2)
    models = truth_fit.models.set(dict(zip(posterior.paths, posterior.samples[1, 7], strict=True)))
    np.testing.assert_allclose(found.draws[1, 7], models["crab"].spectral.integral([1.0, 2.0], 10.0).value, rtol=1e-12)


@pytest.fixture(scope="module")
def pressed(asimov_spectra):
    """A source without flux on its bound of zero, beside one that makes all counts."""
    two = log_parabola().add(none=gj.SkyModel(gj.PowerLaw(amplitude=1e-13, index=2.0)))
    two = two.set("crab.*.amplitude", 3.1e-11).freeze("crab.*").free("crab.*.alpha").bound("none.*.amplitude", 0.0)
    fit = gj.fit(asimov_spectra, two.freeze("none.*.index"))
    assert fit.models.value("none.*.amplitude") == 0
    return fit


@pytest.mark.parametrize("function", [gj.flux, gj.energy_flux])
def test_a_flux_on_a_bound_has_no_error(pressed, function):
    found = function(pressed, "none", "1 TeV", "10 TeV")
    assert found.value.value == 0
    assert np.isnan(found.error.value)
    other = function(pressed, "crab", [1.0, 2.0], 10.0)
    assert np.all(other.error.value > 0)


def test_a_band_on_a_bound_has_no_error(pressed, truth_fit, asimov_spectra):
    best, error = gj.flux_band(pressed, "none", [1.0, 3.0])
    assert np.all(best == 0)
    assert np.all(np.isnan(error))
    # At the reference energy the curvature has no influence: there the error is known.
    curved = gj.fit(asimov_spectra, log_parabola(beta=0.25).bound("*.beta", 0.2, 0.5))
    error = gj.flux_band(curved, "crab", [1.0, 3.0])[1]
    np.testing.assert_array_equal(np.isnan(error), [False, True])
    frozen = gj.fit(asimov_spectra, log_parabola(beta=0.2).freeze("*.beta"))
    assert np.all(gj.flux_band(frozen, "crab", [1.0, 3.0])[1] > 0)


def test_messages(truth_fit):
    with pytest.raises(NothingToFit, match="carry no covariance"):
        gj.flux(log_parabola(), "crab", 1.0, 2.0)
    with pytest.raises(ModelError, match="no model 'crap'"):
        gj.flux(truth_fit, "crap", 1.0, 2.0)
