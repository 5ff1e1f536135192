"""The door of numbers with units."""

import jax.numpy as jnp
import numpy as np
import pytest
from astropy import units as u

from gammajax.errors import UnitMismatch
from gammajax.units import to_number, to_value


@pytest.mark.parametrize(
    "given",
    [
        [1 * u.TeV, 10 * u.TeV],
        (1000 * u.GeV, "10 TeV"),
        ["1 TeV", "10 TeV"],
        np.array(["1 TeV", "10 TeV"]),
        np.array(["1 TeV", "1e4 GeV"], dtype=object),
        [1, 10 * u.TeV],
        [1, 10] * u.TeV,
        jnp.array([1.0, 10.0]),
        (1, 10.0),
    ],
)
def test_lists(given):
    np.testing.assert_allclose(to_value(given, "TeV"), [1.0, 10.0])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("x", "energy: 'x' is not a number with a unit such as '1 TeV'"),
        ([1, "a"], "energy: 'a' is not a number with a unit"),
        (object(), "energy: <object .* is not a number"),
        (None, "energy: None is not a number"),
        ({"a": 1}, "energy: .* is not a number"),
        ([["1 TeV", "2 TeV"], "3 TeV"], "energy: .* is not a number"),
        ([1, [2, 3]], "energy: .* is not a number"),
        (10**400, "energy: .* is not a number"),
        (["1 TeV", "1 deg"], "energy is of kind energy"),
        (["1 TeV", "1"], "energy: '1' has no unit; write for example '1 TeV'"),
    ],
)
def test_garbage(given, message):
    with pytest.raises(UnitMismatch, match=message):
        to_value(given, "TeV", "energy")


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        ("cm-2 s-1 TeV-1", r"x is of kind differential flux \(.*\), got the unit 'deg'"),
        ("cm2 s", r"x is of kind exposure \(.*\), got the unit 'deg'"),
        ("cm2", r"x is of kind area \(cm2\), got the unit 'deg'"),
        ("", "x is of kind dimensionless, got the unit 'deg'"),
    ],
)
def test_kinds_have_names(unit, message):
    with pytest.raises(UnitMismatch, match=message):
        to_value("1 deg", unit, "x")


def test_no_unit_to_suggest():
    with pytest.raises(UnitMismatch, match="index: 'x' is not a number$"):
        to_value("x", "", "index")


def test_one_number():
    assert to_number("2 TeV", "GeV") == 2000.0
    assert to_number(np.array([3.0]), "") == 3.0
    with pytest.raises(UnitMismatch, match="x must be one number, got 2"):
        to_number([1, 2], "TeV", "x")
