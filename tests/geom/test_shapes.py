"""Regions of any shape: what makes them, what they contain, how they turn."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from regions import (
    CircleAnnulusSkyRegion,
    CirclePixelRegion,
    CircleSkyRegion,
    EllipseAnnulusSkyRegion,
    EllipseSkyRegion,
    LineSkyRegion,
    PixCoord,
    PointSkyRegion,
    PolygonSkyRegion,
    RectangleAnnulusSkyRegion,
    RectangleSkyRegion,
    Regions,
    TextSkyRegion,
)

from gammajax.errors import ConfigError, FileFormatError, MissingFile
from gammajax.geom import Circle, Compound, Shape, exclusion_mask, region
from gammajax.geom.figures import Ellipse, Polygon, Rectangle
from gammajax.geom.shapes import from_plane, to_plane
from gammajax.io.regions import read_region
from gammajax.numeric.sphere import offset_by, separation

DEG = u.deg
CRAB = SkyCoord("83.63d", "22.01d")
POINTING = (83.63, 22.51)
CORNERS = SkyCoord([83.0, 84.0, 84.2, 83.4], [21.5, 21.6, 22.4, 22.2], unit="deg")


def shapes(at):
    return {
        "circle": CircleSkyRegion(at, 0.3 * DEG),
        "ellipse": EllipseSkyRegion(at, 0.6 * DEG, 0.3 * DEG, 30 * DEG),
        "rectangle": RectangleSkyRegion(at, 0.6 * DEG, 0.3 * DEG, 77 * DEG),
        "annulus": CircleAnnulusSkyRegion(at, 0.2 * DEG, 0.5 * DEG),
        "ellipse annulus": EllipseAnnulusSkyRegion(at, 0.2 * DEG, 0.5 * DEG, 0.3 * DEG, 0.7 * DEG, 20 * DEG),
        "rectangle annulus": RectangleAnnulusSkyRegion(at, 0.2 * DEG, 0.5 * DEG, 0.3 * DEG, 0.7 * DEG, 20 * DEG),
        "polygon": PolygonSkyRegion(CORNERS if at.frame.name == "icrs" else CORNERS.galactic),
        "union": CircleSkyRegion(at, 0.3 * DEG) | RectangleSkyRegion(at, 0.1 * DEG, 0.9 * DEG),
        "difference": CircleSkyRegion(at, 0.3 * DEG) ^ CircleSkyRegion(at, 0.2 * DEG),
        "intersection": CircleSkyRegion(at, 0.3 * DEG) & RectangleSkyRegion(at, 0.2 * DEG, 0.9 * DEG),
    }


NAMES = list(shapes(CRAB))


@pytest.fixture(scope="module")
def sky():
    rng = np.random.default_rng(3)
    ra, dec = offset_by(83.63, 22.01, rng.uniform(0, 360, 4000), np.sqrt(rng.uniform(0, 1, 4000)))
    return ra, dec


def projection(at):
    wcs = WCS(naxis=2)
    galactic = at.frame.name == "galactic"
    wcs.wcs.ctype = ["GLON-TAN", "GLAT-TAN"] if galactic else ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [at.l.deg, at.b.deg] if galactic else [at.ra.deg, at.dec.deg]
    wcs.wcs.cdelt, wcs.wcs.crpix = [-0.01, 0.01], [1, 1]
    return wcs


@pytest.mark.parametrize("frame", ["icrs", "galactic"])
@pytest.mark.parametrize("name", NAMES)
def test_contains_what_the_regions_package_contains(name, frame, sky):
    at = CRAB if frame == "icrs" else CRAB.galactic
    given = shapes(at)[name]
    expected = given.contains(SkyCoord(*sky, unit="deg"), projection(at))
    found = region(given).contains(*sky)
    # a circle of the sphere is larger than that of the tangent plane by 1e-5
    assert np.sum(found != expected) <= 1
    assert 100 < found.sum() < 2500


@pytest.mark.parametrize("name", NAMES)
def test_round_trip_through_the_regions_package(name, sky):
    given = region(shapes(CRAB.galactic)[name])
    np.testing.assert_array_equal(region(given.region()).contains(*sky), given.contains(*sky))


@pytest.mark.parametrize("name", NAMES)
def test_solid_angle_extent_and_nodes(name):
    one = region(shapes(CRAB)[name])
    rng = np.random.default_rng(1)
    n, side = 200_000, 1.4
    x, y = rng.uniform(-side / 2, side / 2, (2, n))
    ra, dec = from_plane(x, y, 83.63, 22.01, 0.0)
    inside = one.contains(ra, dec)
    weights = (1 + np.radians(x) ** 2 + np.radians(y) ** 2) ** -1.5
    expected = np.sum(weights * inside) * np.radians(side) ** 2 / n
    assert one.solid_angle == pytest.approx(expected, rel=5 / np.sqrt(inside.sum()) + 1e-3)
    assert separation(*one.center, ra[inside], dec[inside]).max() < one.extent * (1 + 1e-9)
    lon, lat, share = one.nodes()
    assert np.sum(share) == pytest.approx(1, rel=1e-12)
    # nodes of a circle lie on its edge nowhere, those of a grid in the region by construction
    assert one.contains(lon, lat).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("angle", [0.0, 40.0, 180.0, 311.0])
def test_turning_is_rigid(name, angle, sky):
    one = region(shapes(CRAB)[name])
    turned = one.turned(POINTING, angle)
    assert turned.solid_angle == pytest.approx(one.solid_angle, rel=2e-3)
    distance = separation(*POINTING, *sky)
    direction = Circle(*POINTING).center
    from gammajax.numeric.sphere import position_angle

    moved = offset_by(*direction, position_angle(*direction, *sky) + angle, distance)
    assert np.sum(turned.contains(*moved) != one.contains(*sky)) == 0


def test_turning_at_the_pointing_turns_the_figure():
    flat = region(RectangleSkyRegion(CRAB, 0.6 * DEG, 0.1 * DEG))
    upright = flat.turned(flat.center, 90.0)
    assert flat.contains(83.9, 22.01)
    assert not upright.contains(83.9, 22.01)
    assert upright.contains(83.63, 22.25)


def test_exact_solid_angles():
    assert Ellipse(4.0, 4.0).solid_angle == pytest.approx(2 * np.pi * (1 - np.cos(np.arctan(np.radians(2)))), rel=1e-12)
    square = Polygon((-1.0, 1.0, 1.0, -1.0), (-1.0, -1.0, 1.0, 1.0))
    assert square.solid_angle == pytest.approx(Rectangle(2.0, 2.0).solid_angle, rel=1e-12)


def test_plane_and_back():
    x, y = np.array([0.0, 3.0, -10.0]), np.array([1.0, -2.0, 30.0])
    for dec in (0.0, -60.0, 89.9):
        back = to_plane(*from_plane(x, y, 359.0, dec, 25.0), 359.0, dec, 25.0)
        np.testing.assert_allclose(back, [x, y], atol=1e-9)
    assert np.isnan(to_plane(180.0, 0.0, 0.0, 0.0, 0.0)[0])


def test_text_of_ds9():
    assert region("icrs;circle(83.63, 22.01, 0.11)") == Circle(83.63, 22.01, 0.11)
    box = region("fk5;box(83.63, 22.01, 36\", 12', 30)")
    assert isinstance(box, Shape)
    assert box.figure == Rectangle(0.01, 0.2)
    assert isinstance(region("galactic;point(184.56, -5.78)"), Circle)
    two = region("icrs;circle(83.63, 22.01, 0.1)\nicrs;circle(84.63, 22.01, 0.1)")
    assert isinstance(two, Compound)
    assert two.contains(np.array([83.63, 84.63, 84.1]), np.full(3, 22.01)).tolist() == [True, True, False]
    hole = region("icrs\ncircle(83.63, 22.01, 0.2)\n-circle(83.63, 22.01, 0.1)")
    assert hole.solid_angle == pytest.approx(0.75 * region("icrs;circle(83.63, 22.01, 0.2)").solid_angle, rel=2e-3)
    assert not hole.contains(83.63, 22.01)


def test_several_regions_are_their_union():
    listed = region([CircleSkyRegion(CRAB, 0.1 * DEG), "icrs;circle(84.63, 22.01, 0.1)"])
    assert listed.contains(84.63, 22.01)
    assert region(Regions([CircleSkyRegion(CRAB, 0.1 * DEG)])) == Circle(83.63, 22.01, 0.1)
    assert region(CRAB, "0.2 deg") == Circle(83.63, 22.01, 0.2)


def test_the_centre_of_a_polygon_is_its_centre_of_area():
    triangle = region(PolygonSkyRegion(SkyCoord([10.0, 10.3, 10.0], [0.0, 0.0, 0.3], unit="deg")))
    assert triangle.center == (pytest.approx(10.1, abs=1e-5), pytest.approx(0.1, abs=1e-5))


PIXEL = CirclePixelRegion(PixCoord(1, 2), 3)
WRONG = [
    ("crab", "cannot be read as DS9"),
    ("circle(10, 10, 3)", "frame was not found"),
    ("icrs;circle(83, 22, 0)", "must be strictly positive"),
    ("icrs;ellipse(83, 22, 0.1, 0, 3)", "must be strictly positive"),
    ("icrs;line(1, 2, 3, 4)", "got LineSkyRegion"),
    ("icrs;polygon(83, 22, 84, 22)", "three vertices, got 2"),
    ("", "holds no region"),
    ("image;circle(10, 10, 3)", "in sky coordinates"),
    ("icrs;-circle(83, 22, 1)", "all regions are excluded"),
    ([], "there is no region"),
    (3, "got int"),
    (PIXEL, "in sky coordinates"),
    (LineSkyRegion(CORNERS[0], CORNERS[1]), "got LineSkyRegion"),
    (TextSkyRegion(CRAB, "Crab"), "got TextSkyRegion"),
    (PolygonSkyRegion(CORNERS[[0, 2, 1, 3]]), "crosses itself"),
    (PolygonSkyRegion(SkyCoord([1, 2, 3], [0, 0, 0], unit="deg")), "no area"),
    (EllipseSkyRegion(CRAB, 200 * DEG, 1 * DEG), "between 0 and 180 deg"),
]


@pytest.mark.parametrize(("given", "message"), WRONG, ids=[str(i) for i in range(len(WRONG))])
def test_what_makes_no_region(given, message):
    with pytest.raises(ConfigError, match=message):
        region(given)


def test_regions_without_sky():
    apart = CircleSkyRegion(CRAB, 0.1 * DEG) & CircleSkyRegion(SkyCoord("85d", "22d"), 0.1 * DEG)
    with pytest.raises(ConfigError, match="covers no sky"):
        _ = region(apart).center
    excluded = CircleSkyRegion(CRAB, 0.1 * DEG)
    excluded.meta["include"] = False
    with pytest.raises(ConfigError, match="alone is no region"):
        region(excluded)
    with pytest.raises(ConfigError, match="radius goes with a position"):
        region(RectangleSkyRegion(CRAB, 1 * DEG, 1 * DEG), 0.1)


def test_masks_of_any_region():
    mask = exclusion_mask("icrs\nbox(83.63, 22.01, 0.4, 0.2, 0)\n-circle(83.63, 22.01, 0.05)")
    assert mask is not None
    assert mask.excluded(np.array([83.63, 83.75, 84.0]), np.full(3, 22.01)).tolist() == [False, True, False]
    assert exclusion_mask(mask) is mask
    assert exclusion_mask(None) is None
    with pytest.raises(ConfigError, match="needs a radius"):
        exclusion_mask([PointSkyRegion(CRAB)])


def test_region_files(tmp_path):
    path = tmp_path / "on.reg"
    path.write_text("# Region file format: DS9\nicrs\nellipse(83.63, 22.01, 0.2, 0.1, 30)\n")
    found = read_region(path)
    assert isinstance(found, Shape)
    assert found.figure == Ellipse(0.4, 0.2)
    path.write_text("nothing of use\n")
    with pytest.raises(FileFormatError, match=r"on\.reg: .*DS9"):
        read_region(path)
    with pytest.raises(MissingFile, match=r"none\.reg"):
        read_region(tmp_path / "none.reg")
    path.write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(FileFormatError, match="as text"):
        read_region(path)
