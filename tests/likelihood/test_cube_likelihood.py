"""The sparse statistic of cubes: equal to Cash over all bins, with its fits, toys and compilations."""

import equinox as eqx
import jax
import numpy as np
import pytest
from jax.test_util import check_grads
from made_cubes import CENTRE, cube, models

import gammajax as gj
from gammajax.likelihood.problem import Problem, deviance, predictions, stat
from gammajax.likelihood.terms import group_stat, least_stat

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


SHAPES = {
    "point": None,
    "Gaussian": gj.GaussianSpatial(lon_0=LON + 0.03, lat_0=LAT - 0.02, sigma=0.15),
    "disk": gj.DiskSpatial(lon_0=LON + 0.03, lat_0=LAT - 0.02, r_0=0.2),
}


def bin_by_bin(problem, z):
    """The statistic without a rule of its own for derivatives."""
    every = zip(problem.groups, predictions(problem, problem.layout.values(z)), strict=True)
    return sum(jax.numpy.sum(group_stat(g, p)) for g, p in every)


@pytest.mark.parametrize("shape", SHAPES)
def test_derivatives_are_those_bin_by_bin(data, shape):
    """Gradient and Hessian; and by differences the slope in the exposure, which is no parameter."""
    problem = Problem(data, models(SHAPES[shape]).free("bkg.spectral.norm"))
    for derivative in (jax.grad, jax.hessian):
        found, expected = (jax.jit(derivative(f, argnums=1))(problem, problem.start) for f in (stat, bin_by_bin))
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8 * np.abs(expected).max())

    @jax.jit
    def exposed(factor):
        exposure = factor * problem.groups[0].exposure
        return stat(eqx.tree_at(lambda p: p.groups[0].exposure, problem, exposure), problem.start)

    eps = 1e-5
    expected = (exposed(1.0 + eps) - exposed(1.0 - eps)) / (2.0 * eps)
    assert abs(expected) > 1.0
    assert jax.jit(jax.grad(exposed))(1.0) == pytest.approx(float(expected), rel=1e-4)


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
