"""Which parts of the sky are kept out of a background estimate."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from astropy.wcs.utils import wcs_to_celestial_frame

from gammajax._typing import Bool, Float
from gammajax.errors import ConfigError
from gammajax.geom.parse import region
from gammajax.geom.position import is_position
from gammajax.geom.regions import Circle
from gammajax.geom.shapes import Region


class ExclusionMask(Protocol):
    """Anything that says which directions (ra, dec) [deg] are excluded."""

    def excluded(self, ra: Float[np.ndarray, "n"], dec: Float[np.ndarray, "n"]) -> Bool[np.ndarray, "n"]:
        """True where the direction must not be used."""
        ...


@dataclass(frozen=True)
class ImageMask:
    """An image of the sky whose zero (False) pixels are excluded; outside the image nothing is.

    `keep` has shape (lat, lon) on the pixels of `wcs`: the convention of Gammapy's exclusion masks.
    """

    keep: Bool[np.ndarray, "lat lon"]
    wcs: WCS

    def excluded(self, ra: Float[np.ndarray, "n"], dec: Float[np.ndarray, "n"]) -> Bool[np.ndarray, "n"]:
        """True where the pixel that holds (ra, dec) [deg] is 0.

        >>> wcs = WCS(naxis=2)
        >>> wcs.wcs.ctype, wcs.wcs.crpix, wcs.wcs.cdelt = ["RA---TAN", "DEC--TAN"], [1.5, 1.0], [-1.0, 1.0]
        >>> ImageMask(np.array([[True, False]]), wcs).excluded(np.array([0.5, 359.5]), np.array([0.0, 0.0]))
        array([False,  True])
        """
        lon, lat = _in_frame(self.wcs, ra, dec)
        x, y = (np.floor(pixel + 0.5) for pixel in self.wcs.wcs_world2pix(lon, lat, 0))
        ny, nx = self.keep.shape
        # NaN (behind the tangent plane) fails every comparison and counts as outside.
        on_image = (x >= 0) & (x < nx) & (y >= 0) & (y < ny)
        result = np.zeros(on_image.shape, dtype=bool)
        result[on_image] = ~self.keep[y[on_image].astype(int), x[on_image].astype(int)]
        return result


@dataclass(frozen=True)
class RegionMask:
    """Excludes the inside of regions."""

    regions: tuple[Region, ...]

    def excluded(self, ra: Float[np.ndarray, "n"], dec: Float[np.ndarray, "n"]) -> Bool[np.ndarray, "n"]:
        """True where (ra, dec) [deg] lies in one of the regions.

        >>> RegionMask((Circle(0.0, 0.0, 1.0),)).excluded(np.array([0.5, 359.5, 2.0]), np.zeros(3))
        array([ True,  True, False])
        """
        result = np.zeros(np.shape(ra), dtype=bool)
        for one in self.regions:
            result |= one.contains(ra, dec)
        return result


def mask_of_regions(regions: Any) -> RegionMask:
    """The mask that excludes regions: anything that `gammajax.geom.parse.region` takes, one or several.

    Raises `ConfigError` for what is no region of the sky, and for a position without a radius.
    """
    several = isinstance(regions, Iterable) and not isinstance(regions, str) and not is_position(regions)
    made = tuple(region(one) for one in (regions if several else [regions]))
    if any(isinstance(one, Circle) and one.radius is None for one in made):
        raise ConfigError("an excluded region needs a radius")
    return RegionMask(made)


def exclusion_mask(given: Any) -> "ExclusionMask | None":
    """An exclusion mask from a mask, a region, DS9 text, or several regions; None stays None.

    >>> exclusion_mask("icrs;circle(83.63, 22.01, 0.3)").excluded(np.array([83.7]), np.array([22.0]))
    array([ True])
    """
    if given is None or hasattr(given, "excluded"):
        return given
    # the regions of DS9 text and of a list belong together: a region marked with a minus is taken from the others
    return mask_of_regions([given])


def _in_frame(wcs: WCS, ra: np.ndarray, dec: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if all(text.startswith(("RA", "DEC")) for text in wcs.wcs.ctype):
        # FK5 J2000 and ICRS agree to 0.02 arcsec, far below a pixel: no frame transformation.
        return np.asarray(ra), np.asarray(dec)
    position: Any = SkyCoord(ra, dec, unit="deg", frame="icrs").transform_to(wcs_to_celestial_frame(wcs))
    spherical = position.spherical
    return spherical.lon.deg, spherical.lat.deg
