"""The door for positions on the sky: what a person has at hand becomes ICRS right ascension and declination."""

import re
import reprlib
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import BaseCoordinateFrame, ConvertError, SkyCoord
from regions import PointSkyRegion

from gammajax._typing import Float
from gammajax.errors import ConfigError
from gammajax.units import to_value

_EXAMPLES = "a SkyCoord, text such as '83.63 22.01' [deg] or '05h34m32s +22d00m52s', or (ra, dec) [deg]"
_COORDINATE = re.compile(r"\s*[+-]?\.?\d\S*( ?deg)?\s*")


def position(given: Any, what: str = "position") -> tuple[float, float]:
    """ICRS right ascension in [0, 360) and declination [deg] of one position.

    `given` is a `SkyCoord` in any frame, text such as "83.63 22.01" [deg], "83.63d 22.01d" or "05h34m32s +22d00m52s",
    or a pair (ra, dec) of numbers [deg], quantities or texts; text and numbers are ICRS. Raises `ConfigError`, naming
    `what`, for anything else, `UnitMismatch` for quantities that are no angles.

    >>> position("83.63d 22.01d"), position((83.63, 22.01))
    ((83.63, 22.01), (83.63, 22.01))
    """
    ra, dec = positions(given, what)
    if ra.ndim:
        raise ConfigError(f"{what}: one position is needed, got {ra.size}")
    return float(ra), float(dec)


def positions(given: Any, what: str = "positions") -> tuple[Float[np.ndarray, "*n"], Float[np.ndarray, "*n"]]:
    """Like `position`, for any number of positions: a `SkyCoord` of any shape, or a pair of arrays [deg].

    >>> positions((np.array([10.0, -10.0]), 0.0))[0].tolist()
    [10.0, 350.0]
    """
    if isinstance(given, PointSkyRegion):
        given = given.center
    try:
        coordinates = given if isinstance(given, SkyCoord | BaseCoordinateFrame) else _coordinates(given, what)
        icrs: Any = SkyCoord(coordinates).icrs
        ra, dec = np.asarray(icrs.ra.deg, dtype=float) % 360.0, np.asarray(icrs.dec.deg, dtype=float)
    except (ValueError, TypeError, AttributeError, ConvertError, u.UnitsError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(f"{what}: {reprlib.repr(given)} is no position ({why}); give {_EXAMPLES}") from error
    if not (np.isfinite(ra).all() and np.isfinite(dec).all()):
        raise ConfigError(f"{what}: {reprlib.repr(given)} is not finite; give {_EXAMPLES}")
    return ra, dec


def is_position(given: Any) -> bool:
    """True for what is meant as one position, right or not: a `SkyCoord`, text that starts with a number, a pair of
    single coordinates. DS9 text starts with a word, and lists of regions hold no bare coordinates.

    >>> is_position("83.63 22.01"), is_position([83.63, 22.01]), is_position("icrs;circle(83.63, 22.01, 0.1)")
    (True, True, False)
    """
    if isinstance(given, str):
        return re.match(r"\s*[+-]?\.?\d", given) is not None
    if isinstance(given, np.ndarray):
        return given.shape == (2,) and given.dtype.kind in "fiu"
    if isinstance(given, list | tuple):
        return len(given) == 2 and all(map(_is_coordinate, given))
    return isinstance(given, SkyCoord | BaseCoordinateFrame)


def _is_coordinate(given: Any) -> bool:
    if isinstance(given, str):
        return _COORDINATE.fullmatch(given) is not None
    return (isinstance(given, Real) and not isinstance(given, bool)) or (
        isinstance(given, u.Quantity) and given.isscalar
    )


def _coordinates(given: Any, what: str) -> SkyCoord:
    if isinstance(given, str):
        return _of_text(given)
    if not isinstance(given, Sequence | np.ndarray) or len(given) != 2:
        raise ValueError("it is no pair")
    if any(isinstance(one, str) for one in given):
        parts = [f"{one.to_value('deg')}d" if isinstance(one, u.Quantity) else str(one) for one in given]
        return _of_text(" ".join(parts))
    named = zip(given, (f"ra of {what}", f"dec of {what}"), strict=True)
    ra, dec = (np.asarray(to_value(one, "deg", name)) for one, name in named)
    return SkyCoord(*np.broadcast_arrays(ra, dec), unit="deg")


def _of_text(text: str) -> SkyCoord:
    plain = re.sub(r"\s*deg\b|\s*°(?=[\s,]|$)", "d", text.replace(",", " ").strip())
    if ":" in plain or (len(plain.split()) > 2 and not re.search("[dhms°]", plain)):
        raise ValueError("hours and degrees need their letters")
    return SkyCoord(plain, unit="deg")
