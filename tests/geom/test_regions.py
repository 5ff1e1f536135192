import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from regions import CircleSkyRegion, PointSkyRegion, RectangleSkyRegion

from gammajax.errors import ConfigError, UnitMismatch
from gammajax.geom.regions import Circle, circle, within
from gammajax.numeric.sphere import offset_by, separation

CRAB = SkyCoord(83.63, 22.01, unit="deg")


def test_what_makes_a_circle():
    made = circle(CircleSkyRegion(CRAB, 0.11 * u.deg))
    assert (made.ra, made.dec, made.radius) == pytest.approx((83.63, 22.01, 0.11))
    assert circle(CRAB, "0.11 deg") == made
    assert circle(made) is not None
    assert circle(CRAB).radius is None
    assert circle(PointSkyRegion(CRAB), 0.2).radius == 0.2


def test_other_frames_become_icrs():
    made = circle(CRAB.galactic, 0.1)
    assert separation(made.ra, made.dec, 83.63, 22.01) < 1e-9


@pytest.mark.parametrize(
    ("region", "radius"),
    [
        (RectangleSkyRegion(CRAB, 1 * u.deg, 1 * u.deg), None),
        (CircleSkyRegion(CRAB, 1 * u.deg), 1.0),
        (CRAB, -0.1),
        (SkyCoord([1, 2], [1, 2], unit="deg"), 0.1),
        ("crab", None),
    ],
)
def test_what_does_not(region, radius):
    with pytest.raises(ConfigError):
        circle(region, radius)


def test_radius_is_an_angle():
    with pytest.raises(UnitMismatch, match="radius"):
        circle(CRAB, "1 TeV")


def test_round_trip_through_regions():
    assert circle(Circle(10.0, -5.0, 0.3).region()) == Circle(10.0, -5.0, 0.3)
    assert circle(Circle(10.0, -5.0).region()) == Circle(10.0, -5.0)


@pytest.mark.parametrize("dec", [0.0, 60.0, -89.95])
def test_containment_at_the_edge(dec):
    one = Circle(359.99, dec, 0.1)
    angle = np.arange(0.0, 360.0, 7.0)
    assert one.contains(*offset_by(one.ra, one.dec, angle, 0.1 * (1 - 1e-7))).all()
    assert not one.contains(*offset_by(one.ra, one.dec, angle, 0.1 * (1 + 1e-7))).any()


def test_without_radius_nothing_can_be_contained():
    with pytest.raises(ConfigError, match="no radius"):
        Circle(1.0, 2.0).contains(1.0, 2.0)


def test_within_agrees_with_separation():
    rng = np.random.default_rng(1)
    lon, lat = offset_by(40.0, 70.0, rng.uniform(0, 360, 500), rng.uniform(0, 2, 500))
    lon_0, lat_0 = offset_by(40.0, 70.0, np.array([0.0, 90.0]), 0.7)
    radius = rng.uniform(0.1, 1.0, 500)
    expected = separation(lon[:, None], lat[:, None], lon_0, lat_0) < radius[:, None]
    np.testing.assert_array_equal(within(lon, lat, lon_0, lat_0, radius), expected)
