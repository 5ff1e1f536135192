"""The typed door of configurations: what YAML holds, as what it must be, or an error that names the key."""

import os
import reprlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from astropy.coordinates import SkyCoord
from astropy.time import Time
from astropy.units import UnitsError

from gammajax.data.times import as_time
from gammajax.errors import ConfigError, UnitMismatch
from gammajax.units import to_value

_HUGE = 2**62
"""No whole number of a configuration is larger."""


def required(content: Mapping[str, Any], key: str, where: str) -> Any:
    """The value of a key that must be there."""
    if content.get(key) is None:
        raise ConfigError(f"{where}.{key} is missing")
    return content[key]


def all_given(content: Mapping[str, Any], where: str, *keys: str) -> bool:
    """True if all keys of a group have a value, False if none has one; a group that is half given is an error."""
    given = [key for key in content if content[key] is not None]
    if given and (lacking := [key for key in keys if key not in given]):
        raise ConfigError(f"{where} has {', '.join(given)}, but lacks {', '.join(lacking)}: give all or none")
    return bool(given)


def text(value: Any, where: str) -> str:
    """Text."""
    if not isinstance(value, str):
        raise ConfigError(f"{where} must be text, got {value!r}")
    return value


def number(value: Any, where: str) -> float:
    """A finite number."""
    # a whole number of YAML may be larger than any float
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise ConfigError(f"{where} must be a number, got {reprlib.repr(value)}")
    return float(value)


def integer(value: Any, where: str, least: int = -_HUGE, most: int = _HUGE) -> int:
    """A whole number, from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        limits = ("" if least == -_HUGE else f" from {least}") + ("" if most == _HUGE else f" to {most}")
        raise ConfigError(f"{where} must be a whole number{limits}, got {reprlib.repr(value)}")
    return value


def boolean(value: Any, where: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ConfigError(f"{where} must be true or false, got {value!r}")
    return value


def a_list(value: Any, where: str) -> list[Any]:
    """A list."""
    if not isinstance(value, list):
        raise ConfigError(f"{where} must be a list such as [...], got {value!r}")
    return value


def quantity(value: Any, unit: str, where: str) -> float:
    """Text with a unit, or a number that is in `unit` already."""
    try:
        found = to_value(value if isinstance(value, str) else number(value, where), unit, where)
    except UnitMismatch as error:
        raise ConfigError(str(error)) from error
    return number(found, where)


def angle(value: Any, where: str) -> float:
    """An angle [deg]."""
    return quantity(value, "deg", where)


def a_path(value: Any, base: Path, where: str) -> Path:
    """A path relative to `base`; environment variables and ~ are expanded."""
    return (base / Path(os.path.expandvars(text(value, where))).expanduser()).absolute()


def a_time(value: Any, where: str) -> Time:
    """A time, in UTC unless its text ends in another scale; YAML makes dates of unquoted text."""
    return as_time(value, where)


def position(content: Mapping[str, Any], where: str) -> SkyCoord:
    """A position with the keys frame (icrs if absent), lon, lat."""
    lon, lat = required(content, "lon", where), required(content, "lat", where)
    frame = text(content.get("frame") or "icrs", f"{where}.frame")
    if not all(isinstance(x, str) for x in (lon, lat)):
        raise ConfigError(f"{where}: lon {lon!r}, lat {lat!r} are no position: write for example '83.63 deg'")
    try:
        return SkyCoord(lon, lat, frame=frame)
    except (ValueError, TypeError, UnitsError) as error:
        raise ConfigError(
            f"{where}: lon {lon!r}, lat {lat!r} are no position: {error}; write for example '83.63 deg'"
        ) from error


def mapping(value: Any, where: str) -> dict[str, Any]:
    """Keys and values; none for None."""
    if value is not None and not isinstance(value, Mapping):
        raise ConfigError(f"{where} must hold keys and values, got {value!r}")
    return dict(value or {})
