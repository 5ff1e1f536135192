"""The door for times: what a person has at hand becomes an astropy `Time`. Text and numbers without a scale are UTC."""

import datetime
import re
import reprlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
from astropy import units as u
from astropy.time import Time
from erfa import ErfaWarning

from gammajax.checks import pair
from gammajax.errors import ConfigError

_EXAMPLES = "an astropy Time, text such as '2006-07-29T22:00' (UTC) or '2006-07-29T22:00 TT', or an MJD (UTC)"
_SCALES = re.compile(r"(.*\d)\s*\(?(utc|z|tt|tai|tdb|tcb|tcg|ut1)\)?\s*", re.IGNORECASE)
_MJD = (15020.0, 88069.0)
"""Years 1900 to 2100: numbers outside are years, Julian dates or seconds."""


def as_time(given: Any, what: str = "time") -> Time:
    """One time.

    `given` is an astropy `Time`, taken as it is; text such as "2006-07-29", "2006-07-29T22:00" or "2006-07-29 22:00",
    which is UTC unless it ends in another scale ("2006-07-29T22:00 TT"); a Python date, or a number, the MJD (UTC),
    which may have the unit day.
    Raises `ConfigError`, naming `what`, for anything else.

    >>> as_time("2006-07-29T22:00").scale, float(as_time("2006-07-29 TT").mjd), float(as_time(53945.0).mjd)
    ('utc', 53945.0, 53945.0)
    """
    time = as_times(given, what)
    if not time.isscalar:
        raise ConfigError(f"{what}: one time is needed, got {time.size}; give {_EXAMPLES}")
    return time


def as_times(given: Any, what: str = "times") -> Time:
    """Like `as_time`, for any number of times: a `Time` of any shape, or a list."""
    if isinstance(given, Time):
        return given
    if isinstance(given, list | tuple | np.ndarray) and np.ndim(given):
        each = [as_time(one, what) for one in given]
        if not each:
            raise ConfigError(f"{what}: there is no time; give {_EXAMPLES}")
        return cast(Time, Time(each))
    try:
        with any_year():
            return _parsed(given)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{what}: {reprlib.repr(given)} is no time: give {_EXAMPLES}") from error


def as_interval(given: Any, what: str = "interval") -> tuple[Time, Time]:
    """A pair of times, the first not after the second. Raises `ConfigError` for anything else."""
    start, stop = pair(given, what, "('2006-07-29', '2006-07-30T04:00')")
    start, stop = as_time(start, f"start of {what}"), as_time(stop, f"stop of {what}")
    with any_year():
        ordered = bool(start <= stop)
    if not ordered:
        raise ConfigError(f"{what} stops before it starts: {start.isot} ({start.scale}), {stop.isot} ({stop.scale})")
    return start, stop


def iso(time: Time) -> Any:
    """Times as ISO text in UTC, which `as_time` reads back: text, or an array of texts."""
    with any_year():
        utc: Any = time.utc
        return utc.isot


@contextmanager
def any_year() -> Iterator[None]:
    """No warnings that the leap seconds of a year to come are not known: an open interval may end there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ErfaWarning)
        yield


def _parsed(given: Any) -> Time:
    if isinstance(given, str):
        found = _SCALES.fullmatch(given)
        text, scale = (found[1], found[2].lower()) if found else (given.strip(), "utc")
        if not re.match(r"\d{4}[-:]\d", text):
            raise ValueError("dates start with the year")
        return cast(Time, Time(text, scale="utc" if scale == "z" else scale))
    if isinstance(given, datetime.date):
        # a date without an hour is no `datetime`; one with a time zone is converted to UTC
        given = given if isinstance(given, datetime.datetime) else given.isoformat()
        return cast(Time, Time(given, scale="utc"))
    if isinstance(given, np.datetime64):
        return cast(Time, Time(given, scale="utc"))
    if isinstance(given, u.Quantity) and given.unit == u.day:
        given = given.value
    if isinstance(given, bool) or not isinstance(given, int | float | np.integer | np.floating):
        raise TypeError(type(given).__name__)
    if not _MJD[0] <= given <= _MJD[1]:
        raise ValueError("no MJD of the years 1900 to 2100")
    return cast(Time, Time(float(given), format="mjd", scale="utc"))
