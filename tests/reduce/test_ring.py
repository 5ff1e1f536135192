"""Ring backgrounds of cubes: sums over rings written out, masks, unbiased estimates, adaptive rings, messages."""

from typing import Any

import equinox as eqx
import numpy as np
import pytest
from made_cubes import CENTRE, ENERGY, ENERGY_TRUE, cube

import gammajax as gj
from gammajax.datasets.cube import MapDataset, MapDatasetOnOff
from gammajax.errors import ConfigError, DatasetError
from gammajax.numeric.sphere import separation

HOLE = f"icrs;circle({CENTRE[0]}, {CENTRE[1]}, 0.12)"


def flat(*, size=(60, 70), level=(3.0, 0.5, 0.05), seed=1, name="flat"):
    """Poisson counts of a flat background."""
    grid = gj.SkyGrid.create(CENTRE, binsz=0.05, npix=size[::-1], proj="TAN")
    background = np.broadcast_to(np.array(level)[:, None, None], (3, *size))
    true = ENERGY_TRUE[:4]
    return MapDataset(
        name=name, grid=grid, energy=ENERGY, energy_true=ENERGY, exposure=np.full((len(true) - 1, *size), 1e14),
        background=background, counts=np.random.default_rng(seed).poisson(background),
    )  # fmt: skip


def by_hand(dataset, kept, r_in, r_out, row, column):
    """Counts and background of the pixels whose centres are in the ring around one pixel (plane of the pixels)."""
    size = dataset.grid.pixel_scales[0]
    y, x = np.indices(dataset.grid.shape)
    apart = size * np.hypot(y - row, x - column)
    used = np.asarray(dataset.mask_safe) & kept & (apart >= r_in) & (apart <= r_out)
    return [np.sum(np.asarray(values), axis=(1, 2), where=used) for values in (dataset.counts, dataset.background)]


def test_sums_over_rings():
    made = cube()
    kept = ~made.grid.mask(HOLE)
    found = gj.RingBackground(0.21, 0.12, HOLE).on_off(made)
    assert isinstance(found, MapDatasetOnOff)
    for row, column in ((0, 0), (12, 15), (23, 29), (5, 20)):
        counts, background = by_hand(made, kept, 0.21, 0.33, row, column)
        np.testing.assert_array_equal(found.counts_off[:, row, column], counts)
        np.testing.assert_allclose(found.acceptance_off[:, row, column], background, rtol=1e-12, atol=0)
    np.testing.assert_array_equal(found.acceptance, made.background)
    for field in ("counts", "exposure", "mask_fit", "energy", "energy_true"):
        np.testing.assert_array_equal(getattr(found, field), getattr(made, field))
    assert found.psf is made.psf
    assert found.edisp is made.edisp
    assert found.name == made.name


def test_rings_on_the_sky():
    """In the plane of the pixels and on the sphere a ring is the same, up to pixels on its edges."""
    made = flat()
    found = gj.RingBackground("0.52 deg", "0.3 deg").on_off(made)
    ra, dec = made.grid.radec
    apart = separation(ra[30, 20], dec[30, 20], ra, dec)
    inside = np.sum((apart > 0.52) & (apart < 0.82))
    assert float(found.acceptance_off[0, 30, 20]) / 3.0 == pytest.approx(inside, rel=0.02)


def test_bins_without_off_pixels_are_not_safe():
    """They have exactly nothing in their ring."""
    made = cube()
    far = np.zeros(made.mask_safe.shape, dtype=bool)
    far[:, :4] = True
    found = gj.RingBackground(0.1, 0.1).on_off(eqx.tree_at(lambda d: d.mask_safe, made, far))
    np.testing.assert_array_equal(found.mask_safe, far)
    assert not np.any(found.acceptance_off[:, 8:])
    assert not np.any(found.counts_off[:, 8:])
    assert np.all(found.acceptance_off[:, 7] > 0)
    hole = gj.RingBackground(0.05, 0.05, f"icrs;circle({CENTRE[0]}, {CENTRE[1]}, 0.3)").on_off(made)
    assert not np.any(hole.mask_safe[:, 11:13, 14:16])
    np.testing.assert_array_equal(hole.mask_safe, np.asarray(made.mask_safe) & (np.asarray(hole.acceptance_off) > 0))


