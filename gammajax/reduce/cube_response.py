"""Responses of a run on the sky: exposure at every pixel, PSF and energy dispersion on a coarse grid."""

import numpy as np

from gammajax._typing import Edges, Float
from gammajax.data import Observation
from gammajax.errors import ConfigError, FileFormatError
from gammajax.geom.axes import centers
from gammajax.geom.grid import SkyGrid
from gammajax.io.map_dataset import EdispMap, PsfMap
from gammajax.irf import PSFTable
from gammajax.irf.axis import Axis
from gammajax.irf.edisp import NEGLIGIBLE
from gammajax.numeric.sphere import separation
from gammajax.reduce.cube_plan import CubePlan, Part

_STEP = 0.02
"""Responses that are not linear in the offset are evaluated at offsets this far apart [deg]: errors below 1e-4."""

Image = Float[np.ndarray, "lat lon"]


def offsets_of(part: Part, observation: Observation) -> Image:
    """Offset [deg] of each pixel from the pointing; far away outside of the projection."""
    found = separation(*observation.pointing_radec, part.ra, part.dec)
    return np.where(np.isfinite(found), found, 180.0)


def exposure_map(
    observation: Observation, energy_true: Edges, offset: Image
) -> Float[np.ndarray, "energy_true lat lon"]:
    """Exposure [cm2 s] at the centres of true-energy bins: Aeff(E, offset) times livetime.

    Linear in the offset between the points of the effective area, which is its interpolation rule.
    """
    aeff, center = observation.aeff, centers(energy_true)
    points, edges = np.asarray(aeff.offset.points), np.asarray(aeff.offset.edges)
    rows = np.asarray(aeff.evaluate(center[:, None], points)) * observation.livetime
    seen = (offset >= edges[0]) & (offset <= edges[-1])
    exposure = np.zeros((len(center), *offset.shape))
    exposure[:, seen] = np.maximum(_linear(points, rows.T, offset[seen]).T, 0.0)
    return exposure


def psf_map(
    observation: Observation,
    plan: CubePlan,
    coarse: SkyGrid,
    offset: Image,
    exposure: Float[np.ndarray, "energy lat lon"],
) -> PsfMap:
    """PSF at the centres of true-energy bins and of `rad` bins, normalised over `rad`, with the exposure as weight.

    Raises `FileFormatError` for a run without PSF, `ConfigError` for point-like responses.
    """
    psf = observation.psf
    if observation.rad_max is not None:
        raise ConfigError(
            "its response is point-like (RAD_MAX), which has no PSF and no field of view: reduce it with reduce_spectra"
        )
    if psf is None:
        raise FileFormatError("it has no PSF (PSF_TABLE, PSF_3GAUSS, PSF_KING), which a cube needs: use reduce_spectra")
    rad = np.asarray(0.5 * (plan.rad[1:] + plan.rad[:-1]))
    area = np.pi * np.diff(np.deg2rad(plan.rad) ** 2)
    grid = _grid_of_offsets(psf.offset, plan, linear=isinstance(psf, PSFTable))
    center = centers(plan.energy_true)
    at = (rad, center[:, None], grid[:, None, None])
    rows = np.asarray(psf.evaluate(*at, normalize=False) if isinstance(psf, PSFTable) else psf.evaluate(*at))
    values = np.maximum(_linear(grid, rows.reshape(len(grid), -1), np.minimum(offset.ravel(), grid[-1])), 0.0)
    values = values.reshape(-1, len(center), len(rad))
    total = values @ area
    values /= np.where(total > 0, total, 1.0)[..., None]
    return PsfMap(
        grid=coarse,
        energy=center,
        rad=rad,
        values=np.ascontiguousarray(np.moveaxis(values, 0, -1)).reshape(len(center), len(rad), *offset.shape),
        reco=False,
        rad_edges=plan.rad,
        energy_edges=plan.energy_true,
        exposure=exposure,
    )


def edisp_map(
    observation: Observation,
    plan: CubePlan,
    coarse: SkyGrid,
    offset: Image,
    exposure: Float[np.ndarray, "energy lat lon"],
) -> EdispMap:
    """Kernels (see `EnergyDispersion.kernel`) at the pixels of a coarse grid, with the exposure as weight."""
    edisp = observation.edisp
    # cells below zero are clipped after the interpolation, which is not linear then: close steps for all, one program
    grid = _grid_of_offsets(edisp.offset, plan, linear=False)
    rows, total = (np.asarray(x) for x in edisp.contents(plan.energy_true, plan.energy, grid))
    at = np.minimum(offset.ravel(), grid[-1])
    values = _linear(grid, rows.reshape(len(grid), -1), at).reshape(-1, *rows.shape[1:])
    whole = _linear(grid, total, at)[..., None]
    values = np.divide(values, whole, out=np.zeros_like(values), where=whole > 0)
    values[values < NEGLIGIBLE] = 0.0
    return EdispMap(
        grid=coarse,
        energy_true=plan.energy_true,
        energy=plan.energy,
        migra=None,
        values=np.ascontiguousarray(np.moveaxis(values, 0, -1)).reshape(*rows.shape[1:], *offset.shape),
        kernel=True,
        exposure=exposure,
    )


def _grid_of_offsets(axis: Axis, plan: CubePlan, linear: bool) -> Float[np.ndarray, "offset"]:
    """Offsets [deg] at which a response is evaluated: the same for all runs of an instrument, for one program.

    Beyond its outer edge a response is taken as at the edge: there the exposure is zero, and a PSF that were zero as
    well would weaken sources up to one coarse pixel inside.
    """
    points, edges = np.asarray(axis.points), np.asarray(axis.edges)
    first, last = max(0.0, float(edges[0])), min(float(edges[-1]), 1.5 * plan.offset_max + 1.0)
    steps = np.linspace(first, last, int(np.ceil((last - first) / _STEP)) + 1)
    if linear:
        # beyond the outer points tables go on linearly, and are clipped where they fall below zero
        steps = steps[(steps < points[0]) | (steps > points[-1])]
    return np.unique(np.concatenate([[first, last], steps, points[(points > first) & (points < last)]]))


def _linear(points: np.ndarray, rows: Float[np.ndarray, "node n"], x: Float[np.ndarray, "place"]) -> np.ndarray:
    """Rows interpolated linearly at `x`, and linearly extrapolated beyond the points, (place, n)."""
    if len(points) == 1:
        return np.repeat(rows, len(x), axis=0)
    index = np.clip(np.searchsorted(points, x, side="right") - 1, 0, len(points) - 2)
    share = ((x - points[index]) / (points[index + 1] - points[index]))[:, None]
    return (1.0 - share) * rows[index] + share * rows[index + 1]
