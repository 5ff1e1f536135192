import importlib

import jax
import numpy as np
import pytest
from made_spectra import log_parabola

import gammajax as gj
from gammajax.errors import ModelError, NoSuchParameter, NothingToFit, OutOfBounds

coverage, refit = (importlib.import_module(f"gammajax.infer.{name}") for name in ("coverage", "refit"))


@pytest.fixture(scope="module")
def scan(asimov_spectra, truth_fit):
    return gj.profile(asimov_spectra, truth_fit, "*.beta", points=5, sigma=2.0)


def test_profile_is_a_loop_of_fits(scan, asimov_spectra, truth_fit):
    for value, stat in zip(scan.values, scan.stat, strict=True):
        pinned = truth_fit.models.set("*.beta", value).freeze("*.beta")
        assert gj.fit(asimov_spectra, pinned).stat == pytest.approx(stat, abs=2e-5)


def test_profile_is_nearly_parabolic(scan, truth_fit):
    assert np.all(scan.converged)
    assert scan.best == truth_fit.models.value("*.beta")
    np.testing.assert_allclose(scan.values, scan.best + np.linspace(-2, 2, 5) * scan.error)
    np.testing.assert_allclose(scan.delta, [4, 1, 0, 1, 4], rtol=0.05, atol=1e-5)


def test_lanes_make_no_batched_lapack_calls(asimov_spectra, source):
    """Two of them that meet on two cores wait for each other for ever: in fits, and in errors and profiles of toys."""
    problem, key = gj.Problem(asimov_spectra, source), jax.random.key(1)
    fits = refit._draw_and_fit.lower(problem, key, 1e-4, np.int32(0), lanes=4)
    low = np.array([source.value(path) for path in source.free_paths])
    held, sides = np.eye(len(low), dtype=bool), np.array([-1.0, 1.0])
    intervals = coverage._toys.lower(problem, low, low, held, sides, key, np.int32(0), lanes=4)
    for lowered in (fits, intervals):
        assert "lapack" not in lowered.as_text()


def test_chosen_values(asimov_spectra, truth_fit):
    scan = gj.profile(asimov_spectra, truth_fit, "*.amplitude", values="3.1e-11 cm-2 s-1 TeV-1")
    assert scan.values == [pytest.approx(3.1e-11)]
    assert scan.unit == "cm-2 s-1 TeV-1"
    error = truth_fit.models.error("*.amplitude")
    assert scan.delta[0] == pytest.approx((1e-12 / error) ** 2, rel=0.1)


def test_values_stop_at_a_bound(asimov_spectra):
    fit = gj.fit(asimov_spectra, log_parabola().bound("*.beta", 0.0985, 1.0))
    scan = gj.profile(asimov_spectra, fit, "*.beta", points=5, sigma=2.0)
    assert np.all(scan.values >= 0.0985)
    assert 3 <= len(scan.values) < 5
    assert scan.values[0] == 0.0985
    with pytest.raises(OutOfBounds, match=r"must lie inside \[0.0985, 1\]"):
        gj.profile(asimov_spectra, fit, "*.beta", values=[0.05, 0.1])


def test_a_parameter_on_its_bound_has_a_profile(asimov_spectra):
    fit = gj.fit(asimov_spectra, log_parabola(beta=0.25).bound("*.beta", 0.2, 0.5))
    whole = gj.profile(asimov_spectra, fit, "*.beta", points=7)
    assert np.all(whole.converged)
    assert whole.values[0] == 0.2
    assert len(whole.values) == 4
    assert whole.delta[0] == pytest.approx(0, abs=1e-4)
    # A gradient that presses against the bound adds to the parabola of three errors.
    assert whole.delta[-1] > 9
    scan = gj.profile(asimov_spectra, fit, "*.beta", values=[0.2, 0.21])
    assert np.all(scan.converged)
    assert scan.delta[0] == pytest.approx(0, abs=1e-4)
    assert scan.delta[1] > 1


def test_errors(asimov_spectra, truth_fit):
    with pytest.raises(NothingToFit, match="frozen or linked"):
        gj.profile(asimov_spectra, truth_fit, "*.reference")
    with pytest.raises(ModelError, match="matches 4 parameters, one is needed"):
        gj.profile(asimov_spectra, truth_fit, "crab.*")
    with pytest.raises(NoSuchParameter, match="nearest: 'crab.spectral.beta'"):
        gj.profile(asimov_spectra, truth_fit, "crab.spectral.bta")


def test_result_reads_well(scan, tmp_path):
    from gammajax.io.json import read_json

    assert "5 points converged" in repr(scan)
    assert "<table" in scan._repr_html_()
    content = read_json(scan.write(tmp_path / "scan.json"))
    np.testing.assert_array_equal(content["delta"], scan.delta)
    assert content["path"] == "crab.spectral.beta"
