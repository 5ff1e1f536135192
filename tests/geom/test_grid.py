import pickle

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

from gammajax.errors import ConfigError, FileFormatError, UnitMismatch
from gammajax.geom.grid import SkyGrid

GRIDS = {
    "CAR": SkyGrid.create((83.63, 22.01), width=(3.0, 2.0), binsz=0.1),
    "CAR, Galactic": SkyGrid.create((0.0, 0.0), width=(3.0, 2.0), binsz=0.1, frame="galactic"),
    "TAN": SkyGrid.create((266.0, -80.0), width=3.0, binsz=(0.1, 0.2), proj="TAN"),
    "AIT": SkyGrid.create(proj="AIT", binsz=5.0, frame="galactic"),
    "all sky": SkyGrid.create(binsz=4.0),
}


@pytest.fixture(params=GRIDS, ids=GRIDS)
def grid(request):
    return GRIDS[request.param]


def test_pixel_is_the_inverse_of_lonlat(grid):
    lon, lat = grid.lonlat
    x, y = grid.pixel(lon, lat)
    known = np.isfinite(lon)
    np.testing.assert_allclose(x[known], np.indices(grid.shape)[1][known], atol=1e-8)
    np.testing.assert_allclose(y[known], np.indices(grid.shape)[0][known], atol=1e-8)
    assert np.all(grid.contains(lon, lat) == known)


def test_header_and_pickle_keep_the_grid(grid):
    header = fits.ImageHDU(np.zeros(grid.shape), grid.to_header()).header
    for other in (SkyGrid.from_header(header), pickle.loads(pickle.dumps(grid))):
        assert other == grid
        assert hash(other) == hash(grid)
        np.testing.assert_allclose(other.lonlat, grid.lonlat, atol=1e-9)
    assert grid != grid.upsample(2)
    assert grid != "grid"


def test_equality_is_about_places_not_keywords():
    one = SkyGrid.create((10.0, 0.0), npix=(4, 4), binsz=1.0)
    header = one.to_header()
    header["CRPIX1"], header["CRVAL1"] = header["CRPIX1"] - 2.0, header["CRVAL1"] + 2.0
    header["RADESYS"] = "FK5"
    assert SkyGrid.from_header(header) == one
    assert SkyGrid.create((10.001, 0.0), npix=(4, 4), binsz=1.0) != one
    assert SkyGrid.create((10.0, 0.0), npix=(4, 4), binsz=1.0, frame="galactic") != one


def test_solid_angles():
    """Closed forms: bands of CAR, the pyramid of TAN; the whole sky."""
    car = SkyGrid.create((0.0, 0.0), npix=(5, 61), binsz=2.0)
    lat = np.radians(2.0 * (np.arange(62) - 30.5))
    np.testing.assert_allclose(car.solid_angle[:, 2], np.radians(2.0) * np.diff(np.sin(lat)), rtol=1e-8)
    tan = SkyGrid.create((10.0, 50.0), npix=(40, 30), binsz=0.5, proj="TAN")
    x, y = (np.radians(0.5) * (np.arange(n + 1) - n / 2) for n in (40, 30))
    corner = np.arctan(x * y[:, None] / np.sqrt(1 + x**2 + y[:, None] ** 2))
    np.testing.assert_allclose(tan.solid_angle, np.diff(np.diff(corner, axis=0), axis=1), rtol=1e-8)
    assert GRIDS["all sky"].solid_angle.sum() == pytest.approx(4 * np.pi, rel=1e-8)
    assert SkyGrid.create(npix=(2, 1), binsz=180.0).solid_angle.sum() == pytest.approx(4 * np.pi, rel=1e-12)
    for grid in (tan, GRIDS["CAR"], GRIDS["CAR, Galactic"], GRIDS["TAN"]):
        header = grid.to_header()
        # a matrix that turns nothing visible, but is no unit matrix: the general way
        header["PC1_2"], header["PC2_1"] = 1e-9, -1e-9
        np.testing.assert_allclose(SkyGrid.from_header(header).solid_angle, grid.solid_angle, rtol=1e-8)
    ait = GRIDS["AIT"]
    middle = ait.solid_angle[10:-10, 20:-20]
    np.testing.assert_allclose(middle, np.radians(5.0) ** 2, rtol=1e-6, err_msg="AIT has equal areas")
    assert np.all(ait.solid_angle[np.isnan(ait.lonlat[0])] == 0)
    assert ait.solid_angle.sum() == pytest.approx(4 * np.pi, rel=0.03)


