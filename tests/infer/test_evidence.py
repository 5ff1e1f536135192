"""Evidence by nested sampling: a grid, a Gaussian in closed form, bounds, Gammapy's reference, messages."""

import json
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_spectra import counting, log_parabola, on_off
from scipy import stats
from scipy.special import logsumexp

import gammajax as gj
from gammajax.errors import ConfigError, NothingToFit, PriorError
from gammajax.infer.evidence import log_weights
from gammajax.infer.stopwatch import Stopwatch

pytest.importorskip("blackjax")

OPTIONS = {"live": 300}


@jax.jit
def _log_likelihood(problem, values):
    return jax.lax.map(lambda x: -0.5 * gj.stat(problem, problem.layout.to_z(x)), values)


def on_grid(datasets, models, *axes):
    """ln Z, means and widths by a sum over midpoints; `models` with priors."""
    problem = gj.Problem(datasets, models)
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
    log_l = np.asarray(_log_likelihood(problem, jnp.asarray(points)))
    log_z = logsumexp(log_l) + sum(np.log(x[1] - x[0]) for x in axes)
    weights = np.exp(log_l - logsumexp(log_l))
    mean = weights @ points
    return log_z, mean, np.sqrt(weights @ (points - mean) ** 2)


def power_law(index, amplitude):
    models = gj.Models(s=gj.SkyModel(gj.PowerLaw(index=2.4, amplitude=1e-12)))
    return models.prior("*.index", index).prior("*.amplitude", amplitude)


FAINT = counting(seed=3, n=1, background=15.0)


@pytest.fixture(scope="module")
def faint():
    """A source of 3e-13 in a spectrum of few counts, and its evidence."""
    models = power_law(gj.Normal(2.5, 0.4), gj.LogUniform(1e-14, 1e-11)).set("*.amplitude", 3e-13)
    data = gj.fake(FAINT, models, key=5)[0]
    return data, models, gj.evidence(data, models, key=1, **OPTIONS)


def test_equals_a_sum_over_a_grid(faint):
    data, models, found = faint
    ln = np.linspace(np.log(1e-14), np.log(1e-11), 403)
    ln = 0.5 * (ln[1:] + ln[:-1])
    index = np.linspace(0.5, 4.5, 201)
    problem = gj.Problem(data, models)
    points = np.stack(np.meshgrid(index, np.exp(ln), indexing="ij"), axis=-1).reshape(-1, 2)
    # The grid is even in ln A: dA = A d ln A.
    log_p = np.asarray(_log_likelihood(problem, jnp.asarray(points))) + np.log(points[:, 1])
    expected = logsumexp(log_p) + np.log((index[1] - index[0]) * (ln[1] - ln[0]))
    assert abs(found.log_z - expected) < 4 * found.log_z_error
    assert 0.02 < found.log_z_error < 0.2
    weights = np.exp(log_p - logsumexp(log_p))
    mean = weights @ points
    std = np.sqrt(weights @ (points - mean) ** 2)
    posterior = found.posterior
    np.testing.assert_array_less(np.abs(posterior.mean - mean) / std, 5 / np.sqrt(found.ess))
    np.testing.assert_allclose(posterior.std, std, rtol=0.2)
    prior = np.array([stats.norm(2.5, 0.4).logpdf(p[0]) - np.log(p[1] * np.log(1e3)) for p in points])
    information = weights @ (log_p - np.log(points[:, 1]) - prior) - expected
    assert found.information == pytest.approx(information, abs=0.4)


def test_the_result_reads_well(faint):
    _, models, found = faint
    assert found.message.startswith("Converged")
    assert "ln Z =" in repr(found)
    assert "<table" in found._repr_html_()
    assert found.posterior.paths == tuple(models.free_paths)
    assert found.posterior.samples.shape[0] == 4
    assert found.posterior.samples.shape[1] == int(found.ess) // 4
    assert np.exp(found.log_weights).sum() == pytest.approx(1.0)
    assert found.points.shape == (len(found.log_likelihood), 2)
    assert np.all(np.diff(found.log_likelihood) >= 0)
    assert found.evaluations > len(found.points)
    assert set(found.timings) == {"compile", "run", "total"}