def test_counts_that_are_no_whole_numbers():
    made = cube()
    half = eqx.tree_at(lambda d: d.counts, made, made.counts + 0.5)
    found = gj.RingBackground(0.21, 0.12).on_off(half)
    counts, _ = by_hand(half, True, 0.21, 0.33, 12, 15)
    np.testing.assert_allclose(found.counts_off[:, 12, 15], counts, rtol=1e-12)


def test_a_wrong_norm_of_the_model_cancels():
    made = flat()
    twice = eqx.tree_at(lambda d: d.background, made, 2.0 * made.background)
    ring = gj.RingBackground(0.3, 0.2)
    np.testing.assert_allclose(ring.on_off(twice).background, ring.on_off(made).background, rtol=1e-12)


@pytest.mark.parametrize(
    "ring",
    [gj.RingBackground(0.3, 0.3, HOLE), gj.AdaptiveRingBackground(0.2, 0.8, 0.2, exclusion_mask=HOLE)],
    ids=["ring", "adaptive"],
)
def test_the_estimate_is_unbiased(ring):
    """Mean over many cubes of the background in pixels that share no off pixel, against the truth."""
    places = (slice(None), slice(1, None, 28), slice(2, None, 32))
    truth = np.asarray(flat().background)[places]
    found = np.stack([np.asarray(ring.on_off(flat(seed=seed)).background)[places] for seed in range(60)])
    n_off = np.asarray(ring.on_off(flat()).acceptance_off)[places]
    # variance of alpha * off = (truth / n_off)^2 n_off
    pull = (found.mean(axis=0) - truth) / np.sqrt(truth**2 / n_off / len(found))
    assert np.abs(pull).max() < 4.0
    assert pull.mean() == pytest.approx(0.0, abs=4.0 / np.sqrt(pull.size))
    assert np.mean(pull**2) == pytest.approx(1.0, abs=4.0 * np.sqrt(2.0 / pull.size))


def test_the_significance_is_that_of_noise():
    """Li & Ma per pixel, without a source: mean 0, width 1."""
    found = gj.RingBackground(0.3, 0.4).on_off(flat(level=(20.0, 30.0, 40.0), size=(80, 80)))
    from gammajax.reduce.significance import li_ma

    values = li_ma(np.asarray(found.counts), np.asarray(found.counts_off), np.asarray(found.alpha))
    assert np.mean(values) == pytest.approx(0.0, abs=0.06)
    assert np.std(values) == pytest.approx(1.0, abs=0.03)


def test_adaptive_rings():
    """In the excluded middle the first rings hold too little; each bin has the first that is enough."""
    made = flat(level=(3.0, 3.0, 3.0))
    big = f"icrs;circle({CENTRE[0]}, {CENTRE[1]}, 0.5)"
    ring = gj.AdaptiveRingBackground(0.1, 0.8, 0.1, stepsize=0.1, threshold_alpha=0.05, exclusion_mask=big)
    assert ring.radii[0] == (0.1, 0.2)
    assert len(ring.radii) == 6
    found = ring.on_off(made)
    every = [gj.RingBackground(low, high - low, big).on_off(made) for low, high in ring.radii[3:]]
    single = gj.RingBackground(0.1, 0.1, big).on_off(made)
    assert np.all(np.asarray(found.mask_safe))
    assert float(found.alpha.max()) <= 0.05 * (1 + 1e-9)
    outside = np.asarray(single.alpha <= 0.05 * (1 + 1e-9)) & np.asarray(single.mask_safe)
    np.testing.assert_array_equal(np.asarray(found.counts_off)[outside], np.asarray(single.counts_off)[outside])
    assert outside.any()
    assert not outside[:, 30, 35].any()
    enough = (one for one in every if 0 < float(one.alpha[0, 30, 35]) <= 0.05)
    np.testing.assert_array_equal(found.counts_off[:, 30, 35], next(enough).counts_off[:, 30, 35])


def test_adaptive_rings_that_widen():
    made = flat()
    ring = gj.AdaptiveRingBackground(0.2, 0.6, 0.05, stepsize=0.05, threshold_alpha=0.02, method="fixed_r_in")
    assert ring.radii[:2] == ((0.2, 0.25), (0.2, 0.3))
    found, first = ring.on_off(made), gj.RingBackground(0.2, 0.05).on_off(made)
    second = gj.RingBackground(0.2, 0.1).on_off(made)
    assert np.all(np.asarray(found.acceptance_off) >= np.asarray(first.acceptance_off))
    limit = 0.02 * (1 + 1e-9)
    widened = np.asarray((first.alpha > limit) & (second.alpha <= limit))
    assert widened.any()
    np.testing.assert_array_equal(np.asarray(found.counts_off)[widened], np.asarray(second.counts_off)[widened])


