"""The sparse statistic of cubes: equal to Cash over all bins, with its fits, toys and compilations."""

import jax
import numpy as np
import pytest
from jax.test_util import check_grads
from made_cubes import CENTRE, cube, models

import gammajax as gj
from gammajax.likelihood.problem import Problem, deviance, stat
from gammajax.likelihood.terms import least_stat

LON, LAT = CENTRE


value = jax.jit(stat)


@pytest.fixture(scope="module")
def data():
    """Counts drawn from a point source over the background."""
    return gj.fake([cube()], models(), key=3)


@pytest.fixture(scope="module")
def best(data):
    return gj.fit(data, models())


def test_the_sum_over_occupied_bins_is_cash_over_all(data):
    problem = Problem(data, models())
    signal, background = gj.predict_counts(data[0], models())
    n, mask = np.asarray(data[0].counts), np.asarray(data[0].mask)
    mu = (signal + background)[mask]
    expected = 2 * (mu.sum() - (n[mask] * np.log(mu)).sum())
    np.testing.assert_allclose(float(value(problem, problem.start)), expected, rtol=1e-10)
    above = float(jax.jit(deviance)(problem, problem.start)) + least_stat(problem.groups[0]).sum()
    np.testing.assert_allclose(above, expected, rtol=1e-10)


def test_dense_and_sparse_are_equal(data):
    sparse, dense = (Problem(data, models(), dense=d) for d in (False, True))
    assert dense.groups[0].counts.shape[1] > 3 * sparse.groups[0].counts.shape[1]
    np.testing.assert_allclose(float(value(sparse, sparse.start)), float(value(dense, dense.start)), rtol=1e-12)


def test_derivatives(data):
    problem = Problem(data, models())
    check_grads(
        jax.jit(lambda z: stat(problem, z)), (problem.start,), order=2, modes=("fwd", "rev"), eps=1e-4, rtol=1e-2
    )


def test_asimov_counts_are_a_minimum(data):
    expected = gj.asimov(data, models())
    problem = Problem(expected, models())
    np.testing.assert_allclose(jax.jit(jax.grad(stat, argnums=1))(problem, problem.start), 0.0, atol=1e-6)
    fit = gj.fit(expected, models().set("src.spatial.lon_0", LON + 0.06).set("src.spectral.index", 2.0))
    assert fit.success
    np.testing.assert_allclose(fit.models.value("src.spatial.lon_0"), LON + 0.03, atol=1e-4)
    np.testing.assert_allclose(fit.models.value("src.spectral.index"), 2.3, atol=1e-3)


def test_a_fit_finds_the_truth_with_errors(best):
    assert best.success
    for path in best.models.free_paths:
        pull = (best.models.value(path) - models().value(path)) / best.models.error(path)
        assert abs(pull) < 4, path


def test_the_covariance_is_that_of_the_exact_hessian(best, data):
    problem = Problem(data, best.models)
    hessian = jax.jit(jax.hessian(stat, argnums=1))(problem, problem.start)
    scale = np.asarray(problem.layout.scale)
    errors = np.sqrt(np.diag(np.linalg.inv(0.5 * np.asarray(hessian)))) * scale
    np.testing.assert_allclose([best.models.error(p) for p in best.models.free_paths], errors, rtol=1e-5)


def test_profiles_and_posteriors_take_cubes(best, data):
    scan = gj.profile(data, best, "src.spatial.lat_0", points=5)
    assert np.all(scan.converged)
    np.testing.assert_allclose(scan.delta[[0, -1]], 9.0, rtol=0.3)
    posterior = gj.sample(data, best, key=1, draws=200, chains=2, warmup=100)
    path = "src.spatial.lon_0"
    np.testing.assert_allclose(posterior[path].std(), best.models.error(path), rtol=0.3)


def test_values_bounds_and_counts_compile_nothing(best, data):
    problem = Problem(data, models())
    value(problem, problem.start)
    before = value._cache_size()
    other = Problem(data, models().set("src.spatial.lon_0", LON).bound("src.spectral.index", 1.0, 4.0))
    value(other, other.start)
    assert value._cache_size() == before


def test_predictions_that_vanish_under_counts_are_named():
    empty = gj.Datasets([cube("empty", level=0.0, counts=False).with_observed(np.asarray(cube().counts))])
    with pytest.raises(gj.errors.DatasetError, match="empty: nothing is predicted in .* bins with counts"):
        gj.fit(empty, models())
