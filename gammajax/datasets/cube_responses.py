"""PSF and dispersion of a cube: checked, and brought to the bins and pixels of its counts."""

from typing import Any

import numpy as np
from scipy import ndimage

from gammajax._typing import Bool, Edges, Float
from gammajax.errors import DatasetError
from gammajax.geom.grid import SkyGrid
from gammajax.io.map_dataset import EdispMap, PsfMap
from gammajax.irf.mixture import MixturePSF, mixture_of, unspread

_PARALLEL = 0.1
"""Coarse pixels by which the rows and columns of a response may be bent in the map of the counts."""
_PLACES = 12
"""Rows and columns at which a response on another grid is looked up."""

OnPixels = tuple[Float[np.ndarray, "lon"], Float[np.ndarray, "lat"], Float[np.ndarray, "*n lat lon"]]


def check_responses(name: str, energy: Edges, energy_true: Edges, psf: PsfMap | None, edisp: EdispMap | None) -> None:
    """Raise `DatasetError` for responses that do not fit the axes, or are none; names dataset and part."""
    if psf is not None:
        _check_kind(name, "psf", psf, PsfMap)
        _check_values(name, "psf", psf, (len(psf.energy), len(psf.rad)))
    if edisp is None:
        if not np.array_equal(energy, energy_true):
            raise DatasetError(f"{name}: edisp may be left out only if energy and energy_true are the same axis")
        return
    _check_kind(name, "edisp", edisp, EdispMap)
    if not edisp.kernel or edisp.energy is None:
        raise DatasetError(f"{name}: edisp must be a kernel over energy, not a table over migra: reduce it first")
    _check_values(name, "edisp", edisp, (len(energy_true) - 1, len(energy) - 1))
    for axis, own, wanted in (("energy", edisp.energy, energy), ("energy_true", edisp.energy_true, energy_true)):
        own = np.asarray(own)
        if own.shape != wanted.shape or not np.allclose(own, wanted, rtol=1e-3):
            raise DatasetError(
                f"{name}: edisp has {axis} from {own[0]:.4g} to {own[-1]:.4g} TeV in {len(own) - 1} bins, the dataset "
                f"from {wanted[0]:.4g} to {wanted[-1]:.4g} TeV in {len(wanted) - 1}: give it the edges of the dataset"
            )


def _check_kind(name: str, part: str, response: Any, kind: type) -> None:
    if not isinstance(response, kind):
        raise DatasetError(f"{name}: {part} must be of type {kind.__name__}, got {type(response).__name__}")


def _check_values(name: str, part: str, response: PsfMap | EdispMap, axes: tuple[int, int]) -> None:
    values, grid = np.asarray(response.values), response.grid
    wanted = (*axes, *((1, 1) if grid is None else grid.shape))
    if values.shape != wanted:
        raise DatasetError(f"{name}: {part} has shape {values.shape}, its axes and pixels ask for {wanted}")
    if not np.all(np.isfinite(values)):
        raise DatasetError(f"{name}: {part} holds {np.sum(~np.isfinite(values))} values that are not finite")
    if not np.any(values > 0):
        raise DatasetError(f"{name}: {part} is zero everywhere, so that nothing would be predicted")


def psf_on(grid: SkyGrid, edges: Edges, psf: PsfMap | None, scale: float) -> tuple[MixturePSF, int]:
    """The PSF at the centres of bins of energy, and how many pixels of the grid it reaches.

    `scale` are the pixels of a degree where they are smallest, which may be far from the reference of the map.
    """
    if psf is None:
        return unspread(len(edges) - 1), 0
    density = interpolated(np.log(psf.energy), psf.values, np.log(np.sqrt(edges[1:] * edges[:-1])))
    x, y, density = _on_pixels(grid, psf.grid, density)
    # Pixels that differ in size by a percent must not add one more beyond the last radius of the table.
    reach = int(np.ceil(0.98 * psf.rad[-1] * scale)) + 1
    return mixture_of(psf.rad, density, x, y), min(reach, max(grid.shape))


def kernel_on(
    grid: SkyGrid, edisp: EdispMap | None, overlap: Float[np.ndarray, "energy_true energy"]
) -> tuple[Float[np.ndarray, "energy_true energy lat lon"], np.ndarray, np.ndarray]:
    """The dispersion, and the columns and rows at which it is known, as pixel coordinates; without one, `overlap`."""
    if edisp is None:
        return overlap[..., None, None], np.zeros(1), np.zeros(1)
    x, y, kernel = _on_pixels(grid, edisp.grid, np.asarray(edisp.values))
    return kernel, x, y


def interpolated(
    x: Float[np.ndarray, "energy"], values: Float[np.ndarray, "energy *n"], at: Float[np.ndarray, "bin"]
) -> Float[np.ndarray, "bin *n"]:
    """Linear interpolation of the first axis of `values`, constant beyond both ends."""
    if len(x) == 1:
        return np.repeat(values, len(at), axis=0)
    at = np.clip(at, x[0], x[-1])
    i = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    f = ((at - x[i]) / (x[i + 1] - x[i])).reshape(-1, *(1,) * (values.ndim - 1))
    return (1 - f) * values[i] + f * values[i + 1]


def _on_pixels(grid: SkyGrid, coarse: SkyGrid | None, values: np.ndarray) -> OnPixels:
    """Columns and rows of a response as pixel coordinates of the grid, both increasing, and values in that order.

    Where the rows and columns of `coarse` are none on the grid, as in another frame, it is looked up at evenly spread
    places. Pixels without response take that of the nearest one that has it: between the two it would fade.
    """
    if coarse is None or coarse.shape == (1, 1):
        return np.zeros(1), np.zeros(1), values
    values = _filled(values)
    x, y = grid.pixel(*grid.from_icrs(*coarse.radec))
    columns, rows = np.nanmedian(x, axis=0), np.nanmedian(y, axis=1)
    step = min(float(np.ptp(v)) / max(len(v) - 1, 1) for v in (columns, rows) if len(v) > 1)
    bent = np.abs(np.stack([x - columns, y - rows[:, None]])) > _PARALLEL * step
    if not bent.any() and np.all(np.isfinite([*columns, *rows])):
        right, down = np.argsort(columns), np.argsort(rows)
        return columns[right], rows[down], values[..., down, :][..., right]
    ny, nx = grid.shape
    columns, rows = (np.linspace(0.0, n - 1.0, min(n, _PLACES)) for n in (nx, ny))
    lon, lat = grid.wcs.wcs_pix2world(*np.meshgrid(columns, rows), 0)
    x, y = coarse.pixel(*coarse.from_icrs(*grid.to_icrs(lon, lat)))
    flat = values.reshape(-1, *values.shape[-2:])
    # Beyond the edges, and where the grid shows no sky, the nearest pixel stands.
    where = np.nan_to_num([y, x])
    found = [ndimage.map_coordinates(plane, where, order=1, mode="nearest") for plane in flat]
    return columns, rows, np.reshape(found, (*values.shape[:-2], *x.shape))


def _filled(values: Float[np.ndarray, "energy bin lat lon"]) -> Float[np.ndarray, "energy bin lat lon"]:
    """The response with pixels that have none, at an energy, filled from the nearest one that has it."""
    empty: Bool[np.ndarray, "energy lat lon"] = values.sum(axis=1) <= 0
    out = values.copy()
    for i in np.flatnonzero(empty.any(axis=(1, 2)) & ~empty.all(axis=(1, 2))):
        nearest: Any = ndimage.distance_transform_edt(empty[i], return_distances=False, return_indices=True)
        row, column = nearest
        out[i] = values[i][:, row, column]
    return out
