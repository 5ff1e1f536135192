"""Many cubes added up to one on a larger grid, one after the other."""

import dataclasses
from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np

from gammajax._typing import Float
from gammajax.datasets.binned import Provenance
from gammajax.datasets.cube import Cube, MapDataset, MapDatasetOnOff
from gammajax.errors import DatasetError
from gammajax.geom.grid import SkyGrid
from gammajax.reduce.stack import stack_off

C = TypeVar("C", MapDataset, MapDatasetOnOff)
Slices = tuple[slice, slice]


def stack_maps(datasets: Iterable[C], grid: SkyGrid | None = None, name: str = "stacked") -> C:
    """The sum of cubes of one kind with equal axes whose pixels are parts of `grid` (by default that of the first).

    With e_k the safe mask of run k, and u_k where it has any safe bin: counts = sum e_k n_k, background = sum e_k b_k,
    exposure = sum u_k x_k. The PSF is weighted with exposure, the dispersion with exposure and safe mask,
    `sum x_k R_k e_k / sum x_k u_k`, so that the predicted counts of the stack are the sum of those of the runs; the
    masks enter as the safe share of each coarse pixel, where Gammapy 2.1 takes the mask at its centre. A bin is safe,
    or in the fit, if it is so in any run.

    On-off cubes: off counts and acceptance are added up as the counts are, and the off acceptance is such that
    `alpha * counts_off` is the sum of the runs' backgrounds, as for `stack_spectra`: bins without off counts have the
    mean alpha of all bins (Gammapy 2.1 `MapDatasetOnOff.stack`).

    Raises `DatasetError` if there is nothing to stack, kinds or axes differ, or a cube lies on other pixels.

    >>> total = stack_maps(reduction, grid)  # doctest: +SKIP
    """
    stack = None
    for dataset in datasets:
        if not isinstance(dataset, Cube):
            raise DatasetError(f"stack_maps takes cubes, got {type(dataset).__name__}: stack_spectra takes spectra")
        if dataset.psf is not None and dataset.psf.reco:
            raise DatasetError(f"{dataset.name}: a PSF over reconstructed energy cannot be stacked: fit jointly")
        stack = CubeStack(dataset, dataset.grid if grid is None else grid) if stack is None else stack
        stack.add(dataset)
    if stack is None:
        raise DatasetError("there is no dataset to stack")
    total: Any = stack.dataset(name)
    return total


class CubeStack:
    """Sums over cubes, which need not be kept: `add` one after the other, then `dataset`."""

    def __init__(self, first: Cube, grid: SkyGrid):
        self.kind = type(first)
        self.grid, self.energy, self.energy_true = grid, np.asarray(first.energy), np.asarray(first.energy_true)
        n, m = len(self.energy) - 1, len(self.energy_true) - 1
        off = _OFF if isinstance(first, MapDatasetOnOff) else ()
        self.sums = {name: np.zeros((n, *grid.shape)) for name in ("counts", "background", *off)}
        self.mask_safe, self.mask_fit = np.zeros((2, n, *grid.shape), dtype=bool)
        self.exposure = np.zeros((m, *grid.shape))
        self.livetime, self.origins = 0.0, []
        self.psf = None if first.psf is None else _Weighted(first.psf, grid, first.name)
        self.edisp = None if first.edisp is None else _Weighted(first.edisp, grid, first.name)

    def add(self, dataset: Cube) -> None:
        """Add a cube. Raises `DatasetError`, naming it, where it does not fit."""
        self._check(dataset)
        at = (slice(None), *placed(self.grid, dataset.grid, f"{dataset.name}: its pixels"))
        safe = np.asarray(dataset.mask_safe)
        used: np.ndarray = np.any(safe, axis=0)
        for name, total in self.sums.items():
            total[at] += safe * np.asarray(getattr(dataset, name))
        self.exposure[at] += used * np.asarray(dataset.exposure)
        self.mask_safe[at] |= safe
        self.mask_fit[at] |= np.asarray(dataset.mask_fit)
        self.livetime += float(dataset.livetime) * bool(used.any())
        self.origins.append(dataset.provenance)
        for sums, response, mask in ((self.psf, dataset.psf, used[None]), (self.edisp, dataset.edisp, safe)):
            if sums is not None:
                sums.add(response, used, mask, at[1:], dataset.name)

    def _check(self, dataset: Cube) -> None:
        if type(dataset) is not self.kind:
            raise DatasetError(
                f"{dataset.name} is a {type(dataset).__name__}, the stack holds {self.kind.__name__}: only cubes of "
                "one kind can be stacked"
            )
        for axis in ("energy", "energy_true"):
            mine, other = getattr(self, axis), np.asarray(getattr(dataset, axis))
            if mine.shape != other.shape or not np.allclose(mine, other, rtol=1e-9):
                raise DatasetError(
                    f"{dataset.name}: {axis} has {len(other) - 1} bins from {other[0]:g} to {other[-1]:g} TeV, the "
                    f"stack has {len(mine) - 1} from {mine[0]:g} to {mine[-1]:g} TeV: only equal axes can be stacked"
                )
        for kind in ("psf", "edisp"):
            if (getattr(self, kind) is None) != (getattr(dataset, kind) is None):
                raise DatasetError(f"{dataset.name}: some of the cubes to be stacked have a {kind}, others have none")

    def dataset(self, name: str) -> Cube:
        """The sum so far."""
        psf, edisp = (None if sums is None else sums.mean() for sums in (self.psf, self.edisp))
        return self.kind(
            **self._added(),
            name=name,
            grid=self.grid,
            energy=self.energy,
            energy_true=self.energy_true,
            exposure=self.exposure,
            mask_safe=self.mask_safe,
            mask_fit=self.mask_fit,
            psf=psf,
            edisp=edisp,
            livetime=self.livetime,
            provenance=Provenance.merged(self.origins),
        )

    def _added(self) -> dict[str, Any]:
        """Counts and background, or off counts and acceptances."""
        if self.kind is MapDataset:
            return self.sums
        background, off = self.sums["background"], self.sums["counts_off"]
        accepted = stack_off(self.sums["acceptance"], self.sums["acceptance_off"], off, background)
        return {name: self.sums[name] for name in ("counts", *_OFF)} | {"acceptance_off": accepted}


