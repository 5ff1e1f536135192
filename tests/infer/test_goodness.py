"""Goodness of fit by toys and predictive checks: the right model fits, a wrong one does not."""

import jax
import numpy as np
import pytest
from made_spectra import counting, log_parabola

import gammajax as gj
from gammajax.errors import ConfigError, PriorError
from gammajax.infer.lanes import tail
from gammajax.infer.stopwatch import Stopwatch

POWER = gj.Models(crab=gj.SkyModel(gj.PowerLaw(amplitude=3e-11, index=2.4)))


@pytest.fixture(scope="module")
def toy(spectra, source):
    return gj.fake(spectra, source, key=4)


@pytest.fixture(scope="module")
def toy_fit(toy, source):
    return gj.fit(toy, source)


def test_the_deviance_of_on_off_data_is_the_statistic(toy, toy_fit):
    found = gj.goodness(toy, toy_fit, key=1, n=64)
    assert found.deviance == pytest.approx(toy_fit.stat, abs=1e-9)
    assert found.converged.all()
    p, error = found.p_value
    assert p > 0.01
    assert error == pytest.approx(np.sqrt(p * (1 - p) / 64))
    assert abs(found.toys_deviance.mean() - (34 - 3)) < 8


def test_a_wrong_model_does_not_fit(spectra):
    curved = gj.asimov(spectra, log_parabola(beta=0.6))
    found = gj.goodness(curved, POWER, key=1, n=64)
    assert found.p_value[0] == pytest.approx(1 / 65)
    assert found.p_value_chi2 < 1e-6


def test_a_known_background():
    """Cash itself has no absolute scale: its deviance has."""
    data = gj.fake(counting(background=50.0), POWER, key=3)
    found = gj.goodness(data, POWER, key=2, n=64)
    counts = np.concatenate([d.counts for d in data])
    fit = gj.fit(data, POWER)
    saturated = 2 * np.sum(counts - counts * np.log(counts))
    assert found.deviance == pytest.approx(fit.stat - saturated, abs=1e-6)
    assert found.p_value[0] > 0.01
    assert found.p_value_chi2 == pytest.approx(found.p_value[0], abs=0.3)


def test_other_data_and_numbers_compile_nothing(toy, toy_fit, asimov_spectra, truth_fit):
    gj.goodness(toy, toy_fit, key=1, n=64)
    with Stopwatch() as watch:
        gj.goodness(asimov_spectra, truth_fit, key=2, n=50)
    assert watch.programs == 0


def test_predictive_of_a_fit(toy, toy_fit):
    found = gj.predictive(toy, toy_fit, key=1, draws=200)
    assert found.source == "fit"
    assert found.counts["d0"].shape == found.counts_off["d0"].shape == (200, 12)
    signal, background = gj.predict_counts(toy["d0"], toy_fit.models)
    mean = found.counts["d0"].mean(axis=0)
    np.testing.assert_allclose(mean, signal + background, atol=5 * np.sqrt((signal + background).max() / 200))
    assert all(0.01 < p <= 1 for p, _ in found.p_values.values())
    assert len(found.table) == 34
    assert np.all(np.diff(found.quantiles("d0"), axis=0) >= 0)


def test_predictive_of_a_wrong_model(spectra):
    curved = gj.asimov(spectra, log_parabola(beta=0.6))
    found = gj.predictive(curved, gj.fit(curved, POWER), key=1, draws=100)
    assert found.p_values["deviance"][0] == pytest.approx(1 / 101)


def test_predictive_of_priors_is_wider(toy, toy_fit, source):
    prior = source.prior("*.amplitude", gj.LogNormal(3e-11, 0.5))
    found = gj.predictive(toy, prior, key=1, draws=200)
    assert found.source == "priors"
    assert found.parameters[:, 0].std() > 0
    assert np.all(found.parameters[:, 1] == source.value("*.alpha"))
    fixed = gj.predictive(toy, toy_fit, key=1, draws=200)
    assert found.counts["d0"][:, 0].std() > 2 * fixed.counts["d0"][:, 0].std()
    with pytest.raises(PriorError, match="no free parameter has a prior"):
        gj.predictive(toy, source, key=1)
    with pytest.raises(PriorError, match="reaches beyond its bounds"):
        gj.predictive(toy, source.bound("*.beta", 0, 1).prior("*.beta", gj.Normal(0.1, 1.0)), key=1, draws=50)


def test_predictive_of_a_posterior(toy, toy_fit):
    posterior = gj.sample(toy, toy_fit, key=1, draws=40, chains=2, warmup=60)
    found = gj.predictive(toy, posterior, key=jax.random.key(2), draws=60)
    assert found.source == "posterior"
    np.testing.assert_array_equal(found.parameters[0], posterior.flat[0])
    assert found.p_values["deviance"][0] > 0.01


def test_the_tail_counts_the_measurement_itself():
    assert tail(np.arange(9.0), 100.0)[0] == pytest.approx(0.1)
    assert tail(np.arange(9.0), -1.0)[0] == 1.0
    assert np.isnan(tail(np.zeros(0), 1.0)[0])


def test_results_read_well(toy, toy_fit, tmp_path):
    found = gj.goodness(toy, toy_fit, key=1, n=64)
    assert "All 64 refits converged" in repr(found)
    assert found.write(tmp_path / "goodness.h5").is_file()
    check = gj.predictive(toy, toy_fit, key=1, draws=200)
    assert "Predictive check of the fit, 200 draws: p(deviance) =" in repr(check)
    assert check.write(tmp_path / "predictive.h5").is_file()
    with pytest.raises(ConfigError, match="n must be a whole number from 1"):
        gj.goodness(toy, toy_fit, key=1, n=0)
    with pytest.raises(ConfigError, match="draws must be a whole number from 1"):
        gj.predictive(toy, toy_fit, key=1, draws=0)
