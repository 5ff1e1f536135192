"""Power laws with exponential and super-exponential cut-offs."""

import jax.numpy as jnp

from gammajax._typing import Scalar
from gammajax.models.spectral.base import NormSpectralModel, SpectralModel
from gammajax.models.spectral.closed import relative_expm1_2
from gammajax.params.field import param
from gammajax.units import DNDE, LEAST_ENERGY


def _power(x: Scalar, alpha: Scalar) -> Scalar:
    """`x |x|^(alpha - 1)`: equal to x for alpha = 1 on both sides of zero.

    It has the right derivatives at x = 0, where the fit of a source without cut-off ends (for alpha < 1 one stands
    for infinity).
    """
    zero = x == 0
    power = jnp.exp((alpha - 1.0) * jnp.log(jnp.where(zero, 1.0, jnp.abs(x))))
    return jnp.where(zero & (alpha > 1), 0.0, x) * power


class ExpCutoffPowerLaw(SpectralModel):
    r"""Power law with a cut-off, `dnde = amplitude (E / reference)^-index exp(-(lambda_ E)^alpha)`."""

    tag = ("ExpCutoffPowerLawSpectralModel", "ecpl")
    index: Scalar = param(1.5)
    amplitude: Scalar = param(1e-12, unit=DNDE)
    reference: Scalar = param(1.0, unit="TeV", lower=LEAST_ENERGY, frozen=True)
    lambda_: Scalar = param(0.1, unit="TeV-1")
    alpha: Scalar = param(1.0, frozen=True)

    def dnde(self, energy: Scalar) -> Scalar:
        cut = _power(self.lambda_ * energy, self.alpha)
        return self.amplitude * jnp.exp(-self.index * jnp.log(energy / self.reference) - cut)


class ExpCutoffPowerLawNorm(NormSpectralModel):
    r"""Power law with a cut-off as a factor, `norm (E / reference)^-index exp(-(lambda_ E)^alpha)`."""

    tag = ("ExpCutoffPowerLawNormSpectralModel", "ecpl-norm")
    index: Scalar = param(0.0)
    norm: Scalar = param(1.0)
    reference: Scalar = param(1.0, unit="TeV", lower=LEAST_ENERGY, frozen=True)
    lambda_: Scalar = param(0.1, unit="TeV-1")
    alpha: Scalar = param(1.0, frozen=True)

    def dnde(self, energy: Scalar) -> Scalar:
        cut = _power(self.lambda_ * energy, self.alpha)
        return self.norm * jnp.exp(-self.index * jnp.log(energy / self.reference) - cut)


class ExpCutoffPowerLaw3FGL(SpectralModel):
    r"""Cut-off of the Fermi-LAT catalogue 3FGL, `amplitude (E / reference)^-index exp((reference - E) / ecut)`."""

    tag = ("ExpCutoffPowerLaw3FGLSpectralModel", "ecpl-3fgl")
    index: Scalar = param(1.5)
    amplitude: Scalar = param(1e-12, unit=DNDE)
    reference: Scalar = param(1.0, unit="TeV", lower=LEAST_ENERGY, frozen=True)
    ecut: Scalar = param(10.0, unit="TeV", lower=LEAST_ENERGY, scale="log")

    def dnde(self, energy: Scalar) -> Scalar:
        cut = (self.reference - energy) / self.ecut
        return self.amplitude * jnp.exp(-self.index * jnp.log(energy / self.reference) + cut)


class SuperExpCutoffPowerLaw3FGL(SpectralModel):
    r"""Super-exponential cut-off of the Fermi-LAT catalogue 3FGL.

    `dnde = amplitude (E / reference)^-index_1 exp((reference / ecut)^index_2 - (E / ecut)^index_2)`.
    """

    tag = ("SuperExpCutoffPowerLaw3FGLSpectralModel", "secpl-3fgl")
    amplitude: Scalar = param(1e-12, unit=DNDE)
    reference: Scalar = param(1.0, unit="TeV", lower=LEAST_ENERGY, frozen=True)
    ecut: Scalar = param(10.0, unit="TeV", lower=LEAST_ENERGY, scale="log")
    index_1: Scalar = param(1.5)
    index_2: Scalar = param(2.0)

    def dnde(self, energy: Scalar) -> Scalar:
        start, end = (jnp.exp(self.index_2 * jnp.log(x / self.ecut)) for x in (self.reference, energy))
        return self.amplitude * jnp.exp(-self.index_1 * jnp.log(energy / self.reference) + start - end)


class SuperExpCutoffPowerLaw4FGL(SpectralModel):
    r"""Super-exponential cut-off of the Fermi-LAT catalogue 4FGL; `expfactor` belongs to energies in MeV.

    `dnde = amplitude (E / reference)^-index_1 exp(expfactor (reference^index_2 - E^index_2))`.
    """

    tag = ("SuperExpCutoffPowerLaw4FGLSpectralModel", "secpl-4fgl")
    amplitude: Scalar = param(1e-12, unit=DNDE)
    reference: Scalar = param(1.0, unit="TeV", lower=LEAST_ENERGY, frozen=True)
    expfactor: Scalar = param(1e-14)
    index_1: Scalar = param(1.5)
    index_2: Scalar = param(2.0)

    def dnde(self, energy: Scalar) -> Scalar:
        start, end = (jnp.exp(self.index_2 * jnp.log(1e6 * x)) for x in (self.reference, energy))
        cut = self.expfactor * (start - end)
        return self.amplitude * jnp.exp(-self.index_1 * jnp.log(energy / self.reference) + cut)


class SuperExpCutoffPowerLaw4FGLDR3(SpectralModel):
    r"""Super-exponential cut-off of 4FGL-DR3, `PLSuperExpCutoff4` of the Fermi tools.

    With `L = ln(E / reference)` and `b = index_2`,
    `dnde = amplitude exp(-index_1 L - expfactor (e^(b L) - 1 - b L) / b^2)`: local index and curvature at `reference`
    are `index_1` and `expfactor`. Finite through b = 0, where it is a log parabola.
    Reference: S. Abdollahi et al., ApJS 260, 53 (2022), eq. 4.
    """

    tag = ("SuperExpCutoffPowerLaw4FGLDR3SpectralModel", "secpl-4fgl-dr3")
    amplitude: Scalar = param(1e-12, unit=DNDE)
    reference: Scalar = param(1.0, unit="TeV", lower=LEAST_ENERGY, frozen=True)
    expfactor: Scalar = param(1e-2)
    index_1: Scalar = param(1.5)
    index_2: Scalar = param(2.0)

    def dnde(self, energy: Scalar) -> Scalar:
        x = jnp.log(energy / self.reference)
        cut = self.expfactor * x**2 * relative_expm1_2(self.index_2 * x)
        return self.amplitude * jnp.exp(-self.index_1 * x - cut)