def test_theta_counts_a_disk():
    """With theta the ring is chosen by the background around a pixel; the acceptance stays that of the pixel."""
    made = flat()
    options: dict[str, Any] = {"stepsize": 0.1, "threshold_alpha": 0.08}
    found = gj.AdaptiveRingBackground(0.2, 1.2, 0.2, theta="0.1 deg", **options).on_off(made)
    few = gj.AdaptiveRingBackground(0.2, 1.2, 0.2, **options).on_off(made)
    np.testing.assert_array_equal(found.acceptance, made.background)
    first, second = (gj.RingBackground(r_in, 0.2).on_off(made) for r_in in (0.2, 0.3))
    middle = (slice(None), 30, 35)
    np.testing.assert_array_equal(few.counts_off[middle], first.counts_off[middle])
    np.testing.assert_array_equal(found.counts_off[middle], second.counts_off[middle])
    # 13 pixels have their centres within two of one
    assert 13 * float(second.alpha[0, 30, 35]) < 0.08 < 13 * float(first.alpha[0, 30, 35])


def test_bins_that_find_no_ring():
    made = flat()
    found = gj.AdaptiveRingBackground(0.2, 0.45, 0.2, stepsize=0.1, threshold_alpha=0.012).on_off(made)
    safe = np.asarray(found.mask_safe)
    assert 0 < safe.sum() < safe.size
    assert not np.asarray(found.acceptance_off)[~safe].any()
    with pytest.raises(DatasetError, match="no safe bin has a ring with an outer radius below 0.45 deg and alpha"):
        gj.AdaptiveRingBackground(0.2, 0.45, 0.2, stepsize=0.1, threshold_alpha=1e-6).on_off(made)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"r_in": 0.5, "width": 0}, "width lies between 0 and 90 deg, got 0"),
        ({"r_in": "-1 deg", "width": 1}, "r_in lies between"),
        ({"r_in": np.nan, "width": 1}, "r_in"),
        ({"r_in": 0.5, "width": 0.3, "exclusion_mask": np.ones((3, 3), bool)}, "a bare array"),
        ({"r_in": 0.5, "width": 0.3, "exclusion_mask": (83.6, 22.0)}, "needs a radius"),
    ],
)
def test_wrong_rings(arguments, message):
    with pytest.raises(ConfigError, match=message):
        gj.RingBackground(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"r_out_max": 0.4}, "no ring fits"),
        ({"method": "wide"}, "'fixed_width' or 'fixed_r_in', got 'wide'"),
        ({"threshold_alpha": 0}, "threshold_alpha must be a number above 0"),
        ({"stepsize": 0}, "stepsize lies between"),
        ({"theta": -1}, "theta lies between"),
    ],
)
def test_wrong_adaptive_rings(arguments, message):
    with pytest.raises(ConfigError, match=message):
        gj.AdaptiveRingBackground(**{"r_in": 0.3, "r_out_max": 0.8, "width": 0.2} | arguments)


def test_rings_that_fit_no_cube():
    made = cube()
    with pytest.raises(DatasetError, match=r"from 0.01 to 0.03 deg holds no centre of a pixel, which are 0.05 x 0.05"):
        gj.RingBackground(0.01, 0.02).on_off(made)
    with pytest.raises(DatasetError, match="is larger than the map, which is 1.5 x 1.2 deg wide"):
        gj.RingBackground(3.0, 1.0).on_off(made)
    with pytest.raises(DatasetError, match="has no background"):
        gj.RingBackground(0.2, 0.1).on_off(eqx.tree_at(lambda d: d.background, made, 0.0 * made.background))
    with pytest.raises(DatasetError, match="no safe bin has a ring from 0.2 to 0.3 deg"):
        gj.RingBackground(0.2, 0.1, f"icrs;circle({CENTRE[0]}, {CENTRE[1]}, 5)").on_off(made)
    once: Any = gj.RingBackground(0.2, 0.1).on_off(made)
    with pytest.raises(DatasetError, match="made from a MapDataset, not from MapDatasetOnOff"):
        gj.RingBackground(0.2, 0.1).on_off(once)
