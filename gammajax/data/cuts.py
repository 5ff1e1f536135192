"""What can be cut from a run: each cut acts on events and good time together, so that the livetime follows.

Cuts are plain data (picklable), applied when a run is first used.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from gammajax.data.events import Events
from gammajax.data.gti import GTI
from gammajax.data.phase import Ephemeris, phase_intervals
from gammajax.errors import ConfigError


class Run(Protocol):
    """What a cut may ask of its run."""

    def pointing_lonlat(self, times: Any) -> Any:
        """Pointing (ra, dec) [deg] at times."""
        ...


class Cut(Protocol):
    """Acts on the events and the good time of a run; `fraction` of the good time is left for each event to be kept."""

    @property
    def fraction(self) -> float:
        """Share of the on-time that is left within the good time intervals."""
        ...

    def events(self, events: Events, run: Run) -> Events:
        """The events that pass."""
        ...

    def gti(self, gti: GTI) -> GTI:
        """The good time that is left."""
        ...


@dataclass(frozen=True)
class TimeCut:
    """A pair of times; `inverted`: all but the time between."""

    interval: Any
    inverted: bool = False
    fraction: float = 1.0

    def events(self, events: Events, run: Run) -> Events:
        """The events in the interval."""
        return events.select_time(self.interval, self.inverted)

    def gti(self, gti: GTI) -> GTI:
        """The good time in the interval."""
        return gti.select_time(self.interval, self.inverted)


@dataclass(frozen=True)
class GTICut:
    """Further good time intervals."""

    intervals: GTI
    fraction: float = 1.0

    def events(self, events: Events, run: Run) -> Events:
        """The events in the intervals."""
        return events.select_gti(self.intervals)

    def gti(self, gti: GTI) -> GTI:
        """The good time in the intervals."""
        return gti.intersection(self.intervals)


@dataclass(frozen=True)
class OffsetCut:
    """A band of offsets from the pointing."""

    band: Any
    fraction: float = 1.0

    def events(self, events: Events, run: Run) -> Events:
        """The events with an offset in the band."""
        return events.select_offset(self.band, run.pointing_lonlat(events.times))

    def gti(self, gti: GTI) -> GTI:
        """All of it."""
        return gti


@dataclass(frozen=True)
class PhaseCut:
    """Phase intervals, of a column or of an ephemeris."""

    intervals: Any
    ephemeris: Ephemeris | None = None
    column: str = "PHASE"

    @property
    def fraction(self) -> float:
        """Sum of the widths. Raises `ConfigError` where intervals overlap."""
        parts = sorted(phase_intervals(self.intervals))
        if any(a[1] > b[0] for a, b in zip(parts, parts[1:], strict=False)):
            raise ConfigError(f"phase intervals overlap: {self.intervals!r}")
        return sum(high - low for low, high in parts)

    def events(self, events: Events, run: Run) -> Events:
        """The events in phase."""
        if self.ephemeris is not None:
            events = events.with_phase(self.ephemeris, self.column)
        return events.select_phase(self.intervals, self.column)

    def gti(self, gti: GTI) -> GTI:
        """All of it: `fraction` says what share counts."""
        return gti


@dataclass(frozen=True)
class EventCut:
    """Any function of an event list."""

    select: Callable[[Events], Events]
    fraction: float = 1.0

    def events(self, events: Events, run: Run) -> Events:
        """What the function leaves."""
        return self.select(events)

    def gti(self, gti: GTI) -> GTI:
        """All of it."""
        return gti
