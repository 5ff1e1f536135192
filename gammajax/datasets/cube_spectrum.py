"""Spectra of regions from cubes, as Gammapy's `to_spectrum_dataset`."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gammajax._typing import Bool, Exposure, Float, Kernel
from gammajax.datasets.spectrum import SpectrumDataset, SpectrumDatasetOnOff
from gammajax.errors import DatasetError
from gammajax.geom.axes import centers
from gammajax.geom.grid import SkyGrid
from gammajax.geom.regions import Circle
from gammajax.geom.resample import interpolate
from gammajax.geom.shapes import Region
from gammajax.io.map_dataset import PsfMap
from gammajax.io.regions import region

if TYPE_CHECKING:
    from gammajax.datasets.cube import MapDataset, MapDatasetOnOff


class _Part(NamedTuple):
    """A region of a cube: the pixels in it, and the fields that both kinds of spectra share."""

    pixels: Bool[np.ndarray, "lat lon"]
    safe: Bool[np.ndarray, "energy"]
    fields: dict[str, Any]

    def total(self, cube: Any) -> Float[np.ndarray, "energy"]:
        """The sum of a cube over the region, in its safe energies."""
        return self.safe * np.asarray(cube)[:, self.pixels].sum(axis=1)


def spectrum_of(
    dataset: "MapDataset", on_region: Any, containment_correction: bool, name: str | None
) -> SpectrumDataset:
    """The spectrum of a region; see `MapDataset.to_spectrum_dataset`."""
    part = _part(dataset, on_region, containment_correction, name)
    return SpectrumDataset(**part.fields, background=part.total(dataset.background))


def on_off_spectrum_of(
    dataset: "MapDatasetOnOff", on_region: Any, containment_correction: bool, name: str | None
) -> SpectrumDatasetOnOff:
    """The on-off spectrum of a region; see `MapDatasetOnOff.to_spectrum_dataset`."""
    part = _part(dataset, on_region, containment_correction, name)
    off, background = part.total(dataset.counts_off), part.total(dataset.background)
    accepted, accepted_off = part.total(dataset.acceptance), part.total(dataset.acceptance_off)
    mean = accepted / part.pixels.sum()
    # Where nothing was counted in the off bins, alpha is that of the acceptances.
    above, below = (np.where(background > 0, x, y) for x, y in ((off, accepted_off), (background, accepted)))
    return SpectrumDatasetOnOff(
        **part.fields,
        counts_off=off,
        acceptance=mean,
        acceptance_off=np.divide(mean * above, below, out=np.zeros_like(mean), where=below > 0),
    )


def _part(dataset: Any, on_region: Any, containment_correction: bool, name: str | None) -> _Part:
    chosen = region(on_region)
    pixels = _pixels(dataset.grid, chosen, dataset.name)
    safe, fit = (np.asarray(x)[:, pixels] for x in (dataset.mask_safe, dataset.mask_fit))
    _check_uniform(dataset, "mask_safe", safe)
    _check_uniform(dataset, "mask_fit", safe & fit)
    exposure = np.asarray(dataset.exposure)[:, pixels].mean(axis=1)
    if containment_correction:
        exposure = exposure * _containment(dataset, chosen)
    part = _Part(pixels, np.asarray(safe.any(axis=1)), {})
    part.fields.update(
        name=name or dataset.name,
        energy=np.asarray(dataset.energy),
        energy_true=np.asarray(dataset.energy_true),
        counts=part.total(dataset.counts),
        exposure=exposure,
        edisp=_kernel(dataset, chosen),
        livetime=float(dataset.livetime),
        mask_safe=part.safe,
        mask_fit=fit.any(axis=1),
        provenance=dataset.provenance,
    )
    return part


def _pixels(grid: SkyGrid, chosen: Region, name: str) -> Bool[np.ndarray, "lat lon"]:
    """The pixels whose centres lie in the region. Raises `DatasetError` unless all of it lies on the grid."""
    if isinstance(chosen, Circle) and chosen.radius is None:
        raise DatasetError(f"{name}: the spectrum of a cube needs a region with a radius, not a position alone")
    ny, nx = grid.shape
    # One more row and column on each side; a grid that goes once around the sky has no end in longitude.
    more = 0 if grid.is_round else 1
    around = grid.part(slice(-1, ny + 1), slice(-more, nx + more)).mask(chosen)
    pixels = around[1:-1, more : more + nx]
    if around.sum() > pixels.sum() or not (pixels.any() or grid.contains(*grid.from_icrs(*chosen.center))):
        where = "reaches beyond the edge of" if pixels.any() else "lies outside of"
        raise DatasetError(f"{name}: the region at {_place(chosen)} {where} {grid}: choose one that the cube holds")
    if not pixels.any():
        raise DatasetError(
            f"{name}: the region at {_place(chosen)} holds no centre of a pixel, being smaller than those of {grid}"
        )
    return pixels


def _place(chosen: Region) -> str:
    return f"{chosen.center[0]:.4f} {chosen.center[1]:+.4f} deg (ICRS)"


def _check_uniform(dataset: Any, key: str, mask: Bool[np.ndarray, "energy pixel"]) -> None:
    """Raise `DatasetError` if a mask cuts the region: the mean exposure would not belong to what is summed."""
    if np.any(cut := mask.any(axis=1) & ~mask.all(axis=1)):
        edges, k = np.asarray(dataset.energy), int(np.flatnonzero(cut)[0])
        raise DatasetError(
            f"{dataset.name}: {key} cuts the region in {int(cut.sum())} bins of energy, the first from {edges[k]:.4g} "
            f"to {edges[k + 1]:.4g} TeV with {int(mask[k].sum())} of {mask.shape[1]} pixels: choose a region inside of "
            "the mask, or a mask that takes whole energies"
        )


def _kernel(dataset: Any, chosen: Region) -> Kernel | None:
    """The dispersion at the centre of the region, between the pixels of its grid as cubes predict it."""
    if dataset.edisp is None:
        return None
    values: Any = _at_centre(np.asarray(dataset.edisp.values), dataset.edisp.grid, chosen)
    return values


def _at_centre(values: np.ndarray, grid: SkyGrid | None, chosen: Region) -> np.ndarray:
    if grid is None or grid.shape == (1, 1):
        return values[..., 0, 0]
    return interpolate(values, grid, *grid.from_icrs(*chosen.center))


def _containment(dataset: Any, chosen: Region) -> Exposure:
    """The share of a point source at the centre of a circle that is reconstructed in it, per true energy."""
    psf: PsfMap | None = dataset.psf
    if not isinstance(chosen, Circle) or chosen.radius is None:
        kind = type(chosen).__name__
        raise DatasetError(f"{dataset.name}: a containment correction is known for circles only, not for a {kind}")
    if psf is None:
        raise DatasetError(f"{dataset.name} has no PSF, which a containment correction needs")
    if psf.reco:
        raise DatasetError(f"{dataset.name}: a containment correction needs a PSF over true energy, its is over energy")
    density = _at_centre(psf.values, psf.grid, chosen)
    # The density is constant in each ring of the table.
    inside = np.clip(chosen.radius, psf.rad_edges[:-1], psf.rad_edges[1:])
    area = np.pi * (np.radians(inside) ** 2 - np.radians(psf.rad_edges[:-1]) ** 2)
    share: Any = np.interp(np.log(centers(dataset.energy_true)), np.log(psf.energy), density @ area)
    return share
