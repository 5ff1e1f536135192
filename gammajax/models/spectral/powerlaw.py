"""Constant and power laws: plain, by integral flux, as a factor, broken."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from astropy import units as u

from gammajax._typing import Array, Float, Scalar
from gammajax.errors import UnitMismatch
from gammajax.models.spectral.base import Nodes, NormSpectralModel, SpectralModel, evaluate
from gammajax.models.spectral.closed import bare_weights, bin_limits, power_integral
from gammajax.numeric.safe import safe_divide
from gammajax.params.field import ParamSpec, param, spec_of
from gammajax.units import DNDE, FLUX, LEAST_ENERGY, unit_of


class ConstantSpectralModel(SpectralModel):
    """The same value at all energies, `dnde = const`.

    A flux, or with a dimensionless `Quantity` a factor.

    >>> ConstantSpectralModel(2 * u.one).unit
    ''
    """

    tag = ("ConstantSpectralModel", "const")
    const: Scalar = param(1e-12, unit=DNDE)
    dimension: str = eqx.field(static=True, default=DNDE)

    def __init__(self, const: Any = 1e-12, *, dimension: str | None = None):
        self.dimension = dimension_of(const, "ConstantSpectralModel.const") if dimension is None else dimension
        self.const = u.Quantity(const).value if self.dimension == "" else const

    @property
    def unit(self) -> str:
        return self.dimension

    def dnde(self, energy: Scalar) -> Scalar:
        return self.const * jnp.ones_like(energy)

    def slots_of(self, name: str) -> Sequence[tuple[str, ParamSpec]] | None:
        spec = spec_of(type(self).__dataclass_fields__["const"])
        return [("const", replace(spec, unit=self.dimension))] if isinstance(spec, ParamSpec) else None

    @classmethod
    def from_yaml(cls, content: Mapping[str, Any], where: str) -> dict[str, Any]:
        listed = content.get("parameters")
        for entry in listed if isinstance(listed, list) else []:
            if isinstance(entry, dict) and entry.get("name") == "const" and "unit" in entry:
                return {"dimension": DNDE if unit_of(entry["unit"]) != u.one else ""}
        return {"dimension": DNDE}

    def to_yaml(self, content: dict[str, Any], gammapy: bool) -> dict[str, Any]:
        if self.dimension == "":
            content["parameters"][0].setdefault("unit", "")
        return {key: value for key, value in content.items() if key != "dimension"}


def dimension_of(x: Any, what: str) -> str:
    """DNDE or "": what a value measures, by its unit; bare numbers are fluxes. Raises `UnitMismatch`."""
    if not isinstance(x, u.Quantity | str):
        return DNDE
    unit = unit_of(u.Quantity(x).unit)
    if unit.is_equivalent(u.one):
        return ""
    if unit.is_equivalent(u.Unit(DNDE)):
        return DNDE
    raise UnitMismatch(f"{what} must be a differential flux ({DNDE}) or have no unit, got the unit {unit}")


class PowerLaw(SpectralModel):
    r"""Power law, `dnde = amplitude (E / reference)^-index`."""

    tag = ("PowerLawSpectralModel", "pl")
    index: Scalar = param(2.0)
    amplitude: Scalar = param(1e-12, unit=DNDE)
    reference: Scalar = param(1.0, unit="TeV", lower=LEAST_ENERGY, frozen=True)

    def dnde(self, energy: Scalar) -> Scalar:
        return self.amplitude * jnp.exp(-self.index * jnp.log(energy / self.reference))


class PowerLaw2(SpectralModel):
    r"""Power law by its flux `amplitude` between `emin` and `emax`, `dnde = amplitude E^-index / int E^-index dE`."""

    tag = ("PowerLaw2SpectralModel", "pl-2")
    amplitude: Scalar = param(1e-12, unit=FLUX)
    index: Scalar = param(2.0)
    emin: Scalar = param(0.1, unit="TeV", lower=LEAST_ENERGY, frozen=True)
    emax: Scalar = param(100.0, unit="TeV", lower=LEAST_ENERGY, frozen=True)

    def dnde(self, energy: Scalar) -> Scalar:
        # Energies in units of emin: the integral is of order one for any index.
        whole = self.emin * power_integral(self.index, jnp.ones_like(self.emin), self.emax / self.emin)
        return self.amplitude * jnp.exp(-self.index * jnp.log(energy / self.emin)) / whole


class PowerLawNorm(NormSpectralModel):
    r"""Power law as a factor, `norm (E / reference)^-tilt`."""

    tag = ("PowerLawNormSpectralModel", "pl-norm")
    tilt: Scalar = param(0.0, frozen=True)
    norm: Scalar = param(1.0)
    reference: Scalar = param(1.0, unit="TeV", lower=LEAST_ENERGY, frozen=True)

    def dnde(self, energy: Scalar) -> Scalar:
        return self.norm * jnp.exp(-self.tilt * jnp.log(energy / self.reference))


class BrokenPowerLaw(SpectralModel):
    r"""Two power laws that meet, `dnde = amplitude (E / ebreak)^-index1` below `ebreak`, with `index2` above."""

    tag = ("BrokenPowerLawSpectralModel", "bpl")
    index1: Scalar = param(2.0)
    index2: Scalar = param(2.0)
    amplitude: Scalar = param(1e-12, unit=DNDE)
    ebreak: Scalar = param(1.0, unit="TeV", lower=LEAST_ENERGY, scale="log")

    def dnde(self, energy: Scalar) -> Scalar:
        x = jnp.log(energy / self.ebreak)
        return self.amplitude * jnp.exp(-jnp.where(x < 0, self.index1, self.index2) * x)

    def integrate(self, nodes: Nodes, weights: Nodes, power: int = 0) -> Float[Array, "*bin"]:
        # The bin with the break in two parts: nodes would let the statistic jump where the break passes them.
        nodes = jnp.asarray(nodes)
        low, high = (jnp.log(x) for x in bin_limits(nodes))
        at = jnp.log(self.ebreak)
        here = (low < at) & (at < high)
        middle = jnp.where(here, at, low)
        share, weight = (jnp.broadcast_to(x, nodes.shape) for x in np.polynomial.legendre.leggauss(nodes.shape[-1]))
        exact = jnp.zeros_like(low)
        for index, first, last in ((self.index1, low, middle), (self.index2, middle, high)):
            half = 0.5 * (last - first)[..., None]
            t = first[..., None] + half * (1.0 + share)
            exact = exact + jnp.sum(half * weight * jnp.exp((power + 1.0) * t - index * (t - at)), axis=-1)
        values = evaluate(self, nodes) * (nodes**power if power else 1.0)
        found = jnp.sum(values * weights, axis=-1)
        # Weights may have a factor in them: its mean over the spectrum.
        factor = safe_divide(found, jnp.sum(values * bare_weights(nodes), axis=-1))
        return jnp.where(here, self.amplitude * exact * factor, found)

    def kinks(self) -> list[float]:
        return [float(self.ebreak)]


class SmoothBrokenPowerLaw(SpectralModel):
    r"""Two power laws that pass into each other.

    `dnde = amplitude (E / reference)^-index1 (1 + (E / ebreak)^((index2 - index1) / b))^-b` with
    `b = beta sign(index2 - index1)`. The formula jumps where the indices are equal, from 2^beta times a power law to
    2^-beta times it: there it is the latter, the limit of a spectrum that steepens, so that a fit can start from it
    (Gammapy 2.1 has the power law alone).
    """

    tag = ("SmoothBrokenPowerLawSpectralModel", "sbpl")
    index1: Scalar = param(2.0)
    index2: Scalar = param(2.0)
    amplitude: Scalar = param(1e-12, unit=DNDE)
    ebreak: Scalar = param(1.0, unit="TeV", lower=LEAST_ENERGY, scale="log")
    reference: Scalar = param(1.0, unit="TeV", lower=LEAST_ENERGY, frozen=True)
    beta: Scalar = param(1.0, frozen=True)

    def dnde(self, energy: Scalar) -> Scalar:
        # Differences of logarithms: their derivatives are less to compile than those of ratios.
        energy, ebreak, reference = jnp.log(energy), jnp.log(self.ebreak), jnp.log(self.reference)
        change = self.index2 - self.index1
        # softplus is ln(1 + e^x) without overflow
        sign = jnp.where(change < 0, -1.0, 1.0)
        step = self.beta * sign * jax.nn.softplus((energy - ebreak) * sign * change / self.beta)
        return self.amplitude * jnp.exp(self.index1 * (reference - energy) - step)