_OFF = ("counts_off", "acceptance", "acceptance_off")


class _Weighted:
    """Sums over responses on a coarse grid, weighted with exposure and with the safe share of each coarse pixel.

    Where no pixel is safe the plain mean by exposure stands: a source next to the edge of the mask needs a response.
    """

    def __init__(self, first: Any, grid: SkyGrid, name: str):
        if first.grid is None:
            raise DatasetError(
                f"{name}: its {type(first).__name__} is one for the whole map: only responses on a grid "
                "of the sky can be stacked"
            )
        self.first = first
        self.grid = grid.coarse(_binsz(first.grid))
        self.of_pixel, self.number = _coarse_pixels(grid, self.grid)
        shape = (*first.values.shape[:2], *self.grid.shape)
        self.values, self.plain = np.zeros((2, *shape))
        self.weight, self.exposure = np.zeros((2, shape[0], *self.grid.shape))

    def add(self, response: Any, used: np.ndarray, mask: np.ndarray, fine: Slices, name: str) -> None:
        """Add a response; `mask` (energy or 1, lat, lon) are the safe bins of the cube, `used` whether there is any."""
        if response.exposure is None:
            raise DatasetError(f"{name}: its PSF and dispersion need their exposure (weights) to be stacked")
        if response.values.shape[:2] != self.values.shape[:2]:
            raise DatasetError(f"{name}: {type(response).__name__} has axes of another length than the stack")
        at = (..., *placed(self.grid, response.grid, f"{name}: the coarse pixels of its {type(response).__name__}"))
        exposure = response.exposure[:, None]
        self.values[at] += exposure * response.values * self._share(mask, fine)[at]
        self.plain[at] += exposure * response.values
        self.weight[at] += response.exposure * self._share(used[None], fine)[at]
        self.exposure[at] += response.exposure

    def _share(self, mask: np.ndarray, fine: Slices) -> Float[np.ndarray, "energy lat lon"]:
        """The part of each coarse pixel that is safe."""
        size = self.grid.shape[0] * self.grid.shape[1]
        index = self.of_pixel[fine]
        inside = index >= 0
        found = [np.bincount(index[inside], weights=one[inside], minlength=size) for one in mask]
        return np.stack(found).reshape(-1, *self.grid.shape) / np.maximum(self.number, 1)

    def mean(self) -> Any:
        """The weighted mean."""
        weight, exposure = self.weight[:, None], self.exposure[:, None]
        plain = np.divide(self.plain, exposure, out=np.zeros_like(self.plain), where=exposure > 0)
        values = np.divide(self.values, weight, out=plain, where=weight > 0)
        return dataclasses.replace(self.first, grid=self.grid, values=values, exposure=self.weight)


def _binsz(coarse: SkyGrid) -> float:
    return round(coarse.pixel_scales[0], 9)


def _coarse_pixels(grid: SkyGrid, coarse: SkyGrid) -> tuple[np.ndarray, np.ndarray]:
    """The coarse pixel (flat index, -1 for none) that holds the centre of each pixel, and how many it holds."""
    lon, lat = grid.lonlat
    x, y = (np.floor(np.nan_to_num(v, nan=-9.0) + 0.5).astype(int) for v in coarse.pixel(lon, lat))
    ny, nx = coarse.shape
    index = np.where((x >= 0) & (x < nx) & (y >= 0) & (y < ny), y * nx + x, -1)
    return index, np.bincount(index[index >= 0], minlength=ny * nx).reshape(ny, nx)


def placed(whole: SkyGrid, part: SkyGrid, what: str) -> Slices:
    """Slices (lat, lon) of the whole that are the pixels of a part. Raises `DatasetError` if it is no part."""
    if part is whole:
        return slice(0, part.shape[0]), slice(0, part.shape[1])
    found = whole.shift(part)
    ends = np.zeros(2) if found is None else np.add(found, part.shape)
    if found is None or min(found) < 0 or np.any(ends > whole.shape):
        raise DatasetError(f"{what} ({part}) are no part of the pixels of the stack ({whole}): reproject it first")
    return slice(found[0], int(ends[0])), slice(found[1], int(ends[1]))
