import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from gammajax.errors import FileFormatError, MissingFile
from gammajax.io.skymap import read_exclusion_mask, read_image


def image(path, data, wcs=True):
    header = WCS(naxis=2)
    header.wcs.ctype, header.wcs.crval, header.wcs.crpix = ["RA---TAN", "DEC--TAN"], [83.0, 22.0], [2.0, 1.0]
    header.wcs.cdelt = [-0.5, 0.5]
    fits.PrimaryHDU(data, header.to_header() if wcs else None).writeto(path)
    return path


@pytest.mark.parametrize("shape", [(2, 3), (1, 2, 3)])
def test_values_and_wcs(tmp_path, shape):
    found = read_image(image(tmp_path / "image.fits.gz", np.arange(6, dtype=">i8").reshape(shape)))
    np.testing.assert_array_equal(found.values, np.arange(6).reshape(2, 3))
    assert found.values.dtype.isnative
    np.testing.assert_allclose(found.wcs.wcs_pix2world(1, 0, 0), [83.0, 22.0])


def test_mask(tmp_path):
    mask = read_exclusion_mask(image(tmp_path / "mask.fits", np.array([[1, 0, 1]])))
    assert mask.excluded(np.array([83.0, 82.0]), np.array([22.0, 22.0])).tolist() == [True, False]


def test_what_is_no_image(tmp_path):
    with pytest.raises(MissingFile, match="none.fits"):
        read_image(tmp_path / "none.fits")
    fits.PrimaryHDU().writeto(tmp_path / "empty.fits")
    with pytest.raises(FileFormatError, match="no image"):
        read_image(tmp_path / "empty.fits")
    with pytest.raises(FileFormatError, match="no celestial WCS"):
        read_image(image(tmp_path / "flat.fits", np.ones((2, 3)), wcs=False))
    with pytest.raises(FileFormatError, match="one plane"):
        read_image(image(tmp_path / "cube.fits", np.ones((4, 2, 3))))
