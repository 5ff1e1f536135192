"""Regions of the sky from DS9 files."""

from pathlib import Path

from gammajax.errors import ConfigError, FileFormatError, MissingFile
from gammajax.geom.parse import region
from gammajax.geom.shapes import Region
from gammajax.io.paths import is_file


def read_region(path: str | Path) -> Region:
    """The region of a DS9 file (.reg): the union of all in it, less those marked with a minus.

    Raises `MissingFile` if there is no such file, `FileFormatError` if it holds no region of the sky.

    >>> on = read_region("on.reg")  # doctest: +SKIP
    """
    path = Path(path)
    if not is_file(path):
        raise MissingFile(f"{path} does not exist")
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{path} cannot be read as text: {error}") from error
    try:
        return region(text)
    except ConfigError as error:
        raise FileFormatError(f"{path}: {error}") from error
