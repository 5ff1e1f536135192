"""Canonical units, and the one door through which numbers with units enter.

Inside gammajax every number is a bare float64 in canonical units: TeV, cm, s, deg for angles that
a person sets, sr for solid angle. `to_value` converts `Quantity`, text and bare numbers once.
"""

from typing import Any

import numpy as np
from astropy import units as u

from gammajax.errors import UnitMismatch

ENERGY = "TeV"
AREA = "cm2"
TIME = "s"
ANGLE = "deg"
EXPOSURE = "cm2 s"
DNDE = "cm-2 s-1 TeV-1"
FLUX = "cm-2 s-1"


def unit_of(text: Any) -> u.UnitBase:
    """An astropy unit from a unit or its text; photons and counts are dimensionless here, and so is None.

    >>> unit_of("ph cm-2 s-1") == unit_of("cm-2 s-1")
    True
    """
    try:
        unit: Any = u.Unit(text or "")
    except (ValueError, TypeError) as error:
        raise UnitMismatch(f"{text!r} is not a unit: {error}") from error
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
    source: Any = unit_of(unit)
    target: Any = unit_of(to)
    try:
        return float(source.to(target))
    except u.UnitConversionError as error:
        # astropy knows energies as "energy/torque/work", and a differential flux as "unknown".
        physical = str(target.physical_type).split("/")[0]
        kind = f"{physical} ({target})" if str(target) else "dimensionless"
        raise UnitMismatch(f"{what} is of kind {kind}, got the unit {str(source) or 'none'!r}") from error


def to_value(x: Any, unit: str | u.UnitBase, what: str = "value") -> np.ndarray | float:
    """`x` (`Quantity`, text such as "0.1 TeV", number or array) as bare float64 in `unit`.

    Bare numbers are taken to be in `unit` already. Raises `UnitMismatch`, naming `what`.

    >>> to_value("300 GeV", "TeV")
    0.3
    """
    if isinstance(x, str):
        try:
            x = u.Quantity(x)
        except (ValueError, TypeError) as error:
            raise UnitMismatch(f"{what}: {x!r} is not a number with a unit such as '1 {unit}'") from error
        if x.unit == u.dimensionless_unscaled and str(unit_of(unit)):
            raise UnitMismatch(f"{what}: {str(x)!r} has no unit; write for example '{x.value:g} {unit}'")
    if isinstance(x, u.Quantity):
        return x.value * conversion(x.unit, unit, what)
    # Numbers, sequences, and arrays of numpy or JAX.
    values = np.asarray(x, dtype=np.float64)
    return values if values.ndim else float(values)
