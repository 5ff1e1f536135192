"""Reading FITS tables: find the HDU, take a column in a canonical unit, say clearly what is wrong.

Everything comes back as native-endian numpy. The rules for finding an HDU (by the name the index gives, then
by HDUCLAS keywords, then EXTNAME, then columns) and the unit spellings are those met in real GADF files.
"""

import gzip
import io
import struct
import warnings
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.io.fits.verify import VerifyError
from astropy.utils.exceptions import AstropyUserWarning

from gammajax.errors import FileFormatError, GammajaxError, nearest
from gammajax.io.damage import what_is_lost, why_unreadable
from gammajax.io.paths import check_file
from gammajax.units import conversion

_BROKEN = (
    OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, MemoryError,
    AssertionError, UnboundLocalError, VerifyError, struct.error, zlib.error,
)  # fmt: skip
"""What astropy and numpy raise on bytes that are no FITS: a header is parsed card by card, when it is first asked."""


@contextmanager
def open_fits(path: str | Path) -> Iterator[fits.HDUList]:
    """Open a FITS file, compressed or not, for reading.

    Raises `MissingFile` when it is absent and `FileFormatError` when it is no FITS file or is truncated: also
    where that shows only while data are read inside the `with` block.
    """
    path = Path(path)
    check_file(path)
    content = None
    with warnings.catch_warnings():
        # odd cards (duplicate keywords, undefined values, letters beyond ASCII) are common and harmless in DL3 headers;
        # whether a part that is lost or cannot be parsed matters is seen when it is asked for
        warnings.simplefilter("ignore", AstropyUserWarning)
        try:
            content = _content(path)
            # a file that astropy opens itself stays open when its first header cannot be parsed
            with _stream(content) as stream, fits.open(stream, memmap=False) as hdus:
                try:
                    yield hdus
                except (FileFormatError, *_BROKEN) as error:
                    if (lost := what_is_lost(hdus, content)) and lost not in str(error):
                        raise FileFormatError(f"{_said(path, error)}; {lost}") from error
                    raise
        except GammajaxError:
            raise
        except _BROKEN as error:
            why = "" if content is None else why_unreadable(content)
            raise FileFormatError(f"{path} cannot be read as FITS: {why}" if why else _said(path, error)) from error


def _said(path: Path, error: Exception) -> str:
    if isinstance(error, GammajaxError):
        return str(error)
    return f"{path} cannot be read as FITS: {type(error).__name__}: {error}"


def check_whole(hdus: fits.HDUList, path: Path) -> None:
    """Raise `FileFormatError` for a file that ends early; reads all headers."""
    if lost := what_is_lost(hdus, _content(path)):
        raise FileFormatError(f"{path}: {lost}")


def _content(path: Path) -> Path | io.BytesIO:
    """The file, or what is in it where it is compressed: seeking in a gzip stream decompresses anew."""
    with path.open("rb") as stream:
        if stream.read(2) != b"\x1f\x8b":
            return path
        stream.seek(0)
        return io.BytesIO(gzip.decompress(stream.read()))


@contextmanager
def _stream(content: Path | io.BytesIO) -> Iterator[Any]:
    if isinstance(content, io.BytesIO):
        yield content
    else:
        with content.open("rb") as stream:
            yield stream


_SUFFIXES = (".fits", ".fit", ".fts", ".pha", ".pi")


def is_fits(path: str | Path) -> bool:
    """True for a name that ends like a FITS file, compressed or not.

    >>> is_fits("gc.fits.gz"), is_fits("datasets.yaml")
    (True, False)
    """
    return str(path).lower().removesuffix(".gz").endswith(_SUFFIXES)


def tables(hdus: fits.HDUList) -> Iterator[fits.BinTableHDU]:
    """The binary tables of a file, in order; headers are parsed one by one, as far as the loop goes."""
    return (hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU))


def hdu_classes(hdu: fits.BinTableHDU) -> tuple[str, ...]:
    """HDUCLAS1..4 in capitals, '' where absent; OGIP-style short forms ('2D' for EFF_AREA) are completed.

    GADF "HDU classes"; old CTA files write HDUCLAS4 without its type.
    """
    first, second, third, fourth = (str(hdu.header.get(f"HDUCLAS{i}", "")).strip().upper() for i in range(1, 5))
    second = {"RPSF": "PSF"}.get(second, second)
    prefix = {"EFF_AREA": "AEFF", "EDISP": "EDISP", "PSF": "PSF", "BKG": "BKG", "RAD_MAX": "RAD_MAX"}.get(second)
    if prefix and fourth and not fourth.startswith(prefix):
        fourth = f"{prefix}_{fourth}"
    return first, second, third, fourth


