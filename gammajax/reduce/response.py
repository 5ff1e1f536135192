"""Responses of a run at a region: exposure and energy dispersion kernel."""

import jax
import jax.numpy as jnp
import numpy as np

from gammajax._typing import Array, Edges, Exposure, Float, Kernel, Scalar
from gammajax.data import Observation
from gammajax.errors import ConfigError
from gammajax.geom.regions import Circle
from gammajax.geom.shapes import Region
from gammajax.irf import EffectiveArea, EnergyDispersion, PSF3Gauss, PSFKing, PSFTable
from gammajax.numeric.sphere import separation
from gammajax.reduce.counts import kind

PSF = PSFTable | PSF3Gauss | PSFKing


def response(
    observation: Observation,
    on: Region,
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
        if not isinstance(on, Circle):
            raise ConfigError(f"a containment correction is known for circles only, not for this {kind(on)}")
        if observation.psf is None:
            raise ConfigError(
                "a containment correction needs a PSF, and the run has none: containment_correction=False"
            )
        psf = observation.psf
    offsets, weights = np.array([offset]), np.ones(1)
    if not use_region_center:
        if isinstance(on, Circle) and on.radius is None:
            raise ConfigError("use_region_center=False needs an on region with a radius")
        ra, dec, weights = on.nodes()
        offsets = separation(*observation.pointing_radec, ra, dec)
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
        np.float64(on.extent),
    )


def exposure_and_kernel(
    aeff: EffectiveArea,
    edisp: EnergyDispersion,
    psf: PSF | None,
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


def _containment(psf: PSF, radius: Scalar, energy: Array, offset: Scalar) -> Exposure:
    if isinstance(psf, PSFTable):
        # Plain integral: what a table that ends early lacks is beyond its end, and so outside the region too.
        return psf.containment(radius, energy, offset, normalize=False)
    return psf.containment(radius, energy, offset)
