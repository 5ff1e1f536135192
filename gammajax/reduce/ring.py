"""Background from a ring around each pixel: cubes with a modelled background become on-off cubes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from gammajax._typing import Bool, Float
from gammajax.checks import above_zero
from gammajax.datasets.cube import MapDataset, MapDatasetOnOff
from gammajax.errors import ConfigError, DatasetError
from gammajax.geom.grid import SkyGrid
from gammajax.geom.mask import ExclusionMask
from gammajax.io.regions import exclusion_mask
from gammajax.numeric.convolve import Images, ring
from gammajax.units import to_number

Cube = Float[np.ndarray, "energy lat lon"]
Kernel = Bool[np.ndarray, "lat lon"]


@dataclass(frozen=True)
class RingBackground:
    """Off counts of each pixel from a ring around it, energy by energy (Gammapy's `RingBackgroundMaker`).

    With K the pixels whose centres are from `r_in` to `r_in + width` away, and u the safe pixels outside of
    `exclusion_mask` (a mask, a region, DS9 text, a list of regions, or a file of one of these):

        acceptance = background,  acceptance_off = K * (background u),  counts_off = K * (counts u)

    A bin without any off pixel is no safe bin. The background (that of the response, `exact`: see `IRFBackground`)
    gives the shape; its norm cancels. Distances are those of pixels of the size at the reference of the projection.
    Angles are numbers in deg, quantities or text.

    Source: Berge, Funk & Hinton 2007, A&A 466, 1219, section 4.1.

    >>> RingBackground("0.5 deg", "0.3 deg", "icrs;circle(83.63, 22.01, 0.3)").r_out
    0.8
    """

    r_in: float
    width: float
    exclusion_mask: ExclusionMask | None
    exact: bool

    def __init__(self, r_in: Any, width: Any, exclusion_mask: Any = None, *, exact: bool = False):
        radii = {"r_in": _radius(r_in, "r_in"), "width": _radius(width, "width")}
        _assign(self, **radii, exclusion_mask=_mask(exclusion_mask), exact=bool(exact))

    @property
    def r_out(self) -> float:
        """Outer radius [deg]."""
        return self.r_in + self.width

    def on_off(self, dataset: MapDataset) -> MapDatasetOnOff:
        """The cube with the off counts of its rings.

        Raises `DatasetError` for a cube without background, a ring without pixels, or if no bin has an off pixel.
        """
        field = _Field(dataset, self.exclusion_mask, self.r_out)
        off = field.off(field.kernel(self.r_in, self.r_out))
        return _with_off(dataset, off, off.number > 0, f"ring from {self.r_in:g} to {self.r_out:g} deg")


@dataclass(frozen=True)
class AdaptiveRingBackground:
    """Off counts from a larger ring where a small one holds too little (Gammapy's `AdaptiveRingBackgroundMaker`).

    Counts and acceptances are those of `RingBackground`.
    Rings grow in steps of `stepsize` as long as their outer radius is below `r_out_max`: "fixed_width" moves the ring
    outwards, "fixed_r_in" widens it. Each bin takes the first ring with `alpha <= threshold_alpha`; a bin that finds
    none is no safe bin. That alpha is the background within `theta` of the pixel over the acceptance of the ring; with
    theta = 0 that of the pixel alone.

    Gammapy 2.1 multiplies its `theta` by the size of a pixel, so that there it is 0 whatever is given. Here it acts:
    theta = 0, the default, gives the numbers of Gammapy. The acceptance of the result is that of the pixel in any case.

    >>> AdaptiveRingBackground("0.3 deg", "0.7 deg", "0.2 deg", stepsize="0.1 deg").radii
    ((0.3, 0.5), (0.4, 0.6))
    """

    r_in: float
    r_out_max: float
    width: float
    stepsize: float
    threshold_alpha: float
    theta: float
    method: Literal["fixed_width", "fixed_r_in"]
    exclusion_mask: ExclusionMask | None
    exact: bool

    def __init__(
        self,
        r_in: Any,
        r_out_max: Any,
        width: Any,
        stepsize: Any = "0.02 deg",
        threshold_alpha: float = 0.1,
        theta: Any = "0 deg",
        method: Literal["fixed_width", "fixed_r_in"] = "fixed_width",
        exclusion_mask: Any = None,
        *,
        exact: bool = False,
    ):
        if method not in ("fixed_width", "fixed_r_in"):
            raise ConfigError(f"the method of AdaptiveRingBackground is 'fixed_width' or 'fixed_r_in', got {method!r}")
        given = {"r_in": r_in, "r_out_max": r_out_max, "width": width, "stepsize": stepsize}
        radii = {name: _radius(value, name) for name, value in given.items()}
        angle = to_number(theta, "deg", "theta")
        if not 0 <= angle < 90:
            raise ConfigError(f"theta lies between 0 and 90 deg, got {angle:g} deg")
        alpha = above_zero(threshold_alpha, "threshold_alpha")
        _assign(self, **radii, threshold_alpha=alpha, theta=angle, method=method)
        _assign(self, exclusion_mask=_mask(exclusion_mask), exact=bool(exact))
        if not self.radii:
            raise ConfigError(
                f"no ring fits: r_in {self.r_in:g} deg and width {self.width:g} deg end at "
                f"{self.r_in + self.width:g} deg, which must be below r_out_max {self.r_out_max:g} deg"
            )

    @property
    def radii(self) -> tuple[tuple[float, float], ...]:
        """Inner and outer radius [deg] of each ring, in the order in which they are tried."""
        room = self.r_out_max - self.width - self.r_in
        steps = self.stepsize * np.arange(max(int(np.ceil(room / self.stepsize - 1e-9)), 0))
        moved = steps if self.method == "fixed_width" else np.zeros(len(steps))
        ends = zip(self.r_in + moved, self.r_in + self.width + steps, strict=True)
        return tuple((round(float(low), 12), round(float(high), 12)) for low, high in ends)

    def on_off(self, dataset: MapDataset) -> MapDatasetOnOff:
        """The cube with the off counts of the ring that each of its bins has chosen.

        Raises `DatasetError` for a cube without background, a ring without pixels, or if no bin finds a ring.
        """
        largest = max(self.radii[-1][1], self.theta)
        field = _Field(dataset, self.exclusion_mask, largest)
        around = field.around(self.theta)
        found = _Off(*(np.zeros(around.shape) for _ in _Off._fields))
        todo: np.ndarray = np.ones(around.shape, dtype=bool)
        for off in self._rings(field):
            # Without an acceptance alpha is infinite. In a flat field alpha is one over a whole number, and so may the
            # threshold be: then it is not for rounding to decide.
            enough = around <= (1 + 1e-9) * self.threshold_alpha * off.acceptance
            chosen = todo & (off.acceptance > 0) & enough
            found = _Off(*(np.where(chosen, new, old) for new, old in zip(off, found, strict=True)))
            todo &= ~chosen
            if not todo.any():
                break
        what = f"ring with an outer radius below {self.r_out_max:g} deg and alpha up to {self.threshold_alpha:g}"
        return _with_off(dataset, found, ~todo, what)

    def _rings(self, field: "_Field") -> Iterator["_Off"]:
        for r_in, r_out in self.radii:
            yield field.off(field.kernel(r_in, r_out))


Ring = RingBackground | AdaptiveRingBackground


class _Off(NamedTuple):
    """What rings hold, for each bin: counts, background, number of pixels."""

    counts: Cube
    acceptance: Cube
    number: Cube


class _Field:
    """A cube to be convolved with rings up to a radius [deg]."""

    def __init__(self, dataset: MapDataset, excluded: ExclusionMask | None, r_max: float):
        if not isinstance(dataset, MapDataset):
            raise DatasetError(f"a ring background is made from a MapDataset, not from {type(dataset).__name__}")
        self.name, self.grid = dataset.name, dataset.grid
        self.background = np.asarray(dataset.background)
        if not self.background.any():
            raise DatasetError(
                f"{self.name} has no background, whose shape a ring background needs as acceptance: reduce it with "
                "that of the response"
            )
        used = np.asarray(dataset.mask_safe) & _kept(dataset.grid, excluded)
        counts = np.where(used, np.asarray(dataset.counts), 0.0)
        self.whole = bool(np.all(counts == np.rint(counts)))
        filled = used & (self.background > 0)
        self.largest = ring(self.grid.pixel_scales, 0.0, r_max, self.grid.shape).shape
        parts = np.stack([counts, np.where(used, self.background, 0.0), filled.astype(float)])
        self.images = Images(parts, self.largest)

    def kernel(self, r_in: float, r_out: float) -> Kernel:
        """The pixels of a ring. Raises `DatasetError` if there are none beside that in the middle."""
        scales, (ny, nx) = self.grid.pixel_scales, self.grid.shape
        kernel = ring(scales, r_in, r_out, self.grid.shape)
        if np.sum(kernel) - kernel[kernel.shape[0] // 2, kernel.shape[1] // 2] > 0:
            return kernel
        if r_in > np.hypot((nx - 1) * scales[0], (ny - 1) * scales[1]):
            raise DatasetError(
                f"{self.name}: a ring from {r_in:g} to {r_out:g} deg is larger than the map, which is "
                f"{self.grid.width[0]:g} x {self.grid.width[1]:g} deg wide"
            )
        raise DatasetError(
            f"{self.name}: a ring from {r_in:g} to {r_out:g} deg holds no centre of a pixel, which are "
            f"{scales[0]:g} x {scales[1]:g} deg: choose a wider ring or smaller pixels"
        )

    def off(self, kernel: Kernel) -> _Off:
        """What the ring around each bin holds. What is zero is exactly zero, whatever an FFT makes of it."""
        counts, acceptance, number = self.images.convolved(kernel.astype(float))
        number = np.rint(number)
        counts, acceptance = (np.where(number > 0, np.maximum(x, 0.0), 0.0) for x in (counts, acceptance))
        return _Off(np.rint(counts) if self.whole else counts, acceptance, number)

    def around(self, theta: float) -> Cube:
        """The background within `theta` [deg] of each pixel centre."""
        if not theta:
            return self.background
        disk = ring(self.grid.pixel_scales, 0.0, theta, self.grid.shape)
        return Images(self.background, disk.shape).convolved(disk.astype(float))


def _with_off(
    dataset: MapDataset, off: _Off, has_off: Bool[np.ndarray, "energy lat lon"], what: str
) -> MapDatasetOnOff:
    """The on-off cube; `what` names the rings in the message if no safe bin has any."""
    safe = np.asarray(dataset.mask_safe) & has_off
    if not safe.any():
        raise DatasetError(
            f"{dataset.name}: no safe bin has a {what} that holds safe pixels outside of the excluded sky: choose a "
            "larger ring, or exclude less"
        )
    shared = ("name", "grid", "energy", "energy_true", "exposure", "counts", "mask_fit", "psf", "edisp", "provenance")
    fields: dict[str, Any] = {name: getattr(dataset, name) for name in shared}
    return MapDatasetOnOff(
        **fields,
        counts_off=off.counts,
        acceptance=dataset.background,
        acceptance_off=off.acceptance,
        mask_safe=safe,
        livetime=float(dataset.livetime),
    )


def _kept(grid: SkyGrid, excluded: ExclusionMask | None) -> Bool[np.ndarray, "lat lon"]:
    """The pixels that exist and are not excluded."""
    ra, dec = grid.radec
    known = np.isfinite(ra)
    if excluded is not None:
        known[known] = ~excluded.excluded(ra[known], dec[known])
    return known


def _mask(given: Any) -> ExclusionMask | None:
    if isinstance(given, np.ndarray):
        raise ConfigError(
            "exclusion_mask is a bare array, which does not say where its pixels are: give regions, "
            "read_exclusion_mask(file), or gammajax.geom.mask.ImageMask(keep, grid.wcs)"
        )
    return exclusion_mask(given)


def _radius(value: Any, name: str) -> float:
    found = to_number(value, "deg", name)
    if not 0 < found < 90:
        raise ConfigError(f"{name} lies between 0 and 90 deg, got {found:g} deg")
    return found


def _assign(frozen: Any, **fields: Any) -> None:
    for name, value in fields.items():
        object.__setattr__(frozen, name, value)
