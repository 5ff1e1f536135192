import numpy as np
import pytest
from made_spectra import counting, log_parabola, on_off

import gammajax as gj
from gammajax.likelihood.expected import compare_known, compare_on_off, predict_all, predict_counts
from gammajax.likelihood.problem import predictions
from gammajax.likelihood.stats import wstat_profile


def test_signal_is_that_of_the_likelihood(spectra, source):
    problem = gj.Problem(spectra, source)
    ((expected, _),) = predictions(problem, problem.layout.values(problem.start))
    for dataset, row in zip(spectra, expected, strict=True):
        signal, _ = predict_counts(dataset, source)
        np.testing.assert_allclose(signal, row, rtol=1e-12)


def test_background_of_on_off_data_is_profiled(spectra, source):
    d = spectra[0]
    signal, background = predict_counts(d, source)
    _, mu_off, _ = wstat_profile(d.counts, d.counts_off, d.alpha, signal)
    np.testing.assert_allclose(background, np.asarray(d.alpha) * np.asarray(mu_off), rtol=1e-12)


def test_background_of_counting_data_is_known(source):
    (dataset, *_) = counting()
    np.testing.assert_array_equal(predict_counts(dataset, source)[1], 3.0)


def test_models_act_on_their_datasets_only(spectra):
    both = log_parabola().add(near=gj.SkyModel(gj.PowerLaw(), datasets_names=["d1"]))
    alone = [x.signal for x in predict_all(spectra, log_parabola())]
    more = [a.signal - b for a, b in zip(predict_all(spectra, both), alone, strict=True)]
    assert [bool(np.all(x > 0)) for x in more] == [False, True, False]
    np.testing.assert_array_equal(more[0], 0.0)


def test_datasets_of_different_shapes_keep_their_bins(source):
    datasets = gj.Datasets([*on_off(n=1), *counting(n=1, energy=np.geomspace(0.2, 20.0, 8))])
    assert [len(x.signal) for x in predict_all(datasets, source)] == [12, 7]


def test_no_models_no_signal(spectra):
    assert all(np.all(x.signal == 0) for x in predict_all(spectra, gj.Models()))


def test_squared_residuals_add_up_to_the_statistic(spectra, fitted):
    for d in spectra:
        signal, _ = predict_counts(d, fitted.models)
        _, residual = compare_on_off(d.counts, d.counts_off, d.alpha, signal)
        total = np.sum(residual[np.asarray(d.mask)] ** 2)
        assert total == pytest.approx(fitted.stat_per_dataset[d.name], rel=1e-9)


def test_residuals_carry_the_sign_of_the_excess():
    n = np.array([0.0, 3.0, 5.0, 9.0])
    residual = compare_known(n, np.full(4, 1.0), np.full(4, 4.0))
    np.testing.assert_array_equal(np.sign(residual), [-1, -1, 0, 1])
    np.testing.assert_allclose(residual[0], -np.sqrt(2 * 5.0))
    np.testing.assert_array_equal(compare_known(np.zeros(1), np.zeros(1), np.zeros(1)), 0.0)


def test_no_off_measurement_means_no_background():
    background, residual = compare_on_off(np.array([4.0]), np.zeros(1), np.zeros(1), np.array([4.0]))
    np.testing.assert_array_equal([background, residual], 0.0)
