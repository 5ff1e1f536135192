from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.time import Time
from regions import CircleSkyRegion

from gammajax.data import GTI, Ephemeris, Events
from gammajax.data.events import stack_events
from gammajax.errors import ConfigError, UnitMismatch
from gammajax.geom.regions import Circle
from gammajax.io.dl3 import TimeReference

REFERENCE = TimeReference(51544, 0.5, "tt")


@pytest.fixture
def events():
    n = np.arange(6.0)
    return Events(n * 10, n, -n, 10.0 ** (n - 3), n.astype(int), REFERENCE)


def test_selections(events):
    assert len(events.select_energy(("10 GeV", "1 TeV"))) == 2
    assert len(events.select_energy([0.01, 1.0] * u.TeV)) == 2
    assert events.select(events.dec < -3).event_id.tolist() == [4, 5]
    start = REFERENCE.to_time(0)
    chosen = events.select_time((start, "2000-01-01T12:00:20 TT"))
    assert chosen.time.tolist() == [0.0, 10.0]
    assert len(chosen.radec) == len(chosen.times) == 2
    with pytest.raises(UnitMismatch, match="energy range is of kind energy"):
        events.select_energy(("1 s", 3.0))


def test_repr(events):
    assert repr(events).splitlines()[:2] == ["Events: 6", "  energy  0.001 .. 100 TeV"]
    assert repr(events.select(np.zeros(6, bool))).splitlines()[0] == "Events: 0"


@pytest.fixture
def rich(events):
    columns = {"MULTIP": np.array([2, 3, 4, 2, 3, 4]), "Zen": np.array([10.0, 20, 30, np.nan, 50, 60]),
               "NAME": np.array(list("abcabc"))}  # fmt: skip
    return replace(events, columns=columns, units={"Zen": "deg"})


def test_further_columns_follow_every_selection(rich):
    assert rich.select(rich.dec < -3)["multip"].tolist() == [3, 4]
    assert rich.select([0, 5])["NAME"].tolist() == ["a", "c"]
    assert rich.select(slice(1, 3))["zen"].tolist() == [20.0, 30.0]
    assert rich["energy"] is rich.energy
    assert rich.table["Zen"].unit == "deg"
    assert rich.table["MULTIP"].tolist() == [2, 3, 4, 2, 3, 4]
    with pytest.raises(ConfigError, match="no column 'MULTIPL'; nearest: 'MULTIP'"):
        _ = rich["MULTIPL"]


def test_by_parameter(rich):
    assert rich.select_parameter("MULTIP", (3, 4)).event_id.tolist() == [1, 4]
    assert rich.select_parameter("MULTIP", [2, 4], is_range=False).event_id.tolist() == [0, 2, 3, 5]
    assert rich.select_parameter("Zen", (600, 3000) * u.arcmin).event_id.tolist() == [0, 1, 2]
    assert rich.select_parameter("zen", ("10 deg", "25 deg")).event_id.tolist() == [0, 1]
    assert rich.select_parameter("Zen", [np.nan, 10.0], is_range=False).event_id.tolist() == [0, 3]
    assert rich.select_parameter("NAME", ["a", "c"], is_range=False).event_id.tolist() == [0, 2, 3, 5]
    assert rich.select_parameter("ENERGY", ("10 GeV", "1 TeV")).event_id.tolist() == [1, 2]
    with pytest.raises(ConfigError, match="is a pair"):
        rich.select_parameter("MULTIP", (1, 2, 3))
    with pytest.raises(UnitMismatch, match="column Zen"):
        rich.select_parameter("Zen", ("1 TeV", "2 TeV"))


