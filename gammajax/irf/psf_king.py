"""Point spread function of King's profile."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gammajax.io.irf import Response
from gammajax.irf.axis import Axis, coordinate
from gammajax.irf.psf import PER_SR, share_text
from gammajax.numeric.interp import floored_log, regular_grid
from gammajax.tables import Shown, range_text


class PSFKing(Shown, eqx.Module):
    """King profile dP/dOmega = (1 - 1/g) / (2 pi s^2) (1 + r^2 / (2 g s^2))^-g, from GADF PSF_KING.

    `gamma` (g) and `sigma` (s) [deg] are interpolated linearly in (ln E, offset) over the grid points that have a
    PSF (`filled`, 1 or 0; empty ones are written as g = s = 0, and g <= 1 has no finite integral), which are all in
    most places: Gammapy interpolates towards the empty ones, where the profile is none. Zero beyond the outer edges.
    """

    energy: Axis
    offset: Axis
    gamma: Float[Array, "energy offset"]
    sigma: Float[Array, "energy offset"]
    filled: Float[Array, "energy offset"]

    def _about(self) -> dict[str, str]:
        return {
            "energy_true": self.energy.text("TeV"),
            "offset": self.offset.text("deg"),
            "gamma": range_text(self.gamma),
            "sigma": range_text(self.sigma, "deg"),
            "filled": share_text(self.filled),
        }

    @classmethod
    def from_response(cls, response: Response) -> "PSFKing":
        """From a PSF_KING table as read by `gammajax.io.irf.read_response`."""
        gamma, sigma = response.values["GAMMA"], response.values["SIGMA"]
        filled = (gamma > 1) & (sigma > 0)
        return cls(
            energy=Axis.from_grid(response.axes["energy"]),
            offset=Axis.from_grid(response.axes["offset"]),
            gamma=jnp.asarray(np.where(filled, gamma, 0.0)),
            sigma=jnp.asarray(np.where(filled, sigma, 0.0)),
            filled=jnp.asarray(filled.astype(float)),
        )

    def evaluate(self, rad: Any, energy_true: Any, offset: Any) -> Float[Array, "..."]:
        """Density dP/dOmega [sr-1] at `rad` [deg] from the true direction, broadcast together; integrates to 1."""
        return _density(self, *_coordinates(rad, "deg", "rad", energy_true, offset))

    def containment(self, rad: Any, energy_true: Any, offset: Any) -> Float[Array, "..."]:
        """Fraction of photons within `rad` [deg]: 1 - (1 + r^2 / (2 g s^2))^(1 - g); zero where there is no PSF."""
        return _containment(self, *_coordinates(rad, "deg", "rad", energy_true, offset))

    def containment_radius(self, fraction: Any, energy_true: Any, offset: Any) -> Float[Array, "..."]:
        """Radius [deg] that contains `fraction` (0..1) of the photons; NaN where there is no PSF."""
        return _radius(self, *_coordinates(fraction, "", "fraction", energy_true, offset))


def _coordinates(first: Any, unit: str, what: str, energy_true: Any, offset: Any) -> tuple[Array, Array, Array]:
    return (
        coordinate(first, unit, what),
        coordinate(energy_true, "TeV", "energy_true"),
        coordinate(offset, "deg", "offset"),
    )


def _profile(psf: PSFKing, energy: Array, offset: Array) -> tuple[Array, Array, Array]:
    """g, s^2 [deg2] (harmless numbers without PSF), and where there is a PSF."""
    found = regular_grid(
        [floored_log(psf.energy.points), psf.offset.points],
        [floored_log(psf.energy.edges), psf.offset.edges],
        jnp.stack([psf.gamma, psf.sigma, psf.filled], axis=-1),
        [floored_log(energy), offset],
    )
    share = found[..., 2]
    whole = jnp.where(share > 0, share, 1.0)
    gamma, sigma = found[..., 0] / whole, found[..., 1] / whole
    ok = (share > 0) & (gamma > 1) & (sigma > 0)
    return jnp.where(ok, gamma, 2.0), jnp.where(ok, sigma, 1.0) ** 2, ok


@jax.jit
def _density(psf: PSFKing, rad: Array, energy: Array, offset: Array) -> Array:
    rad, energy, offset = jnp.broadcast_arrays(rad, energy, offset)
    gamma, variance, ok = _profile(psf, energy, offset)
    peak = PER_SR * (1.0 - 1.0 / gamma) / (2.0 * np.pi * variance)
    return jnp.where(ok, peak * (1.0 + rad**2 / (2.0 * gamma * variance)) ** -gamma, 0.0)


@jax.jit
def _containment(psf: PSFKing, rad: Array, energy: Array, offset: Array) -> Array:
    rad, energy, offset = jnp.broadcast_arrays(rad, energy, offset)
    gamma, variance, ok = _profile(psf, energy, offset)
    return jnp.where(ok, -jnp.expm1((1.0 - gamma) * jnp.log1p(rad**2 / (2.0 * gamma * variance))), 0.0)


@jax.jit
def _radius(psf: PSFKing, fraction: Array, energy: Array, offset: Array) -> Array:
    fraction, energy, offset = jnp.broadcast_arrays(fraction, energy, offset)
    gamma, variance, ok = _profile(psf, energy, offset)
    ok = ok & (fraction >= 0) & (fraction < 1)
    wanted = jnp.where(ok, fraction, 0.5)
    square = 2.0 * gamma * variance * jnp.expm1(jnp.log1p(-wanted) / (1.0 - gamma))
    positive = ok & (square > 0)
    return jnp.where(ok, jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1.0)), 0.0), jnp.nan)
