"""NUTS: near-Gaussian, cut off by a bound, prior alone, diagnostics, files."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_spectra import counting, log_parabola
from scipy import stats

import gammajax as gj
from gammajax.errors import ConfigError, ModelError, NothingToFit
from gammajax.infer.minimise import Status
from gammajax.infer.posterior import Posterior

OPTIONS = {"draws": 800, "chains": 4, "warmup": 200}


@pytest.fixture(scope="module")
def posterior(asimov_spectra, truth_fit):
    return gj.sample(asimov_spectra, truth_fit, key=jax.random.key(1), **OPTIONS)


def test_equals_the_laplace_approximation(posterior, truth_fit):
    """Data of a thousand counts: means and widths agree within the Monte-Carlo error."""
    best = np.array([truth_fit.models.value(p) for p in posterior.paths])
    error = np.array([truth_fit.models.error(p) for p in posterior.paths])
    assert np.all(np.abs(posterior.mean - best) / error < 4 / np.sqrt(posterior.ess) + 0.05)
    assert np.all(np.abs(posterior.std / error - 1) < 4 / np.sqrt(2 * posterior.ess) + 0.02)
    expected = truth_fit.covariance.correlation
    np.testing.assert_allclose(np.corrcoef(posterior.flat.T), expected, atol=0.08)


def test_the_chains_agree(posterior):
    assert np.all(posterior.r_hat < 1.01)
    assert np.all(posterior.ess > 400)
    assert posterior.divergences == 0
    assert posterior.message == "The chains agree (R-hat < 1.01, no divergences)."


def test_a_key_gives_the_same_draws(posterior, asimov_spectra, truth_fit):
    again = gj.sample(asimov_spectra, truth_fit, key=jax.random.key(1), **OPTIONS)
    np.testing.assert_array_equal(again.samples, posterior.samples)
    other = gj.sample(asimov_spectra, truth_fit, key=jax.random.key(2), **OPTIONS)
    assert not np.array_equal(other.samples, posterior.samples)


def test_a_bound_through_the_peak_cuts_the_density_off(asimov_spectra, truth_fit):
    """With a bound at the best fit, beta follows a Gaussian cut in half (other parameters integrate out)."""
    fit = gj.fit(asimov_spectra, log_parabola().bound("*.beta", 0.1, 1.0).set("*.beta", 0.101))
    cut = gj.sample(asimov_spectra, fit, key=jax.random.key(3), **OPTIONS)
    draws = cut["*.beta"].ravel()
    error = truth_fit.models.error("*.beta")
    half = stats.truncnorm(0, np.inf, 0.1, error)
    assert draws.min() >= 0.1
    n = float(cut.ess[cut.paths.index("crab.spectral.beta")])
    assert abs(draws.mean() - half.mean()) < 4 * half.std() / np.sqrt(n) + 0.03 * error
    thinned = draws[:: max(1, int(draws.size / n))]
    assert stats.kstest(thinned, half.cdf).pvalue > 1e-3
    assert np.all(cut.r_hat < 1.01)


def test_a_parameter_without_data_follows_its_prior(asimov_spectra, source):
    """The idle source is seen by no bin: a prior alone decides, with its bounds, in the natural parameter."""
    idle = source.add(far=gj.SkyModel(gj.LogParabola(amplitude=1e-40, reference=1.0, alpha=2.5, beta=0.0)))
    idle = idle.freeze("far.*", "crab.*.beta", "crab.*.alpha")
    idle = idle.free("far.*.alpha", "far.*.beta").prior("far.*.alpha", gj.Normal(2.0, 0.7))
    idle = idle.bound("far.*.beta", -0.5, 2.0).prior("far.*.beta", gj.Normal(0.2, 0.2))
    draws = gj.sample(asimov_spectra, idle, key=jax.random.key(4), **OPTIONS)
    for path, prior in (
        ("far.spectral.alpha", stats.norm(2.0, 0.7)),
        ("far.spectral.beta", stats.truncnorm(-0.7 / 0.2, 1.8 / 0.2, 0.2, 0.2)),
    ):
        x, n = draws[path].ravel(), draws.ess[draws.paths.index(path)]
        assert stats.kstest(x[:: int(np.ceil(x.size / n))], prior.cdf).pvalue > 1e-3
    assert draws.divergences == 0
    assert np.all(draws.r_hat < 1.01)


def test_errors(asimov_spectra, source, posterior):
    twice = gj.Models(crab=gj.SkyModel(source["crab"].spectral * gj.PowerLawNorm()))
    with pytest.raises(NothingToFit, match=r"bounds constrain.*crab\.spectral\.model2\.norm"):
        gj.sample(asimov_spectra, twice, key=jax.random.key(0))
    with pytest.raises(NothingToFit, match="no parameter is free"):
        gj.sample(asimov_spectra, source.freeze("*"), key=jax.random.key(0))
    with pytest.raises(ConfigError, match="draws must be a whole number from 4"):
        gj.sample(asimov_spectra, source, key=jax.random.key(0), draws=0)
    with pytest.raises(ConfigError, match=r"crab\.spectral\.reference was not sampled"):
        posterior["*.reference"]
    with pytest.raises(ModelError, match="one is needed"):
        posterior["crab.*"]


def test_messages_of_bad_chains(posterior):
    apart = posterior.samples + np.arange(4)[:, None, None] * posterior.std
    bad = Posterior(posterior.models, posterior.paths, apart, posterior.stats, posterior.timings)
    assert "take more draws" in bad.message
    stuck = dict(posterior.stats) | {"diverging": np.ones_like(posterior.stats["diverging"])}
    bad = Posterior(posterior.models, posterior.paths, posterior.samples, stuck, posterior.timings)
    assert "3200 divergent draws" in bad.message


def test_files_and_tables(posterior, tmp_path):
    back = Posterior.read(posterior.write(tmp_path / "posterior.h5"), posterior.models)
    np.testing.assert_array_equal(back.samples, posterior.samples)
    assert back.paths == posterior.paths
    assert back.to_dict() == posterior.to_dict()
    assert "crab.spectral.alpha" in repr(posterior)
    assert "<table" in posterior._repr_html_()
    row = posterior.table[1]
    assert row["q05"] < row["q16"] < row["median"] < row["q84"] < row["q95"]


@pytest.mark.filterwarnings("ignore")
def test_arviz(posterior):
    arviz = pytest.importorskip("arviz")
    data = posterior.to_arviz()
    summary = arviz.summary(data)
    np.testing.assert_allclose(summary["mean"]["crab.spectral.alpha"], posterior.mean[1], atol=1e-2)
    assert data.sample_stats["diverging"].shape == (4, 800)


def test_chains_that_do_not_move_are_not_trusted(posterior):
    still = np.broadcast_to(posterior.samples[:, :1], posterior.samples.shape)
    bad = Posterior(posterior.models, posterior.paths, still, posterior.stats, posterior.timings)
    assert not bad.trusted
    assert "R-hat" in bad.message
    few = Posterior(
        posterior.models,
        posterior.paths,
        posterior.samples[:, :10],
        {k: v[:, :10] for k, v in posterior.stats.items()},
        posterior.timings,
    )
    assert not few.trusted
    assert posterior.trusted


def test_a_failed_fit_is_remembered(asimov_spectra, truth_fit):
    stopped = dataclasses.replace(truth_fit, status=Status.MAX_STEPS, success=False, message="Stopped early.")
    draws = gj.sample(asimov_spectra, stopped, key=jax.random.key(0), **OPTIONS)
    assert not draws.trusted
    assert draws.message == "The fit that it started from failed: Stopped early."


def test_bounds_alone_make_a_density(asimov_spectra, source):
    """A parameter that no bin sees, between two bounds and without a prior, is uniform there."""
    idle = source.add(far=gj.SkyModel(gj.LogParabola(amplitude=1e-40, reference=1.0, alpha=2.5, beta=0.0)))
    idle = idle.freeze("far.*", "crab.*.beta", "crab.*.alpha").free("far.*.alpha").bound("far.*.alpha", 1.0, 4.0)
    draws = gj.sample(asimov_spectra, idle, key=jax.random.key(4), **OPTIONS)
    x, n = draws["far.*.alpha"].ravel(), draws.ess[draws.paths.index("far.spectral.alpha")]
    assert stats.kstest(x[:: int(np.ceil(x.size / n))], stats.uniform(1.0, 3.0).cdf).pvalue > 1e-3


def test_the_summary_is_json(posterior, tmp_path):
    import json

    content = json.loads(posterior.write(tmp_path / "posterior.json").read_text())
    assert [p["path"] for p in content["parameters"]] == list(posterior.paths)


def test_a_start_from_an_earlier_posterior(posterior, asimov_spectra, truth_fit):
    """Its covariance preconditions, its last positions are the starts: a short warm-up is enough."""
    again = gj.sample(asimov_spectra, posterior, key=5, draws=400, chains=6)
    assert again.samples.shape == (6, 400, 3)
    assert again.trusted
    error = truth_fit.covariance.errors
    assert np.all(np.abs(again.mean - posterior.mean) / error < 4 / np.sqrt(400))
    np.testing.assert_allclose(again.std, error, rtol=0.15)
    with pytest.raises(ConfigError, match="16 draws of 3 parameters: too few to start from"):
        gj.sample(asimov_spectra, posterior.thin(200), key=5)


def test_a_start_from_a_posterior_next_to_a_bound(asimov_spectra):
    fit = gj.fit(asimov_spectra, log_parabola().bound("*.beta", 0.1, 1.0).set("*.beta", 0.101))
    first = gj.sample(asimov_spectra, fit, key=3, **OPTIONS)
    again = gj.sample(asimov_spectra, first, key=4, draws=400, target_accept=0.9)
    assert again["*.beta"].min() >= 0.1
    index = again.paths.index("crab.spectral.beta")
    error = 5 * first.std[index] / np.sqrt(min(again.ess[index], first.ess[index]))
    assert abs(again.mean[index] - first.mean[index]) < error


def test_a_flux_at_its_bound_equals_a_sum_over_a_grid():
    """A source that is not there: the density of its flux falls from the bound at zero."""
    models = gj.Models(s=gj.SkyModel(gj.PowerLaw(index=2.5, amplitude=1e-13))).freeze("*.index")
    models = models.bound("*.amplitude", 0.0)
    data = gj.fake(counting(seed=2, n=2, background=10.0), models.set("*.amplitude", 0.0), key=3)[0]
    draws = gj.sample(data, models, key=5, draws=2000, chains=4)
    problem = gj.Problem(data, models)
    grid = np.linspace(0.0, 6e-13, 4001)[1:] - 0.75e-16
    height = jax.jit(lambda p, x: jax.lax.map(lambda a: -0.5 * gj.stat(p, p.layout.to_z(a)), x))
    density = np.exp(np.asarray(height(problem, jnp.asarray(grid[:, None]))))
    density /= density.sum()
    # Most likely at or near the bound, and gone well before the end of the grid.
    assert density[0] > 0.3 * density.max()
    assert density[-1] < 1e-6 * density.max()
    cdf = np.cumsum(density)
    x, n = draws.flat[:, 0], draws.ess[0]
    mean = grid @ density
    assert abs(x.mean() - mean) < 4 * x.std() / np.sqrt(n)
    for q in (0.5, 0.9, 0.95):
        expected = np.interp(q, cdf, grid)
        assert abs(np.mean(x < expected) - q) < 4 * np.sqrt(q * (1 - q) / n)
    thinned = x[:: int(np.ceil(x.size / n))]
    assert stats.kstest(thinned, lambda a: np.interp(a, grid, cdf)).pvalue > 1e-3


def test_a_correlated_prior_without_data_is_met(asimov_spectra, source):
    """Two parameters that no bin sees follow their correlated prior."""
    idle = source.add(far=gj.SkyModel(gj.LogParabola(amplitude=1e-40, reference=1.0, alpha=2.5, beta=0.0)))
    idle = idle.freeze("far.*", "crab.*.beta", "crab.*.alpha").free("far.*.alpha", "far.*.beta")
    prior = gj.MultiNormal(mu=[2.0, 0.1], sigma=[0.5, 0.2], correlation=[[1.0, 0.9], [0.9, 1.0]])
    draws = gj.sample(asimov_spectra, idle.prior(["far.spectral.alpha", "far.spectral.beta"], prior), key=4, **OPTIONS)
    two = np.stack([draws["far.*.alpha"].ravel(), draws["far.*.beta"].ravel()])
    np.testing.assert_allclose(two.mean(axis=1), [2.0, 0.1], atol=0.06)
    np.testing.assert_allclose(two.std(axis=1), [0.5, 0.2], rtol=0.1)
    assert np.corrcoef(two)[0, 1] == pytest.approx(0.9, abs=0.02)
    assert draws.divergences == 0


DEVICES = """
import sys
sys.path.insert(0, sys.argv[1])
import jax, numpy as np
import gammajax as gj
from gammajax.infer.sample import _mesh
from made_spectra import log_parabola, on_off

