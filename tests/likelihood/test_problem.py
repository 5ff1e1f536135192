"""The likelihood as a function of datasets, models and z."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_spectra import counting, log_parabola, on_off, value, value_and_slope

import gammajax as gj
from gammajax.errors import UnknownDataset
from gammajax.infer.expansion import exact_hessian, expand
from gammajax.likelihood.problem import deviance, stat_per_dataset
from gammajax.likelihood.terms import least_stat


def total(datasets, models):
    problem = gj.Problem(datasets, models)
    return float(value(problem, problem.start))


@pytest.fixture(scope="module")
def mixed(spectra):
    """On-off and counting spectra of different shapes."""
    short = on_off(seed=4, n=1, energy=np.geomspace(0.3, 30, 8), prefix="short")
    tiny = on_off(seed=4, n=1, energy=np.geomspace(0.3, 30, 3), energy_true=np.geomspace(0.2, 40, 5), prefix="tiny")
    return gj.Datasets([*counting(n=1), *spectra, *tiny, *short])


def test_sum_over_datasets_of_mixed_shapes(mixed, source):
    """Grouping and padding change nothing: the joint statistic is the sum of single ones, in order."""
    problem = gj.Problem(mixed, source)
    assert len(problem.groups) == 3
    each = stat_per_dataset(problem, problem.layout.values(problem.start))
    alone = [total([dataset], source) for dataset in mixed]
    np.testing.assert_allclose(each, alone, rtol=1e-12)
    assert value(problem, problem.start) == pytest.approx(sum(alone), rel=1e-13)


def test_order_of_datasets_does_not_matter(mixed, source):
    shuffled = [mixed[i] for i in (4, 0, 5, 2, 1, 3)]
    assert total(shuffled, source) == pytest.approx(total(mixed, source), rel=1e-13)


def test_nll_is_half_the_statistic_with_priors(spectra, source):
    with_prior = source.prior("*.alpha", gj.Normal(2.0, 0.1))
    problem = gj.Problem(spectra, with_prior)
    nll, _ = value_and_slope(problem, problem.start)
    assert value(problem, problem.start) == pytest.approx(2 * float(nll), rel=1e-14)
    chi2 = ((2.4 - 2.0) / 0.1) ** 2 + 2 * np.log(0.1 * np.sqrt(2 * np.pi))
    assert total(spectra, with_prior) - total(spectra, source) == pytest.approx(chi2, rel=1e-9)


def test_prior_counts_the_same_on_a_frozen_parameter(spectra, source):
    with_prior = source.prior("*.alpha", gj.Normal(2.0, 0.1))
    assert total(spectra, with_prior) == pytest.approx(total(spectra, with_prior.freeze("*.alpha")), rel=1e-13)


def test_zero_gradient_on_asimov_data(asimov_spectra, source):
    problem = gj.Problem(asimov_spectra, source)
    _, slope = value_and_slope(problem, problem.start)
    _, elsewhere = value_and_slope(problem, problem.start * 1.1)
    assert np.all(np.abs(slope) < 1e-9 * np.abs(elsewhere).max())


def test_zero_gradient_on_asimov_data_of_counting_spectra(source):
    problem = gj.Problem(gj.asimov(counting(), source), source)
    _, slope = value_and_slope(problem, problem.start)
    assert np.all(np.abs(slope) < 1e-8)


@pytest.mark.parametrize("kind", ["on-off", "counting"])
def test_exact_hessian_is_that_of_jax(kind, spectra):
    datasets = spectra if kind == "on-off" else counting()
    models = log_parabola(alpha=2.6).prior("*.beta", gj.Normal(0.0, 0.3)).prior("*.alpha", gj.LogUniform(1.0, 4.0))
    problem = gj.Problem(datasets, models)
    expected = jax.jit(jax.hessian(gj.stat, argnums=1))(problem, problem.start)
    np.testing.assert_allclose(jax.jit(exact_hessian)(problem, problem.start), expected, rtol=1e-9, atol=1e-6)


def test_expansion_is_value_and_gradient(spectra):
    problem = gj.Problem(spectra, log_parabola(alpha=2.6).prior("*.beta", gj.Normal(0.0, 0.3)))
    at = jax.jit(expand)(problem, problem.start)
    nll, slope = value_and_slope(problem, problem.start)
    assert at.deviance == pytest.approx(2 * float(nll), rel=1e-14)
    np.testing.assert_allclose(at.gradient, 2 * slope, rtol=1e-9, atol=1e-9)
    assert np.all(np.linalg.eigvalsh(at.hessian) > 0)


def test_derivatives_by_finite_differences(spectra, source):
    from jax.test_util import check_grads

    problem = gj.Problem(spectra, source)
    check_grads(
        lambda z: value(problem, z) * 1e-3,
        (problem.start * 1.05,),
        order=1,
        modes=["fwd", "rev"],
        rtol=1e-4,
        eps=1e-4,
    )


@pytest.mark.parametrize("amplitude", [0.0, -1e-11, 1e-30, 1e-3])
def test_finite_at_impossible_fluxes(spectra, amplitude):
    both = gj.Datasets([*spectra, *counting(n=2)])
    problem = gj.Problem(both, log_parabola(amplitude=amplitude))
    nll, slope = value_and_slope(problem, problem.start)
    assert np.isfinite(nll)
    assert np.all(np.isfinite(slope))


def test_a_model_acts_on_the_datasets_it_names(spectra, source):
    extra = source.add(glow=gj.SkyModel(gj.PowerLaw(amplitude=1e-12), datasets_names="d1"))
    without, with_glow = (gj.Problem(spectra, m) for m in (source, extra))
    a = stat_per_dataset(without, without.layout.values(without.start))
    b = stat_per_dataset(with_glow, with_glow.layout.values(with_glow.start))
    np.testing.assert_array_equal(np.asarray(a == b), [True, False, True])


def test_unknown_dataset(spectra):
    models = gj.Models(glow=gj.SkyModel(gj.PowerLaw(), datasets_names=["d11"]))
    with pytest.raises(UnknownDataset, match=r"glow acts on 'd11'; datasets are 'd0', 'd1', 'd2'; nearest: 'd1'"):
        gj.Problem(spectra, models)


def test_batch_is_loop(spectra, source):
    problem = gj.Problem(spectra, source)
    z = problem.start[None] * jnp.linspace(0.9, 1.1, 5)[:, None]
    batch = jax.jit(jax.vmap(gj.stat, in_axes=(None, 0)))(problem, z)
    np.testing.assert_allclose(batch, [value(problem, one) for one in z], rtol=1e-13)


def test_compiled_is_plain(spectra, source):
    problem = gj.Problem(spectra, source)
    assert value(problem, problem.start) == pytest.approx(float(gj.stat(problem, problem.start)), rel=1e-13)


def test_the_likelihood_is_a_function(spectra, source, truth_fit):
    """Evaluations, fits and samplings in between leave the value at given parameters bit-identical."""
    problem = gj.Problem(spectra, source)
    first, slope = value_and_slope(problem, problem.start)
    value_and_slope(problem, problem.start * 1.3)
    gj.fit(spectra, source)
    gj.sample(spectra, source, key=jax.random.key(2), draws=40, chains=2, warmup=60)
    again, slope_again = value_and_slope(gj.Problem(spectra, source), problem.start)
    assert first == again
    np.testing.assert_array_equal(slope, slope_again)


def test_deviance_is_the_statistic_above_its_least_value():
    """For Cash the least value is a large constant, 2 (n - n ln n) at mu = n; for WStat it is zero."""
    for datasets in (on_off(n=2), counting(n=2, background=0.0)):
        problem = gj.Problem(datasets, log_parabola(alpha=2.6))
        least = sum(float(least_stat(g).sum()) for g in problem.groups)
        above = float(jax.jit(deviance)(problem, problem.start))
        assert above + least == pytest.approx(float(gj.stat(problem, problem.start)), rel=1e-12)
        assert above > 0
