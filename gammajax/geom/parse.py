"""The door for regions: what a person has at hand becomes a `Circle`, a `Shape` or a `Compound`."""

import reprlib
import warnings
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from regions import (
    CircleAnnulusSkyRegion,
    CircleSkyRegion,
    CompoundSkyRegion,
    EllipseAnnulusSkyRegion,
    EllipseSkyRegion,
    PixelRegion,
    PointSkyRegion,
    PolygonSkyRegion,
    RectangleAnnulusSkyRegion,
    RectangleSkyRegion,
    Regions,
    TextSkyRegion,
)

from gammajax.errors import ConfigError
from gammajax.geom.figures import Ellipse, Polygon, Rectangle, Ring, centroid
from gammajax.geom.position import is_position, position
from gammajax.geom.regions import Circle, circle
from gammajax.geom.shapes import Compound, Region, Shape, compound_of, from_plane, to_plane
from gammajax.numeric.sphere import position_angle


def region(given: Any, radius: Any = None) -> Region:
    """A region from what a person has at hand.

    `given` is a region of the `regions` package (circle, point, ellipse, rectangle, their annuli, polygon, compound)
    in any frame of the sky, DS9 text, several regions (their union, less those that DS9 marks as excluded with a
    minus), a region of gammajax, or a position (`SkyCoord`, text such as "83.63 22.01", (ra, dec) in deg) with
    `radius`, a quantity, text or a number in deg. Angles of shapes count from the longitude axis of the frame
    that the region is given in. Raises `ConfigError` for regions that are empty, degenerate, no area on the sky (lines,
    texts) or in pixels.

    >>> region("icrs;circle(83.63, 22.01, 0.11)")
    Circle(ra=83.63, dec=22.01, radius=0.11)
    >>> region("galactic;ellipse(184.56, -5.78, 0.2, 0.1, 30)").figure
    Ellipse(width=0.4, height=0.2)
    """
    if isinstance(given, Circle):
        return circle(given, radius)
    # texts are points to the `regions` package
    flat = isinstance(given, CircleSkyRegion | PointSkyRegion) and not isinstance(given, TextSkyRegion)
    if flat or is_position(given):
        return _included(given, circle(given, radius))
    if radius is not None:
        raise ConfigError(f"radius goes with a position, not with {reprlib.repr(given)}")
    if isinstance(given, Shape | Compound):
        return given
    if isinstance(given, str):
        return union(_parsed(given))
    if isinstance(given, Regions | list | tuple):
        return union(given)
    if isinstance(given, CompoundSkyRegion):
        parts: Any = given
        return _included(given, compound_of(given, (region(parts.region1), region(parts.region2))))
    if isinstance(given, PolygonSkyRegion):
        return _included(given, _polygon(given))
    maker = next((make for kind, make in _SHAPES.items() if isinstance(given, kind)), None)
    if maker is None:
        hint = ": give it in sky coordinates ('icrs;...')" if isinstance(given, PixelRegion) else ""
        raise ConfigError(
            "a region is a circle, ellipse, rectangle, annulus, polygon or compound of the sky, DS9 text such as "
            f"'icrs;circle(83.63, 22.01, 0.11)', or a position with a radius; got {type(given).__name__}{hint}"
        )
    return _included(given, maker(given))


def union(regions: Any) -> Region:
    """The union of regions, less those that are marked as excluded (`meta["include"]` false).

    Raises `ConfigError` if there is none, or all are excluded.
    """
    every: list[Any] = list(regions)
    kept = [region(one) for one in every if _is_included(one)]
    if not kept:
        raise ConfigError("there is no region" if not every else "all regions are excluded: nothing is left")
    result = kept[0]
    for other in kept[1:]:
        result = Compound(result, other, "or")
    for one in every:
        if not _is_included(one):
            result = Compound(result, region(_as_included(one)), "without")
    return result


def _is_included(given: Any) -> bool:
    return bool(getattr(given, "meta", {}).get("include", True))


def _included(given: Any, made: Region) -> Region:
    if not _is_included(given):
        raise ConfigError(f"an excluded {type(given).__name__} alone is no region: it needs one to be taken from")
    return made


def _as_included(given: Any) -> Any:
    copy = given.copy()
    copy.meta["include"] = True
    return copy


def _parsed(text: str) -> Regions:
    """The regions of DS9 text."""
    with warnings.catch_warnings():
        # unknown shapes and frames are warnings there: here they must not be lost
        warnings.simplefilter("error")
        try:
            found = Regions.parse(text, format="ds9")
        except Exception as error:  # whatever the parser trips over
            raise ConfigError(f"{reprlib.repr(text)} cannot be read as DS9 regions or a position: {error}") from error
    if not len(found):
        raise ConfigError(f"{reprlib.repr(text)} holds no region: write for example 'icrs;circle(83.63, 22.01, 0.11)'")
    return found


def _placed(given: Any, figure: Any) -> Shape:
    ra, dec = position(given.center)
    angle = float(given.angle.to_value("deg")) if hasattr(given, "angle") else 0.0
    return Shape(ra, dec, (_north(given.center) + angle) % 360.0, figure)


def _north(center: SkyCoord) -> float:
    """Position angle [deg, ICRS] of the latitude axis of a coordinate's frame, at the coordinate."""
    frame: Any = center.frame
    if frame.name == "icrs":
        return 0.0
    pole: Any = SkyCoord(0.0, 90.0, unit="deg", frame=frame.replicate_without_data())
    return float(position_angle(*position(center), *position(pole)))


def _polygon(given: Any) -> Shape:
    """A polygon at its centre of area."""
    icrs = given.vertices.icrs
    ra, dec = np.atleast_1d(icrs.ra.deg), np.atleast_1d(icrs.dec.deg)
    middle = np.sum(np.atleast_2d(icrs.cartesian.xyz.value.T), axis=0)
    where = (
        float(np.degrees(np.arctan2(middle[1], middle[0]))),
        float(np.degrees(np.arctan2(middle[2], np.hypot(*middle[:2])))),
    )
    x, y = to_plane(ra, dec, *where, 0.0)
    Polygon(tuple(x), tuple(y))
    ra_0, dec_0 = (float(value) for value in from_plane(*centroid(x, y), *where, 0.0))
    x, y = to_plane(ra, dec, ra_0, dec_0, 0.0)
    return Shape(ra_0, dec_0, 0.0, Polygon(tuple(map(float, x)), tuple(map(float, y))))


def _deg(value: Any) -> float:
    return float(value.to_value("deg"))


_SHAPES = {
    EllipseSkyRegion: lambda r: _placed(r, Ellipse(_deg(r.width), _deg(r.height))),
    RectangleSkyRegion: lambda r: _placed(r, Rectangle(_deg(r.width), _deg(r.height))),
    CircleAnnulusSkyRegion: lambda r: _placed(
        r, Ring(*(Ellipse(2 * _deg(x), 2 * _deg(x)) for x in (r.outer_radius, r.inner_radius)))
    ),
    EllipseAnnulusSkyRegion: lambda r: _placed(
        r, Ring(Ellipse(_deg(r.outer_width), _deg(r.outer_height)), Ellipse(_deg(r.inner_width), _deg(r.inner_height)))
    ),
    RectangleAnnulusSkyRegion: lambda r: _placed(
        r,
        Ring(
            Rectangle(_deg(r.outer_width), _deg(r.outer_height)),
            Rectangle(_deg(r.inner_width), _deg(r.inner_height)),
        ),
    ),
}
