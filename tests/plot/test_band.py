import numpy as np
import pytest
from scipy.stats import norm

import gammajax as gj
from gammajax.errors import ModelError, NothingToFit
from gammajax.infer.band import flux_band, posterior_band

ENERGY = np.geomspace(0.1, 30.0, 7)


def test_error_is_the_finite_difference_propagation(fitted):
    best, error = flux_band(fitted, "crab", ENERGY)
    models, covariance = fitted.models, fitted.covariance

    def log_flux(path, shift):
        moved = models.set(path, models.value(path) + shift)
        return np.log(moved["crab"].spectral(ENERGY).value)

    columns = []
    for path, width in zip(covariance.paths, np.sqrt(np.diag(covariance.matrix)), strict=True):
        h = 1e-3 * width
        columns.append((log_flux(path, h) - log_flux(path, -h)) / (2 * h))
    jacobian = np.stack(columns, axis=1)
    expected = np.sqrt(np.einsum("ep,pq,eq->e", jacobian, covariance.matrix, jacobian))
    np.testing.assert_allclose(best, models["crab"].spectral(ENERGY).value, rtol=1e-12)
    np.testing.assert_allclose(error / best, expected, rtol=1e-5)


def test_error_of_an_amplitude_alone_is_its_own(spectra, source):
    fit = gj.fit(spectra, source.freeze("*.alpha", "*.beta"))
    best, error = flux_band(fit.models, "crab", ENERGY)
    path = "crab.spectral.amplitude"
    np.testing.assert_allclose(error / best, fit.models.error(path) / fit.models.value(path), rtol=1e-10)


def test_links_carry_errors_along(spectra, source):
    twins = source.add(twin=gj.SkyModel(gj.PowerLaw(index=2.0, amplitude=1e-13)))
    models = twins.link("twin.spectral.amplitude", to="crab.spectral.amplitude", factor=0.01)
    fit = gj.fit(spectra, models.freeze("twin.spectral.index", "*.alpha", "*.beta"))
    relative = [np.divide(*flux_band(fit, name, ENERGY)[::-1]) for name in ("crab", "twin")]
    np.testing.assert_allclose(*relative, rtol=1e-10)


def test_units_of_energy(fitted):
    one = flux_band(fitted, "crab", "300 GeV")
    np.testing.assert_allclose(one, flux_band(fitted, "crab", 0.3), rtol=1e-12)


def test_posterior_band_holds_the_quantiles_of_the_draws(fitted, drawn):
    quantiles = (0.1, 0.5, 0.9)
    band = posterior_band(drawn, "crab", ENERGY, quantiles, draws=4000)
    amplitude, alpha, beta = drawn.flat.T
    x = np.log(ENERGY)[:, None]
    curves = amplitude * np.exp(-(alpha + beta * x) * x)
    np.testing.assert_allclose(band, np.quantile(curves, quantiles, axis=1), rtol=1e-9)


def test_posterior_band_agrees_with_the_covariance(fitted, drawn):
    best, error = flux_band(fitted, "crab", ENERGY)
    low, median, high = posterior_band(drawn, "crab", ENERGY, norm.cdf([-1, 0, 1]), draws=4000)
    np.testing.assert_allclose(0.5 * np.log(high / low), error / best, rtol=0.06)
    assert np.all(np.abs(np.log(median / best)) < 0.1 * error / best)


def test_few_draws_are_spread_over_all_chains(fitted, drawn):
    thin = posterior_band(drawn, "crab", ENERGY, (0.0, 1.0), draws=2)
    first, last = drawn.flat[[0, -1]]
    curves = [
        fitted.models.set(dict(zip(drawn.paths, x, strict=True)))["crab"].spectral(ENERGY).value for x in (first, last)
    ]
    np.testing.assert_allclose(thin, np.sort(curves, axis=0), rtol=1e-10)


def test_unknown_name(fitted, drawn):
    with pytest.raises(ModelError, match="no model 'crb'; models are 'crab'"):
        flux_band(fitted, "crb", ENERGY)
    with pytest.raises(ModelError, match="no model 'crb'"):
        posterior_band(drawn, "crb", ENERGY)


def test_models_without_covariance(source):
    with pytest.raises(NothingToFit, match="no covariance"):
        flux_band(source, "crab", ENERGY)
