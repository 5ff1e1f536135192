"""The algebra of good time intervals: on measures, for random intervals, with two references."""

import numpy as np
import pytest
from astropy import units as u
from astropy.time import Time
from hypothesis import given, settings
from hypothesis import strategies as st

from gammajax.data.gti import GTI, stack_gti
from gammajax.errors import ConfigError
from gammajax.io.dl3 import TimeReference

TT = TimeReference(51544, 0.5, "tt")
UTC = TimeReference(53402, 0.0, "utc")

# whole seconds: sums of lengths are exact, and intervals touch, repeat and nest often
pairs = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30)), max_size=8)
some = settings(max_examples=100, deadline=None)


def gti(rows, reference=TT):
    start = np.array([a for a, _ in rows], dtype=float)
    return GTI(start, start + np.array([b for _, b in rows], dtype=float), reference)


def is_normal(one):
    return bool(np.all(one.stop > one.start) and np.all(one.start[1:] > one.stop[:-1]))


def seconds(one):
    """The whole seconds covered."""
    return {t for a, b in zip(one.start, one.stop, strict=True) for t in range(int(a), int(b))}


@some
@given(pairs, pairs)
def test_algebra_is_that_of_sets(a, b):
    here, there = gti(a), gti(b)
    for found, expected in (
        (here.union(), seconds(here)),
        (here.union(there), seconds(here) | seconds(there)),
        (here.intersection(there), seconds(here) & seconds(there)),
        (here.difference(there), seconds(here) - seconds(there)),
    ):
        assert seconds(found) == expected
        assert found.time_sum == len(expected)
        assert is_normal(found)


@some
@given(pairs, pairs)
def test_measures(a, b):
    here, there = gti(a), gti(b)
    both, either = here.intersection(there), here.union(there)
    assert both.time_sum + either.time_sum == here.union().time_sum + there.union().time_sum
    assert here.difference(there).time_sum + both.time_sum == here.union().time_sum
    assert here.overlap == here.time_sum - len(seconds(here)) >= 0
    assert stack_gti([here, there]).time_sum == here.time_sum + there.time_sum


@some
@given(pairs, st.integers(0, 40), st.integers(0, 30))
def test_selection_and_deletion_are_complements(a, low, width):
    here = gti(a).union()
    interval = (TT.to_time(low - 0.5), TT.to_time(low + width + 0.5))
    inside, outside = here.select_time(interval), here.select_time(interval, inverted=True)
    assert inside.time_sum + outside.time_sum == pytest.approx(here.time_sum, abs=1e-5)
    assert outside.time_sum == here.delete_interval(interval).time_sum
    np.testing.assert_allclose(inside.union().time_sum, here.intersection(inside).time_sum, atol=1e-5)


@some
@given(pairs, st.integers(0, 20))
def test_closing_gaps(a, gap):
    closed = gti(a).union(gap=gap)
    assert np.all(closed.start[1:] - closed.stop[:-1] > gap)
    assert seconds(closed) >= seconds(gti(a))
    assert closed.union(gap=gap).start.tolist() == closed.start.tolist()


@some
@given(pairs)
def test_contains(a):
    here, time = gti(a), np.arange(-1.0, 100.0)
    assert set(time[here.contains(time)].astype(int)) == seconds(here)


@some
@given(pairs, pairs)
def test_another_reference_changes_nothing(a, b):
    here, there = gti(a), gti(b)
    moved = there.to_reference(UTC)
    assert moved.reference == UTC
    np.testing.assert_allclose(moved.time_sum, there.time_sum, atol=1e-6)
    for method in ("union", "intersection", "difference"):
        one, other = getattr(here, method)(there), getattr(here, method)(moved)
        assert one.reference == other.reference == TT
        np.testing.assert_allclose(other.time_sum, one.time_sum, atol=1e-5)


def test_leap_seconds_count_between_references():
    # one leap second lies between the reference (2005-02-02) and the interval
    day = GTI.from_intervals([("2010-01-01T00:00:00", "2010-01-01T00:10:00")], UTC)
    assert day.start[0] == pytest.approx((55197 - 53402) * 86400 + 2, abs=1e-6)
    assert abs((day.to_reference(TT).start_time[0] - Time("2010-01-01T00:00:00", scale="utc")).sec) < 1e-6


def test_duplicated_and_empty_rows():
    double = gti([(0, 10), (0, 10), (5, 10), (20, 0)])
    assert (double.time_sum, double.overlap, len(double.union())) == (30.0, 15.0, 1)
    empty = gti([])
    assert len(empty.union()) == len(empty.intersection(double)) == len(empty.difference(double)) == 0
    assert double.difference(empty).time_sum == 15.0
    assert not empty.contains(np.arange(3.0)).any()


def test_table_and_text():
    one = GTI.from_intervals([("2000-01-01T12:00:00", "2000-01-01T12:01:00")])
    assert one.table["length"].tolist() == pytest.approx([60.0])
    assert one.table["start"][0] == "2000-01-01T12:00:00.000"
    assert GTI.from_intervals([one.table["start", "stop"][0]], UTC).time_sum == pytest.approx(60.0)
    assert len(GTI.from_intervals(("2000-01-01", "2000-01-02"))) == 1
    assert repr(one).startswith("GTI(1 interval, 60.0 s, ")
    assert one.time_delta.tolist() == pytest.approx([60.0])


def test_what_cannot_be():
    with pytest.raises(ConfigError, match="stops before it starts"):
        GTI.from_intervals([("2001-01-01", "2000-01-01")])
    with pytest.raises(ConfigError, match="gap to close cannot be negative"):
        gti([(0, 1)]).union(gap=-1)
    with pytest.raises(ConfigError, match="no good time intervals to stack"):
        stack_gti([])


def test_lists_quantities_and_single_times():
    one = GTI([0.0, 10.0], [5, 12], TT)
    assert (one.time_sum, one) == (7.0, gti([(0, 5), (10, 2)]))
    assert GTI([0] * u.min, [2] * u.min, TT).time_sum == 120.0
    assert len(GTI(0.0, 5.0, TT)) == 1


@pytest.mark.parametrize(
    "times",
    [
        [4.0, 5.0, 11.0],
        np.array([4, 5, 11]),
        [4, 5, 11] * u.s,
        TT.to_time(np.array([4.0, 5.000001, 11.0])),
        [f"2000-01-01T12:00:{second:02d} TT" for second in (4, 6, 11)],
    ],
    ids=["seconds", "array", "quantity", "Time", "text"],
)
def test_contains_takes_times_in_many_forms(times):
    assert GTI([0.0, 10.0], [5.0, 12.0], TT).contains(times).tolist() == [True, False, True]


def test_contains_one_time():
    assert bool(GTI([0.0], [5.0], TT).contains("2000-01-01T12:00:02 TT"))
    with pytest.raises(ConfigError, match="time: None is no time"):
        GTI([0.0], [5.0], TT).contains(None)