def test_by_time_and_gti(events):
    interval = (REFERENCE.to_time(10.0), REFERENCE.to_time(30.0))
    assert events.select_time(interval).time.tolist() == [10.0, 20.0]
    assert events.select_time(interval, inverted=True).time.tolist() == [0.0, 30.0, 40.0, 50.0]
    gti = GTI(np.array([0.0, 25.0]), np.array([10.0, 45.0]), REFERENCE)
    assert events.select_gti(gti).time.tolist() == [0.0, 30.0, 40.0]
    # a shift of the reference rounds to 1e-7 s: stay away from the edges
    moved = GTI(gti.start - 1.0, gti.stop - 1.0, REFERENCE).to_reference(TimeReference(53402, 0.0, "utc"))
    assert events.select_gti(moved).time.tolist() == [0.0, 30.0, 40.0]


def test_by_offset_and_region(events):
    assert events.select_offset((1.0, 4.0), (0.0, 0.0)).event_id.tolist() == [1, 2]
    assert events.select_offset(["0 deg", "90 arcmin"], SkyCoord(0, 0, unit="deg")).event_id.tolist() == [0, 1]
    each = events.ra, events.dec + 0.5
    assert len(events.select_offset((0.4, 0.6), each)) == 6
    circle = CircleSkyRegion(SkyCoord(1, -1, unit="deg"), 0.5 * u.deg)
    assert events.select_region(circle).event_id.tolist() == [1]
    assert events.select_region([circle, Circle(3.0, -3.0, 0.1)]).event_id.tolist() == [1, 3]
    assert events.select_region(circle, inverted=True).event_id.tolist() == [0, 2, 3, 4, 5]

    class Band:
        def contains(self, position):
            return position.dec.deg < -3.5

    assert events.select_region(Band()).event_id.tolist() == [4, 5]
    with pytest.raises(ConfigError, match="region is a circle"):
        events.select_region(5.0)
    assert events.select_region("icrs;circle(1, -1, 0.5)").event_id.tolist() == [1]
    assert events.select_region(["icrs;circle(1, -1, 0.5)", Circle(3.0, -3.0, 0.1)]).event_id.tolist() == [1, 3]
    assert events.select_offset((1.0, 4.0), "0 0").event_id.tolist() == [1, 2]


def test_by_phase(events):
    orbit = Ephemeris(REFERENCE.to_time(0.0), 1 / 40.0)
    phased = events.with_phase(orbit)
    np.testing.assert_allclose(phased["PHASE"], [0, 0.25, 0.5, 0.75, 0, 0.25], atol=1e-9)
    assert phased.select_phase((0.2, 0.6)).event_id.tolist() == [1, 2, 5]
    assert events.columns == {}
    with pytest.raises(ConfigError, match="no column 'PHASE'"):
        events.select_phase((0.2, 0.6))
    with pytest.raises(ConfigError, match="has 2 rows, there are 6 events"):
        events.with_column("X", [1, 2])
    assert events.with_column("X", np.arange(6), unit="m").units == {"X": "m"}


def test_stacked(rich, events):
    moved = replace(rich, reference=TimeReference(51544, 0.25, "tt"), time=rich.time + 21600.0)
    both = stack_events([rich, moved])
    np.testing.assert_allclose(both.time, np.tile(rich.time, 2), atol=1e-6)
    assert (len(both), list(both.columns), both.units) == (12, list(rich.columns), {"Zen": "deg"})
    assert list(stack_events([rich, events]).columns) == []
    with pytest.raises(ConfigError, match="no event lists"):
        stack_events([])


def test_gti_sum_and_intersection():
    gti = GTI(np.array([0.0, 100.0, 200.0]), np.array([50.0, 150.0, 260.0]), REFERENCE)
    assert gti.time_sum == 160.0
    cut = gti.select_time((Time("2000-01-01T12:00:40", scale="tt"), "2000-01-01T12:03:30 TT"))
    np.testing.assert_allclose([cut.start, cut.stop], [[40, 100, 200], [50, 150, 210]], atol=1e-6)
    assert len(gti.select_time(("2001-01-01", "2002-01-01"))) == 0
    assert gti.start_time[1].isot == "2000-01-01T12:01:40.000"
    assert gti.stop_time[0].scale == "tt"
