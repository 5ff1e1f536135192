import numpy as np
import pytest

from gammajax.errors import ConfigError, EmptyRun
from gammajax.geom.mask import RegionMask
from gammajax.geom.regions import Circle
from gammajax.numeric.sphere import offset_by, separation
from gammajax.reduce.reflected import ReflectedRegions, WobbleRegions, smallest_separation

ON = Circle(83.63, 22.01, 0.11)
POINTING = (83.63, 22.51)


@pytest.mark.parametrize("pointing", [POINTING, (84.2, 22.01), (83.0, 21.6)])
def test_regions_do_not_overlap_and_keep_the_offset(pointing):
    off = ReflectedRegions().find(ON, pointing)
    assert len(off) > 8
    assert all(region.radius == ON.radius for region in off)
    offsets = [separation(*pointing, region.ra, region.dec) for region in off]
    np.testing.assert_allclose(offsets, separation(*pointing, ON.ra, ON.dec), rtol=1e-12)
    # the angular size is judged on pixels, hence smaller than exact by up to one of them
    assert smallest_separation((ON, *off)) > 2 * ON.radius - 0.015


@pytest.mark.parametrize("dec", [0.0, 75.0, -89.7])
def test_the_place_on_the_sky_does_not_matter(dec):
    lon, lat = offset_by(120.0, dec, 30.0, 0.5)
    off = ReflectedRegions().find(Circle(float(lon), float(lat), 0.11), (120.0, dec))
    assert len(off) in (11, 12)


def test_excluded_sky_is_avoided():
    source = offset_by(*POINTING, 90.0, 0.5)
    mask = RegionMask((Circle(float(source[0]), float(source[1]), 0.2),))
    free, off = ReflectedRegions().find(ON, POINTING), ReflectedRegions().find(ON, POINTING, mask)
    assert 0 < len(off) < len(free)
    assert min(float(separation(*source, r.ra, r.dec)) for r in off) > 0.2 + ON.radius - 0.015


def test_everything_excluded():
    assert ReflectedRegions().find(ON, POINTING, RegionMask((Circle(*POINTING, 2.0),))) == ()


def test_region_far_away():
    with pytest.raises(EmptyRun, match="30.0 deg from the pointing"):
        ReflectedRegions().find(ON, (ON.ra, ON.dec + 30))


def test_options():
    free = ReflectedRegions().find(ON, POINTING)
    assert ReflectedRegions(max_region_number=3).find(ON, POINTING) == free[:3]
    assert len(ReflectedRegions(min_distance="0.3 rad").find(ON, POINTING)) < len(free)
    first = ReflectedRegions(min_distance_input="1 rad").find(ON, POINTING)[0]
    assert separation(ON.ra, ON.dec, first.ra, first.dec) > separation(ON.ra, ON.dec, free[0].ra, free[0].dec)


def test_pointing_inside_the_region():
    assert ReflectedRegions().find(ON, (ON.ra, ON.dec + 0.1)) == ()
    assert ReflectedRegions().find(ON, (ON.ra, ON.dec)) == ()


def test_impossible_requests():
    with pytest.raises(ConfigError, match="WobbleRegions"):
        ReflectedRegions().find(Circle(83.63, 22.01), POINTING)
    with pytest.raises(ConfigError, match="smaller binsz"):
        ReflectedRegions(binsz=0.35).find(ON, POINTING)
    with pytest.raises(ConfigError, match="angle_increment"):
        ReflectedRegions(angle_increment="0 rad").find(ON, POINTING)


def test_wobble_positions_are_evenly_spread():
    off = WobbleRegions(3).find(ON, POINTING)
    assert [r.radius for r in off] == [ON.radius] * 3
    angles = [float(separation(ON.ra, ON.dec, r.ra, r.dec)) for r in off]
    assert angles[1] == pytest.approx(1.0)
    assert angles[0] == pytest.approx(angles[2])


def test_wobble_leaves_out_excluded_positions():
    opposite = offset_by(*POINTING, 0.0, 0.5)
    mask = RegionMask((Circle(float(opposite[0]), float(opposite[1]), 0.05),))
    assert len(WobbleRegions(3).find(ON, POINTING, mask)) == 2
    assert len(WobbleRegions(3).find(Circle(ON.ra, ON.dec), POINTING, mask)) == 2


def test_wobble_refuses_overlap():
    with pytest.raises(EmptyRun, match="overlap"):
        WobbleRegions(20).find(ON, POINTING)
    with pytest.raises(ConfigError, match="n_off_regions"):
        WobbleRegions(0).find(ON, POINTING)
