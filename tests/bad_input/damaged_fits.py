"""Random damage of FITS files, on their bytes: cards of headers, cells of tables, whole HDUs.

Nothing is written by astropy, which would repair or refuse what it is given.
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.io import fits
from hypothesis import strategies as st

CARDS = (
    "'Crab'", "''", "'deg'", "'TeV'", "'m/s/s'", "'degg'", "'s'", "'m2'", "'1e5 cm2'", "'nan'", "'12'", "'inf'",
    "'LOCAL'", "'utc'", "'tdb'", "T", "F", "0", "-1", "1", "3", "1.5", "-7.25", "500", "1E-300", "1E300", "-1E300",
    "1E400", "99999999999999999999", "(1, 2)", "", "/ nothing", "NaN", "abc", "'unclosed", "1 2 3", "'\xe9'", "\x00",
    "'D'", "'1J'", "'5A'", "'3E'", "'PD(3)'", "'L'", "'X'", "'M'", "'0E'", "'Q'", "'(2,3)'", "'(18)'", "'(-1,0)'",
    "'EVENTS'", "'GTI'", "'AEFF_2D'", "'EDISP_2D'", "'PSF_TABLE'", "'PSF_KING'", "'BKG_2D'", "'BKG_3D'", "'RAD_MAX_2D'",
    "'POINT-LIKE'", "'ALTAZ'", "'-67d40m35s'", "'4779.99 m'", "'ENERGY'",
)  # fmt: skip
"""What may stand behind the "= " of a card."""

CELLS = (np.nan, np.inf, -np.inf, 0.0, -1.0, 1.0, 3.0, 90.5, 1e-30, 1e12, 1e18, 1e30, -1e30, 1e300, "", "Crab", "\xe9")
"""What may stand in a cell; a number that its column cannot hold becomes what a cast makes of it."""

ROWS = ("all", "first", "last", "some")

_CARD = 80


@dataclass(frozen=True)
class Sound:
    """The bytes of a sound file, and where things are in them."""

    content: bytes
    spans: tuple[tuple[int, int], ...]
    """First byte and end of each HDU."""
    cards: tuple[tuple[int, str, int], ...]
    """HDU, keyword and first byte of each card."""
    cells: tuple[tuple[int, str], ...]
    """HDU and column of all columns with rows."""

    @classmethod
    def of(cls, *tables: fits.BinTableHDU) -> "Sound":
        buffer = io.BytesIO()
        fits.HDUList([fits.PrimaryHDU(), *tables]).writeto(buffer)
        content = buffer.getvalue()
        spans, cards, cells = [], [], []
        with fits.open(io.BytesIO(content)) as hdus:
            for i, hdu in enumerate(hdus):
                place: Any = hdu.fileinfo()
                spans.append((place["hdrLoc"], place["datLoc"] + place["datSpan"]))
                starts = range(place["hdrLoc"], place["datLoc"], _CARD)
                cards += [(i, content[s : s + 8].decode().strip(), s) for s in starts if content[s + 8 : s + 9] == b"="]
                if isinstance(hdu, fits.BinTableHDU):
                    cells += [(i, name) for name in hdu.columns.names]
        return cls(content, tuple(spans), tuple(cards), tuple(cells))


def damages(sound: Sound) -> st.SearchStrategy[list[tuple]]:
    """Up to three steps that damage a file."""
    card, cell = st.sampled_from(sound.cards), st.sampled_from(sound.cells)
    hdu, byte = st.integers(1, len(sound.spans) - 1), st.integers(0, len(sound.content) - 1)
    step = st.one_of(
        st.tuples(st.just("value"), card, st.sampled_from(CARDS)),
        st.tuples(st.just("key"), card, st.sampled_from(("COMMENT", "X", "TNULL1", "TSCAL1", "TZERO2", "OBS_ID"))),
        st.tuples(st.just("cells"), cell, st.sampled_from(ROWS), st.sampled_from(CELLS)),
        st.tuples(st.sampled_from(("drop", "twice", "last")), hdu),
        st.tuples(st.just("bytes"), byte, st.binary(min_size=1, max_size=6)),
    )
    return st.lists(step, min_size=1, max_size=3)


def damaged(sound: Sound, steps: list[tuple]) -> bytes:
    """The bytes of the file after the steps; steps on whole HDUs come last."""
    content, order = bytearray(sound.content), list(range(len(sound.spans)))
    for what, *given in steps:
        if what == "value":
            (_, key, start), value = given
            content[start : start + _CARD] = f"{key:<8}= {value}".encode("latin-1").ljust(_CARD)[:_CARD]
        elif what == "key":
            (_, _, start), key = given
            content[start : start + 8] = key.encode().ljust(8)
        elif what == "cells":
            _fill(content, sound, *given)
        elif what == "bytes":
            content[given[0] : given[0] + len(given[1])] = given[1]
        elif given[0] in order:
            i = order.index(given[0])
            order[i : i + 1] = {"drop": [], "twice": [given[0]] * 2, "last": []}[what]
            order += [given[0]] * (what == "last")
    spans = [sound.spans[i] for i in order]
    return b"".join(bytes(content[start:end]) for start, end in spans)


def _fill(content: bytearray, sound: Sound, cell: tuple[int, str], rows: str, value: Any) -> None:
    """Put `value` in the cells of a column."""
    hdu, name = cell
    with fits.open(io.BytesIO(sound.content)) as hdus:
        table: Any = hdus[hdu]
        place, raw = table.fileinfo(), np.array(table.data.view(np.ndarray))
    field = raw[name]
    field[{"all": slice(None), "first": 0, "last": -1, "some": slice(None, None, 2)}[rows]] = _as(field.dtype, value)
    content[place["datLoc"] : place["datLoc"] + raw.nbytes] = raw.tobytes()


def _as(kind: np.dtype, value: Any) -> Any:
    if kind.kind == "S":
        return str(value).encode("latin-1")
    with np.errstate(all="ignore"):
        return np.float64(0.0 if isinstance(value, str) else value).astype(kind)
