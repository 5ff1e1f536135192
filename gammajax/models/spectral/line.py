"""Features in energy: a Gaussian line, and a Gaussian in the logarithm."""

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf

from gammajax._typing import Array, Float, Scalar
from gammajax.models.spectral.base import Nodes, SpectralModel
from gammajax.models.spectral.closed import bin_limits
from gammajax.params.field import param
from gammajax.units import FLUX, LEAST_ENERGY


class GaussianSpectralModel(SpectralModel):
    r"""Gaussian line, `dnde = amplitude / (sigma sqrt(2 pi)) exp(-(E - mean)^2 / (2 sigma^2))`.

    Its integral over a bin is that of the closed form (error function), however narrow the line.
    """

    tag = ("GaussianSpectralModel", "gauss")
    amplitude: Scalar = param(1e-12, unit=FLUX)
    mean: Scalar = param(1.0, unit="TeV")
    sigma: Scalar = param(2.0, unit="TeV", lower=LEAST_ENERGY)

    def dnde(self, energy: Scalar) -> Scalar:
        x = (energy - self.mean) / self.sigma
        return self.amplitude / (self.sigma * jnp.sqrt(2.0 * jnp.pi)) * jnp.exp(-0.5 * x**2)

    def integrate(self, nodes: Nodes, weights: Nodes, power: int = 0) -> Float[Array, "*bin"]:
        low, high = bin_limits(jnp.asarray(nodes))
        left, right = (low - self.mean) / self.sigma, (high - self.mean) / self.sigma
        inside = self.amplitude * 0.5 * (erf(right / np.sqrt(2.0)) - erf(left / np.sqrt(2.0)))
        if power:
            bell = (jnp.exp(-0.5 * left**2) - jnp.exp(-0.5 * right**2)) / np.sqrt(2.0 * np.pi)
            inside = self.mean * inside + self.amplitude * self.sigma * bell
        # Weights with a factor in them (an efficiency): its mean over the bin; zero for a padded bin.
        return inside * jnp.sum(jnp.asarray(weights), axis=-1) / (high - low)


class LogGaussianSpectralModel(SpectralModel):
    r"""Gaussian in ln E, `dnde = L / (E w sqrt(2 pi)) exp(-(ln(E / Ep))^2 / (2 w^2))`.

    Bump of the cosmic-ray electron spectrum; K. Bernloehr et al., Astropart. Phys. 43, 171 (2013), table 3.
    """

    L: Scalar = param(1e-12, unit=FLUX)
    Ep: Scalar = param(0.107, unit="TeV", lower=LEAST_ENERGY)
    w: Scalar = param(0.776, lower=1e-6)

    def dnde(self, energy: Scalar) -> Scalar:
        x = jnp.log(energy / self.Ep) / self.w
        return self.L / (energy * self.w * jnp.sqrt(2.0 * jnp.pi)) * jnp.exp(-0.5 * x**2)