def test_a_key_gives_the_same_numbers_and_other_data_compile_nothing(faint):
    data, models, found = faint
    again = gj.evidence(data, models, key=jax.random.key(1), **OPTIONS)
    assert again.log_z == found.log_z
    np.testing.assert_array_equal(again.posterior.samples, found.posterior.samples)
    with Stopwatch() as watch:
        gj.evidence(FAINT[0], models.prior("*.index", gj.Normal(2.0, 0.2)), key=2, **OPTIONS)
    assert watch.programs == 0


def test_a_gaussian_in_closed_form():
    """Data of a thousand counts and Gaussian priors: Z is a Gaussian integral of the Hessian."""
    models = log_parabola().freeze("*.beta")
    data = gj.asimov(on_off(), models)
    models = models.prior("*.alpha", gj.Normal(2.42, 0.03)).prior("*.amplitude", gj.Normal(3.02e-11, 1e-12))
    fit = gj.fit(data, models)
    # `stat` holds the priors; at the minimum ln of the integrand is -stat / 2, its width the covariance.
    expected = -0.5 * fit.stat + 0.5 * np.linalg.slogdet(2 * np.pi * fit.covariance.matrix)[1]
    found = gj.evidence(data, models, key=4, **OPTIONS)
    assert abs(found.log_z - expected) < 4 * found.log_z_error
    np.testing.assert_allclose(found.posterior.mean, [fit.models.value(p) for p in found.posterior.paths], rtol=0.01)
    np.testing.assert_allclose(found.posterior.std, fit.covariance.errors, rtol=0.15)


def test_bounds_cut_a_prior_and_renormalise_it(faint):
    data, models, _ = faint
    cut = models.set("*.index", 3.0).bound("*.index", 2.6, 3.5)
    found = gj.evidence(data, cut, key=3, **OPTIONS)
    assert found.posterior["*.index"].min() >= 2.6
    assert found.posterior["*.index"].max() <= 3.5
    ln = np.linspace(np.log(1e-14), np.log(1e-11), 301)
    index = np.linspace(2.6, 3.5, 91)
    index, ln = 0.5 * (index[1:] + index[:-1]), 0.5 * (ln[1:] + ln[:-1])
    points = np.stack(np.meshgrid(index, np.exp(ln), indexing="ij"), axis=-1).reshape(-1, 2)
    log_p = np.asarray(_log_likelihood(gj.Problem(data, cut), jnp.asarray(points))) + np.log(points[:, 1])
    normal = stats.norm(2.5, 0.4)
    expected = logsumexp(log_p) + np.log((index[1] - index[0]) * (ln[1] - ln[0]))
    expected -= np.log(normal.cdf(3.5) - normal.cdf(2.6))
    assert abs(found.log_z - expected) < 4 * found.log_z_error


def test_a_prior_on_a_frozen_parameter_does_not_count(faint):
    data, models, found = faint
    told = models.prior("*.reference", gj.Normal(1.0, 0.1))
    assert abs(gj.evidence(data, told, key=6, **OPTIONS).log_z - found.log_z) < 5 * found.log_z_error


def test_a_correlated_prior(faint):
    """Two parameters and a correlated prior against a sum over a grid."""
    data = faint[0]
    models = gj.Models(s=gj.SkyModel(gj.PowerLaw(index=2.5, amplitude=3e-13)))
    joint = gj.MultiNormal(mu=[2.5, 3e-13], sigma=[0.4, 1e-13], correlation=[[1.0, -0.8], [-0.8, 1.0]])
    told = models.prior(["s.spectral.index", "s.spectral.amplitude"], joint)
    found = gj.evidence(data, told, key=7, **OPTIONS)
    axes = np.linspace(0.5, 4.5, 161), np.linspace(-2e-13, 8e-13, 161)
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    covariance = np.array([[0.16, -0.8 * 0.4e-13], [-0.8 * 0.4e-13, 1e-26]])
    r = points - [2.5, 3e-13]
    log_p = -0.5 * np.einsum("ni,ij,nj->n", r, np.linalg.inv(covariance), r)
    log_p -= 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
    log_p += np.asarray(_log_likelihood(gj.Problem(data, models), jnp.asarray(points)))
    expected = logsumexp(log_p) + sum(np.log(x[1] - x[0]) for x in axes)
    assert abs(found.log_z - expected) < 4 * found.log_z_error
    with pytest.raises(PriorError, match="amplitude is frozen, but shares a correlated prior"):
        gj.evidence(data, told.freeze("*.amplitude"), key=7)
    with pytest.raises(PriorError, match="bounds 0 and inf cut its correlated prior"):
        gj.evidence(data, told.bound("*.amplitude", 0.0), key=7)


