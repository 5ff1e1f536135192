"""One run reduced to a spectrum of one region: counts, background, exposure and energy dispersion."""

from typing import Any

import numpy as np

from gammajax._typing import Edges
from gammajax.data import Observation
from gammajax.datasets.binned import Provenance
from gammajax.datasets.spectrum import Spectrum, SpectrumDataset, SpectrumDatasetOnOff
from gammajax.errors import EmptyRun
from gammajax.geom.axes import count
from gammajax.geom.mask import ExclusionMask
from gammajax.geom.shapes import Region
from gammajax.numeric.sphere import separation
from gammajax.reduce.background import IRFBackground
from gammajax.reduce.counts import inside, on_off_counts, sized
from gammajax.reduce.phase import PhaseBackground
from gammajax.reduce.reflected import OffRegionFinder, ReflectedRegions
from gammajax.reduce.response import response

Background = OffRegionFinder | PhaseBackground | IRFBackground | None


def reduce_observation(
    observation: Observation,
    on: Region,
    *,
    energy: Edges,
    energy_true: Edges,
    background: Background = ReflectedRegions(),  # noqa: B008 - frozen
    exclusion_mask: ExclusionMask | None = None,
    containment_correction: bool = False,
    use_region_center: bool = True,
    name: str | None = None,
) -> Spectrum:
    """The spectrum of one run: on-off with off regions or phases, else against a known background (or none).

    exposure_i = Aeff(E_i, offset) * livetime [* containment(radius | E_i, offset)] at the geometric centres
    of the true-energy bins; the dispersion kernel is taken at the offset of the region's centre. With
    `use_region_center=False` the effective area (and the background of the response) is averaged over the region.
    `energy`, `energy_true` are edges [TeV]. The acceptance is 1 and the off acceptance the number of off regions, or
    both are the widths of the phase intervals.

    A point-like response decides the size of the region, which must be a circle: a fixed RAD_MAX must agree with its
    radius (or replaces `None`); a RAD_MAX table needs a circle without radius, and events are then cut at RAD_MAX(E)
    around every centre.

    Raises `EmptyRun` without livetime, events or off regions, `ConfigError` where region, response and corrections
    disagree. Source: GADF "Effective area", "RAD_MAX"; Gammapy 2.1 `SpectrumDatasetMaker`,
    `ReflectedRegionsBackgroundMaker`, `PhaseBackgroundMaker`.

    >>> reduce_observation(run, Circle(83.63, 22.01, 0.11), energy=edges, energy_true=edges)  # doctest: +SKIP
    """
    if not observation.livetime > 0:
        raise EmptyRun("the run has no livetime: its good time intervals are empty, or DEADC is 0")
    on = sized(on, observation.rad_max)
    kind, counted = _counted(observation, on, energy, background, exclusion_mask, use_region_center)
    offset = float(separation(*observation.pointing_radec, *on.center))
    exposure, kernel = response(observation, on, energy, energy_true, offset, containment_correction, use_region_center)
    if not np.any(np.asarray(exposure) > 0):
        area = observation.aeff
        raise EmptyRun(
            f"the response sees nothing at an offset of {offset:.2f} deg and energy_true from {energy_true[0]:g} to "
            f"{energy_true[-1]:g} TeV: its effective area ends at {float(area.offset.edges[-1]):g} deg and goes from "
            f"{float(area.energy.edges[0]):g} to {float(area.energy.edges[-1]):g} TeV"
        )
    return kind(
        name=str(observation.obs_id) if name is None else name,
        energy=energy,
        energy_true=energy_true,
        **counted,
        exposure=exposure,
        edisp=kernel,
        livetime=observation.livetime,
        provenance=Provenance(observation.telescope, (observation.obs_id,), observation.gti),
    )


def _counted(
    observation: Observation,
    on: Region,
    energy: Edges,
    background: Background,
    exclusion_mask: ExclusionMask | None,
    use_region_center: bool,
) -> tuple[type, dict[str, Any]]:
    """The kind of dataset, and what the events and the background of a run give for it."""
    if isinstance(background, PhaseBackground):
        counts, counts_off = background.counts(observation, on, energy)
        accepted = {"acceptance": background.acceptance, "acceptance_off": background.acceptance_off}
        return SpectrumDatasetOnOff, {"counts": counts, "counts_off": counts_off, **accepted}
    if background is None or isinstance(background, IRFBackground):
        counts = count(observation.events.energy[inside(observation, (on,), energy)[:, 0]], energy)
        expected = None if background is None else background.counts(observation, on, energy, use_region_center)
        return SpectrumDataset, {"counts": counts, "background": expected}
    counts, counts_off, n_off = on_off_counts(observation, on, energy, background, exclusion_mask)
    accepted = {"acceptance": 1.0, "acceptance_off": float(n_off)}
    return SpectrumDatasetOnOff, {"counts": np.asarray(counts), "counts_off": counts_off, **accepted}
