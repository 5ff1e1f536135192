"""Coverage: the arithmetic against an exact sum over Poisson counts, and (slow) nominal coverage at few counts."""

import dataclasses

import numpy as np
import pytest
from made_spectra import responses
from scipy.stats import poisson

import gammajax as gj
from gammajax.errors import ConfigError, NothingToFit, OutOfBounds
from gammajax.infer.stopwatch import Stopwatch

AXIS = np.array([1.0, 10.0])


def counted(events, background=3.0):
    """One bin with a known background and a source of `events` expected counts whose flux alone is free."""
    common = {**responses(0, AXIS, AXIS), "edisp": None}
    data = gj.SpectrumDataset(name="c", background=[background], **common)
    models = gj.Models(s=gj.SkyModel(gj.PowerLaw(amplitude=1e-12))).freeze("*.index")
    signal = float(gj.predict_counts(data, models)[0].sum())
    return data, models.set("*.amplitude", 1e-12 * events / signal)


def exact(events, background, sigma):
    """Probability that the likelihood interval of a Poisson mean holds the truth."""
    mu = events + background
    n = np.arange(200)
    with np.errstate(divide="ignore", invalid="ignore"):
        delta = 2 * (mu - n + np.where(n > 0, n * np.log(n / mu), 0.0))
    return float(np.sum(poisson.pmf(n, mu)[delta <= sigma**2]))


@pytest.fixture(scope="module")
def found():
    return gj.coverage(*counted(7.0), key=3, n=512)


def test_profile_intervals_cover_as_often_as_the_exact_sum_says(found):
    assert found.converged.all()
    for level, share in zip(found.levels, found.share("profile")[:, 0], strict=True):
        sigma = {0.68: 0.9944579, 0.95: 1.959964}[level]
        expected = exact(7.0, 3.0, sigma)
        assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / 512)


def test_ends_are_where_the_deviance_has_risen(found):
    """The profile of a counting experiment is known: 2 (mu - n + n ln(n / mu))."""
    n = found.counts
    per_event = found.truth[0, 0] / 7.0
    for level, ends in zip(found.levels, found.upper[:, :, 0], strict=True):
        mu = ends / per_event + 3.0
        with np.errstate(divide="ignore", invalid="ignore"):
            delta = 2 * (mu - n + np.where(n > 0, n * np.log(n / mu), 0.0))
        np.testing.assert_allclose(np.sqrt(delta), {0.68: 0.9944579, 0.95: 1.959964}[level], rtol=1e-3)


def test_fits_that_did_not_converge_are_misses(found):
    """Of four toys, two fits failed: what holds the truth holds it in half of the toys at most."""
    wide = {name: np.full((2, 4, 1), x) for name, x in (("lower", -1.0), ("upper", 1.0), ("limit", 1.0))}
    for name in wide:
        wide[name][:, 3] = np.nan
    one = {"truth": np.zeros((4, 1)), "best": np.zeros((4, 1)), "error": np.ones((4, 1)), "counts": np.ones(4)}
    toys = dataclasses.replace(found, **wide, **one, converged=np.array([True, True, False, False]))
    for method in ("hessian", "profile", "limit"):
        np.testing.assert_array_equal(toys.share(method), 0.5)
    assert toys.binomial_error(0.5) == 0.25
    assert toys.message == "2 of 4 fits converged; the others count as misses."


def test_other_truths_and_numbers_compile_nothing(found):
    data, models = counted(20.0)
    low, high = 0.5 * models.value("*.amplitude"), models.value("*.amplitude")
    with Stopwatch() as watch:
        other = gj.coverage(data, models, key=4, n=400, levels=(0.6, 0.9), spread={"*.amplitude": (low, high)})
    assert watch.programs == 0
    assert other.truth.min() >= low
    assert other.truth.max() <= high
    assert other.truth.std() > 0


def test_errors():
    data, models = counted(7.0)
    with pytest.raises(NothingToFit, match="is free"):
        gj.coverage(data, models, "*.index", key=1)
    with pytest.raises(ConfigError, match="levels must lie above 0.5"):
        gj.coverage(data, models, key=1, levels=(0.3,))
    with pytest.raises(ConfigError, match="must lie between 0 and 1"):
        gj.coverage(data, models, key=1, levels=(68,))
    with pytest.raises(OutOfBounds, match="is not inside"):
        gj.coverage(data, models.bound("*.amplitude", 0, 1), key=1, spread={"*.amplitude": (-1, 1)})
    with pytest.raises(NothingToFit, match="cannot be spread"):
        gj.coverage(data, models, key=1, spread={"*.index": (1, 2)})


def test_result_reads_well(found, tmp_path):
    assert "512 of 512 fits converged" in repr(found)
    assert len(found.table) == 6
    assert found.write(tmp_path / "coverage.h5").is_file()
    with pytest.raises(ConfigError, match="is not one of hessian, profile, limit"):
        found.covered("bayes")


@pytest.mark.slow
def test_intervals_cover_at_few_counts():
    """3 to 30 expected on events, truths spread evenly: profile intervals cover as often as they say."""
    data, models = counted(30.0, background=0.3)
    top = models.value("*.amplitude")
    found = gj.coverage(data, models, key=5, n=1000, spread={"*.amplitude": (0.1 * top, top)})
    for level, share in zip(found.levels, found.share("profile")[:, 0], strict=True):
        assert abs(share - level) < 3 * found.binomial_error(level)
