"""WStat of on-off cubes: logarithms where there are on counts, equal to WStat over all bins."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_cubes import CENTRE, on_off, source

import gammajax as gj
from gammajax.infer.expansion import exact_hessian, expand
from gammajax.likelihood import stats
from gammajax.likelihood.problem import Problem, predictions, stat
from gammajax.likelihood.terms import least_stat
from gammajax.likelihood.toys import draw

LON, LAT = CENTRE
MODELS = gj.Models(src=source())
WITH_NORM = MODELS.add(bg=gj.BackgroundNorm(datasets_names="ring")).set("bg.norm", 1.3).free("bg.tilt")

value = jax.jit(stat)


@pytest.fixture(scope="module")
def data():
    """Counts drawn from a point source over the background, with a hole in the mask and bins with alpha = 0."""
    (drawn,) = gj.fake([on_off()], MODELS, key=3)
    return gj.Datasets([drawn.with_observed(drawn.counts.at[0, 3, 14].set(1.0), drawn.counts_off)])


@pytest.fixture(scope="module")
def best(data):
    return gj.fit(data, MODELS)


def over_all_bins(dataset, models, factor=1.0):
    """WStat of every bin of the mask, in numpy and from `stats.wstat`."""
    signal, _ = gj.predict_counts(dataset, models)
    each = stats.wstat(dataset.counts, dataset.counts_off, jnp.asarray(factor) * dataset.alpha, jnp.asarray(signal))
    return float(np.asarray(each)[np.asarray(dataset.mask)].sum())


def dense_stat(problem, z):
    """WStat of the bins of a dense problem, none of them as a sum."""
    (group,) = problem.groups
    (found,) = predictions(problem, problem.layout.values(z))
    alpha = group.alpha if found.scale is None else group.alpha * found.scale
    each = stats.wstat(group.counts, group.counts_off, alpha, found.signal)
    return jnp.sum(jnp.where(group.mask & ~group.is_sum[None], each, 0.0))


def test_the_data_have_all_that_is_special(data):
    on, off, alpha, mask = (np.asarray(getattr(data[0], x)) for x in ("counts", "counts_off", "alpha", "mask"))
    assert not mask.all()
    for special in (on == 0, (on == 0) & (off == 0), alpha == 0, (alpha == 0) & (on > 0), (on > 0) & (off == 0)):
        assert (special & mask).any()
    assert (on > 0).mean() < 0.3


def test_the_sum_over_occupied_bins_is_wstat_over_all(data):
    sparse, dense = (Problem(data, MODELS, dense=d) for d in (False, True))
    assert dense.groups[0].counts.shape[1] > 4 * sparse.groups[0].counts.shape[1]
    expected = over_all_bins(data[0], MODELS)
    for problem in (sparse, dense):
        np.testing.assert_allclose(float(value(problem, problem.start)), expected, rtol=1e-12)
        at = jax.jit(expand)(problem, problem.start)
        np.testing.assert_allclose(float(at.deviance) + least_stat(problem.groups[0]).sum(), expected, rtol=1e-12)


def test_a_factor_on_alpha(data):
    """The bins without on counts enter through eight nodes in ln(1 + alpha), exact to rounding near one."""
    energy = np.sqrt(np.asarray(data[0].energy)[1:] * np.asarray(data[0].energy)[:-1])
    for norm, tilt in ((1.3, 0.2), (0.2, 0.0), (5.0, -0.5)):
        models = WITH_NORM.set("bg.norm", norm).set("bg.tilt", tilt)
        expected = over_all_bins(data[0], models, (norm * energy**-tilt)[:, None, None])
        problem = Problem(data, models)
        np.testing.assert_allclose(float(value(problem, problem.start)), expected, rtol=1e-12)


@pytest.mark.parametrize("models", [MODELS, WITH_NORM], ids=["source", "source and norm of alpha"])
def test_derivatives_are_those_of_wstat_over_all_bins(data, models):
    sparse, dense = (Problem(data, models, dense=d) for d in (False, True))
    gradient = np.asarray(jax.jit(jax.grad(dense_stat, argnums=1))(dense, dense.start))
    hessian = np.asarray(jax.jit(jax.hessian(dense_stat, argnums=1))(dense, dense.start))
    tolerance = {"rtol": 1e-8, "atol": 1e-8 * np.abs(hessian).max()}
    for problem in (sparse, dense):
        np.testing.assert_allclose(jax.jit(jax.grad(stat, argnums=1))(problem, problem.start), gradient, rtol=1e-9)
        np.testing.assert_allclose(jax.jit(expand)(problem, problem.start).gradient, gradient, rtol=1e-9)
        np.testing.assert_allclose(jax.jit(exact_hessian)(problem, problem.start), hessian, **tolerance)
    step = 1e-5 * np.eye(len(gradient))
    differences = [(value(sparse, sparse.start + h) - value(sparse, sparse.start - h)) / 2e-5 for h in step]
    np.testing.assert_allclose(np.array(differences), gradient, rtol=1e-4, atol=1e-4)


def test_asimov_counts_give_back_the_truth(data):
    expected = gj.asimov(data, MODELS)
    problem = Problem(expected, MODELS)
    np.testing.assert_allclose(jax.jit(jax.grad(stat, argnums=1))(problem, problem.start), 0.0, atol=1e-6)
    assert abs(float(value(problem, problem.start))) < 1e-8
    fit = gj.fit(expected, MODELS.set("src.spatial.lon_0", LON + 0.06).set("src.spectral.index", 2.0))
    assert fit.success
    np.testing.assert_allclose(fit.models.value("src.spatial.lon_0"), LON + 0.03, atol=1e-4)
    np.testing.assert_allclose(fit.models.value("src.spectral.index"), 2.3, atol=1e-3)


def test_a_fit_finds_the_minimum_over_all_bins(best, data):
    assert best.success
    dense = Problem(data, best.models, dense=True)
    gradient, hessian = (jax.jit(f(dense_stat, argnums=1))(dense, dense.start) for f in (jax.grad, jax.hessian))
    assert float(gradient @ jnp.linalg.solve(hessian, gradient)) < 1e-3
    errors = np.sqrt(np.diag(np.linalg.inv(0.5 * np.asarray(hessian)))) * np.asarray(dense.layout.scale)
    np.testing.assert_allclose([best.models.error(p) for p in best.models.free_paths], errors, rtol=1e-5)
    for path in best.models.free_paths:
        assert abs(best.models.value(path) - MODELS.value(path)) < 4 * best.models.error(path), path


def test_toys_scatter_around_what_is_expected(data):
    problem = Problem(data, MODELS, dense=True)
    on, off = (np.asarray(x)[:, 0] for x in draw(problem, jax.random.key(2), 400)[0])
    group, occupied = problem.groups[0], problem.groups[0].place.shape[1]
    signal, background = gj.predict_counts(data[0], MODELS)
    at = tuple(np.asarray(group.place)[0].T)
    mean = (signal + background)[at]
    np.testing.assert_allclose(on[:, :occupied].mean(axis=0).sum(), mean.sum(), rtol=5 / np.sqrt(400 * mean.sum()))
    alpha = np.asarray(data[0].alpha)[at]
    mean_off = np.divide(background[at], alpha, out=np.zeros_like(alpha), where=alpha > 0)
    np.testing.assert_allclose(off[:, :occupied].mean(axis=0), mean_off, atol=6 * np.sqrt(mean_off.max() / 400))
    assert np.all(off[:, :occupied][:, alpha == 0] == 0)
    energy = np.asarray(group.place)[0, :, 0]
    for drawn in (on, off):
        sums = np.stack([drawn[:, :occupied][:, energy == i].sum(axis=1) for i in range(3)], axis=1)
        np.testing.assert_array_equal(drawn[:, occupied:], sums)


def test_the_expected_background_is_the_most_likely_one(data):
    signal, background = gj.predict_counts(data[0], MODELS)
    on, off, alpha = (np.asarray(getattr(data[0], x)) for x in ("counts", "counts_off", "alpha"))
    mu_off = np.asarray(stats.wstat_profile(on, off, alpha, signal)[1])
    np.testing.assert_allclose(background, np.where(alpha > 0, alpha * mu_off, 0.0), rtol=1e-10, atol=1e-14)


def test_goodness_and_profiles_take_on_off_cubes(best, data):
    scan = gj.profile(data, best, "src.spatial.lat_0", points=5)
    assert np.all(scan.converged)
    np.testing.assert_allclose(scan.delta[[0, -1]], 9.0, rtol=0.3)
    found = gj.goodness(data, best, key=1, n=32)
    np.testing.assert_allclose(found.deviance, over_all_bins(data[0], best.models), rtol=1e-8)


def test_other_counts_and_values_compile_nothing(data):
    problem = Problem(data, MODELS)
    value(problem, problem.start)
    before = value._cache_size()
    more = data[0].with_observed(data[0].counts, data[0].counts_off + 1)
    other = Problem([more], MODELS.set("src.spectral.index", 2.0))
    value(other, other.start)
    assert value._cache_size() == before


def test_counts_where_neither_model_nor_off_counts_are_refused():
    one = on_off("bare")
    bare = gj.MapDatasetOnOff(
        name="bare",
        acceptance_off=0.0,
        **{f: getattr(one, f) for f in ("grid", "energy", "energy_true", "exposure", "counts", "psf", "edisp")},
    )
    with pytest.raises(gj.errors.DatasetError, match="bare: nothing is predicted in .* bins with counts"):
        gj.fit([bare], MODELS)


def test_background_models_are_refused_by_name(data):
    with pytest.raises(gj.errors.ModelError, match="bkg acts on ring, whose background is measured by off counts"):
        gj.fit(data, MODELS.add(bkg=gj.FoVBackground()))
