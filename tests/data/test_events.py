import numpy as np
import pytest
from astropy.time import Time

from gammajax.data import GTI, Events
from gammajax.errors import UnitMismatch
from gammajax.io.dl3 import TimeReference

REFERENCE = TimeReference(51544, 0.5, "tt")


@pytest.fixture
def events():
    n = np.arange(6.0)
    return Events(n * 10, n, -n, 10.0 ** (n - 3), n.astype(int), REFERENCE)


def test_selections(events):
    assert len(events.select_energy("10 GeV", "1 TeV")) == 2
    assert events.select(events.dec < -3).event_id.tolist() == [4, 5]
    start = REFERENCE.to_time(0)
    chosen = events.select_time((start, "2000-01-01T12:00:20"))
    assert chosen.time.tolist() == [0.0, 10.0]
    assert len(chosen.radec) == len(chosen.times) == 2
    with pytest.raises(UnitMismatch, match="energy_min"):
        events.select_energy("1 s", 3.0)


def test_repr(events):
    assert repr(events) == "Events(6, 0.001 .. 100 TeV)"
    assert repr(events.select(np.zeros(6, bool))) == "Events(0)"


def test_gti_sum_and_intersection():
    gti = GTI(np.array([0.0, 100.0, 200.0]), np.array([50.0, 150.0, 260.0]), REFERENCE)
    assert gti.time_sum == 160.0
    cut = gti.select_time((Time("2000-01-01T12:00:40", scale="tt"), "2000-01-01T12:03:30"))
    np.testing.assert_allclose([cut.start, cut.stop], [[40, 100, 200], [50, 150, 210]], atol=1e-6)
    assert len(gti.select_time(("2001-01-01", "2002-01-01"))) == 0
    assert gti.start_time[1].isot == "2000-01-01T12:01:40.000"
    assert gti.stop_time[0].scale == "tt"
