"""Log parabolas."""

import math
from typing import Any

import jax.numpy as jnp

from gammajax._typing import Scalar
from gammajax.models.spectral.base import NormSpectralModel, SpectralModel
from gammajax.params.field import param
from gammajax.units import DNDE, LEAST_ENERGY, to_number


def _from_log10(cls: Any, *, beta: Any, **others: Any) -> Any:
    """The model of a `beta` that belongs to the decadic logarithm, as many publications give it."""
    natural: Any = to_number(beta, "", "beta") / math.log(10)
    return cls(beta=natural, **others)


class LogParabola(SpectralModel):
    r"""Log parabola, `dnde = amplitude (E / reference)^(-alpha - beta ln(E / reference))` (natural logarithm)."""

    tag = ("LogParabolaSpectralModel", "lp")
    amplitude: Scalar = param(1e-12, unit=DNDE)
    reference: Scalar = param(10.0, unit="TeV", lower=LEAST_ENERGY, frozen=True)
    alpha: Scalar = param(2.0)
    beta: Scalar = param(1.0)

    from_log10 = classmethod(_from_log10)

    def dnde(self, energy: Scalar) -> Scalar:
        x = jnp.log(energy / self.reference)
        return self.amplitude * jnp.exp(-(self.alpha + self.beta * x) * x)


class LogParabola2(SpectralModel):
    r"""Log parabola with two energies, `dnde = amplitude (E / reference)^(-alpha - beta ln(E / escale))`."""

    tag = ("LogParabola2SpectralModel", "lp2")
    amplitude: Scalar = param(1e-12, unit=DNDE)
    reference: Scalar = param(10.0, unit="TeV", lower=LEAST_ENERGY, frozen=True)
    alpha: Scalar = param(2.0)
    beta: Scalar = param(1.0)
    escale: Scalar = param(1.0, unit="TeV", lower=LEAST_ENERGY, frozen=True)

    from_log10 = classmethod(_from_log10)

    def dnde(self, energy: Scalar) -> Scalar:
        curved = self.alpha + self.beta * jnp.log(energy / self.escale)
        return self.amplitude * jnp.exp(-curved * jnp.log(energy / self.reference))


class LogParabolaNorm(NormSpectralModel):
    r"""Log parabola as a factor, `norm (E / reference)^(-alpha - beta ln(E / reference))`."""

    tag = ("LogParabolaNormSpectralModel", "lp-norm")
    norm: Scalar = param(1.0)
    reference: Scalar = param(10.0, unit="TeV", lower=LEAST_ENERGY, frozen=True)
    alpha: Scalar = param(0.0)
    beta: Scalar = param(0.0)

    from_log10 = classmethod(_from_log10)

    def dnde(self, energy: Scalar) -> Scalar:
        x = jnp.log(energy / self.reference)
        return self.norm * jnp.exp(-(self.alpha + self.beta * x) * x)