def find_hdu(
    hdus: fits.HDUList,
    path: Path,
    *,
    name: str | None = None,
    classes: Iterable[str] = (),
    names: Iterable[str] = (),
    columns: Sequence[str] = (),
) -> fits.BinTableHDU:
    """The table called `name` (in any case); else the first with an HDUCLAS in `classes`; else with an
    EXTNAME in `names`; else one that has all `columns`.

    A `name` (from an index table) admits no other. Raises `FileFormatError` naming what the file
    has.
    """
    if name:
        for hdu in tables(hdus):
            if hdu.name.strip().upper() == name.strip().upper():
                return hdu
    else:
        wanted, spelled = {c.upper() for c in classes}, {n.upper() for n in names}
        for hdu in tables(hdus):
            if wanted & set(hdu_classes(hdu)):
                return hdu
        for hdu in tables(hdus):
            if hdu.name.strip().upper() in spelled:
                return hdu
        for hdu in tables(hdus):
            if columns and all(column_index(hdu, c) is not None for c in columns):
                return hdu
    have = ", ".join(repr(hdu.name) for hdu in tables(hdus)) or "no tables at all"
    raise FileFormatError(f"{path} has no HDU {name or ' / '.join(classes or names)!r}; it has {have}")


def column_names(hdu: fits.BinTableHDU) -> list[str]:
    """The column names of a table as spelled in the file."""
    columns: Any = hdu.columns
    return list(columns.names)


def column_index(hdu: fits.BinTableHDU, *names: str) -> int | None:
    """Position of the first of `names` that is a column: exact spelling, then in any case; else None."""
    have = column_names(hdu)
    for name in names:
        if name in have:
            return have.index(name)
    upper = [column.upper() for column in have]
    for name in names:
        if name.upper() in upper:
            return upper.index(name.upper())
    return None


@lru_cache(maxsize=256)
def _factor(unit: str, to: str, what: str) -> float:
    return conversion(unit, to, what)


def column(hdu: fits.BinTableHDU, path: Path, *names: str, unit: str = "", default: str | None = None) -> np.ndarray:
    """A column as native-endian float64 in the canonical `unit`; the first of `names` that exists.

    The file's own unit is converted. Where it gives none, `default` (the unit the format prescribes) holds,
    and where that is None too, the column must be dimensionless or already in `unit`.
    Raises `FileFormatError` when no such column exists, `UnitMismatch` for a unit of another kind.
    """
    index = column_index(hdu, *names)
    if index is None:
        hint = nearest(names[0], column_names(hdu))
        raise FileFormatError(
            f"{path}[{hdu.name}] has no column {' or '.join(names)}" + (f"; nearest: {hint}" if hint else "")
        )
    table: Any = hdu
    where, data = f"{path}[{hdu.name}] column {column_names(hdu)[index]}", np.asarray(table.data.field(index))
    if data.dtype.kind not in "iufb":
        raise FileFormatError(f"{where} must hold numbers, it holds text or lists: {data[:1].tolist()}")
    stated = _one_slash((table.columns[index].unit or "").strip()) or default or unit
    factor = _factor(stated, unit, where)
    # what becomes infinite, or is a NaN of a kind that computing with is an error, is for the caller to look at
    with np.errstate(over="ignore", invalid="ignore"):
        values = data.astype(np.float64)
        return values if factor == 1.0 else values * factor


def finite_column(hdu: fits.BinTableHDU, path: Path, *names: str, unit: str = "", default: str | None = None):
    """As `column`, of one finite number per row; raises `FileFormatError` for anything else."""
    values = column(hdu, path, *names, unit=unit, default=default)
    check_rows(hdu, path, names[0], values)
    check_cells(hdu, path, names[0], ~np.isfinite(values), "not finite")
    return values


def check_rows(hdu: fits.BinTableHDU, path: Path, name: str, values: np.ndarray) -> None:
    """Raise `FileFormatError` unless there is one number per row."""
    if values.ndim != 1:
        raise FileFormatError(
            f"{path}[{hdu.name}] column {name} must hold one number per row, its shape is {values.shape}"
        )


def check_cells(hdu: fits.BinTableHDU, path: Path, name: str, bad: np.ndarray, what: str) -> None:
    """Raise `FileFormatError` if any cell is bad, saying how many and in which row the first stands."""
    if bad.any():
        first = int(np.flatnonzero(bad.reshape(len(bad), -1).any(axis=1))[0])
        raise FileFormatError(
            f"{path}[{hdu.name}] column {name}: {int(bad.sum())} of {bad.size} values are {what}, the first in row "
            f"{first}: repair or remove those rows"
        )


def _one_slash(unit: str) -> str:
    """'1/s/MeV/sr' (CTA-1DC) as '1/(s MeV sr)': unit parsers admit one slash."""
    first, *rest = unit.split("/")
    return f"{first}/({' '.join(rest)})" if len(rest) > 1 and "(" not in unit else unit


def number(header: fits.Header, key: str, default: float = np.nan) -> float:
    """A header keyword as a float, `default` where it is absent, undefined or no number.

    >>> number(fits.Header({"MJDREFI": "51544"}), "MJDREFI")
    51544.0
    """
    value: Any = header.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return default
    try:
        return float(value)
    except ValueError:
        return default


def text(header: fits.Header, key: str, default: str = "") -> str:
    """A header keyword as stripped text, `default` where it is absent or undefined."""
    value: Any = header.get(key)
    return default if value is None or isinstance(value, fits.card.Undefined) else str(value).strip()


def ascii_text(x: str) -> str:
    """A text as FITS headers can hold it; characters beyond ASCII become "?"."""
    return "".join(c if c.isprintable() else "?" for c in x.encode("ascii", "replace").decode())
