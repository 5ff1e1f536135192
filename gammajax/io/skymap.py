"""Images of the sky from FITS files."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.wcs import WCS, FITSFixedWarning

from gammajax.errors import FileFormatError
from gammajax.geom.mask import ImageMask
from gammajax.io.fits import open_fits


@dataclass(frozen=True)
class SkyImage:
    """Values of shape (lat, lon) on the pixels of a celestial WCS, and the file that they come from."""

    values: np.ndarray
    wcs: WCS
    source: str


def read_image(path: str | Path) -> SkyImage:
    """The first image of a FITS file (WCS image; a leading axis of length one is dropped).

    Values come in native byte order. Raises `MissingFile` if there is no such file, `FileFormatError` if it
    holds no image with a celestial WCS or more than one plane. Source: FITS WCS paper II (Calabretta &
    Greisen 2002).
    """
    path = Path(path)
    with open_fits(path) as hdus:
        every: list[Any] = list(hdus)
        images = [hdu for hdu in every if hdu.is_image and hdu.header.get("NAXIS", 0) >= 2]
        if not images:
            raise FileFormatError(f"{path} holds no image")
        header, data = images[0].header, np.asarray(images[0].data)
    with warnings.catch_warnings():
        # astropy mends odd dates and radecsys spellings in headers of maps; nothing here depends on them
        warnings.simplefilter("ignore", FITSFixedWarning)
        wcs = WCS(header).celestial
    if wcs.naxis != 2:
        raise FileFormatError(f"{path}: the image has no celestial WCS")
    if data.size != np.prod(data.shape[-2:]):
        raise FileFormatError(f"{path}: an image of one plane is needed, got shape {data.shape}")
    values = data.reshape(data.shape[-2:])
    return SkyImage(values.astype(values.dtype.newbyteorder("=")), wcs, str(path))


def read_exclusion_mask(path: str | Path) -> ImageMask:
    """An exclusion mask from a FITS image: 0 is excluded, every other value is kept, NaN is kept.

    Raises as `read_image`. The convention is that of Gammapy's masks.

    >>> mask = read_exclusion_mask("joint-crab/exclusion/exclusion_mask_crab.fits.gz")  # doctest: +SKIP
    """
    image = read_image(path)
    return ImageMask(image.values != 0, image.wcs)