def test_frames():
    grid = GRIDS["CAR, Galactic"]
    ra, dec = grid.radec
    there = SkyCoord(*grid.lonlat, unit="deg", frame="galactic").icrs
    np.testing.assert_allclose(ra, there.ra.deg)
    np.testing.assert_allclose(grid.from_icrs(ra, dec)[1], grid.lonlat[1], atol=1e-9)
    assert GRIDS["TAN"].to_icrs(1.0, 2.0) == (1.0, 2.0)
    center = SkyGrid.create(SkyCoord("266.405d", "-28.936d"), width="1 deg", binsz="6 arcmin", frame="galactic").center
    assert center[1] == pytest.approx(0.0, abs=1e-3)


def test_the_seam_of_the_sky():
    """A grid around longitude 180 in a projection with its reference at 0 holds both sides."""
    header = SkyGrid.create((0.0, 0.0), npix=(8, 2), binsz=1.0, frame="galactic").to_header()
    header["CRPIX1"] = 183.5
    grid = SkyGrid.from_header(header)
    x, y = grid.pixel([178.5, 181.5], [0.0, 0.0])
    np.testing.assert_allclose(x, [4.0, 1.0], atol=1e-9)
    assert grid.contains([178.5, 181.5, 0.0], [0.0, 0.0, 0.0]).tolist() == [True, True, False]


def test_separation():
    lon, lat = GRIDS["CAR"].lonlat
    here = SkyCoord(lon, lat, unit="deg")
    np.testing.assert_allclose(
        GRIDS["CAR"].separation(83.0, 22.0), here.separation(SkyCoord("83d", "22d")).deg, atol=1e-12
    )


def test_cutouts():
    grid = GRIDS["CAR"]
    part, (rows, columns) = grid.cutout((84.5, 22.5), "1 deg")
    np.testing.assert_allclose(part.lonlat[0], grid.lonlat[0][rows, columns], atol=1e-9)
    whole, pixels = grid.cutout(SkyCoord("83.63d", "22.01d"), 10.0)
    assert whole == grid
    assert pixels == (slice(0, 20), slice(0, 30))
    trimmed, _ = grid.cutout((85.2, 22.01), 1.0)
    assert trimmed.shape[0] == 10
    assert 0 < trimmed.shape[1] < 10
    with pytest.raises(ConfigError, match="beyond the edge"):
        grid.cutout((85.2, 22.01), 1.0, mode="strict")
    with pytest.raises(ConfigError, match="outside SkyGrid"):
        grid.cutout((90.0, 22.01), 1.0)
    with pytest.raises(ConfigError, match="outside the projection"):
        GRIDS["TAN"].cutout((86.0, 80.0), 1.0)
    with pytest.raises(ConfigError, match="'trim' or 'strict'"):
        grid.cutout((84.5, 22.5), 1.0, mode="partial")


def test_other_pixel_sizes():
    grid = GRIDS["CAR"]
    assert grid.upsample(3).downsample(3) == grid
    np.testing.assert_allclose(grid.upsample(2).solid_angle.sum(), grid.solid_angle.sum(), rtol=1e-7)
    with pytest.raises(ConfigError, match="30 x 20 pixels cannot be joined in blocks of 4 x 4"):
        grid.downsample(4)
    assert grid.coarse(0.5).shape == (4, 6)
    assert grid.coarse("20 deg").shape == (1, 1)
    np.testing.assert_allclose(grid.coarse(0.5).center, grid.center)


def test_a_cd_matrix_scales_too():
    header = GRIDS["TAN"].to_header()
    for key in ("CDELT1", "CDELT2"):
        header["CD" + key[-1] + "_" + key[-1]] = header.pop(key)
    grid = SkyGrid.from_header(header)
    assert grid == GRIDS["TAN"]
    assert grid.downsample(3) == GRIDS["TAN"].downsample(3)


