"""Asymmetric errors and limits: against refits at their ends, bounds, open sides, messages, compilation."""

import jax
import numpy as np
import pytest
from made_spectra import log_parabola, on_off, responses

import gammajax as gj
from gammajax.errors import ConfigError, ModelError, NoSuchParameter, NothingToFit, UnknownDataset
from gammajax.infer.crossing import End
from gammajax.infer.stopwatch import Stopwatch
from gammajax.io.json import read_json


def rise(datasets, fit, path, value):
    return gj.fit(datasets, fit.models.set(path, value).freeze(path)).stat - fit.stat


@pytest.fixture(scope="module")
def random_fit(spectra, source):
    return gj.fit(spectra, source)


@pytest.mark.parametrize("sigma", [1.0, 2.0])
def test_the_profile_has_risen_by_sigma_squared_at_both_ends(spectra, random_fit, sigma):
    found = gj.asymmetric_errors(spectra, random_fit, sigma=sigma)
    assert found.success
    assert found.paths == tuple(random_fit.models.free_paths)
    for path, low, high in zip(found.paths, found.lower, found.upper, strict=True):
        assert rise(spectra, random_fit, path, low) == pytest.approx(sigma**2, rel=1e-3)
        assert rise(spectra, random_fit, path, high) == pytest.approx(sigma**2, rel=1e-3)
    np.testing.assert_allclose(found.errn, sigma * found.error, rtol=0.2)
    np.testing.assert_allclose(found.errp, sigma * found.error, rtol=0.2)
    assert found["*.beta"] == (found.lower[2], found.upper[2])


def test_limits_follow_both_conventions(spectra, random_fit):
    one_sided = gj.upper_limit(spectra, random_fit, "*.beta", confidence_level=0.95)
    assert one_sided.delta == pytest.approx(2.7055, abs=1e-4)
    assert rise(spectra, random_fit, "*.beta", one_sided.value) == pytest.approx(one_sided.delta, rel=1e-3)
    two = gj.upper_limit(spectra, random_fit, "*.beta", sigma=2)
    assert two.confidence_level == pytest.approx(0.97725, abs=1e-5)
    assert two.value == pytest.approx(gj.asymmetric_errors(spectra, random_fit, "*.beta", sigma=2).upper[0], rel=1e-6)
    low = gj.lower_limit(spectra, random_fit, "*.beta")
    assert low.value < random_fit.models.value("*.beta") < one_sided.value
    central = gj.asymmetric_errors(spectra, random_fit, "*.beta", confidence_level=0.9)
    assert central.lower[0] == pytest.approx(low.value, rel=1e-5)


def counted(n, background=2.0):
    """One bin with a known background, and a source whose flux alone is free; and the signal at the start."""
    axis = np.array([1.0, 10.0])
    common = {**responses(0, axis, axis), "edisp": None}
    data = gj.SpectrumDataset(name="c", counts=[n], background=[background], **common)
    models = gj.Models(s=gj.SkyModel(gj.PowerLaw(amplitude=1e-12))).freeze("*.index").bound("*.amplitude", 0.0)
    return data, models, float(gj.predict_counts(data, models)[0].sum())


def test_a_limit_with_the_best_fit_on_the_bound():
    """Without counts the statistic is 2 mu: the limit is delta / 2 signal counts."""
    data, models, signal = counted(0)
    fit = gj.fit(data, models)
    assert fit.models.value("*.amplitude") == 0
    limit = gj.upper_limit(data, fit, "*.amplitude")
    assert limit.success
    assert limit.value * signal / 1e-12 == pytest.approx(limit.delta / 2, rel=3e-4)
    errors = gj.asymmetric_errors(data, fit)
    assert errors.ends == ((End.BOUND, End.FOUND),)
    assert errors.lower[0] == 0
    assert "lower side: the bound comes before" in errors.message


def test_a_bound_ends_the_interval(asimov_spectra):
    fit = gj.fit(asimov_spectra, log_parabola().bound("*.beta", -1.0, 0.101))
    found = gj.asymmetric_errors(asimov_spectra, fit, "*.beta", sigma=3)
    assert found.upper[0] == 0.101
    assert found.ends[0] == (End.FOUND, End.BOUND)
    assert not found.success


