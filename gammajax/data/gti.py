"""Good time intervals and their algebra."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from astropy.table import Table
from astropy.time import Time

from gammajax.data.times import any_year, as_interval, as_times, iso
from gammajax.errors import ConfigError
from gammajax.io.dl3 import GTITable, TimeReference
from gammajax.tables import html_summary
from gammajax.units import to_number, to_value


@dataclass(frozen=True, repr=False, eq=False)
class GTI(GTITable):
    """Intervals during which the telescope took usable data: start, stop [s since `reference`].

    Kept as in the file: rows may overlap, repeat and come in any order. `union`, `intersection`, `difference` and
    `select_time` give sorted, disjoint intervals of positive length; a second GTI is converted to the reference of
    the first, in elapsed SI seconds. Raises `ConfigError` unless there is a stop for each start.
    """

    def __post_init__(self) -> None:
        for name in ("start", "stop"):
            seconds = to_value(getattr(self, name), "s", f"{name} of the good time")
            object.__setattr__(self, name, np.atleast_1d(np.asarray(seconds, dtype=float)))
        if self.start.ndim != 1 or self.start.shape != self.stop.shape:
            raise ConfigError(
                f"good time has a stop for each start, got {self.start.size} starts and {self.stop.size} stops"
            )

    @classmethod
    def from_table(cls, table: GTITable | None) -> "GTI | None":
        """What a file holds; None where it holds none."""
        return None if table is None else cls(table.start, table.stop, table.reference)

    @classmethod
    def from_intervals(cls, intervals: Any, reference: TimeReference | None = None) -> "GTI":
        """From a pair of times or several; `reference` is by default MJD 51544 (TT).

        A time is an astropy `Time`, text ('2006-07-29T22:00', UTC unless it ends in another scale) or an MJD (UTC).
        Raises `ConfigError` for what is no pair of times, and for an interval that stops before it starts.
        """
        reference = reference or TimeReference(51544, 0.0, "tt")
        pairs = np.array([seconds_of(pair, reference) for pair in _pairs(intervals)], dtype=float).reshape(-1, 2)
        return cls(pairs[:, 0], pairs[:, 1], reference)

    def __len__(self) -> int:
        return len(self.start)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GTI) and self._content() == other._content()

    def __hash__(self) -> int:
        return hash(self._content())

    def _content(self) -> tuple[TimeReference, tuple[float, ...], tuple[float, ...]]:
        return self.reference, tuple(self.start.tolist()), tuple(self.stop.tolist())

    def __repr__(self) -> str:
        many = f"{len(self)} interval{'' if len(self) == 1 else 's'}, {self.time_sum:.1f} s"
        if not len(self):
            return f"GTI({many})"
        first, last = (iso(self.reference.to_time(t)) for t in (self.start.min(), self.stop.max()))
        return f"GTI({many}, {first} .. {last} UTC)"

    def _repr_html_(self) -> str:
        return html_summary(repr(self), {}, self.table)

    @property
    def time_sum(self) -> float:
        """On-time [s]: the plain sum of the lengths (overlapping rows count twice, as in ONTIME)."""
        return float(np.sum(self.stop - self.start))

    @property
    def time_delta(self) -> np.ndarray:
        """Length of each interval [s]."""
        return self.stop - self.start

    @property
    def overlap(self) -> float:
        """Time [s] that more than one row covers, once for each extra row: `time_sum` minus that of the union."""
        return self.time_sum - self.union().time_sum

    @property
    def start_time(self) -> Time:
        """Starts as astropy times."""
        return self.reference.to_time(self.start)

    @property
    def stop_time(self) -> Time:
        """Stops as astropy times."""
        return self.reference.to_time(self.stop)

    @property
    def table(self) -> Table:
        """One row per interval: start and stop (ISO, UTC) and length [s]."""
        columns = {"start": iso(self.start_time), "stop": iso(self.stop_time), "length": self.time_delta}
        return Table(columns, units={"length": "s"})

    def to_reference(self, reference: TimeReference) -> "GTI":
        """The same intervals counted from another reference."""
        if reference == self.reference:
            return self
        shift = reference.seconds_from(self.reference)
        return GTI(self.start + shift, self.stop + shift, reference)

    def contains(self, time: Any) -> np.ndarray:
        """True for the times in an interval, start included and stop excluded.

        Numbers are seconds since the reference; an astropy `Time`, text or dates are times as in `select_time`.

        >>> gti = GTI(np.array([0.0, 10.0]), np.array([5.0, 12.0]), TimeReference(51544, 0.0, "tt"))
        >>> gti.contains(np.array([4.0, 5.0, 11.0])).tolist(), gti.time_sum
        ([True, False, True], 7.0)
        """
        numbers = not isinstance(time, Time) and np.asarray(time).dtype.kind in "iuf"
        seconds = to_value(time, "s", "time") if numbers else self.reference.to_seconds(as_times(time, "time"))
        return _covers(self.union(), np.asarray(seconds))

    def union(self, other: "GTI | None" = None, gap: Any = 0.0) -> "GTI":
        """All time in this GTI, or in the other: rows that overlap or touch become one.

        `gap` [s]: pauses up to this length are closed too (the time in them then counts). Raises `ConfigError` for
        a negative one.

        >>> gti = GTI(np.array([10.0, 0.0, 4.0]), np.array([12.0, 5.0, 8.0]), TimeReference(51544, 0.0, "tt"))
        >>> gti.union().start.tolist(), gti.union(gap="2 s").stop.tolist()
        ([0.0, 10.0], [12.0])
        """
        pause = to_number(gap, "s", "gap")
        if not pause >= 0:
            raise ConfigError(f"a gap to close cannot be negative, got {pause:g} s")
        both = self if other is None else stack_gti([self, as_gti(other)])
        keep = both.stop > both.start
        start, stop = both.start[keep], both.stop[keep]
        order = np.argsort(start, kind="stable")
        start, stop = start[order], stop[order]
        if not start.size:
            return replace(self, start=start, stop=stop)
        latest = np.maximum.accumulate(stop)
        new = np.concatenate([[True], start[1:] > latest[:-1] + pause])
        last = np.concatenate([new[1:], [True]])
        return replace(self, start=start[new], stop=latest[last])

    def intersection(self, other: "GTI") -> "GTI":
        """The time in both."""
        return self._combine(as_gti(other), lambda here, there: here & there)

    def difference(self, other: "GTI") -> "GTI":
        """The time in this GTI and not in the other: deletes bad time."""
        return self._combine(as_gti(other), lambda here, there: here & ~there)

    def delete_interval(self, interval: Any) -> "GTI":
        """The time outside `interval`, a pair of times as in `select_time`."""
        return self.difference(GTI.from_intervals([interval], self.reference))

    def select_time(self, interval: Any, inverted: bool = False) -> "GTI":
        """The parts inside `interval`, a pair of astropy times, text such as '2006-07-29T22:00' (UTC) or MJD (UTC).

        `inverted`: the parts outside. Inside, rows stay rows: overlapping ones are not merged.
        """
        if inverted:
            return self.delete_interval(interval)
        low, high = seconds_of(interval, self.reference)
        start, stop = np.maximum(self.start, low), np.minimum(self.stop, high)
        keep = stop > start
        return replace(self, start=start[keep], stop=stop[keep])

    def _combine(self, other: "GTI", keep: Any) -> "GTI":
        """The elementary pieces between all edges of both, where `keep` (in self, in other) says so, joined again."""
        here, there = self.union(), other.to_reference(self.reference).union()
        edges = np.unique(np.concatenate([here.start, here.stop, there.start, there.stop]))
        left, right = edges[:-1], edges[1:]
        chosen = keep(_covers(here, left), _covers(there, left))
        return replace(self, start=left[chosen], stop=right[chosen]).union()


def _covers(merged: GTI, time: np.ndarray) -> np.ndarray:
    """True for the times in one of the intervals, which are sorted and disjoint."""
    if not len(merged):
        return np.zeros(time.shape, dtype=bool)
    row = np.searchsorted(merged.start, time, side="right") - 1
    return (row >= 0) & (time < merged.stop[np.maximum(row, 0)])


def stack_gti(gtis: GTI | Sequence[GTI]) -> GTI:
    """All rows, one GTI after the other, in the reference of the first. Raises `ConfigError` for none at all."""
    gtis = [gtis] if isinstance(gtis, GTI) else [as_gti(gti) for gti in gtis]
    if not gtis:
        raise ConfigError("there are no good time intervals to stack")
    moved = [gti.to_reference(gtis[0].reference) for gti in gtis]
    return replace(
        gtis[0], start=np.concatenate([gti.start for gti in moved]), stop=np.concatenate([gti.stop for gti in moved])
    )


def seconds_of(interval: Any, reference: TimeReference) -> tuple[float, float]:
    """A pair of times (see `as_interval`) in seconds since the reference.

    Raises `ConfigError` for what is no pair of times, and for one that stops before it starts.
    """
    start, stop = as_interval(interval)
    with any_year():
        return float(reference.to_seconds(start)), float(reference.to_seconds(stop))


def as_gti(given: Any) -> GTI:
    """Good time intervals, or a `ConfigError` that says how to make them."""
    if not isinstance(given, GTI):
        raise ConfigError(
            f"good time intervals are a GTI, got {type(given).__name__}: GTI.from_intervals([(start, stop)]) makes one"
        )
    return given


def _pairs(intervals: Any) -> list[Any]:
    """One pair of times or several as a list."""
    if isinstance(intervals, str) or not np.iterable(intervals):
        raise ConfigError(f"intervals are pairs of times such as [('2006-07-29', '2006-07-30')], got {intervals!r}")
    found = list(intervals)
    single = isinstance(found[0], str) or not np.iterable(found[0]) if found else False
    return [found] if single else found
