"""One run reduced to a spectrum of one region: counts, off counts, exposure and energy dispersion."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from gammajax._typing import Array, Edges, Exposure, Float, Kernel, Scalar
from gammajax.data import Observation
from gammajax.datasets.spectrum import Provenance, SpectrumDatasetOnOff
from gammajax.errors import ConfigError, EmptyRun
from gammajax.geom.axes import count
from gammajax.geom.mask import ExclusionMask
from gammajax.geom.regions import Circle, within
from gammajax.irf import EffectiveArea, EnergyDispersion, PSF3Gauss, PSFTable, RadMax
from gammajax.numeric.sphere import offset_by, separation
from gammajax.reduce.reflected import OffRegionFinder, ReflectedRegions, smallest_separation

RAD_MAX_RTOL = 1e-3
"""How far the radius of an on region may be from the fixed RAD_MAX of the response (Gammapy's tolerance)."""


def spectrum_on_off(
    observation: Observation,
    on: Circle,
    *,
    energy: Edges,
    energy_true: Edges,
    off_regions: OffRegionFinder = ReflectedRegions(),  # noqa: B008 - frozen
    exclusion_mask: ExclusionMask | None = None,
    containment_correction: bool = False,
    use_region_center: bool = True,
    name: str | None = None,
) -> SpectrumDatasetOnOff:
    """The on-off spectrum of one run, with acceptance 1 and off acceptance = number of off regions.

    exposure_i = Aeff(E_i, offset) * livetime [* containment(radius | E_i, offset)] at the geometric centres
    of the true-energy bins; the dispersion kernel is taken at the offset of the region's centre. With
    `use_region_center=False` the effective area is averaged over the region. `energy`, `energy_true` are
    edges [TeV].

    A point-like response decides the size of the region: a fixed RAD_MAX must agree with `on.radius` (or
    replaces `None`); a RAD_MAX table needs `on.radius=None`, and events are then cut at RAD_MAX(E) around
    every centre.

    Raises `EmptyRun` without livetime, events or off regions, `ConfigError` where region, response and corrections
    disagree. Source: GADF "Effective area", "RAD_MAX"; Gammapy 2.1 `SpectrumDatasetMaker`,
    `ReflectedRegionsBackgroundMaker`.

    >>> spectrum_on_off(run, Circle(83.63, 22.01, 0.11), energy=edges, energy_true=edges)  # doctest: +SKIP
    """
    if not observation.livetime > 0:
        raise EmptyRun("the run has no livetime: its good time intervals are empty, or DEADC is 0")
    rad_max = observation.rad_max
    on = sized(on, rad_max)
    offset = float(separation(*observation.pointing_radec, on.ra, on.dec))
    counts, counts_off, n_off = on_off_counts(observation, on, energy, off_regions, exclusion_mask)
    exposure, kernel = response(observation, on, energy, energy_true, offset, containment_correction, use_region_center)
    return SpectrumDatasetOnOff(
        name=str(observation.obs_id) if name is None else name,
        energy=energy,
        energy_true=energy_true,
        counts=counts,
        counts_off=counts_off,
        acceptance=1.0,
        acceptance_off=float(n_off),
        exposure=exposure,
        edisp=kernel,
        livetime=observation.livetime,
        provenance=Provenance(telescope=observation.telescope, obs_ids=(observation.obs_id,)),
    )


def sized(on: Circle, rad_max: RadMax | None) -> Circle:
    """The on region with the radius that the response asks for; None stays where the cut depends on energy.

    Raises `ConfigError` where the region and RAD_MAX contradict each other, or neither gives a radius.

    >>> sized(Circle(83.63, 22.01), RadMax.fixed(0.1)).radius
    0.1
    """
    if rad_max is None:
        if on.radius is None:
            raise ConfigError("the on region needs a radius: the response is not point-like (it has no RAD_MAX)")
        return on
    if not rad_max.is_fixed:
        if on.radius is not None:
            raise ConfigError("the response has a RAD_MAX table: give the on region without a radius")
        return on
    radius = float(np.asarray(rad_max.values).item())
    if on.radius is not None and abs(on.radius - radius) > RAD_MAX_RTOL * radius:
        raise ConfigError(f"the on radius is {on.radius:g} deg, but the response was made for RAD_MAX = {radius:g} deg")
    return replace(on, radius=radius if on.radius is None else on.radius)


def on_off_counts(
    observation: Observation,
    on: Circle,
    energy: Edges,
    off_regions: OffRegionFinder,
    exclusion_mask: ExclusionMask | None = None,
) -> tuple[Float[np.ndarray, "energy"], Float[np.ndarray, "energy"], int]:
    """Counts of the on region, summed counts of the off regions, and how many off regions there are.

    Regions are circles on the sky. Gammapy counts off events in circles of the tangent plane at the pointing,
    which differ in area by 1e-4 at an offset of 1 deg: of 50 000 off events at 0.9 deg, 5 change sides.

    Raises `EmptyRun` if the run has no events, or no off region is left, or regions overlap.
    """
    events = observation.events
    if len(events.energy) == 0:
        raise EmptyRun("the run has no events")
    copies = off_regions.find(on, observation.pointing_radec, exclusion_mask)
    if not copies:
        raise EmptyRun("no off region fits around the pointing outside the excluded sky")
    regions = (on, *copies)
    radius = _radius_of_events(observation, on, energy, regions) if on.radius is None else on.radius
    ra, dec = np.array([region.ra for region in regions]), np.array([region.dec for region in regions])
    hit = within(events.ra, events.dec, ra, dec, radius)
    # An event in two overlapping off regions counts once, as it would on the union of the regions.
    return (
        count(events.energy[hit[:, 0]], energy),
        count(events.energy[hit[:, 1:].any(axis=1)], energy),
        len(copies),
    )


def _radius_of_events(
    observation: Observation, on: Circle, energy: Edges, regions: tuple[Circle, ...]
) -> Float[np.ndarray, "event"]:
    """RAD_MAX [deg] at the energy of each event, zero outside the table."""
    rad_max = observation.rad_max
    if rad_max is None:
        raise ConfigError("the on region needs a radius: the response is not point-like (it has no RAD_MAX)")
    offset = float(separation(*observation.pointing_radec, on.ra, on.dec))
    # On the host and bin by bin: evaluating at the events would compile anew for every number of events.
    points, edges = np.asarray(rad_max.energy.points), np.asarray(rad_max.energy.edges)
    table = np.asarray(rad_max.evaluate(rad_max.energy.points, offset))
    between = np.sqrt(points[1:] * points[:-1])
    event_energy = observation.events.energy
    inside = (event_energy >= edges[0]) & (event_energy <= edges[-1])
    lowest, highest = np.searchsorted(between, [energy[0], energy[-1]])
    largest = float(np.max(table[lowest : highest + 1]))
    if largest == 0:
        raise EmptyRun(f"RAD_MAX is zero at all energies for an offset of {offset:g} deg: outside its table")
    if smallest_separation(regions) < 2 * largest:
        raise EmptyRun(f"on and off regions overlap where RAD_MAX = {largest:g} deg: choose fewer off regions")
    return np.where(inside, table[np.searchsorted(between, event_energy)], 0.0)


def response(
    observation: Observation,
    on: Circle,
    energy: Edges,
    energy_true: Edges,
    offset: float,
    containment_correction: bool = False,
    use_region_center: bool = True,
) -> tuple[Exposure, Kernel]:
    """Exposure [cm2 s] per true-energy bin and dispersion kernel of a run at the region.

    Raises `ConfigError` if a containment correction is asked for that the response does not allow.
    """
    psf = None
    if containment_correction:
        if observation.rad_max is not None:
            raise ConfigError(
                "a point-like response (RAD_MAX) holds the containment already: no containment correction"
            )
        if observation.psf is None:
            raise ConfigError("a containment correction needs a PSF, and the run has none")
        psf = observation.psf
    offsets, weights = np.array([offset]), np.ones(1)
    if not use_region_center:
        if on.radius is None:
            raise ConfigError("use_region_center=False needs an on region with a radius")
        offsets, weights = disk_offsets(on, observation.pointing_radec)
    # numpy arguments: moving them to the device one by one would compile a little program per shape
    return _response(
        observation.aeff,
        observation.edisp,
        psf,
        energy_true,
        energy,
        np.float64(offset),
        offsets,
        weights,
        np.float64(observation.livetime),
        np.float64(0.0 if on.radius is None else on.radius),
    )


def disk_offsets(
    on: Circle, pointing: tuple[float, float], rings: int = 6, spokes: int = 24
) -> tuple[Float[np.ndarray, "node"], Float[np.ndarray, "node"]]:
    """Offsets [deg] from the pointing of nodes in the region, and weights (sum 1) for an average over its
    area.

    Gauss-Legendre in r^2, uniform in angle: exact for polynomials in the two directions up to degree 11.
    """
    x, w = np.polynomial.legendre.leggauss(rings)
    radii = on.radius * np.sqrt((x + 1) / 2)
    angles = np.arange(spokes) * 360.0 / spokes
    lon, lat = offset_by(on.ra, on.dec, angles[:, None], radii)
    return separation(*pointing, lon, lat).ravel(), np.broadcast_to(w / (2 * spokes), (spokes, rings)).ravel()


def exposure_and_kernel(
    aeff: EffectiveArea,
    edisp: EnergyDispersion,
    psf: PSFTable | PSF3Gauss | None,
    energy_true: Float[Array, "edge_true"],
    energy: Float[Array, "edge"],
    offset: Scalar,
    offsets: Float[Array, "node"],
    weights: Float[Array, "node"],
    livetime: Scalar,
    radius: Scalar,
) -> tuple[Exposure, Kernel]:
    """Exposure [cm2 s] and dispersion kernel as a pure function of the responses, for a program of one's own.

    exposure_i = livetime * sum_k weights_k Aeff(E_i, offsets_k) [* containment(radius | E_i, offset)];
    differentiable in every argument. Edges in TeV, offsets and radius in deg, livetime in s.
    """
    center = jnp.sqrt(energy_true[1:] * energy_true[:-1])
    exposure = aeff.evaluate(center[:, None], offsets) @ weights * livetime
    if psf is not None:
        exposure = exposure * _containment(psf, radius, center, offset)
    return exposure, edisp.kernel(energy_true, energy, offset)


# A program that takes a millisecond per run: quick compilation is worth more than quick code.
_response = jax.jit(exposure_and_kernel, compiler_options={"xla_backend_optimization_level": 0})


def _containment(psf: PSFTable | PSF3Gauss, radius: Scalar, energy: Array, offset: Scalar) -> Exposure:
    if isinstance(psf, PSFTable):
        # Plain integral: what a table that ends early lacks is beyond its end, and so outside the region too.
        return psf.containment(radius, energy, offset, normalize=False)
    return psf.containment(radius, energy, offset)
