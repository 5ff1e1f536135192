"""Regions of any shape in the reduction, and backgrounds that are known or none."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from made_runs import EDGES, SOURCE, flat_aeff, made_run
from regions import CircleAnnulusSkyRegion, EllipseSkyRegion, PolygonSkyRegion, RectangleSkyRegion

from gammajax.datasets.spectrum import SpectrumDataset, SpectrumDatasetOnOff
from gammajax.errors import ConfigError, EmptyRun
from gammajax.geom import Circle, RegionMask, region
from gammajax.irf import RadMax
from gammajax.numeric.sphere import offset_by, position_angle, separation
from gammajax.reduce import background as background_module
from gammajax.reduce.background import IRFBackground, as_background
from gammajax.reduce.pipeline import reduce_spectra
from gammajax.reduce.reflected import ReflectedRegions, WobbleRegions
from gammajax.reduce.stack import stack_spectra

AT = SkyCoord(*SOURCE, unit="deg")
DEG = u.deg
SHAPES = {
    "ellipse": EllipseSkyRegion(AT, 0.3 * DEG, 0.15 * DEG, 30 * DEG),
    "rectangle": RectangleSkyRegion(AT.galactic, 0.3 * DEG, 0.15 * DEG, 30 * DEG),
    "annulus": CircleAnnulusSkyRegion(AT, 0.1 * DEG, 0.2 * DEG),
    "polygon": PolygonSkyRegion(SkyCoord([83.5, 83.75, 83.8], [21.9, 21.92, 22.1], unit="deg")),
    "two": [Circle(*SOURCE, 0.1), Circle(83.9, 22.0, 0.05)],
}


def reduced(runs, on, **options):
    found = reduce_spectra(runs, on, energy=EDGES, energy_true=EDGES, **options)
    assert not found.failures, found.failures
    return found.datasets


@pytest.mark.parametrize("name", SHAPES)
def test_off_regions_are_the_on_region_turned(name):
    run, on = made_run(), region(SHAPES[name])
    off = ReflectedRegions().find(on, run.pointing_radec)
    assert len(off) > 3
    # judged on pixels, as Gammapy does: neighbours may share a sliver
    lon, lat, share = off[0].nodes()
    assert max(np.sum(share * other.contains(lon, lat)) for other in (on, *off[1:])) < 0.01
    found = reduced([run], SHAPES[name])[0]
    ra, dec = run.events.ra, run.events.dec
    np.testing.assert_array_equal(found.counts, np.histogram(run.events.energy[on.contains(ra, dec)], EDGES)[0])
    hit = np.any([one.contains(ra, dec) for one in off], axis=0)
    np.testing.assert_array_equal(found.counts_off, np.histogram(run.events.energy[hit], EDGES)[0])
    np.testing.assert_array_equal(found.acceptance_off, len(off))
    # turning the events back by the angle of a copy puts those in it into the on region
    pointing, copy = run.pointing_radec, off[1]
    turn = position_angle(*pointing, *copy.center) - position_angle(*pointing, *on.center)
    back = offset_by(*pointing, position_angle(*pointing, ra, dec) - turn, separation(*pointing, ra, dec))
    np.testing.assert_array_equal(on.contains(*back), copy.contains(ra, dec))


@pytest.mark.parametrize("name", SHAPES)
def test_excluded_sky_is_avoided_by_shapes(name):
    run, on = made_run(), region(SHAPES[name])
    free = ReflectedRegions().find(on, run.pointing_radec)
    star = Circle(*free[1].center, 0.05)
    if not free[1].contains(*star.center):
        star = Circle(*(float(x[0]) for x in free[1].nodes()[:2]), 0.05)
    kept = ReflectedRegions().find(on, run.pointing_radec, RegionMask((star,)))
    assert free[1] not in kept
    lon, lat, _ = star.nodes()
    assert all(not one.contains(lon, lat).any() for one in kept) or name == "two"
    assert ReflectedRegions().find(on, run.pointing_radec, RegionMask((Circle(*run.pointing_radec, 3.0),))) == ()


def test_shapes_on_wobble_positions():
    run, on = made_run(), region(SHAPES["ellipse"])
    assert len(WobbleRegions(3).find(on, run.pointing_radec)) == 3
    with pytest.raises(EmptyRun, match="overlap"):
        WobbleRegions(25).find(on, run.pointing_radec)


def test_a_region_around_the_pointing_has_no_off_region():
    run = made_run(pointing_distance=0.01)
    found = reduce_spectra([run], SHAPES["ellipse"], energy=EDGES, energy_true=EDGES)
    assert "no off region fits" in found.failures[1]
    ring = made_run(pointing_distance=0.0)
    found = reduce_spectra([ring], SHAPES["annulus"], energy=EDGES, energy_true=EDGES)
    assert "no off region fits" in found.failures[1]


def test_average_over_a_shape():
    run = made_run(aeff=flat_aeff(slope=0.1))
    on = region(SHAPES["rectangle"])
    ra, dec, weights = on.nodes()
    mean = float(np.sum(weights * separation(*run.pointing_radec, ra, dec)))
    found = reduced([run], on, use_region_center=False)[0]
    np.testing.assert_allclose(found.exposure, 1e12 * (1 - 0.1 * mean), rtol=1e-9)
    center = float(separation(*run.pointing_radec, *on.center))
    np.testing.assert_allclose(reduced([run], on)[0].exposure, 1e12 * (1 - 0.1 * center), rtol=1e-9)


def test_what_shapes_cannot_do():
    options = {"energy": EDGES, "energy_true": EDGES}
    pointlike = reduce_spectra([made_run(rad_max=RadMax.fixed(0.1))], SHAPES["ellipse"], **options)
    assert "point-like (RAD_MAX)" in pointlike.failures[1]
    contained = reduce_spectra([made_run()], SHAPES["ellipse"], containment_correction=True, **options)
    assert "circles only" in contained.failures[1]
    small = reduce_spectra([made_run()], EllipseSkyRegion(AT, 0.004 * DEG, 0.004 * DEG), **options)
    assert "take a smaller binsz" in small.failures[1]


def test_no_background():
    found = reduced([made_run()], Circle(*SOURCE, 0.1), background=None)[0]
    assert isinstance(found, SpectrumDataset)
    assert not np.asarray(found.background).any()
    on_off = reduced([made_run()], Circle(*SOURCE, 0.1))[0]
    assert isinstance(on_off, SpectrumDatasetOnOff)
    np.testing.assert_array_equal(found.counts, on_off.counts)


@pytest.fixture
def rate(monkeypatch):
    """A background of 1e4 counts per sr, on-time and bin, wherever one looks."""

    def counts(run, ra, dec, solid_angle, energy, *, exact):
        return np.broadcast_to(1e4 * run.livetime * np.asarray(solid_angle)[:, None], (len(ra), len(energy) - 1))

    monkeypatch.setattr(background_module, "background_counts", counts)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("name", ["circle", *SHAPES])
def test_background_of_the_response(rate, name, center):
    on = region(SHAPES.get(name, Circle(*SOURCE, 0.1)))
    found = reduced([made_run()], on, background="irf", use_region_center=center)[0]
    np.testing.assert_allclose(found.background, 1e7 * on.solid_angle, rtol=1e-9)


def test_stacks_with_a_known_background(rate):
    runs = [made_run(k, livetime=1000.0 * k) for k in (1, 2, 3)]
    single = reduced(runs, Circle(*SOURCE, 0.1), background=IRFBackground(), safe_mask="aeff-max")
    one = stack_spectra(single)
    assert isinstance(one, SpectrumDataset)
    np.testing.assert_allclose(one.background, sum(np.asarray(d.background * d.mask_safe) for d in single), rtol=1e-12)
    np.testing.assert_array_equal(one.counts, sum(np.asarray(d.counts * d.mask_safe) for d in single))
    flux = np.random.default_rng(0).uniform(size=12)
    predicted = sum(((flux * np.asarray(d.exposure)) @ np.asarray(d.edisp)) * np.asarray(d.mask_safe) for d in single)
    np.testing.assert_allclose((flux * np.asarray(one.exposure)) @ np.asarray(one.edisp), predicted, rtol=1e-12)
    assert float(one.livetime) == 6000
    found = reduce_spectra(runs, Circle(*SOURCE, 0.1), energy=EDGES, energy_true=EDGES, background="irf", stack=True)
    assert " - " in repr(found)
    np.testing.assert_array_equal(found.datasets[0].counts, sum(np.asarray(d.counts) for d in single))


def test_what_is_no_background():
    assert as_background(None) is None
    assert as_background("irf") == IRFBackground()
    for wrong, message in (("reflected", "background is 'irf'"), (3, "got int")):
        with pytest.raises(ConfigError, match=message):
            as_background(wrong)
    found = reduce_spectra([made_run()], Circle(*SOURCE), energy=EDGES, energy_true=EDGES, background="irf")
    assert "needs a radius" in found.failures[1]