def test_regions():
    grid = GRIDS["CAR, Galactic"]
    circle = "galactic;circle(0.3, 0.1, 0.52)"
    mask, weights = grid.mask(circle), grid.weights(circle)
    inside = grid.separation(0.3, 0.1) < 0.52
    np.testing.assert_array_equal(mask, inside)
    assert np.all((weights == 0) | (weights == 1) | (np.abs(grid.separation(0.3, 0.1) - 0.52) < 0.08))
    area = np.sum(weights * grid.solid_angle)
    assert area == pytest.approx(2 * np.pi * (1 - np.cos(np.radians(0.52))), rel=5e-3)
    two = [circle, "galactic;circle(-1.0, 0.0, 0.2)"]
    assert grid.mask(two).sum() == mask.sum() + grid.mask(two[1]).sum()
    ring = "galactic;annulus(0, 0, 0.3, 0.6)\ngalactic;-circle(0.4, 0, 0.2)"
    for regions in (two, ring):
        fine = grid.upsample(10).mask(regions)
        np.testing.assert_allclose(grid.weights(regions), fine.reshape(20, 10, 30, 10).mean(axis=(1, 3)), atol=1e-9)
    far = ["galactic;circle(100, 0, 1)", "galactic;circle(200, 0, 1)"]
    assert not grid.weights(far).any()
    sky = GRIDS["AIT"]
    assert not sky.mask("galactic;circle(0, 0, 80)")[np.isnan(sky.lonlat[0])].any()


def changed(**keys):
    header = GRIDS["CAR"].to_header()
    header.update(keys)
    return header


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: SkyGrid.create(frame="fk4"), ConfigError, "'icrs' or 'galactic', got 'fk4'"),
        (lambda: SkyGrid.create(proj="XYZ"), ConfigError, "'XYZ' is no projection"),
        (lambda: SkyGrid.create(width=0.1, binsz=1.0), ConfigError, "holds no pixel of 1 x 1 deg"),
        (lambda: SkyGrid.create(width=1.0, npix=10), ConfigError, "not both"),
        (lambda: SkyGrid.create(npix=(1, 2, 3)), ConfigError, "npix is one number or two"),
        (lambda: SkyGrid.create(npix=2.5), ConfigError, "npix must be a whole number"),
        (lambda: SkyGrid.create(width=(1.0, 2.0, 3.0)), ConfigError, "width is one angle or two"),
        (lambda: SkyGrid.create(binsz=-0.1), ConfigError, "binsz must be above 0 deg"),
        (lambda: SkyGrid.create(binsz="1 TeV"), UnitMismatch, "binsz is of kind angle"),
        (lambda: SkyGrid.create((10.0, 95.0)), ConfigError, "latitude in -90..90 deg"),
        (lambda: SkyGrid.create(83.63), ConfigError, "a position is a SkyCoord"),
        (lambda: SkyGrid.create("Crab"), ConfigError, "a position is a SkyCoord"),
        (lambda: SkyGrid.create(SkyCoord([1, 2], [1, 2], unit="deg")), ConfigError, "one position is needed, got 2"),
        (lambda: SkyGrid.from_header(fits.Header()), FileFormatError, "no celestial WCS"),
        (
            lambda: SkyGrid.from_header(changed(RADESYS="FK4")),
            FileFormatError,
            "is in FK4",
        ),
        (lambda: SkyGrid.from_header(changed(WCSSHAPE="many")), FileFormatError, "how many pixels there are"),
        (lambda: SkyGrid.from_header(changed(CDELT1=0.0)), FileFormatError, "no WCS that can be read"),
        (lambda: SkyGrid.from_header(changed(CTYPE1="ELON-CAR", CTYPE2="ELAT-CAR")), FileFormatError, "'ELON-CAR'"),
    ],
)
def test_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_it_prints():
    assert repr(GRIDS["CAR"]) == "SkyGrid(30 x 20 pixels of 0.1 x 0.1 deg, CAR, icrs 83.6300 +22.0100)"
