"""Rotational and orbital phases of event times."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.time import Time

from gammajax.data.times import as_time, as_times
from gammajax.errors import ConfigError
from gammajax.units import to_number


@dataclass(frozen=True)
class Ephemeris:
    """phase(t) = phase_0 + f dt + f1 dt^2 / 2 + f2 dt^3 / 6 + ..., dt = t - reference in elapsed SI seconds.

    `reference` is an astropy time, text (UTC unless it ends in another scale, such as '2004-01-01 TDB') or an MJD
    (UTC), `frequency` [Hz] a number, quantity or text, `derivatives` those of the frequency [Hz/s, Hz/s2, ...]. Times
    are taken as they are: for pulsars give barycentred ones.
    """

    reference: Time
    frequency: float
    derivatives: tuple[float, ...] = ()
    phase_0: float = 0.0

    def __init__(self, reference: Any, frequency: Any, derivatives: Sequence[Any] = (), phase_0: float = 0.0) -> None:
        start = as_time(reference, "the reference of an ephemeris")
        steps = tuple(to_number(x, f"Hz / s{i}", f"derivative {i}") for i, x in enumerate(derivatives, start=1))
        for name, value in (
            ("reference", start),
            ("frequency", to_number(frequency, "Hz", "frequency")),
            ("derivatives", steps),
            ("phase_0", float(phase_0)),
        ):
            object.__setattr__(self, name, value)

    @classmethod
    def from_period(cls, reference: Any, period: Any, phase_0: float = 0.0) -> "Ephemeris":
        """A constant period [s, or with a unit]: orbits. Raises `ConfigError` unless it is positive."""
        seconds = to_number(period, "s", "period")
        if not seconds > 0:
            raise ConfigError(f"a period must be positive, got {seconds:g} s")
        return cls(reference, 1.0 / seconds, (), phase_0)

    def cycles(self, times: Any) -> np.ndarray:
        """Turns since the reference, phase_0 included; not folded."""
        elapsed: Any = as_times(times) - self.reference
        dt = np.asarray(elapsed.sec, dtype=float)
        total, term = np.full(dt.shape, self.phase_0), dt
        for i, rate in enumerate((self.frequency, *self.derivatives), start=2):
            total = total + rate * term
            term = term * dt / i
        return total

    def phase(self, times: Any) -> np.ndarray:
        """Phase in [0, 1) of each time; times as for the reference, one or several.

        >>> orbit = Ephemeris.from_period("2020-01-01T00:00:00", "4 d")
        >>> orbit.phase(["2020-01-02T00:00:00", "2020-01-04T00:00:00", "2020-01-05T00:00:00"]).tolist()
        [0.25, 0.75, 0.0]
        """
        return fold(self.cycles(times))


def phase_fold(
    times: Any, reference: Any, frequency: Any, derivatives: Sequence[Any] = (), phase_0: float = 0.0
) -> np.ndarray:
    """Phase in [0, 1) of times; see `Ephemeris`."""
    return Ephemeris(reference, frequency, derivatives, phase_0).phase(times)


def as_ephemeris(given: Any) -> Ephemeris:
    """An ephemeris, or a `ConfigError` that says how to make one."""
    if not isinstance(given, Ephemeris):
        raise ConfigError(
            f"an ephemeris is an Ephemeris(reference, frequency), got {type(given).__name__}; "
            "Ephemeris.from_period(reference, period) makes that of an orbit"
        )
    return given


def fold(cycles: np.ndarray) -> np.ndarray:
    """The fraction of each number of turns, in [0, 1)."""
    fraction = np.mod(cycles, 1.0)
    # a turn of -1e-20 is rounded up to 1
    return np.where(fraction >= 1.0, 0.0, fraction)


def phase_intervals(intervals: Any) -> list[tuple[float, float]]:
    """One interval or several as (low, high) with 0 <= low < high <= 1: those through 1 are cut in two.

    Raises `ConfigError` for what is no phase interval.

    >>> phase_intervals([(0.9, 0.1), (0.4, 0.6)])
    [(0.9, 1.0), (0.0, 0.1), (0.4, 0.6)]
    """
    try:
        pairs = np.asarray(intervals, dtype=float).reshape(-1, 2)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{intervals!r} is no phase interval such as (0.2, 0.4) or a list of these") from error
    found = []
    for low, high in pairs.tolist():
        if not (0.0 <= low <= 1.0 and 0.0 <= high <= 1.0) or low == high:
            raise ConfigError(f"a phase interval has two different ends in 0..1, got ({low:g}, {high:g})")
        parts = [(low, high)] if low < high else [(low, 1.0), (0.0, high)]
        found += [(a, b) for a, b in parts if b > a]
    return found


def in_phase(phase: np.ndarray, intervals: Any) -> np.ndarray:
    """True where low <= phase < high in one of the intervals; phases outside [0, 1) are folded first."""
    folded = fold(np.asarray(phase, dtype=float))
    inside = np.zeros(folded.shape, dtype=bool)
    for low, high in phase_intervals(intervals):
        inside |= (folded >= low) & (folded < high)
    return inside