def test_weights_of_a_known_likelihood():
    """Exact nested sampling of L = exp(-X / s) in the prior volume X: Z = s (1 - exp(-1 / s))."""
    rng = np.random.default_rng(1)
    live, scale = 400, 0.02
    x, births, deaths = list(rng.uniform(size=live)), [np.nan] * live, []
    for _ in range(4000):
        worst = int(np.argmax(x))
        deaths.append((-x[worst] / scale, births[worst]))
        births[worst] = -x[worst] / scale
        x[worst] = rng.uniform() * x[worst]
    deaths += sorted((-a / scale, b) for a, b in zip(x, births, strict=True))
    log_l, birth = np.array(deaths).T
    weights, log_z, error = log_weights(log_l, birth, rng)
    expected = np.log(scale * (1 - np.exp(-1 / scale)))
    assert abs(log_z - expected) < 4 * error
    information = np.exp(weights) @ log_l - log_z
    assert error == pytest.approx(np.sqrt(information / live), rel=0.3)


def test_errors(faint, monkeypatch):
    data, models, _ = faint
    with pytest.raises(PriorError, match=r"every free parameter; without one: s\.spectral\.index\. Give them priors"):
        gj.evidence(data, models.prior("*.index", None), key=1)
    with pytest.raises(PriorError, match=r"s\.spectral\.index: its prior Normal\(2.5, 0.4\) has no probability"):
        gj.evidence(data, models.set("*.index", 25.0).bound("*.index", 20.0, 30.0), key=1)
    with pytest.raises(NothingToFit, match="no parameter is free"):
        gj.evidence(data, models.freeze("*"), key=1)
    with pytest.raises(ConfigError, match="live .for 2 parameters. must be a whole number from 30"):
        gj.evidence(data, models, key=1, live=10)
    monkeypatch.setitem(sys.modules, "blackjax", None)
    monkeypatch.setitem(sys.modules, "blackjax.ns", None)
    with pytest.raises(ConfigError, match=r"needs BlackJAX 1.7: install it with the extra gammajax\[evidence\]"):
        gj.evidence(data, models, key=1, live=123)


@pytest.mark.data
def test_gammapys_reference(gammajax_data):
    """A power law on three H.E.S.S. runs of the Crab: UltraNest with Gammapy 2.1 finds ln Z = -65.26 +- 0.40."""
    file = gammajax_data.parent / "reference" / "nested.json"
    if not file.is_file():
        pytest.skip("no reference numbers beside the data")
    reference = json.loads(file.read_text())
    folder = gammajax_data / "joint-crab" / "spectra" / "hess"
    data = gj.Datasets(gj.Datasets.read_ogip([folder / f"pha_obs{i}.fits"])[0] for i in (23526, 23559, 23592))
    models = gj.Models(crab=gj.SkyModel(gj.PowerLaw(index=2.6, amplitude=4e-11, reference=1.0)))
    without = gj.Problem(data, models)
    models = models.prior("*.index", gj.Uniform(1.0, 5.0)).prior("*.amplitude", gj.LogUniform(1e-12, 1e-10))
    problem, point = gj.Problem(data, models), reference["fixed_point"]
    assert float(gj.stat(without, without.start)) == pytest.approx(point["stat_without_priors"], abs=1e-3)
    assert float(gj.stat(problem, problem.start)) == pytest.approx(point["stat_sum_with_priors"], abs=1e-3)
    exact, mean, std = on_grid(data, models, np.linspace(2.2, 3.3, 151), np.linspace(2.5e-11, 6.5e-11, 151))
    assert abs(exact - reference["logz"]) < 2 * reference["logzerr"]
    found = gj.evidence(data, models, key=1)
    assert abs(found.log_z - exact) < 4 * found.log_z_error
    assert found.log_z_error < 0.15
    np.testing.assert_array_less(np.abs(found.posterior.mean - mean) / std, 5 / np.sqrt(found.ess))
    np.testing.assert_allclose(found.posterior.std, std, rtol=0.15)
    np.testing.assert_array_less(np.abs(found.posterior.mean - reference["posterior_mean"]) / std, 0.2)
    np.testing.assert_allclose(found.posterior.std, reference["posterior_std"], rtol=0.15)
