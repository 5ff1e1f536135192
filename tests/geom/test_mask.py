import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from regions import CircleSkyRegion

from gammajax.errors import ConfigError
from gammajax.geom.mask import ImageMask, RegionMask, mask_of_regions
from gammajax.geom.regions import Circle


def wcs_at(lon, lat, ctype=("RA---TAN", "DEC--TAN"), npix=20, size=0.1):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.cdelt = ctype, [lon, lat], [-size, size]
    wcs.wcs.crpix = [(npix + 1) / 2, (npix + 1) / 2]
    return wcs


def test_pixels_of_an_image():
    keep = np.ones((20, 20), bool)
    keep[3, 5] = False
    wcs = wcs_at(83.0, 22.0)
    ra, dec = wcs.wcs_pix2world([5, 5.45, 5.55, 4], [3, 2.55, 3, 3], 0)
    assert ImageMask(keep, wcs).excluded(ra, dec).tolist() == [True, True, False, False]


def test_nothing_is_excluded_outside_the_image():
    mask = ImageMask(np.zeros((20, 20), bool), wcs_at(83.0, 22.0))
    assert mask.excluded(np.array([83.0, 90.0, 263.0]), np.array([22.0, 22.0, -22.0])).tolist() == [
        True,
        False,
        False,
    ]


def test_galactic_image():
    keep = np.ones((20, 20), bool)
    keep[12, 7] = False
    wcs = wcs_at(184.5, -5.8, ("GLON-CAR", "GLAT-CAR"))
    center = SkyCoord(*wcs.wcs_pix2world(7, 12, 0), unit="deg", frame="galactic").icrs
    assert ImageMask(keep, wcs).excluded(np.array([center.ra.deg]), np.array([center.dec.deg])).all()
    assert not ImageMask(keep, wcs).excluded(np.array([center.ra.deg + 0.2]), np.array([center.dec.deg])).any()


def test_mask_of_regions():
    mask = mask_of_regions([CircleSkyRegion(SkyCoord(1, 2, unit="deg"), 0.5 * u.deg), Circle(10.0, 0.0, 0.1)])
    assert isinstance(mask, RegionMask)
    assert mask.excluded(np.array([1.0, 10.0, 5.0]), np.array([2.4, 0.0, 0.0])).tolist() == [
        True,
        True,
        False,
    ]
    with pytest.raises(ConfigError, match="needs a radius"):
        mask_of_regions([Circle(1.0, 2.0)])
