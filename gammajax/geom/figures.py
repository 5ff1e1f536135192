"""Plane figures: what lies inside, how far they reach, how much sky they cover. Lengths in deg of a tangent plane."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gammajax._typing import Bool, Float
from gammajax.errors import ConfigError

Points = Float[np.ndarray, "*n"]


class Figure(Protocol):
    """A figure around or near the origin of the tangent plane."""

    def contains(self, x: Points, y: Points) -> Bool[np.ndarray, "*n"]:
        """True for points inside; False where a coordinate is NaN."""
        ...

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Smallest and largest x, smallest and largest y."""
        ...

    @property
    def solid_angle(self) -> float:
        """Solid angle [sr] of the directions that the gnomonic projection maps into the figure."""
        ...


@dataclass(frozen=True)
class Ellipse:
    """An ellipse with full axes `width` and `height`."""

    width: float
    height: float

    def __post_init__(self) -> None:
        check_size("an ellipse", self.width, self.height)

    def contains(self, x: Points, y: Points) -> Bool[np.ndarray, "*n"]:
        """True for points inside."""
        return (2 * x / self.width) ** 2 + (2 * y / self.height) ** 2 < 1

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Bounding box."""
        return -self.width / 2, self.width / 2, -self.height / 2, self.height / 2

    @property
    def solid_angle(self) -> float:
        """The boundary integral of (1 - cos theta) d phi, which the trapezoid rule gives to rounding.

        >>> bool(np.isclose(Ellipse(2.0, 2.0).solid_angle, 2 * np.pi * (1 - np.cos(np.arctan(np.radians(1.0))))))
        True
        """
        t = np.arange(720) * (2 * np.pi / 720)
        a, b = np.radians(self.width / 2), np.radians(self.height / 2)
        r2 = (a * np.cos(t)) ** 2 + (b * np.sin(t)) ** 2
        turn = a * b / r2  # d phi / d t
        return float(np.sum(r2 / (1 + r2 + np.sqrt(1 + r2)) * turn) * (2 * np.pi / 720))


@dataclass(frozen=True)
class Rectangle:
    """A rectangle with full sides `width` and `height`."""

    width: float
    height: float

    def __post_init__(self) -> None:
        check_size("a rectangle", self.width, self.height)

    def contains(self, x: Points, y: Points) -> Bool[np.ndarray, "*n"]:
        """True for points inside."""
        return (np.abs(x) < self.width / 2) & (np.abs(y) < self.height / 2)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Bounding box."""
        return -self.width / 2, self.width / 2, -self.height / 2, self.height / 2

    @property
    def solid_angle(self) -> float:
        """4 arcsin(sin a sin b) with a, b the half angles under which the sides are seen."""
        a, b = np.arctan(np.radians(self.width / 2)), np.arctan(np.radians(self.height / 2))
        return float(4 * np.arcsin(np.sin(a) * np.sin(b)))


@dataclass(frozen=True)
class Polygon:
    """A polygon of three or more vertices that does not cross itself; its sides are great circles on the sky."""

    x: tuple[float, ...]
    y: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.x) < 3:
            raise ConfigError(f"a polygon needs at least three vertices, got {len(self.x)}")
        if not np.isfinite([*self.x, *self.y]).all():
            raise ConfigError("a polygon has vertices that are not finite, or more than 90 deg apart")
        if not abs(signed_area(self.x, self.y)) > 1e-12:
            raise ConfigError("a polygon encloses no area: its vertices lie on one line")
        if _crosses_itself(np.array(self.x), np.array(self.y)):
            raise ConfigError("a polygon crosses itself: give the vertices in the order of its outline")

    def contains(self, x: Points, y: Points) -> Bool[np.ndarray, "*n"]:
        """True for points from which a ray meets the outline an odd number of times."""
        x, y = np.asarray(x, float), np.asarray(y, float)
        result = np.zeros(np.broadcast_shapes(x.shape, y.shape), dtype=bool)
        for x1, y1, x2, y2 in zip(self.x, self.y, np.roll(self.x, -1), np.roll(self.y, -1), strict=True):
            if y1 != y2:
                result ^= ((y1 > y) != (y2 > y)) & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
        return result

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Bounding box."""
        return min(self.x), max(self.x), min(self.y), max(self.y)

    @property
    def solid_angle(self) -> float:
        """Sum of the spherical triangles with the origin (van Oosterom & Strackee 1983, IEEE BME 30, 125)."""
        x, y = np.radians(self.x), np.radians(self.y)
        x2, y2 = np.roll(x, -1), np.roll(y, -1)
        r, r2 = np.sqrt(1 + x**2 + y**2), np.sqrt(1 + x2**2 + y2**2)
        dot = 1 + x * x2 + y * y2
        return float(abs(np.sum(2 * np.arctan2(x * y2 - x2 * y, r * r2 + r + r2 + dot))))


@dataclass(frozen=True)
class Ring:
    """What lies in `outer` but not in `inner`."""

    outer: Figure
    inner: Figure

    def contains(self, x: Points, y: Points) -> Bool[np.ndarray, "*n"]:
        """True for points between the two outlines."""
        return self.outer.contains(x, y) & ~self.inner.contains(x, y)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Bounding box."""
        return self.outer.box

    @property
    def solid_angle(self) -> float:
        """The difference of the two figures."""
        return self.outer.solid_angle - self.inner.solid_angle


def signed_area(x: Points | tuple, y: Points | tuple) -> float:
    """Area of a polygon, positive if its vertices run anticlockwise (the shoelace formula).

    >>> signed_area((0.0, 1.0, 1.0, 0.0), (0.0, 0.0, 2.0, 2.0))
    2.0
    """
    return float(np.sum(np.asarray(x) * np.roll(y, -1) - np.roll(x, -1) * np.asarray(y)) / 2)


def centroid(x: Points, y: Points) -> tuple[float, float]:
    """Centre of area of a polygon."""
    x2, y2 = np.roll(x, -1), np.roll(y, -1)
    cross = x * y2 - x2 * y
    total = 3 * np.sum(cross)
    if total == 0:
        return float(np.mean(x)), float(np.mean(y))
    return float(np.sum((x + x2) * cross) / total), float(np.sum((y + y2) * cross) / total)


def check_size(what: str, *sizes: float) -> None:
    """Raise `ConfigError` unless all sizes [deg] are above 0 and below 180."""
    for size in sizes:
        if not 0 < size < 180:
            raise ConfigError(f"the size of {what} lies between 0 and 180 deg, got {size:g} deg")


def _crosses_itself(x: np.ndarray, y: np.ndarray) -> bool:
    """True if two sides that are no neighbours have a point in common."""
    n = len(x)
    i, j = np.triu_indices(n, k=2)
    apart = ~((i == 0) & (j == n - 1))
    i, j = i[apart], j[apart]

    def side(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
        return np.sign((x[b] - x[a]) * (y[c] - y[a]) - (y[b] - y[a]) * (x[c] - x[a]))

    i2, j2 = (i + 1) % n, (j + 1) % n
    return bool(np.any((side(i, i2, j) * side(i, i2, j2) < 0) & (side(j, j2, i) * side(j, j2, i2) < 0)))
