"""Regions of any shape on the sky: plane figures in the tangent plane at their own centre, and what is made of them."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, Protocol, Self

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from regions import (
    CircleAnnulusSkyRegion,
    CompoundSkyRegion,
    EllipseAnnulusSkyRegion,
    EllipseSkyRegion,
    PolygonSkyRegion,
    RectangleAnnulusSkyRegion,
    RectangleSkyRegion,
    SkyRegion,
)

from gammajax._typing import Bool, Float
from gammajax.errors import ConfigError
from gammajax.geom.figures import Ellipse, Figure, Polygon, Ring
from gammajax.numeric.sphere import offset_by, position_angle, rotate_about, separation

Angles = Float[np.ndarray, "*n"]
Nodes = tuple[Float[np.ndarray, "node"], Float[np.ndarray, "node"], Float[np.ndarray, "node"]]

_ENOUGH = 2000
"""Nodes that an average over a region is made of, at least."""
_FINEST = 3200
"""Pixels along a side of the finest grid that is laid over a region."""


_TILT = 27.3
"""Position angle [deg] of the grid over a compound: sides that run along the rows would make its area uncertain."""


class Region(Protocol):
    """A part of the sky: a `Circle`, a `Shape` or a `Compound`."""

    @property
    def center(self) -> tuple[float, float]:
        """(ra, dec) [deg] at which responses are taken: the centre of area."""
        ...

    @property
    def extent(self) -> float:
        """An angle [deg] from the centre beyond which nothing belongs to the region."""
        ...

    @property
    def solid_angle(self) -> float:
        """Solid angle [sr]."""
        ...

    def contains(self, ra: Angles, dec: Angles) -> Bool[np.ndarray, "*n"]:
        """True for the directions (ra, dec) [deg] inside."""
        ...

    def turned(self, pointing: tuple[float, float], angle: float) -> Self:
        """The region turned as it is around a pointing by `angle` [deg], towards larger position angle."""
        ...

    def nodes(self) -> Nodes:
        """Directions (ra, dec) [deg] spread over the region, and weights (sum 1) for an average over it."""
        ...

    def region(self) -> SkyRegion:
        """The same as a region of the `regions` package, for plots and files."""
        ...


@dataclass(frozen=True)
class Shape:
    """A plane figure in the tangent plane at (ra, dec) [deg, ICRS].

    `roll` is the position angle [deg] of the figure's y axis; its x axis points to the right of it as seen on the
    sky with east to the left. These are the conventions of the `regions` package in a gnomonic projection whose centre
    is that of the region, so that the region depends on no map, frame or pointing, and keeps its shape and solid
    angle when it is turned.
    """

    ra: float
    dec: float
    roll: float
    figure: Figure

    @property
    def center(self) -> tuple[float, float]:
        """(ra, dec) [deg]."""
        return self.ra, self.dec

    @property
    def extent(self) -> float:
        """Angle [deg] to the farthest corner of the bounding box."""
        x1, x2, y1, y2 = self.figure.box
        far = np.hypot(max(-x1, x2), max(-y1, y2))
        return float(np.degrees(np.arctan(np.radians(far))))

    @property
    def solid_angle(self) -> float:
        """Solid angle [sr]."""
        return self.figure.solid_angle

    def contains(self, ra: Angles, dec: Angles) -> Bool[np.ndarray, "*n"]:
        """True for the directions (ra, dec) [deg] inside.

        >>> Shape(0.0, 0.0, 0.0, Ellipse(2.0, 1.0)).contains(np.array([0.9, 0.0]), np.array([0.0, 0.6]))
        array([ True, False])
        """
        x, y = to_plane(ra, dec, self.ra, self.dec, self.roll)
        return self.figure.contains(x, y)

    def turned(self, pointing: tuple[float, float], angle: float) -> "Shape":
        """The shape turned around a pointing by `angle` [deg], towards larger position angle."""
        ra, dec = rotate_about(self.ra, self.dec, *pointing, angle)
        if separation(*pointing, self.ra, self.dec) == 0:
            return replace(self, roll=self.roll + angle)
        before = position_angle(self.ra, self.dec, *pointing)
        after = position_angle(ra, dec, *pointing)
        return Shape(float(ra), float(dec), float(self.roll + after - before) % 360.0, self.figure)

    def nodes(self) -> Nodes:
        """Nodes of a grid in the tangent plane."""
        x, y, sky = grid_nodes(self.figure.contains, self.figure.box)
        return *from_plane(x, y, self.ra, self.dec, self.roll), sky / np.sum(sky)

    def region(self) -> SkyRegion:
        """The same as a region of the `regions` package; angles count from the ICRS longitude axis."""
        center, figure = SkyCoord(self.ra, self.dec, unit="deg"), self.figure
        if isinstance(figure, Polygon):
            lon, lat = from_plane(np.array(figure.x), np.array(figure.y), self.ra, self.dec, self.roll)
            return PolygonSkyRegion(SkyCoord(lon, lat, unit="deg"))
        angle = self.roll * u.deg
        if not isinstance(figure, Ring):
            made: Any = EllipseSkyRegion if isinstance(figure, Ellipse) else RectangleSkyRegion
            flat: Any = figure
            return made(center, flat.width * u.deg, flat.height * u.deg, angle)
        outer, inner = _sizes(figure.outer), _sizes(figure.inner)
        if isinstance(figure.outer, Ellipse) and outer[0] == outer[1] and inner[0] == inner[1]:
            return CircleAnnulusSkyRegion(center, inner[0] / 2 * u.deg, outer[0] / 2 * u.deg)
        made = EllipseAnnulusSkyRegion if isinstance(figure.outer, Ellipse) else RectangleAnnulusSkyRegion
        return made(center, inner[0] * u.deg, outer[0] * u.deg, inner[1] * u.deg, outer[1] * u.deg, angle)


Operator = Literal["or", "and", "xor", "without"]


@dataclass(frozen=True)
class Compound:
    """Two regions joined: in either ("or"), in both ("and"), in one only ("xor"), in the first but not the second
    ("without").
    """

    first: Any  # a Region, which a frozen field cannot promise to the type checker
    second: Any
    operator: Operator = "or"

    def contains(self, ra: Angles, dec: Angles) -> Bool[np.ndarray, "*n"]:
        """True for the directions (ra, dec) [deg] inside."""
        one, other = self.first.contains(ra, dec), self.second.contains(ra, dec)
        if self.operator == "or":
            return one | other
        if self.operator == "and":
            return one & other
        return one ^ other if self.operator == "xor" else one & ~other

    def turned(self, pointing: tuple[float, float], angle: float) -> "Compound":
        """Both regions turned around a pointing by `angle` [deg], towards larger position angle."""
        return replace(self, first=self.first.turned(pointing, angle), second=self.second.turned(pointing, angle))

    @property
    def center(self) -> tuple[float, float]:
        """(ra, dec) [deg] of the centre of area. Raises `ConfigError` if the region covers no sky."""
        return self._center

    @cached_property
    def _center(self) -> tuple[float, float]:
        x, y, sky = self._grid
        ra, dec = from_plane(np.average(x, weights=sky), np.average(y, weights=sky), *self._middle, _TILT)
        return float(ra), float(dec)

    @property
    def extent(self) -> float:
        """Angle [deg] that holds both regions."""
        return max(float(separation(*self.center, *part.center)) + part.extent for part in (self.first, self.second))

    @property
    def solid_angle(self) -> float:
        """Solid angle [sr], from a grid: good to about 1e-3 of the region (Gammapy: pixels of 0.01 deg)."""
        return float(np.sum(self._grid[2]))

    def nodes(self) -> Nodes:
        """Nodes of a grid in the tangent plane."""
        x, y, sky = self._grid
        return *from_plane(x, y, *self._middle, _TILT), sky / np.sum(sky)

    def region(self) -> SkyRegion:
        """The same as a region of the `regions` package."""
        one, other = self.first.region(), self.second.region()
        if self.operator == "without":
            return one & (one ^ other)
        return {"or": one.__or__, "and": one.__and__, "xor": one.__xor__}[self.operator](other)

    @cached_property
    def _middle(self) -> tuple[float, float]:
        """A direction between the two parts: the origin of the grid."""
        (ra, dec), (ra_2, dec_2) = self.first.center, self.second.center
        apart = separation(ra, dec, ra_2, dec_2)
        middle = offset_by(ra, dec, position_angle(ra, dec, ra_2, dec_2), apart / 2)
        return float(middle[0]), float(middle[1])

    @cached_property
    def _box(self) -> tuple[float, float, float, float]:
        reach = max(float(separation(*self._middle, *part.center)) + part.extent for part in (self.first, self.second))
        if not reach < 80:
            raise ConfigError(f"the parts of a compound region are too far apart: {reach:.0f} deg from its middle")
        side = float(np.degrees(np.tan(np.radians(reach))))
        return -side, side, -side, side

    @cached_property
    def _grid(self) -> Nodes:
        return grid_nodes(lambda x, y: self.contains(*from_plane(x, y, *self._middle, _TILT)), self._box, 400)


def grid_nodes(contains: Any, box: tuple[float, float, float, float], side: int = 60) -> Nodes:
    """Pixel centres (x, y) [deg] inside a figure of the tangent plane, and the solid angle [sr] of each pixel.

    The grid over the bounding box is made finer until enough of it lies inside. Raises `ConfigError` if nothing does.
    """
    x1, x2, y1, y2 = box
    while True:
        middles = (np.arange(side) + 0.5) / side
        x, y = np.meshgrid(x1 + (x2 - x1) * middles, y1 + (y2 - y1) * middles)
        inside = contains(x, y)
        if np.sum(inside) >= _ENOUGH or side >= _FINEST:
            break
        side *= 2
    if not inside.any():
        raise ConfigError("the region covers no sky")
    x, y = x[inside], y[inside]
    pixel = np.radians((x2 - x1) / side) * np.radians((y2 - y1) / side)
    return x, y, pixel * (1 + np.radians(x) ** 2 + np.radians(y) ** 2) ** -1.5


def to_plane(ra: Any, dec: Any, ra_0: float, dec_0: float, roll: float) -> tuple[np.ndarray, np.ndarray]:
    """Gnomonic projection at (ra_0, dec_0), x to the right and y up [deg] with y at position angle `roll`; NaN behind.

    >>> x, y = to_plane(10.0, 1.0, 10.0, 0.0, 0.0)
    >>> round(float(y), 4), abs(float(x)) < 1e-12
    (1.0001, True)
    """
    delta, phi, phi_0, turn = np.radians(np.asarray(ra) - ra_0), np.radians(dec), np.radians(dec_0), np.radians(roll)
    lift = 2 * np.sin(delta / 2) ** 2
    ahead = np.cos(phi - phi_0) - np.cos(phi) * np.cos(phi_0) * lift
    ahead = np.where(ahead > 0, ahead, np.nan)
    east = np.cos(phi) * np.sin(delta) / ahead
    north = (np.sin(phi - phi_0) + np.sin(phi_0) * np.cos(phi) * lift) / ahead
    x, y = north * np.sin(turn) - east * np.cos(turn), east * np.sin(turn) + north * np.cos(turn)
    return np.degrees(x), np.degrees(y)


def from_plane(x: Any, y: Any, ra_0: float, dec_0: float, roll: float) -> tuple[np.ndarray, np.ndarray]:
    """The direction (ra, dec) [deg] of a point of the tangent plane: the inverse of `to_plane`."""
    turn = np.radians(roll)
    east, north = y * np.sin(turn) - x * np.cos(turn), x * np.sin(turn) + y * np.cos(turn)
    distance = np.degrees(np.arctan(np.radians(np.hypot(east, north))))
    return offset_by(ra_0, dec_0, np.degrees(np.arctan2(east, north)), distance)


def compound_of(region: CompoundSkyRegion, parts: tuple[Region, Region]) -> Compound:
    """A compound of the `regions` package with its parts already converted. Raises `ConfigError` for odd operators."""
    name = getattr(region.operator, "__name__", "").strip("_")
    if name not in ("or", "and", "xor"):
        raise ConfigError(f"regions can be joined by 'or', 'and' and 'xor', got {name!r}")
    return Compound(*parts, operator=name)


def _sizes(figure: Any) -> tuple[float, float]:
    return figure.width, figure.height
