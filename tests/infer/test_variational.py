"""The variational preview: exact where the posterior is Gaussian, honest where it is not."""

import jax
import numpy as np
import pytest
from made_spectra import log_parabola, on_off

import gammajax as gj
from gammajax.errors import ConfigError, NothingToFit
from gammajax.infer.stopwatch import Stopwatch


@pytest.fixture(scope="module")
def preview(asimov_spectra, truth_fit):
    return gj.variational(asimov_spectra, truth_fit, key=1)


def test_a_gaussian_posterior_is_met(preview, truth_fit):
    best = np.array([truth_fit.models.value(p) for p in preview.posterior.paths])
    error = truth_fit.covariance.errors
    assert np.all(np.abs(preview.posterior.mean - best) < 0.1 * error)
    np.testing.assert_allclose(preview.posterior.std, error, rtol=0.06)
    correlation = preview.posterior.covariance.correlation
    np.testing.assert_allclose(correlation, truth_fit.covariance.correlation, atol=0.06)
    assert preview.efficiency > 0.95


def test_the_bound_is_the_laplace_evidence(preview, truth_fit):
    """For a Gaussian posterior and a flat density, ln Z is the Laplace approximation: the bound is reached."""
    matrix = truth_fit.covariance.matrix
    laplace = -0.5 * truth_fit.stat + 0.5 * np.linalg.slogdet(2 * np.pi * matrix)[1]
    # The density is that of u, whose volume is one unit of the whitened parameters.
    laplace -= 0.5 * np.linalg.slogdet(matrix)[1]
    scale = np.asarray(truth_fit.models.layout.scale)
    laplace += np.sum(np.log(scale))
    assert preview.elbo == pytest.approx(laplace, abs=0.05)
    assert preview.elbo_error < 0.01
    assert preview.losses.shape == (500,)


def test_it_says_that_it_is_a_preview(preview):
    assert not preview.posterior.trusted
    assert preview.message.startswith("A variational preview, not a sampled posterior: the posterior is close to a Gau")
    assert "ELBO" in repr(preview)
    assert "preview" in repr(preview.posterior)
    assert "<table" in preview._repr_html_()
    np.testing.assert_array_equal(preview["*.alpha"], preview.posterior["*.alpha"])
    assert preview.table["path"][1] == "crab.spectral.alpha"


def test_a_cut_posterior_is_told_apart(asimov_spectra):
    """Half a Gaussian is no Gaussian: draws keep to the bound, and the message sends to `sample`."""
    fit = gj.fit(asimov_spectra, log_parabola().bound("*.beta", 0.1, 1.0).set("*.beta", 0.101))
    found = gj.variational(asimov_spectra, fit, key=2)
    assert found["*.beta"].min() >= 0.1
    assert found.efficiency < 0.5
    assert "use sample" in found.message


def test_other_data_compile_nothing_and_a_key_decides(preview, asimov_spectra, truth_fit):
    again = gj.variational(asimov_spectra, truth_fit, key=jax.random.key(1))
    np.testing.assert_array_equal(again.posterior.samples, preview.posterior.samples)
    other = on_off(seed=5)
    fit = gj.fit(other, log_parabola())
    with Stopwatch() as watch:
        gj.variational(other, fit, key=3)
    assert watch.programs == 0


def test_errors(asimov_spectra, truth_fit):
    with pytest.raises(ConfigError, match="draws must be a whole number from 4"):
        gj.variational(asimov_spectra, truth_fit, key=1, draws=1)
    with pytest.raises(NothingToFit, match="no parameter is free"):
        gj.variational(asimov_spectra, log_parabola().freeze("*"), key=1)
