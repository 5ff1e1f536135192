"""Regions of the sky, from DS9 files too: the door for regions and exclusion masks wherever a file may be given."""

from pathlib import Path
from typing import Any

from gammajax.errors import ConfigError, FileFormatError
from gammajax.geom import mask, parse
from gammajax.geom.position import is_position
from gammajax.geom.shapes import Region
from gammajax.io.paths import check_file
from gammajax.io.skymap import read_exclusion_mask

_MASKS = (".fits", ".fits.gz", ".fit", ".fit.gz")


def read_region(path: str | Path) -> Region:
    """The region of a DS9 file (.reg): the union of all in it, less those marked with a minus.

    Raises `MissingFile` if there is no such file, `FileFormatError` if it holds no region of the sky.

    >>> on = read_region("on.reg")  # doctest: +SKIP
    """
    path = Path(path)
    check_file(path)
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{path} cannot be read as text: {error}") from error
    try:
        return parse.region(text)
    except ConfigError as error:
        raise FileFormatError(f"{path}: {error}") from error


def region(given: Any, radius: Any = None) -> Region:
    """A region from what a person has at hand.

    `given` is a region of the `regions` package (circle, point, ellipse, rectangle, their annuli, polygon, compound)
    in any frame of the sky, DS9 text, a DS9 file (a `Path`, or text that ends in .reg or is the name of a file),
    several of these (their union, less those that DS9 marks as excluded with a minus), a region of gammajax, or a
    position (`SkyCoord`, text such as "83.63 22.01", (ra, dec) in deg) with `radius`, a quantity, text or a number in
    deg; a position alone leaves the radius to the response (RAD_MAX). Angles of shapes count from the longitude axis of
    the frame that the region is given in. Raises `ConfigError` for regions that are empty, degenerate, no area on the
    sky (lines, texts) or in pixels, and what `read_region` raises.

    >>> region("83.63d 22.01d", "0.11 deg") == region((83.63, 22.01), 0.11) == region("icrs;circle(83.63, 22.01, 0.11)")
    True
    """
    return parse.region(_opened(given), radius)


def exclusion_mask(given: Any) -> "mask.ExclusionMask | None":
    """An exclusion mask from a mask, the FITS file of one, or anything that `region` takes; None stays None.

    >>> exclusion_mask("icrs;circle(83.63, 22.01, 0.3)").excluded([83.7], [22.0])
    array([ True])
    """
    if isinstance(given, str | Path) and str(given).lower().endswith(_MASKS):
        return read_exclusion_mask(given)
    return mask.exclusion_mask(given if hasattr(given, "excluded") else _opened(given))


def _opened(given: Any) -> Any:
    """File names replaced by their regions, in lists too."""
    if isinstance(given, Path) or (isinstance(given, str) and _is_file(given)):
        return read_region(given)
    several = isinstance(given, list | tuple) and not is_position(given)
    return [_opened(one) for one in given] if several else given


def _is_file(text: str) -> bool:
    """True for the name of a DS9 file, there or not, and of any file that is there; DS9 text is none."""
    if "\n" in text or "(" in text:
        return False
    try:
        return text.lower().endswith(".reg") or Path(text).is_file()
    except (OSError, ValueError):
        return False
