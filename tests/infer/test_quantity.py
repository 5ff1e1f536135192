"""Quantities derived from draws, intervals, thinning, covariance."""

import jax.numpy as jnp
import numpy as np
import pytest
from made_spectra import log_parabola
from scipy import stats

import gammajax as gj
from gammajax.errors import ConfigError
from gammajax.infer.intervals import central_interval, narrowest_interval
from gammajax.infer.posterior import Posterior
from gammajax.infer.stopwatch import Stopwatch

CHAINS, DRAWS = 3, 400


@pytest.fixture(scope="module")
def posterior():
    """Draws that no sampler made: amplitude and alpha, Gaussian and correlated."""
    models = log_parabola().freeze("*.beta")
    rng = np.random.default_rng(3)
    x = rng.multivariate_normal([3e-11, 2.4], [[4e-25, 2e-14], [2e-14, 4e-3]], (CHAINS, DRAWS), method="cholesky")
    numbers = {"diverging": np.zeros((CHAINS, DRAWS), dtype=bool), "potential": np.zeros((CHAINS, DRAWS))}
    return Posterior(models, tuple(models.free_paths), x, numbers, {"compile": 0.0, "run": 0.0, "total": 0.0})


def test_equals_a_loop_over_the_draws(posterior):
    found = posterior.derive(lambda m: m["crab"].spectral.dnde(2.0), unit="cm-2 s-1 TeV-1")
    assert found.draws.shape == (CHAINS, DRAWS)
    for chain, draw in ((0, 0), (1, 17), (2, 399)):
        amplitude, alpha = posterior.samples[chain, draw]
        models = posterior.models.set({"*.amplitude": amplitude, "*.alpha": alpha})
        expected = models["crab"].spectral(2.0).value
        assert found.draws[chain, draw] == pytest.approx(expected, rel=1e-12)
    assert found.mean == pytest.approx(found.draws.mean())
    assert found.std == pytest.approx(found.draws.std(ddof=1))
    assert found.table["unit"][0] == "cm-2 s-1 TeV-1"
    assert found.table["ess"][0] != ""


def test_links_and_frozen_values_are_followed(posterior):
    two = posterior.models.add(far=gj.SkyModel(gj.PowerLaw())).link("far.*.index", "crab.spectral.alpha", factor=0.5)
    two = two.freeze("far.*.amplitude")
    linked = Posterior(two, posterior.paths, posterior.samples, posterior.stats, posterior.timings)
    found = linked.derive(lambda m: {"index": m["far"].spectral.index, "beta": m["crab"].spectral.beta})
    np.testing.assert_allclose(found["index"].draws, 0.5 * posterior["*.alpha"], rtol=1e-14)
    assert np.all(found["beta"].draws == 0.1)


def test_arrays_and_structures(posterior):
    energy = np.geomspace(0.5, 5.0, 4)
    found = posterior.derive(
        lambda m: (jnp.stack([m["crab"].spectral.dnde(e) for e in energy]), {"alpha": m["crab"].spectral.alpha})
    )
    flux, alpha = found[0], found[1]["alpha"]
    assert flux.draws.shape == (CHAINS, DRAWS, 4)
    assert flux.quantile([0.16, 0.84]).shape == (2, 4)
    assert list(flux.table["component"]) == ["0", "1", "2", "3"]
    np.testing.assert_array_equal(alpha.draws, posterior["*.alpha"])
    low, high = flux.interval(0.9)
    assert np.all((low < flux.mean) & (flux.mean < high))
    assert np.all(flux.hdi(0.9)[1] - flux.hdi(0.9)[0] <= high - low)
    assert "3 chains of 400 draws" in repr(flux)
    assert "<table" in flux._repr_html_()


def test_one_program_for_all_draws(posterior):
    def flux(m):
        return m["crab"].spectral.dnde(3.0)

    with Stopwatch() as first:
        posterior.derive(flux)
    assert 0 < first.programs < 6
    with Stopwatch() as second:
        posterior.derive(flux)
    assert second.programs == 0


@pytest.mark.parametrize(
    "function",
    [
        lambda m: m["crab"].spectral("2 TeV"),
        lambda m: float(m["crab"].spectral.alpha),
        lambda m: "text",
        lambda m: m["crab"].spectral.alpha if m["crab"].spectral.alpha > 2 else 0.0,
    ],
)
def test_what_jax_cannot_trace_is_explained(posterior, function):
    with pytest.raises(ConfigError, match="cannot be compiled"):
        posterior.derive(function)


def test_intervals_of_a_parameter(posterior):
    low, high = posterior.interval("*.alpha")
    sigma = 0.0632
    assert low == pytest.approx(2.4 - sigma, abs=0.3 * sigma)
    assert high == pytest.approx(2.4 + sigma, abs=0.3 * sigma)
    assert posterior.hdi("*.alpha", 0.95)[0] < low
    with pytest.raises(ConfigError, match="level must lie between 0 and 1"):
        posterior.interval("*.alpha", 68)


def test_intervals_of_an_exponential_law():
    """The narrowest interval starts at the edge, the central one does not."""
    draws = stats.expon.ppf((np.arange(20_000) + 0.5) / 20_000)
    np.testing.assert_allclose(central_interval(draws, 0.8), stats.expon.ppf([0.1, 0.9]), rtol=2e-3)
    np.testing.assert_allclose(narrowest_interval(draws, 0.8), [0.0, stats.expon.ppf(0.8)], atol=2e-3)
    pair = np.stack([draws, -draws], axis=1)
    np.testing.assert_allclose(narrowest_interval(pair, 0.8)[1], [stats.expon.ppf(0.8), 0.0], atol=2e-3)


def test_thin_and_covariance(posterior):
    thin = posterior.thin(4)
    np.testing.assert_array_equal(thin.samples, posterior.samples[:, ::4])
    assert thin.stats["potential"].shape == (CHAINS, 100)
    np.testing.assert_allclose(posterior.covariance.matrix, np.cov(posterior.flat.T))
    assert posterior.covariance.paths == posterior.paths
    np.testing.assert_allclose(posterior.covariance.errors, posterior.std)
    with pytest.raises(ConfigError, match="step must be a whole number from 1"):
        posterior.thin(0)
