"""Toys of cubes: counts are drawn in every bin, and what is drawn is found again."""

import numpy as np
from made_cubes import CENTRE, cube, models, on_off

import gammajax as gj
from gammajax.infer.lanes import LANES, most_lanes
from gammajax.likelihood.problem import Problem

POINT = models(amplitude=2e-11).freeze("bkg.*", "*.lon_0", "*.lat_0")
SOURCE = gj.Models(src=POINT["src"])
GAUSS = models(gj.GaussianSpatial(lon_0=CENTRE[0] + 0.03, lat_0=CENTRE[1] - 0.02, sigma=0.12), amplitude=4e-11)


def test_pulls():
    """Of flux, index, position and extension: mean 0, width 1."""
    errors = gj.fit(gj.asimov([cube()], GAUSS), GAUSS).models
    toys = gj.refit_toys([cube()], GAUSS, key=1, n=256)
    assert toys.converged.mean() > 0.98
    for path, values in zip(toys.paths, toys.values[toys.converged].T, strict=True):
        pulls = (values - GAUSS.value(path)) / errors.error(path)
        assert abs(np.median(pulls)) < 0.3, path
        assert 0.8 < pulls.std() < 1.25, path


def test_goodness():
    """Data of the model itself are nothing special, whatever bins they fill."""
    data = gj.fake([cube()], POINT, key=2)
    fit = gj.fit(data, POINT)
    found = gj.goodness(data, fit, key=3, n=64)
    assert 0.02 < found.p_value[0] < 0.98
    signal, background = gj.predict_counts(data[0], fit)
    n, mu = (np.asarray(x)[np.asarray(data[0].mask)] for x in (data[0].counts, signal + background))
    expected = 2 * np.sum(mu - n + np.where(n > 0, n * np.log(np.where(n > 0, n, 1) / mu), 0.0))
    np.testing.assert_allclose(found.deviance, expected, rtol=1e-9)


def test_coverage():
    found = gj.coverage([cube()], POINT, "*.amplitude", key=4, n=128)
    inside = (found.lower[0, :, 0] <= found.truth[:, 0]) & (found.truth[:, 0] <= found.upper[0, :, 0])
    assert abs(np.mean(inside) - 0.68) < 4 * np.sqrt(0.68 * 0.32 / 128)


def test_predictive_checks():
    """Counts are kept per energy, the discrepancies are those of all bins."""
    data = gj.fake([cube()], POINT, key=2)
    found = gj.predictive(data, gj.fit(data, POINT), key=5, draws=64)
    assert all(0.02 < p < 0.98 for p, _ in found.p_values.values())
    drawn, (counts, used) = found.counts["cube"], found.observed("cube")
    mask = np.asarray(data[0].mask)
    np.testing.assert_array_equal(counts, np.where(mask, data[0].counts, 0).sum(axis=(1, 2)))
    assert drawn.shape == (64, 3)
    assert used.all()
    mean = np.where(mask, sum(gj.predict_counts(data[0], gj.fit(data, POINT))), 0).sum(axis=(1, 2))
    assert np.all(np.abs(drawn.mean(axis=0) - mean) < 4 * np.sqrt(mean / 64))
    np.testing.assert_allclose(drawn.var(axis=0), mean, rtol=0.8)
    assert len(found.table) == 3


def test_predictive_checks_find_a_wrong_model():
    data = gj.fake([cube()], POINT, key=2)
    wrong = gj.fit(data, POINT.freeze("*.amplitude").set("*.amplitude", 6e-11))
    assert gj.predictive(data, wrong, key=5, draws=64).p_values["deviance"][0] < 0.05


def test_predictive_checks_of_on_off_cubes():
    data = gj.fake([on_off()], SOURCE, key=2)
    found = gj.predictive(data, gj.fit(data, SOURCE), key=5, draws=64)
    assert found.counts_off["ring"].shape == found.counts["ring"].shape == (64, 3)
    off = np.where(data[0].mask, data[0].counts_off, 0).sum(axis=(1, 2))
    assert np.all(np.abs(found.counts_off["ring"].mean(axis=0) - off) < 5 * np.sqrt(off))
    assert 0.01 < found.p_values["deviance"][0] < 0.99


def test_lanes_of_large_cubes_are_few():
    problem = Problem([cube()], POINT, dense=True)
    assert most_lanes(problem) == LANES
    assert most_lanes(*[problem] * 200) < 64
