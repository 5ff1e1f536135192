"""Random damage of index tables: columns removed, renamed and retyped, cells replaced, rows repeated and dropped."""

from collections.abc import Mapping
from typing import Any

import dl3_files
import numpy as np
from astropy.io import fits
from hypothesis import strategies as st

ODD_NUMBERS = (np.nan, np.inf, -1.0, 0.0, 11.0, 11.5, 90.5, 1e12, 2.0**63, 1e300)
ODD_TEXTS = (
    "", " ", "N", "nan", "-1", "11", "../..", "/", "/dev/null", "no/such.fits", "run11.fits", "run11.fits[1]", "events",
    "EVENTS", "gti", "aeff_2d", "psf_king", "bkg_3d", "aeff_7d", "_", "x" * 58, "effective area", "$HOME", "~", "%s",
)  # fmt: skip
NAMES = ("OBS_ID", "obs_id", "RA_PNT", "OBJECT", "TARGET_NAME", "FILE_NAME", "HDU_NAME", "X", "OBS_ID_2")
TYPES = ("text", "float", "int16", "int64", "bool", "complex", "pairs", "lists", "empty", "deg", "TeV", "degg")

Columns = Mapping[str, Any]


def damages(columns: Columns) -> st.SearchStrategy[list[tuple]]:
    """Up to four steps that damage a table."""
    name, row = st.sampled_from(list(columns)), st.integers(0, len(next(iter(columns.values()))) - 1)
    step = st.one_of(
        st.tuples(st.just("drop"), name),
        st.tuples(st.just("rename"), name, st.sampled_from(NAMES)),
        st.tuples(st.just("retype"), name, st.sampled_from(TYPES)),
        st.tuples(st.just("cell"), name, st.none() | row, st.sampled_from(ODD_NUMBERS), st.sampled_from(ODD_TEXTS)),
        st.tuples(st.sampled_from(("row twice", "row gone", "rows gone")), row),
    )
    return st.lists(step, min_size=1, max_size=4)


def damaged(columns: Columns, steps: list[tuple], name: str) -> fits.BinTableHDU:
    """The table after the steps; those whose column or row is gone do nothing."""
    found: dict[str, Any] = {key: np.array(x) for key, x in columns.items()}
    types: dict[str, str] = {}
    for what, at, *given in steps:
        if what.startswith("row"):
            found = {key: _rows(x, what, at) for key, x in found.items()}
        elif at not in found:
            continue
        elif what == "drop":
            del found[at]
        elif what == "rename":
            found = {given[0] if key == at else key: x for key, x in found.items()}
        elif what == "retype":
            types[at] = given[0]
        else:
            _put(found, at, *given)
    return dl3_files.table(name, [_column(key, x, types.get(key)) for key, x in found.items()])


def _rows(x: np.ndarray, what: str, row: int) -> np.ndarray:
    if row >= len(x):
        return x
    return {"row twice": np.append(x, x[row]), "row gone": np.delete(x, row), "rows gone": x[:row]}[what]


def _put(found: dict[str, Any], name: str, row: int | None, number: float, text: str) -> None:
    rows = slice(None) if row is None else slice(row, row + 1)
    column = found[name]
    if column.dtype.kind in "US":
        column = column.astype("U60")
        column[rows] = text
    else:
        # a column of whole numbers that gets one of another kind becomes one of floats
        column = column if number == int_or_none(number) else column.astype(float)
        column[rows] = number
    found[name] = column


def int_or_none(x: float) -> int | None:
    """`x` as a whole number that 64 bits hold."""
    return int(x) if np.isfinite(x) and x == int(x) and abs(x) < 2.0**62 else None


def _column(name: str, x: np.ndarray, kind: str | None) -> fits.Column:
    """A FITS column of the values, in another type if one is given."""
    n = len(x)
    numbers = np.arange(n) if x.dtype.kind in "US" else np.nan_to_num(x)
    if kind in ("deg", "TeV", "degg"):
        return fits.Column(name, "D", kind, array=numbers.astype(float))
    if kind in ("float", "int16", "int64", "bool", "complex"):
        code, cast = {
            "float": ("E", "f4"), "int16": ("I", "i2"), "int64": ("K", "i8"), "bool": ("L", "?"), "complex": ("C", "c8")
        }[kind]  # fmt: skip
        with np.errstate(all="ignore"):
            return fits.Column(name, code, array=numbers.astype(cast))
    if kind == "pairs":
        return fits.Column(name, "2K", array=np.ones((n, 2), dtype=int))
    if kind == "lists":
        lists = np.empty(n, dtype=object)
        lists[:] = [np.arange(i % 3) for i in range(n)]
        return fits.Column(name, "PJ()", array=lists)
    if kind == "empty":
        return fits.Column(name, "1A", array=np.array([""] * n))
    if kind == "text" or x.dtype.kind in "US":
        return fits.Column(name, "60A", array=x.astype("U60"))
    return fits.Column(name, {"i": "K", "f": "D"}[x.dtype.kind], array=x)
