"""Nested models: Wilks, Chernoff's mixture against toys, what is undefined, what is refused."""

import numpy as np
import pytest
from made_spectra import counting
from scipy.stats import chi2

import gammajax as gj
from gammajax.errors import ConfigError, ModelError, UnknownDataset
from gammajax.infer.compare import _log_tail, _sigmas
from gammajax.io.json import read_json


def without_curvature(models):
    return models.set("*.beta", 0.0).freeze("*.beta")


def sources(*names):
    made = {name: gj.SkyModel(gj.PowerLaw(amplitude=1e-12, index=1.5 if name == "a" else 3.0)) for name in names}
    return gj.Models(made).bound("*.amplitude", 0.0)


class Logarithmic(gj.PowerLaw):
    """A power law whose amplitude is fitted in its logarithm."""

    amplitude: gj.Scalar = gj.param(1e-12, unit="cm-2 s-1 TeV-1", scale="log")


DATA = counting(n=1, background=10.0)


@pytest.fixture(scope="module")
def null_data():
    """Counts of one source alone."""
    return gj.fake(DATA, sources("a"), key=11)


@pytest.fixture(scope="module")
def second_source(null_data):
    alternative = sources("a", "b").freeze("b.*.index")
    return gj.likelihood_ratio(null_data, sources("a"), alternative, key=1, n=400)


def test_inside_the_alternative_wilks_holds(asimov_spectra, truth_fit, source):
    found = gj.likelihood_ratio(asimov_spectra, without_curvature(source), truth_fit)
    assert found.ts == pytest.approx(found.null.stat - truth_fit.stat)
    assert found.dof == 1
    assert found.significance == pytest.approx(np.sqrt(found.ts))
    assert found.p_value == pytest.approx(chi2.sf(found.ts, 1))
    assert np.isnan(found.p_value_mixture)
    assert found.message.startswith("The null lies inside")
    assert found.delta_aic == pytest.approx(found.ts - 2)
    assert found.delta_bic == pytest.approx(found.ts - np.log(truth_fit.n_bins))


def test_criteria_of_a_fit(truth_fit):
    assert truth_fit.aic == truth_fit.stat + 6
    assert truth_fit.bic == pytest.approx(truth_fit.stat + 3 * np.log(34))


def test_a_source_on_its_bound_is_a_mixture(second_source):
    assert second_source.boundary == ("b.spectral.amplitude",)
    assert second_source.undefined == ()
    assert "WARNING: b.spectral.amplitude on a bound under the null" in second_source.message
    assert second_source.p_value_mixture in (1.0, pytest.approx(0.5 * second_source.p_value))


def test_toys_of_the_null_follow_the_mixture(second_source):
    toys = second_source.toys
    assert len(toys) == 400
    assert abs(np.mean(toys < 1e-3) - 0.5) < 4 * np.sqrt(0.25 / 400)
    expected = 0.5 * chi2.sf(1.0, 1)
    assert abs(np.mean(toys > 1.0) - expected) < 4 * np.sqrt(expected * (1 - expected) / 400)


def test_a_parameter_undefined_under_the_null_is_named(null_data):
    found = gj.likelihood_ratio(null_data, sources("a"), sources("a", "b"))
    assert found.undefined == ("b.spectral.index",)
    assert "undefined under the null" in found.message
    assert np.isnan(found.p_value_mixture)


@pytest.fixture(scope="module")
def dark_data():
    """Counts without any source."""
    return gj.fake(DATA, gj.Models(), key=12)


@pytest.fixture(scope="module")
def detection(dark_data):
    return gj.likelihood_ratio(dark_data, gj.Models(), sources("a").freeze("a.*.index"), key=2, n=400)


def test_a_nuisance_that_the_null_lacks_is_no_source(null_data):
    """Without it its norm is one, not zero; the source is at its bound, and its index undefined, all the same."""
    alternative = sources("a").add(area=gj.ExposureNorm()).prior("area.norm", gj.Normal(1.0, 0.1))
    found = gj.likelihood_ratio(null_data, gj.Models(), alternative)
    assert found.boundary == ("a.spectral.amplitude",)
    assert found.undefined == ("a.spectral.index",)
    assert found.ts > 25


def test_no_source_is_a_null(null_data):
    """TS of a detection: the statistic of the background alone, from bin to bin, minus that of the fit."""
    alternative = sources("a").freeze("a.*.index")
    found = gj.likelihood_ratio(null_data, gj.Models(), alternative)
    counts, background = (np.asarray(getattr(null_data[0], name)) for name in ("counts", "background"))
    used = np.asarray(null_data[0].mask)
    cash = 2.0 * np.sum((background - counts * np.log(background))[used])
    assert found.null.stat == pytest.approx(cash, rel=1e-12)
    assert found.ts == pytest.approx(cash - gj.fit(null_data, alternative).stat, rel=1e-9)
    assert found.ts > 25
    assert found.dof == 1
    assert found.null.message.startswith("No parameter is free")
    assert found.boundary == ("a.spectral.amplitude",)
    assert "take p_value_mixture" in found.message
    assert found.p_value_mixture == pytest.approx(0.5 * found.p_value)


