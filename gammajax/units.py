"""Canonical units, and the one door through which numbers with units enter.

Inside gammajax every number is a bare float64 in canonical units: TeV, cm, s, deg for angles that
a person sets, sr for solid angle. `to_value` converts `Quantity`, text and bare numbers once.
"""

import reprlib
from typing import Any

import numpy as np
from astropy import units as u

from gammajax.errors import ConfigError, UnitMismatch

ENERGY = "TeV"
AREA = "cm2"
TIME = "s"
ANGLE = "deg"
EXPOSURE = "cm2 s"
DNDE = "cm-2 s-1 TeV-1"
FLUX = "cm-2 s-1"
LEAST_ENERGY = 1e-12
"""Natural bound [TeV] of energies that must be positive: 1 eV."""


def unit_of(text: Any) -> u.UnitBase:
    """An astropy unit from a unit or its text; photons and counts are dimensionless here, and so is None.

    >>> unit_of("ph cm-2 s-1") == unit_of("cm-2 s-1")
    True
    """
    try:
        unit: Any = u.Unit(text or "")
    except (ValueError, TypeError) as error:
        # astropy goes on with how to define a unit of one's own
        why = str(error).split(" If this is meant")[0]
        raise UnitMismatch(f"{text!r} is not a unit: {why}") from error
    powers = [base**power for base, power in zip(unit.bases, unit.powers, strict=True) if base in (u.ph, u.ct)]
    for factor in powers:
        unit = unit / factor
    return unit


def conversion(unit: Any, to: Any, what: str = "value") -> float:
    """The factor that turns a number in `unit` into one in `to`.

    Raises `UnitMismatch`, naming `what`, when the two differ in kind.

    >>> conversion("GeV", "TeV")
    0.001
    """
    try:
        source: Any = unit_of(unit)
    except UnitMismatch as error:
        raise UnitMismatch(f"{what}: {error}") from error
    target: Any = unit_of(to)
    try:
        return float(source.to(target))
    except u.UnitConversionError as error:
        kind = f"of kind {_kind(target)} ({target})" if str(target) else "of kind dimensionless"
        raise UnitMismatch(f"{what} is {kind}, got the unit {str(source) or 'none'!r}") from error


def _kind(unit: u.UnitBase) -> str:
    """What a unit measures, in words; astropy has none for a differential flux and an exposure."""
    for known, name in ((DNDE, "differential flux"), (EXPOSURE, "exposure")):
        if unit.is_equivalent(u.Unit(known)):
            return name
    # astropy knows energies as "energy/torque/work".
    return str(unit.physical_type).split("/")[0]


def to_value(x: Any, unit: str | u.UnitBase, what: str = "value") -> np.ndarray | float:
    """`x` as bare float64 in `unit`: a `Quantity`, a text such as "0.1 TeV", a number, an array, or a list of these.

    Bare numbers are taken to be in `unit` already. Raises `UnitMismatch`, naming `what`.

    >>> to_value("300 GeV", "TeV")
    0.3
    >>> to_value(["300 GeV", "1 TeV"], "TeV").tolist()
    [0.3, 1.0]
    """
    if isinstance(x, str):
        x = _quantity(x, unit, what)
    if isinstance(x, u.Quantity):
        return _bare(x.value * conversion(x.unit, unit, what), unit, what)
    if isinstance(x, np.ndarray) and x.dtype.kind in "OSU":
        x = x.tolist()
    if isinstance(x, list | tuple) and any(isinstance(item, str | u.Quantity) for item in x):
        return _bare([to_value(item, unit, what) for item in x], unit, what)
    return _bare(x, unit, what)


def to_number(x: Any, unit: str | u.UnitBase, what: str = "value") -> float:
    """Like `to_value`, for what must be one number."""
    value = to_value(x, unit, what)
    if np.size(value) != 1:
        raise UnitMismatch(f"{what} must be one number, got {np.size(value)}")
    return float(np.reshape(value, ()))


def to_pair(x: Any, unit: str | u.UnitBase, what: str = "range") -> tuple[float, float]:
    """A pair (low, high) as bare float64 in `unit`. Raises `ConfigError` unless it is a pair with low <= high.

    >>> to_pair(("300 GeV", 1.0), "TeV")
    (0.3, 1.0)
    """
    example = f"({0.5:g}, {2:g})" if not str(unit) else f"('0.5 {unit}', '2 {unit}')"
    if isinstance(x, str | dict) or not np.iterable(x):
        raise ConfigError(f"{what} is a pair (low, high) such as {example}, got {reprlib.repr(x)}")
    numbers = np.ravel(to_value(x if isinstance(x, u.Quantity | np.ndarray) else list(x), unit, what))
    if numbers.size != 2:
        raise ConfigError(f"{what} is a pair (low, high) such as {example}, got {numbers.size} values")
    low, high = float(numbers[0]), float(numbers[1])
    if not low <= high:
        raise ConfigError(f"{what} goes from low to high, got ({low:g}, {high:g})")
    return low, high


def _quantity(text: str, unit: str | u.UnitBase, what: str) -> u.Quantity:
    try:
        x = u.Quantity(text)
    except (ValueError, TypeError) as error:
        raise UnitMismatch(f"{what}: {text!r} is not a number{_example(unit)}") from error
    if x.unit == u.dimensionless_unscaled and str(unit_of(unit)):
        raise UnitMismatch(f"{what}: {text!r} has no unit; write for example '{x.value:g} {unit}'")
    return x


def _bare(x: Any, unit: str | u.UnitBase, what: str) -> np.ndarray | float:
    """Numbers, sequences of them, and arrays of numpy or JAX."""
    try:
        # None would become NaN without a word.
        values = np.asarray(object() if x is None else x, dtype=np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise UnitMismatch(f"{what}: {reprlib.repr(x)} is not a number{_example(unit)}") from error
    return values if values.ndim else float(values)


def _example(unit: str | u.UnitBase) -> str:
    return f" with a unit such as '1 {unit}'" if str(unit) else ""
