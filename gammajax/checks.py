"""Checks of plain numbers that a person passes: a wrong one is a `ConfigError` that names the argument."""

import sys
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