def test_a_source_that_is_frozen_without_flux_is_the_same_null(null_data):
    alternative = sources("a")
    rest = alternative.set("*.amplitude", 0.0).freeze("*")
    one, other = (gj.likelihood_ratio(null_data, null, alternative) for null in (gj.Models(), rest))
    assert one.ts == other.ts
    assert one.dof == other.dof == 2
    assert one.boundary == other.boundary == ("a.spectral.amplitude",)
    assert one.undefined == other.undefined == ("a.spectral.index",)
    assert "calibrate with toys" in one.message


def test_a_null_at_rest_with_flux(asimov_spectra, source, truth_fit):
    """Nothing is free and nothing on a bound: Wilks' theorem holds for all parameters together."""
    found = gj.likelihood_ratio(asimov_spectra, source.freeze("*"), truth_fit)
    assert found.ts == pytest.approx(0, abs=1e-6)
    assert found.dof == 3
    assert found.message.startswith("The null lies inside")


def test_the_end_of_a_logarithm_is_a_bound(null_data):
    alternative = sources("a").freeze("a.*.index")
    logarithm = gj.Models(a=gj.SkyModel(Logarithmic(index=1.5))).freeze("a.*.index")
    one, other = (gj.likelihood_ratio(null_data, gj.Models(), x) for x in (alternative, logarithm))
    assert other.ts == pytest.approx(one.ts, abs=1e-4)
    assert other.boundary == ("a.spectral.amplitude",)
    assert other.undefined == ()


def test_toys_without_a_source_follow_the_mixture(detection):
    toys = detection.toys
    assert len(toys) == 400
    assert detection.toys_failed == 0
    assert abs(np.mean(toys < 1e-3) - 0.5) < 4 * np.sqrt(0.25 / 400)
    expected = 0.5 * chi2.sf(1.0, 1)
    assert abs(np.mean(toys > 1.0) - expected) < 4 * np.sqrt(expected * (1 - expected) / 400)


def test_models_of_other_parameters_are_told(asimov_spectra, truth_fit):
    power = gj.Models(crab=gj.SkyModel(gj.PowerLaw(amplitude=3e-11)))
    found = gj.likelihood_ratio(asimov_spectra, power, truth_fit)
    assert "Whether they are nested is not known: the alternative has no crab.spectral.index" in found.message


def test_what_is_not_nested_is_refused(asimov_spectra, source):
    with pytest.raises(ModelError, match="it needs more"):
        gj.likelihood_ratio(asimov_spectra, source, source)
    with pytest.raises(ModelError, match="free in the null, not in the alternative"):
        gj.likelihood_ratio(asimov_spectra, source.freeze("*.beta", "*.amplitude"), source.freeze("*.alpha"))
    with pytest.raises(ModelError, match=r"reference is frozen at 1 in the null, 2 in the other"):
        gj.likelihood_ratio(asimov_spectra, source.freeze("*.beta"), source.set("*.reference", 2.0))
    with pytest.raises(ModelError, match="outside"):
        gj.likelihood_ratio(asimov_spectra, without_curvature(source), source.bound("*.beta", 0.05, 1.0))
    fit = gj.fit(asimov_spectra[:1], source.freeze("*.beta"))
    with pytest.raises(UnknownDataset, match="the null was fitted to"):
        gj.likelihood_ratio(asimov_spectra, fit, source)
    with pytest.raises(ConfigError, match="both key= and a number n="):
        gj.likelihood_ratio(asimov_spectra, source.freeze("*.beta"), source, n=10)


def test_significance_where_the_tail_underflows():
    assert _log_tail(1300.0, 3) == pytest.approx(np.log(chi2.sf(1300.0, 3)), rel=1e-9)
    assert _log_tail(3000.0, 2) == pytest.approx(-1500.0, rel=1e-9)
    assert _sigmas(9.0, 1) == 3.0
    assert _sigmas(11.829, 2) == pytest.approx(3.0, abs=1e-3)
    assert 54.5 < _sigmas(3000.0, 3) < 54.8


def test_result_reads_well(second_source, tmp_path):
    assert "400 toys of the null: p =" in repr(second_source)
    content = read_json(second_source.write(tmp_path / "ts.json"))
    assert content["dof"] == 1
    assert content["toys"] == 400
