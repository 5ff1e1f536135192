"""What functions accept: one dataset or many, models or a fit, a key or a seed."""

import jax
import numpy as np
import pytest

import gammajax as gj
from gammajax.errors import ConfigError, DatasetError, ModelError, UnknownDataset
from gammajax.infer.fit import Fit


def test_one_dataset_stands_for_a_list(spectra, source):
    one, many = gj.fit(spectra[0], source), gj.fit([spectra[0]], source)
    assert one.stat == many.stat
    assert list(one.stat_per_dataset) == [spectra[0].name]
    assert isinstance(gj.profile(spectra[0], one, "*.alpha", points=3), gj.Profile)


@pytest.mark.parametrize("wrong", [3, "spectra", [1, 2], None])
def test_things_that_are_no_datasets(source, wrong):
    with pytest.raises(DatasetError, match="SpectrumDataset"):
        gj.fit(wrong, source)


def test_datasets_need_names_of_their_own(spectra, source):
    with pytest.raises(DatasetError, match="d0"):
        gj.fit([spectra[0], spectra[0]], source)


def test_gammapys_names_are_told():
    with pytest.raises(AttributeError, match="Gammapy's PowerLawSpectralModel is gammajax.PowerLaw"):
        gj.PowerLawSpectralModel  # noqa: B018
    with pytest.raises(AttributeError, match="Gammapy's GaussianSpatialModel is gammajax.GaussianSpatial"):
        gj.GaussianSpatialModel  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'Powerlaw'$"):
        gj.Powerlaw  # noqa: B018


def test_a_fit_stands_for_its_models(truth_fit, asimov_spectra):
    assert gj.fit(asimov_spectra, truth_fit).stat == pytest.approx(truth_fit.stat, abs=1e-9)
    assert gj.asimov(asimov_spectra, truth_fit).names == asimov_spectra.names
    assert len(gj.refit_toys(asimov_spectra, truth_fit, key=1, n=2).values) == 2
    with pytest.raises(ModelError, match="got dict"):
        gj.fit(asimov_spectra, {})


def test_models_stand_for_a_fit_in_a_profile(asimov_spectra, source, truth_fit):
    one = gj.profile(asimov_spectra, source, "*.beta", points=5)
    two = gj.profile(asimov_spectra, truth_fit, "*.beta", points=5)
    np.testing.assert_allclose(one.stat, two.stat, atol=1e-6)


def test_a_profile_needs_the_datasets_of_its_fit(asimov_spectra, truth_fit):
    with pytest.raises(UnknownDataset, match="not d0"):
        gj.profile(asimov_spectra[:1], truth_fit, "*.beta", points=3)


def test_values_make_up_for_a_missing_covariance(asimov_spectra, source):
    bare = gj.fit(asimov_spectra, source, covariance=False)
    scan = gj.profile(asimov_spectra, bare, "*.beta", values=[0.09, 0.11])
    assert scan.converged.all()
    assert np.all(scan.delta > 0)


def test_keys_and_seeds(asimov_spectra, source):
    one, two = (gj.fake(asimov_spectra, source, key=key) for key in (5, jax.random.key(5)))
    np.testing.assert_array_equal(one[0].counts, two[0].counts)
    with pytest.raises(ConfigError, match="integer"):
        gj.fake(asimov_spectra, source, key="5")


def test_timings_add_up(asimov_spectra, source):
    result = gj.fit(asimov_spectra, source)
    assert isinstance(result, Fit)
    assert result.timings["total"] == pytest.approx(result.timings["compile"] + result.timings["run"])


def test_numbers_of_toys_share_programs(asimov_spectra, source):
    from gammajax.infer.stopwatch import Stopwatch

    gj.refit_toys(asimov_spectra, source, key=0, n=7)
    with Stopwatch() as watch:
        toys = gj.refit_toys(asimov_spectra, source, key=0, n=5)
    assert watch.programs == 0
    assert toys.values.shape == (5, 3)
    assert toys.converged.all()
