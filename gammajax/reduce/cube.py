"""One run reduced to a cube: counts, background, exposure, PSF and energy dispersion on the sky."""

import numpy as np

from gammajax.data import Observation
from gammajax.datasets.binned import Provenance
from gammajax.datasets.cube import Cube, MapDataset
from gammajax.errors import EmptyRun
from gammajax.reduce.background import IRFBackground
from gammajax.reduce.cube_counts import background_map, count_map
from gammajax.reduce.cube_mask import safe_cube
from gammajax.reduce.cube_plan import CubePlan, part_of
from gammajax.reduce.cube_response import edisp_map, exposure_map, offsets_of, psf_map
from gammajax.reduce.fov_scale import BackgroundScale, FoVBackgroundScale
from gammajax.reduce.ring import AdaptiveRingBackground, RingBackground
from gammajax.reduce.safe_mask import SafeMask

CubeBackground = IRFBackground | FoVBackgroundScale | RingBackground | AdaptiveRingBackground


def reduce_map(
    observation: Observation,
    plan: CubePlan,
    background: CubeBackground | None,
    safe_mask: SafeMask,
    name: str,
) -> tuple[Cube, BackgroundScale | None]:
    """The cube of one run on the part of the grid around its pointing, and how its background was scaled.

    Raises `EmptyRun` for a run without livetime or without a pixel that it sees.
    """
    if not observation.livetime > 0:
        raise EmptyRun("the run has no livetime: its good time intervals are empty, or DEADC is 0")
    part = part_of(plan.grid, observation, 2.0 * plan.offset_max)
    rough = part_of(plan.coarse, observation, 2.0 * plan.offset_max)
    offset = offsets_of(part, observation)
    exposure = exposure_map(observation, plan.energy_true, offset)
    if not exposure.any():
        raise EmptyRun(_nothing(observation, plan, float(offset.min())))
    far = offsets_of(rough, observation)
    weight = exposure_map(observation, plan.energy_true, far)
    expected = None
    if background is not None:
        solid_angle = plan.grid.solid_angle[part.pixels]
        expected = background_map(observation, plan.energy, part, solid_angle, background.exact)
    dataset = MapDataset(
        name=name,
        grid=part.grid,
        energy=plan.energy,
        energy_true=plan.energy_true,
        counts=count_map(observation, plan.energy, part.grid),
        background=expected,
        exposure=exposure,
        psf=psf_map(observation, plan, rough.grid, far, weight),
        edisp=edisp_map(observation, plan, rough.grid, far, weight),
        livetime=observation.livetime,
        provenance=Provenance(observation.telescope, (observation.obs_id,), observation.gti),
    )
    dataset = safe_cube(safe_mask, dataset, observation, offset)
    if isinstance(background, FoVBackgroundScale):
        return background.scaled(dataset, part.ra, part.dec)
    if isinstance(background, RingBackground | AdaptiveRingBackground):
        return background.on_off(dataset), None
    return dataset, None


def _nothing(observation: Observation, plan: CubePlan, nearest: float) -> str:
    ends = np.asarray(observation.aeff.energy.edges)[[0, -1]]
    return (
        f"the response sees none of the pixels: the nearest is {nearest:.2f} deg from the pointing, and energy_true "
        f"goes from {plan.energy_true[0]:g} to {plan.energy_true[-1]:g} TeV; its effective area ends at "
        f"{float(np.asarray(observation.aeff.offset.edges)[-1]):g} deg and goes from {ends[0]:g} to {ends[1]:g} TeV"
    )
