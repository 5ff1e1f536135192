"""What is wrong with the bytes of a file: empty, no FITS at all, ended early."""

import io
from pathlib import Path
from typing import Any

from astropy.io import fits

Content = Path | io.BytesIO
"""A file, or what was in a compressed one."""

_BLOCK = 2880
"""FITS files are made of blocks of this many bytes."""

_AGAIN = "copy or download it again"


def why_unreadable(content: Content) -> str:
    """Why a file is no FITS file, where its first bytes or its length tell; "" where they do not."""
    head, size = _bytes(content, 0, 20), _size(content)
    if not size:
        return f"it is empty; {_AGAIN}"
    if not head.startswith(b"SIMPLE"):
        return f"it is no FITS file, it begins with {head!r}"
    return f"it is truncated, {size} bytes are less than one header; {_AGAIN}" if size < _BLOCK else ""


def what_is_lost(hdus: fits.HDUList, content: Content) -> str:
    """What to say of a FITS file that ends inside an HDU, or whose headers break off; "" for a whole one.

    Reads all headers.
    """
    last: Any = hdus[len(hdus) - 1]
    place, size = last.fileinfo(), _size(content)
    end = place["datLoc"] + place["datSpan"]
    if end > size:
        return f"the file is truncated inside {last.name!r}, it has {size} of {end} bytes: {_AGAIN}"
    if _bytes(content, end, 8) == b"XTENSION":
        return f"the file is truncated or damaged in the header after {last.name!r}: {_AGAIN}"
    return ""


def _size(content: Content) -> int:
    return len(content.getbuffer()) if isinstance(content, io.BytesIO) else content.stat().st_size


def _bytes(content: Content, start: int, count: int) -> bytes:
    if isinstance(content, io.BytesIO):
        return bytes(content.getbuffer()[start : start + count])
    with content.open("rb") as stream:
        stream.seek(start)
        return stream.read(count)
