"""Grids of pixels on the sky: a WCS projection and a number of pixels, in ICRS or Galactic coordinates."""

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning
from astropy.wcs.utils import celestial_frame_to_wcs, proj_plane_pixel_scales

from gammajax._typing import Bool, Float
from gammajax.checks import whole
from gammajax.errors import ConfigError, FileFormatError
from gammajax.geom.parse import region
from gammajax.geom.pixel_area import solid_angles
from gammajax.geom.shapes import Compound
from gammajax.numeric.sphere import separation
from gammajax.units import to_number

Frame = Literal["icrs", "galactic"]
Image = Float[np.ndarray, "lat lon"]


@dataclass(frozen=True, eq=False)
class SkyGrid:
    """Pixels on the sky: a celestial `wcs`, `shape` (lat, lon) and the `frame` of its coordinates.

    Pixel (0, 0) has its centre at pixel coordinates x = y = 0; it reaches from -0.5 to 0.5. Longitudes and latitudes
    are in deg in the frame of the grid. FK5 (J2000) counts as ICRS: the two agree to 0.02 arcsec.

    >>> grid = SkyGrid.create((83.63, 22.01), width=(3.0, 2.0), binsz=0.5)
    >>> grid.shape, grid.frame
    ((4, 6), 'icrs')
    """

    wcs: WCS
    shape: tuple[int, int]
    frame: Frame

    # -- making one

    @classmethod
    def create(
        cls,
        center: Any = (0.0, 0.0),
        width: Any = None,
        binsz: Any = 0.5,
        proj: str = "CAR",
        frame: Frame = "icrs",
        npix: Any = None,
    ) -> "SkyGrid":
        """Pixels of `binsz` around `center`, over `width` or `npix` pixels (both may be pairs: lon, lat).

        `center` is a `SkyCoord`, or (lon, lat) in `frame`; angles are numbers in deg, quantities or text. Without width
        and number the grid covers the whole sky. The centre is also the reference of the projection: in CAR the grid
        is oblique, with pixels of equal size around the centre (the pixels of Gammapy's `WcsGeom.create`).

        >>> grid = SkyGrid.create(SkyCoord("0d", "0d", frame="galactic"), "2 deg", "0.1 deg", frame="galactic")
        >>> grid.shape
        (20, 20)
        """
        if frame not in ("icrs", "galactic"):
            raise ConfigError(f"the frame of a grid is 'icrs' or 'galactic', got {frame!r}")
        lon, lat = _position(center, frame)
        size = _pair(binsz, "binsz")
        if npix is not None and width is not None:
            raise ConfigError("a grid takes width=... or npix=..., not both")
        if npix is not None:
            pixels = [whole(n, "npix") for n in (npix if isinstance(npix, tuple | list | np.ndarray) else (npix, npix))]
            if len(pixels) != 2:
                raise ConfigError(f"npix is one number or two (lon, lat), got {npix}")
        else:
            extent = (360.0, 180.0) if width is None else _pair(width, "width")
            pixels = [int(np.rint(w / b)) for w, b in zip(extent, size, strict=True)]
        if min(pixels) < 1:
            raise ConfigError(f"width {width} holds no pixel of {size[0]:g} x {size[1]:g} deg: choose a smaller binsz")
        return cls(_wcs((lon, lat), size, proj, frame, [(n + 1) / 2 for n in pixels]), (pixels[1], pixels[0]), frame)

    @classmethod
    def from_header(cls, header: fits.Header, where: str = "the header") -> "SkyGrid":
        """The grid of a FITS image (WCS paper II); `where` names it in messages.

        Raises `FileFormatError` for a header without a celestial WCS, or with one in another frame.
        """
        try:
            with warnings.catch_warnings():
                # astropy mends odd dates and radecsys spellings in headers of maps; nothing here depends on them
                warnings.simplefilter("ignore", FITSFixedWarning)
                wcs = WCS(header, naxis=2)
            wcs.wcs.set()
        except Exception as error:  # wcslib and astropy have many of their own
            raise FileFormatError(f"{where} has no WCS that can be read: {error}") from error
        frame = _frame_of(wcs, where)
        return cls(wcs, _shape_of(header, where), frame)

    def to_header(self) -> fits.Header:
        """The WCS keywords of the grid, and WCSSHAPE = '(nx,ny)' as in Gammapy's maps."""
        header = self.wcs.to_header()
        header["WCSSHAPE"] = f"({self.shape[1]},{self.shape[0]})"
        return header

    @classmethod
    def from_text(cls, header: str, where: str = "the header") -> "SkyGrid":
        """The grid of `to_text`; `where` names it in messages. Raises `FileFormatError`."""
        try:
            keywords = fits.Header.fromstring(header, sep="\n")
        except (ValueError, OSError, fits.VerifyError) as error:
            raise FileFormatError(f"{where} is no FITS header: {error}") from error
        return cls.from_header(keywords, where)

    def to_text(self) -> str:
        """The keywords of the grid as the lines of a FITS header."""
        return self.to_header().tostring(sep="\n")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SkyGrid):
            return NotImplemented
        if self.shape != other.shape or self.frame != other.frame or self.proj != other.proj:
            return False
        pixels = np.array([[0, 0, self.shape[1] - 1, (self.shape[1] - 1) / 2], [0, self.shape[0] - 1, 0, 1]])
        tolerance = 1e-6 * min(self.pixel_scales)
        one, two = (grid.wcs.wcs_pix2world(*pixels, 0) for grid in (self, other))
        known = np.isfinite(one[0]) & np.isfinite(two[0])
        apart = separation(one[0], one[1], two[0], two[1])[known]
        return bool(np.all(np.isfinite(one[0]) == np.isfinite(two[0])) and np.all(apart < tolerance))

    def __hash__(self) -> int:
        return hash((self.shape, self.frame, self.proj))

    def __repr__(self) -> str:
        (lon, lat), (x, y) = self.center, self.pixel_scales
        return (
            f"SkyGrid({self.shape[1]} x {self.shape[0]} pixels of {x:g} x {y:g} deg, {self.proj}, "
            f"{self.frame} {lon:.4f} {lat:+.4f})"
        )

    # -- where things are

    @property
    def proj(self) -> str:
        """The projection: "CAR", "TAN", ..."""
        return str(self.wcs.wcs.ctype[0])[5:8]

    @property
    def pixel_scales(self) -> tuple[float, float]:
        """Size of a pixel in longitude and latitude at the reference of the projection [deg]."""
        scales = proj_plane_pixel_scales(self.wcs)
        return float(scales[0]), float(scales[1])

    @property
    def width(self) -> tuple[float, float]:
        """Number of pixels times their size at the reference, in longitude and latitude [deg]."""
        x, y = self.pixel_scales
        return x * self.shape[1], y * self.shape[0]

    @property
    def center(self) -> tuple[float, float]:
        """(lon, lat) [deg] of the middle of the grid, which lies on a pixel edge if the number of pixels is even."""
        lon, lat = self.wcs.wcs_pix2world((self.shape[1] - 1) / 2, (self.shape[0] - 1) / 2, 0)
        return float(lon), float(lat)

    @cached_property
    def lonlat(self) -> tuple[Image, Image]:
        """Longitudes and latitudes [deg] of the pixel centres, each (lat, lon); NaN outside the projection.

        >>> lon, lat = SkyGrid.create((10.0, 0.0), npix=(3, 1), binsz=1.0).lonlat
        >>> lon.round(6).tolist()
        [[11.0, 10.0, 9.0]]
        """
        y, x = np.indices(self.shape, dtype=float)
        lon, lat = self.wcs.wcs_pix2world(x.ravel(), y.ravel(), 0)
        return lon.reshape(self.shape), lat.reshape(self.shape)

    @cached_property
    def radec(self) -> tuple[Image, Image]:
        """Right ascensions and declinations [deg, ICRS] of the pixel centres, each (lat, lon)."""
        return self.to_icrs(*self.lonlat)

    def to_icrs(self, lon: Any, lat: Any) -> tuple[Any, Any]:
        """Coordinates of the frame of the grid as (ra, dec), all in deg."""
        return (lon, lat) if self.frame == "icrs" else _turned(lon, lat, self.frame, "icrs")

    def from_icrs(self, ra: Any, dec: Any) -> tuple[Any, Any]:
        """(ra, dec) in the frame of the grid, all in deg.

        >>> grid = SkyGrid.create(frame="galactic", binsz=10.0)
        >>> lon, lat = grid.from_icrs(266.405, -28.936)
        >>> round(float(lon), 2), round(float(lat), 2)
        (0.0, 0.0)
        """
        return (ra, dec) if self.frame == "icrs" else _turned(ra, dec, "icrs", self.frame)

    def pixel(self, lon: Any, lat: Any) -> tuple[np.ndarray, np.ndarray]:
        """Pixel coordinates (x, y) of directions [deg, frame of the grid]; NaN where the projection has none.

        Around the seam of a cylindrical projection the side is taken that is nearer to the middle of the grid.

        >>> grid = SkyGrid.create((0.0, 0.0), npix=(3, 1), binsz=1.0)
        >>> x, y = grid.pixel(359.0, 0.0)
        >>> round(float(x), 9), round(float(y), 9)
        (2.0, 0.0)
        """
        lon, lat = np.broadcast_arrays(np.asarray(lon, float), np.asarray(lat, float))
        x, y = self.wcs.wcs_world2pix(lon.ravel(), lat.ravel(), 0)
        if (period := self._period) is not None:
            x = x - period * np.rint((x - (self.shape[1] - 1) / 2) / period)
        return x.reshape(lon.shape), y.reshape(lon.shape)

    @cached_property
    def _period(self) -> float | None:
        """Pixels around the sky, for projections in which x is proportional to the (native) longitude."""
        if self.proj not in ("CAR", "CEA", "MER") or not np.allclose(self.wcs.wcs.get_pc(), np.eye(2)):
            return None
        return 360.0 / abs(float(self.wcs.wcs.get_cdelt()[0]))

    @property
    def is_round(self) -> bool:
        """Whether the pixels go once around the sky, so that the last column is next to the first."""
        return self._period is not None and abs(self._period - self.shape[1]) < 1e-6

    def contains(self, lon: Any, lat: Any) -> Bool[np.ndarray, "*n"]:
        """True for directions [deg, frame of the grid] that lie in a pixel; a pixel holds its lower edges.

        >>> SkyGrid.create((0.0, 0.0), width=2.0, binsz=1.0).contains([0.5, 1.5], [0.0, 0.0])
        array([ True, False])
        """
        x, y = self.pixel(lon, lat)
        # NaN fails every comparison and counts as outside
        return (x >= -0.5) & (x < self.shape[1] - 0.5) & (y >= -0.5) & (y < self.shape[0] - 0.5)

    def separation(self, lon: Any, lat: Any) -> Image:
        """Angle [deg] of each pixel centre from one direction [deg, frame of the grid], (lat, lon)."""
        return separation(lon, lat, *self.lonlat)

    @cached_property
    def solid_angle(self) -> Image:
        """Solid angle [sr] of each pixel, (lat, lon), its curved edges followed; 0 outside the projection.

        >>> float(SkyGrid.create(binsz=10.0).solid_angle.sum() / (4 * np.pi)).__round__(9)
        1.0
        """
        area = solid_angles(self.wcs, self.shape, self.pixel_scales)
        return np.where(np.isfinite(self.lonlat[0]), area, 0.0)

    # -- other grids

    def cutout(
        self, center: Any, width: Any, mode: Literal["trim", "strict"] = "trim"
    ) -> tuple["SkyGrid", tuple[slice, slice]]:
        """The part of the grid around a position, and its slices (lat, lon) in images of the whole grid.

        The number of pixels is `width` over the pixel size, rounded; `mode` says whether a part beyond the edge is
        trimmed or an error. The same pixels as Gammapy's `cutout`. Raises `ConfigError` where nothing is left.

        >>> part, pixels = SkyGrid.create((0.0, 0.0), npix=(10, 10), binsz=0.1).cutout((0.0, 0.0), 0.4)
        >>> part.shape, pixels
        ((4, 4), (slice(3, 7, None), slice(3, 7, None)))
        """
        if mode not in ("trim", "strict"):
            raise ConfigError(f"mode is 'trim' or 'strict', got {mode!r}")
        sizes = zip(_pair(width, "width"), self.pixel_scales, strict=True)
        lon, lat = _position(center, self.frame)
        nx, ny = (int(np.round(max(w / scale, 1.0))) for w, scale in sizes)
        x, y = (float(value) for value in self.pixel(lon, lat))
        if not np.isfinite(x + y):
            raise ConfigError(f"the cutout at {lon:g} {lat:g} deg ({self.frame}) lies outside the projection of {self}")
        (rows, whole_y), (columns, whole_x) = (
            _overlap(*axis) for axis in zip((y, x), (ny, nx), self.shape, strict=True)
        )
        if rows.start >= rows.stop or columns.start >= columns.stop:
            raise ConfigError(f"the cutout at {lon:g} {lat:g} deg ({self.frame}) lies outside {self}")
        if mode == "strict" and not (whole_y and whole_x):
            raise ConfigError(f"the cutout at {lon:g} {lat:g} deg ({self.frame}) lies beyond the edge of {self}")
        return self.part(rows, columns), (rows, columns)

    def part(self, rows: slice, columns: slice) -> "SkyGrid":
        """The grid of some rows and columns."""
        wcs = self.wcs.deepcopy()
        wcs.wcs.crpix = wcs.wcs.crpix - np.array([columns.start, rows.start])
        return SkyGrid(wcs, (rows.stop - rows.start, columns.stop - columns.start), self.frame)

    def shift(self, other: "SkyGrid") -> tuple[int, int] | None:
        """Row and column of the first pixel of a grid that has the same pixels as this one; None if it has others.

        They are negative, or beyond the edge, where the other grid reaches further.

        >>> grid = SkyGrid.create((0.0, 0.0), npix=(10, 10), binsz=0.1)
        >>> grid.shift(grid.part(slice(3, 7), slice(2, 4))), grid.shift(grid.upsample(2))
        ((3, 2), None)
        """
        x, y = (int(v) for v in np.rint(self.wcs.wcs.crpix - other.wcs.wcs.crpix))
        (ny, nx) = other.shape
        return (y, x) if self.part(slice(y, y + ny), slice(x, x + nx)) == other else None

    def downsample(self, factor: int) -> "SkyGrid":
        """Blocks of factor x factor pixels as pixels. Raises `ConfigError` unless the factor divides both sides."""
        factor = whole(factor, "factor")
        ny, nx = self.shape
        if ny % factor or nx % factor:
            raise ConfigError(f"{nx} x {ny} pixels cannot be joined in blocks of {factor} x {factor}")
        return SkyGrid(_scaled(self.wcs, float(factor)), (ny // factor, nx // factor), self.frame)

    def upsample(self, factor: int) -> "SkyGrid":
        """Each pixel cut into factor x factor pixels.

        >>> SkyGrid.create(npix=(4, 2), binsz=1.0).upsample(3).downsample(3).shape
        (2, 4)
        """
        factor = whole(factor, "factor")
        return SkyGrid(_scaled(self.wcs, 1.0 / factor), (self.shape[0] * factor, self.shape[1] * factor), self.frame)

    def coarse(self, binsz: Any) -> "SkyGrid":
        """The same part of the sky in other pixels, for responses that vary slowly (Gammapy's `to_binsz`).

        At least one pixel is left: responses of a small map on large pixels.
        """
        size = _pair(binsz, "binsz")
        npix = tuple(max(int(np.rint(w / b)), 1) for w, b in zip(self.width, size, strict=True))
        return SkyGrid.create(self.center, binsz=size, proj=self.proj, frame=self.frame, npix=npix)

    # -- regions

    def mask(self, regions: Any) -> Bool[np.ndarray, "lat lon"]:
        """True for pixels whose centre lies in the regions: one, several, or DS9 text, as `geom.region` takes them.

        >>> int(SkyGrid.create((83.63, 22.01), width=2.0, binsz=0.1).mask("icrs;circle(83.63, 22.01, 0.5)").sum())
        80
        """
        ra, dec = self.radec
        known = np.isfinite(ra)
        inside = region(regions).contains(np.where(known, ra, 0.0), np.where(known, dec, 0.0))
        return known & inside

    def weights(self, regions: Any, oversampling: int = 10) -> Image:
        """The share of each pixel that lies in the regions, (lat, lon), from a grid inside each pixel."""
        shares, chosen = np.zeros(self.shape), region(regions)
        near = _near(chosen, *self.radec, 2 * max(self.pixel_scales))
        if not near.any():
            return shares
        columns = np.flatnonzero(near.any(axis=0))
        columns = slice(int(columns[0]), int(columns[-1]) + 1)
        for row in np.flatnonzero(near.any(axis=1)):
            rows = slice(int(row), int(row) + 1)
            fine = self.part(rows, columns).upsample(oversampling).mask(chosen)
            shares[rows, columns] = fine.reshape(1, oversampling, -1, oversampling).mean(axis=(1, 3))
        return shares


def _near(given: Any, ra: Image, dec: Image, margin: float) -> Bool[np.ndarray, "lat lon"]:
    """True where a circle of `margin` [deg] around a direction may meet a region."""
    if isinstance(given, Compound):
        first = _near(given.first, ra, dec, margin)
        return first | _near(given.second, ra, dec, margin) if given.operator in ("or", "xor") else first
    lon, lat = given.center
    return separation(lon, lat, ra, dec) < given.extent + margin


def _overlap(middle: float, size: int, total: int) -> tuple[slice, bool]:
    """The part of `total` pixels that `size` pixels around a place cover, and whether all of these exist."""
    # the slack keeps a place on the edge of a pixel from going either way by rounding
    start = int(np.ceil(middle - size / 2 - 1e-6))
    return slice(max(start, 0), min(start + size, total)), start >= 0 and start + size <= total


def _wcs(center: tuple[float, float], size: tuple[float, float], proj: str, frame: Frame, crpix: list[float]) -> WCS:
    reference: Any = SkyCoord(0.0, 0.0, unit="deg", frame=frame).frame
    try:
        wcs = celestial_frame_to_wcs(reference, projection=proj)
        wcs.wcs.crpix, wcs.wcs.crval = crpix, center
        wcs.wcs.cdelt = -size[0], size[1]
        wcs.wcs.set()
    except Exception as error:  # wcslib and astropy have many of their own
        raise ConfigError(f"{proj!r} is no projection for a grid at {center}: {str(error).splitlines()[0]}") from error
    return wcs


def _scaled(wcs: WCS, factor: float) -> WCS:
    wcs = wcs.deepcopy()
    if wcs.wcs.has_cd():
        wcs.wcs.cd = wcs.wcs.cd * factor
    else:
        wcs.wcs.cdelt = wcs.wcs.cdelt * factor
    wcs.wcs.crpix = (wcs.wcs.crpix - 0.5) / factor + 0.5
    return wcs


def _turned(lon: Any, lat: Any, frame: str, to: str) -> tuple[Any, Any]:
    lon, lat = np.broadcast_arrays(np.asarray(lon, float), np.asarray(lat, float))
    position: Any = SkyCoord(lon, lat, unit="deg", frame=frame).transform_to(to)
    return position.spherical.lon.deg, position.spherical.lat.deg


def _position(center: Any, frame: str) -> tuple[float, float]:
    """(lon, lat) [deg] in a frame."""
    if isinstance(center, SkyCoord):
        if not center.isscalar:
            raise ConfigError(f"one position is needed, got {center.size}")
        spherical: Any = cast(Any, center.transform_to(frame)).spherical
        return float(spherical.lon.deg), float(spherical.lat.deg)
    try:
        if isinstance(center, str):
            raise TypeError("a name or text")
        lon, lat = (to_number(x, "deg", name) for x, name in zip(center, ("lon", "lat"), strict=True))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"a position is a SkyCoord or (lon, lat) in the frame of the grid, got {center!r}") from error
    if not (np.isfinite(lon) and abs(lat) <= 90):
        raise ConfigError(f"a position has a latitude in -90..90 deg, got lon {lon:g}, lat {lat:g}")
    return lon, lat


def _pair(value: Any, name: str) -> tuple[float, float]:
    """One angle or two (lon, lat) as positive numbers in deg."""
    pair = value if isinstance(value, tuple | list) or np.size(value) == 2 else (value, value)
    try:
        lon, lat = (to_number(x, "deg", name) for x in pair)
    except ValueError as error:
        raise ConfigError(f"{name} is one angle or two (lon, lat), got {value!r}") from error
    if not (0 < lon < np.inf and 0 < lat < np.inf):
        raise ConfigError(f"{name} must be above 0 deg, got {value}")
    return lon, lat


def _frame_of(wcs: WCS, where: str) -> Frame:
    lon, lat = (str(text).upper() for text in wcs.wcs.ctype)
    if lon.startswith("GLON") and lat.startswith("GLAT"):
        return "galactic"
    if lon.startswith("RA--") and lat.startswith("DEC-"):
        if str(wcs.wcs.radesys).upper() not in ("", "ICRS", "FK5"):
            raise FileFormatError(
                f"{where} is in {wcs.wcs.radesys}: maps in ICRS, FK5 or Galactic coordinates are read"
            )
        return "icrs"
    raise FileFormatError(
        f"{where} has no celestial WCS of the kind RA/DEC or GLON/GLAT: CTYPE1 = {lon!r}, CTYPE2 = {lat!r}"
    )


def _shape_of(header: fits.Header, where: str) -> tuple[int, int]:
    """(ny, nx): of the image, else as WCSSHAPE says."""
    sides = [header.get("NAXIS2"), header.get("NAXIS1")] if header.get("XTENSION") != "BINTABLE" else [None, None]
    if not all(isinstance(n, int) and n > 0 for n in sides):
        try:
            said = [int(n) for n in str(header.get("WCSSHAPE")).strip("() ,").split(",")]
            sides = [said[1], said[0]]
        except (ValueError, IndexError) as error:
            raise FileFormatError(
                f"{where} does not say how many pixels there are (NAXIS1, NAXIS2, WCSSHAPE)"
            ) from error
    return cast(tuple[int, int], (sides[0], sides[1]))
