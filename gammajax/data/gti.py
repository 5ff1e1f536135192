"""Good time intervals."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from astropy.time import Time

from gammajax.errors import ConfigError
from gammajax.io.dl3 import TimeReference


@dataclass(frozen=True)
class GTI:
    """Intervals during which the telescope took usable data: start, stop [s since `reference`]."""

    start: np.ndarray
    stop: np.ndarray
    reference: TimeReference

    def __len__(self) -> int:
        return len(self.start)

    @property
    def time_sum(self) -> float:
        """On-time [s]: the plain sum of the lengths (overlapping rows count twice, as in ONTIME)."""
        return float(np.sum(self.stop - self.start))

    @property
    def start_time(self) -> Time:
        """Starts as astropy times."""
        return self.reference.to_time(self.start)

    @property
    def stop_time(self) -> Time:
        """Stops as astropy times."""
        return self.reference.to_time(self.stop)

    def contains(self, time: np.ndarray) -> np.ndarray:
        """True for the times [s since the reference] in an interval, start included and stop excluded.

        >>> gti = GTI(np.array([0.0, 10.0]), np.array([5.0, 12.0]), TimeReference(51544, 0.0, "tt"))
        >>> gti.contains(np.array([4.0, 5.0, 11.0])).tolist(), gti.time_sum
        ([True, False, True], 7.0)
        """
        time = np.asarray(time)[..., None]
        return np.any((time >= self.start) & (time < self.stop), axis=-1)

    def select_time(self, interval: Any) -> "GTI":
        """The parts inside `interval`, a pair of astropy times or of text such as '2006-07-29T22:00'."""
        low, high = seconds_of(interval, self.reference)
        start, stop = np.maximum(self.start, low), np.minimum(self.stop, high)
        keep = stop > start
        return replace(self, start=start[keep], stop=stop[keep])


def seconds_of(interval: Any, reference: TimeReference) -> tuple[float, float]:
    """A pair of times (astropy or text in the scale of the reference) in seconds since the reference.

    Raises `ConfigError` for what is no pair of times.
    """
    try:
        low, high = (t if isinstance(t, Time) else Time(t, scale=reference.scale) for t in interval)
        return float(reference.to_seconds(low)), float(reference.to_seconds(high))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{interval!r} is no pair of times such as ('2006-07-29', '2006-07-30'): {error}") from error
