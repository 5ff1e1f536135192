"""Checks of plain arguments that a person passes: a wrong one is a `ConfigError` that names the argument."""

import os
import reprlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from gammajax.errors import ConfigError


def whole(value: Any, name: str, least: int = 1) -> int:
    """`value` as an int, if it is a whole number from `least` on."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ConfigError(f"{name} must be a whole number from {least}, got {value!r}")
    return int(value)


def above_zero(value: Any, name: str) -> float:
    """`value` as a float, if it is a finite number above 0."""
    if not isinstance(value, int | float | np.number) or not 0 < value <= sys.float_info.max:
        raise ConfigError(f"{name} must be a number above 0, got {value!r}")
    return float(value)


def probability(value: Any, name: str, example: float = 0.95) -> float:
    """`value` as a float, if it lies between 0 and 1."""
    if not isinstance(value, int | float | np.number) or not 0 < value < 1:
        raise ConfigError(f"{name} must lie between 0 and 1, such as {example}, got {value!r}")
    return float(value)


def one_or_many(given: Any, *single: type) -> list[Any]:
    """What is given as a list: text, or one of the types `single`, is one, not its letters or parts; anything else
    that cannot be iterated is one as well.

    >>> one_or_many("psf"), one_or_many(("psf", "bkg"))
    (['psf'], ['psf', 'bkg'])
    """
    alone = isinstance(given, (str, bytes, os.PathLike, *single)) or not isinstance(given, Iterable)
    return [given] if alone else list(given)


def names(given: Any, what: str) -> tuple[str, ...]:
    """One name or several, as a tuple."""
    found = one_or_many(given)
    wrong = [one for one in found if not isinstance(one, str)]
    if wrong:
        raise ConfigError(f"{what} must be a name or several, got {reprlib.repr(wrong[0])}")
    return tuple(found)


def as_paths(given: Any, what: str = "paths") -> list[Path]:
    """One path or several, as a list."""
    found = one_or_many(given)
    wrong = [one for one in found if not isinstance(one, str | os.PathLike)]
    if wrong:
        raise ConfigError(f"{what} must be the name of a file or several, got {reprlib.repr(wrong[0])}")
    return [Path(one) for one in found]


def pair(given: Any, what: str, example: str) -> tuple[Any, Any]:
    """The two parts of a pair; `example` says how it is written."""
    if isinstance(given, str | dict) or not isinstance(given, Iterable) or len(parts := tuple(given)) != 2:
        raise ConfigError(f"{what} is a pair such as {example}, got {reprlib.repr(given)}")
    return parts[0], parts[1]
