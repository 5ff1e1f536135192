"""On-off cubes: what the constructor takes, alpha, and other counts."""

import numpy as np
import pytest
from made_cubes import on_off

import gammajax as gj
from gammajax.errors import DatasetError

FIELDS = [
    "grid",
    "energy",
    "energy_true",
    "exposure",
    "counts",
    "counts_off",
    "acceptance",
    "acceptance_off",
    "psf",
    "edisp",
]


def made(**changes):
    return gj.MapDatasetOnOff(name="run", **({f: getattr(on_off(), f) for f in FIELDS} | changes))


def test_alpha_is_the_ratio_of_acceptances_and_zero_without_off_acceptance():
    dataset = on_off()
    off = np.asarray(dataset.acceptance_off)
    assert (off == 0).any()
    np.testing.assert_allclose(dataset.alpha, np.where(off > 0, 1.0 / np.where(off > 0, off, 1.0), 0.0), rtol=1e-14)
    np.testing.assert_allclose(dataset.background, dataset.alpha * dataset.counts_off, rtol=1e-14)
    np.testing.assert_allclose(dataset.excess, dataset.counts - dataset.background, rtol=1e-14)


def test_an_acceptance_may_be_one_number():
    np.testing.assert_allclose(made(acceptance=2.0, acceptance_off=8.0).alpha, 0.25)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"acceptance": -1.0}, "run: acceptance holds 2160 negative values"),
        (
            {"acceptance_off": np.ones((3, 2))},
            r"run: acceptance_off has shape \(3, 2\), its axes ask for \(3, 24, 30\)",
        ),
        ({"counts_off": np.full((3, 24, 30), np.nan)}, "run: counts_off holds 2160 values that are not finite"),
        ({"counts_off": np.ones((2, 24, 30))}, r"run: counts_off has shape \(2, 24, 30\)"),
        ({"edisp": None}, "run: edisp may be left out only if"),
    ],
)
def test_what_cannot_be_on_off_data_is_refused(changes, message):
    with pytest.raises(DatasetError, match=message):
        made(**changes)


def test_masks_energies_and_other_counts():
    dataset = on_off()
    assert np.asarray(dataset.whole.mask).all()
    selected = np.asarray(dataset.select_energy("2 TeV", "20 TeV").mask)
    assert not selected[0].any()
    assert (selected[1:] == np.asarray(dataset.mask)[1:]).all()
    other = dataset.with_observed(np.ones(dataset.counts.shape), 2.0 * np.ones(dataset.counts.shape))
    assert float(other.counts.sum()) == 2160
    assert float(other.counts_off.sum()) == 4320
    assert np.array_equal(other.acceptance_off, dataset.acceptance_off)


def test_what_it_says_about_itself():
    text = repr(on_off())
    assert text.startswith("MapDatasetOnOff ring")
    assert ", off " in text
    assert ", alpha " in text