assert jax.local_device_count() == 8
assert _mesh(8).size == 8 and _mesh(6).size == 6 and _mesh(20).size == 5 and _mesh(1) is None
data = gj.asimov(on_off(), log_parabola())
fit = gj.fit(data, log_parabola())
options = {"key": 1, "chains": 8, "warmup": 200}
whole = gj.sample(data, fit, draws=600, **options)
gj.sample(data, fit, draws=100, checkpoint=sys.argv[2] + "/run.h5", **options)
resumed = gj.sample(data, fit, draws=600, checkpoint=sys.argv[2] + "/run.h5", **options)
np.testing.assert_array_equal(resumed.samples, whole.samples)
whole.write(sys.argv[2] + "/posterior.h5")
"""


def test_chains_are_spread_over_devices(asimov_spectra, truth_fit, tmp_path):
    """Eight devices, eight chains: the same run to rounding, and resumed to the bit."""
    tests = Path(__file__).parents[1]
    path = os.pathsep.join(p for p in sys.path if p)
    environment = {**os.environ, "PYTHONPATH": path, "XLA_FLAGS": "--xla_force_host_platform_device_count=8"}
    command = [sys.executable, "-c", DEVICES, str(tests), str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    spread = Posterior.read(tmp_path / "posterior.h5")
    assert spread.samples.shape == (8, 600, 3)
    assert spread.trusted
    one = gj.sample(asimov_spectra, truth_fit, key=1, chains=8, warmup=200, draws=600)
    error = truth_fit.covariance.errors
    assert np.all(np.abs(spread.mean - one.mean) / error < 5 / np.sqrt(one.ess.min()))
    np.testing.assert_allclose(spread.std, one.std, rtol=0.1)