def test_a_side_that_the_data_leave_open():
    """Three counts above a background of two: no source at all is within three sigma, however small its logarithm."""
    models = gj.Models(s=gj.SkyModel(Decades())).freeze("*.index")
    data = counted(3)[0]
    fit = gj.fit(data, models)
    found = gj.asymmetric_errors(data, fit, sigma=3)
    assert found.lower[0] == 0
    assert found.ends[0][0] is End.ENDLESS
    assert "never rises that much" in found.message
    assert np.isfinite(found.upper[0])


class Decades(gj.SpectralModel):
    amplitude: gj.Scalar = gj.param(1e-13, unit="cm-2 s-1 TeV-1", lower=0.0, scale="log")
    index: gj.Scalar = gj.param(2.0)

    def dnde(self, energy):
        return self.amplitude * energy**-self.index


def test_errors_are_told(spectra, random_fit):
    with pytest.raises(NothingToFit, match="frozen or linked"):
        gj.asymmetric_errors(spectra, random_fit, "*.reference")
    with pytest.raises(NoSuchParameter, match="nearest"):
        gj.upper_limit(spectra, random_fit, "crab.spectral.bta")
    with pytest.raises(ModelError, match="one is needed"):
        gj.upper_limit(spectra, random_fit, "crab.*")
    for level in (0, 1, 95, -0.1, "95%"):
        with pytest.raises(ConfigError, match="confidence_level must lie between 0 and 1"):
            gj.upper_limit(spectra, random_fit, "*.beta", confidence_level=level)
    with pytest.raises(ConfigError, match="above 0.5"):
        gj.upper_limit(spectra, random_fit, "*.beta", confidence_level=0.3)
    with pytest.raises(ConfigError, match="sigma must be a number above 0"):
        gj.asymmetric_errors(spectra, random_fit, sigma=-1)
    with pytest.raises(UnknownDataset, match="not d0"):
        gj.asymmetric_errors(spectra[:1], random_fit)
    with pytest.raises(UnknownDataset, match="give the datasets that the fit was made to"):
        gj.asymmetric_errors(on_off(seed=9), random_fit)


def test_other_data_parameters_and_levels_compile_nothing(spectra, random_fit):
    gj.upper_limit(spectra, random_fit, "*.beta")
    gj.asymmetric_errors(spectra, random_fit)
    other = on_off(seed=5)
    fit = gj.fit(other, log_parabola())
    with Stopwatch() as watch:
        gj.upper_limit(spectra, random_fit, "*.alpha", confidence_level=0.9)
        gj.asymmetric_errors(other, fit, sigma=3)
    assert watch.programs == 0


def test_results_read_well(spectra, random_fit, tmp_path):
    found = gj.asymmetric_errors(spectra, random_fit)
    assert "1 sigma (68.27 %)" in repr(found)
    assert "<table" in found._repr_html_()
    content = read_json(found.write(tmp_path / "errors.json"))
    assert content["parameters"][0]["errn"] == found.errn[0]
    assert content["parameters"][0]["ends"] == ["found", "found"]
    limit = gj.upper_limit(spectra, random_fit, "*.amplitude")
    assert "95 % one-sided, delta stat 2.706" in repr(limit)
    assert read_json(limit.write(tmp_path / "limit.json"))["value"] == limit.value
    assert isinstance(jax.tree.leaves(found.values_upper)[0], np.ndarray)
    with pytest.raises(ConfigError, match="no interval of"):
        found["nothing"]


@pytest.mark.parametrize(
    ("level", "text"),
    [(0.95, "(95 % one"), (0.997, "(99.7 % one"), (0.9999999, "(99.99999 % one"), (0.99991, "(99.991 % one")],
)
def test_levels_near_one_have_their_digits(asimov_spectra, truth_fit, level, text):
    assert text in repr(gj.upper_limit(asimov_spectra, truth_fit, "*.alpha", confidence_level=level))


def test_digits_of_central_intervals(asimov_spectra, truth_fit):
    assert "5 sigma (99.99994 %)" in repr(gj.asymmetric_errors(asimov_spectra, truth_fit, "*.alpha", sigma=5))
    assert "9 sigma ((100 - 2.3e-17) %)" in repr(gj.asymmetric_errors(asimov_spectra, truth_fit, "*.alpha", sigma=9))
