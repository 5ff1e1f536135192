import equinox as eqx
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from made_runs import EDGES, SOURCE, flat_aeff, made_run, sharp_edisp

from gammajax.datasets.spectrum import SpectrumDataset, SpectrumDatasetOnOff
from gammajax.errors import ConfigError
from gammajax.reduce.safe_mask import SafeMask
from gammajax.reduce.thresholds import aeff_threshold, bias_threshold

CENTER = np.sqrt(EDGES[1:] * EDGES[:-1])


def dataset(**fields):
    given = {"exposure": np.ones(12), "edisp": np.eye(12), "counts_off": np.arange(12.0)[::-1], **fields}
    return SpectrumDatasetOnOff(name="d", energy=EDGES, energy_true=EDGES, **given)


def safe(mask, **fields):
    run = made_run(n=20, aeff=flat_aeff(lo_thres=float(EDGES[4]) * (1 + 1e-7)), edisp=sharp_edisp())
    return np.asarray(mask.apply(dataset(**fields), run, 0.5).mask_safe)


def test_no_method_changes_nothing():
    assert safe(SafeMask()).all()
    assert safe(SafeMask(), mask_safe=np.arange(12) > 3).sum() == 8


def test_header_threshold_survives_float32():
    np.testing.assert_array_equal(safe(SafeMask("aeff-default")), np.arange(12) >= 4)


def test_part_of_the_maximal_area():
    rising = np.minimum(CENTER, 10.0)
    assert aeff_threshold(rising, EDGES, 10.0) == pytest.approx(1.0)
    np.testing.assert_array_equal(safe(SafeMask("aeff-max", aeff_percent=10), exposure=rising), EDGES[:-1] >= 1.0)


def test_area_that_falls_again_is_no_threshold():
    assert aeff_threshold(np.array([5.0, 10.0, 0.1]), np.array([1.0, 2.0, 4.0, 8.0]), 10) == pytest.approx(2**0.5)


def test_area_of_zero_leaves_no_bin():
    assert aeff_threshold(np.zeros(12), EDGES, 10.0) == np.inf
    assert not safe(SafeMask("aeff-max"), exposure=np.zeros(12)).any()


def test_bias_threshold():
    # all photons of the three lowest bins end up in the third: bias falls from 2.16 to 0
    edisp = np.eye(12)
    edisp[:3] = np.eye(12)[2]
    threshold = bias_threshold(edisp, EDGES, EDGES, 10.0)
    assert CENTER[1] < threshold < CENTER[2] * 1.1
    assert safe(SafeMask("edisp-bias"), edisp=edisp).sum() == np.sum(EDGES[:-1] >= threshold)


def test_empty_rows_have_no_bias():
    edisp = np.eye(12)
    edisp[0] = 0
    assert np.isfinite(bias_threshold(edisp, EDGES, EDGES, 10.0))


def test_peak_of_the_background():
    np.testing.assert_array_equal(safe(SafeMask("bkg-peak"), counts_off=np.eye(12)[5]), np.arange(12) >= 5)


def test_offset():
    assert safe(SafeMask("offset-max", offset_max="0.6 deg")).all()
    assert not safe(SafeMask("offset-max", offset_max=0.4)).any()


def test_methods_are_combined():
    both = safe(SafeMask("aeff-default", "bkg-peak"), counts_off=np.eye(12)[6])
    np.testing.assert_array_equal(both, np.arange(12) >= 6)


def test_misspelt_method():
    with pytest.raises(ConfigError, match="nearest: 'aeff-max'"):
        SafeMask("aef-max")


def test_energies_and_masks_of_the_user():
    low, high = float(EDGES[3]) * (1 + 1e-8), float(EDGES[9])
    np.testing.assert_array_equal(
        safe(SafeMask(energy_min=low, energy_max=f"{high} TeV")), (np.arange(12) >= 3) & (np.arange(12) < 9)
    )
    np.testing.assert_array_equal(safe(SafeMask("bkg-peak", user=np.arange(12) > 7)), np.arange(12) > 7)
    np.testing.assert_array_equal(safe(SafeMask(user=lambda d, run: np.asarray(d.counts_off) > 3)), np.arange(12) < 8)
    with pytest.raises(ConfigError, match="12 bools, one per energy bin, got int64"):
        safe(SafeMask(user=np.arange(12)))
    with pytest.raises(ConfigError, match="12 bools"):
        safe(SafeMask(user=lambda d, run: np.ones(3, bool)))
    with pytest.raises(ConfigError, match="is not below"):
        SafeMask(energy_min="2 TeV", energy_max=1.0)


def test_the_response_of_the_file():
    rising = flat_aeff()
    rising = eqx.tree_at(lambda a: a.values, rising, np.arange(1.0, 7)[:, None] * np.array([10.0, 8.0, 1.0, 1.0]))
    run = made_run(aeff=rising, edisp=sharp_edisp())
    points = np.asarray(rising.energy.edges)

    def threshold(**options):
        mask = SafeMask("aeff-max", aeff_percent=60, irfs="DL3", **options).apply(dataset(), run, 0.5).mask_safe
        return EDGES[:-1][np.asarray(mask)].min()

    at = SkyCoord(*SOURCE, unit="deg")
    for options, offset in (({}, 0.0), ({"fixed_offset": "0.5 deg"}, 0.5), ({"position": at}, 0.5)):
        area = np.asarray(rising.evaluate(points, offset))
        expected = points[area > 0.6 * area.max()].min()
        assert threshold(**options) == EDGES[expected <= EDGES].min()
    mask = SafeMask("edisp-bias", irfs="DL3").apply(dataset(), run, 0.5).mask_safe
    assert np.asarray(mask).any()
    with pytest.raises(ConfigError, match="not both"):
        SafeMask(fixed_offset=1.0, position=SkyCoord("0d", "0d"))
    with pytest.raises(ConfigError, match="irfs is"):
        SafeMask(irfs="DL5")


def test_a_known_background_of_zero_is_not_safe():
    background = np.array([0.0, 0, 5, 3, 2, 1, 1, 1, 1, 1, 0, 0])
    known = SpectrumDataset(name="k", energy=EDGES, energy_true=EDGES, exposure=np.ones(12), background=background)
    run = made_run(n=20)
    np.testing.assert_array_equal(SafeMask().apply(known, run, 0.5).mask_safe, background > 0)
    shifted = eqx.tree_at(lambda d: d.background, known, np.roll(background, 2))
    np.testing.assert_array_equal(SafeMask("bkg-peak").apply(shifted, run, 0.5).mask_safe, np.arange(12) >= 4)
    none = eqx.tree_at(lambda d: d.background, known, np.zeros(12))
    assert np.asarray(SafeMask().apply(none, run, 0.5).mask_safe).all()
