"""Spectral models: the differential flux of a source at one energy.

A model of one's own is one class with parameters declared by `param()` and a method `dnde(energy)` for ONE energy;
nothing needs to be registered. Built-in models carry Gammapy's tags and parameter names.
"""

import operator as python_operator
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from astropy import units as u
from jax.core import Tracer

from gammajax._typing import Array, Float, Scalar
from gammajax.errors import ModelError
from gammajax.numeric.quadrature import log_nodes
from gammajax.params.field import Model, param, table
from gammajax.units import DNDE, FLUX, to_value


class SpectralModel(Model):
    """Base of all spectral models: define `dnde(energy)` for one energy [TeV] -> [cm-2 s-1 TeV-1].

    >>> PowerLaw(index=2.0)("10 TeV").unit.to_string()
    '1 / (TeV s cm2)'
    """

    tag: ClassVar[tuple[str, ...]] = ()

    def dnde(self, energy: Scalar) -> Scalar:
        """Differential flux at one energy [TeV], in cm-2 s-1 TeV-1."""
        raise NotImplementedError(f"{type(self).__name__} does not define dnde(energy)")

    def __call__(self, energy: Any) -> u.Quantity:
        """Differential flux at energies of any shape, with units; for interactive use."""
        energy = np.asarray(to_value(energy, "TeV", "energy"), dtype=float)
        flat = evaluate(self, jnp.asarray(energy.ravel()))
        return u.Quantity(np.asarray(flat).reshape(energy.shape), DNDE)

    def integral(self, energy_min: Any, energy_max: Any, nodes: int = 64) -> u.Quantity:
        """Flux between two energies, `int dnde dE` [cm-2 s-1], by Gauss-Legendre quadrature in ln E."""
        return u.Quantity(self._moment(energy_min, energy_max, nodes, 0), FLUX)

    def energy_flux(self, energy_min: Any, energy_max: Any, nodes: int = 64) -> u.Quantity:
        """Energy flux between two energies, `int E dnde dE` [TeV cm-2 s-1], by the same quadrature."""
        return u.Quantity(self._moment(energy_min, energy_max, nodes, 1), f"TeV {FLUX}")

    def _moment(self, energy_min: Any, energy_max: Any, nodes: int, power: int) -> float:
        edges = [to_value(energy_min, "TeV", "energy_min"), to_value(energy_max, "TeV", "energy_max")]
        energy, weight = log_nodes(np.array(edges, dtype=float), nodes)
        return float(jnp.sum(evaluate(self, energy[0]) * weight[0] * energy[0] ** power))

    def __add__(self, other: "SpectralModel") -> "CompoundSpectralModel":
        return CompoundSpectralModel(self, _spectral(other), "add")

    def __mul__(self, other: "SpectralModel") -> "CompoundSpectralModel":
        return CompoundSpectralModel(self, _spectral(other), "mul")


def _spectral(model: Any) -> SpectralModel:
    if not isinstance(model, SpectralModel):
        raise ModelError(f"a spectral model combines with another spectral model, got {type(model).__name__}")
    return model


def evaluate(model: SpectralModel, energy: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`dnde` at energies [TeV] of any shape; raises `ModelError` if `dnde` returns more than one number.

    The person writes `dnde` for one energy; the library maps it.
    """
    flat = energy.reshape(-1)
    result = jax.eval_shape(model.dnde, jax.ShapeDtypeStruct((), flat.dtype))
    if getattr(result, "shape", None) != ():
        found = f"has shape {result.shape}" if hasattr(result, "shape") else f"is a {type(result).__name__}"
        raise ModelError(f"{type(model).__name__}.dnde must return one number for one energy, but its result {found}")
    return jax.vmap(model.dnde)(flat).reshape(energy.shape)


class PowerLaw(SpectralModel):
    r"""Power law, `dnde = amplitude (E / reference)^-index`."""

    tag = ("PowerLawSpectralModel", "pl")
    index: Scalar = param(2.0)
    amplitude: Scalar = param(1e-12, unit=DNDE)
    reference: Scalar = param(1.0, unit="TeV", frozen=True)

    def dnde(self, energy: Scalar) -> Scalar:
        return self.amplitude * jnp.exp(-self.index * jnp.log(energy / self.reference))


class ExpCutoffPowerLaw(SpectralModel):
    r"""Power law with a cut-off, `dnde = amplitude (E / reference)^-index exp(-(lambda_ E)^alpha)`."""

    tag = ("ExpCutoffPowerLawSpectralModel", "ecpl")
    index: Scalar = param(1.5)
    amplitude: Scalar = param(1e-12, unit=DNDE)
    reference: Scalar = param(1.0, unit="TeV", frozen=True)
    lambda_: Scalar = param(0.1, unit="TeV-1")
    alpha: Scalar = param(1.0, frozen=True)

    def dnde(self, energy: Scalar) -> Scalar:
        # x |x|^(alpha - 1): equal to x for alpha = 1 on both sides of zero, and with the right derivatives at
        # lambda_ = 0, where the fit of a source without cut-off ends (for alpha < 1 one stands for infinity).
        x = self.lambda_ * energy
        zero = x == 0
        power = jnp.exp((self.alpha - 1.0) * jnp.log(jnp.where(zero, 1.0, jnp.abs(x))))
        cut = jnp.where(zero & (self.alpha > 1), 0.0, x) * power
        return self.amplitude * jnp.exp(-self.index * jnp.log(energy / self.reference) - cut)


class LogParabola(SpectralModel):
    r"""Log parabola, `dnde = amplitude (E / reference)^(-alpha - beta ln(E / reference))` (natural logarithm)."""

    tag = ("LogParabolaSpectralModel", "lp")
    amplitude: Scalar = param(1e-12, unit=DNDE)
    reference: Scalar = param(10.0, unit="TeV", frozen=True)
    alpha: Scalar = param(2.0)
    beta: Scalar = param(1.0)

    def dnde(self, energy: Scalar) -> Scalar:
        x = jnp.log(energy / self.reference)
        return self.amplitude * jnp.exp(-(self.alpha + self.beta * x) * x)


class TemplateSpectralModel(SpectralModel):
    """Spectrum given by a table: linear interpolation of ln dnde in ln E, continued beyond both ends.

    `energy` [TeV] increasing, `values` [cm-2 s-1 TeV-1] positive. Nothing is fitted.
    """

    tag = ("TemplateSpectralModel", "template")
    energy: Float[Array, "point"] = table(unit="TeV")
    values: Float[Array, "point"] = table(unit=DNDE)

    def __check_init__(self) -> None:
        tables = (self.energy, self.values)
        # Only tables that a person gave: transformations build instances from tracers and placeholders.
        if all(isinstance(x, jax.Array) and not isinstance(x, Tracer) for x in tables):
            _check_template(*map(np.asarray, tables))

    def dnde(self, energy: Scalar) -> Scalar:
        x, y = jnp.log(self.energy), jnp.log(self.values)
        t = jnp.log(energy)
        low = jnp.clip(jnp.searchsorted(x, t) - 1, 0, x.size - 2)
        return jnp.exp(y[low] + (t - x[low]) * (y[low + 1] - y[low]) / (x[low + 1] - x[low]))


def _check_template(energy: np.ndarray, values: np.ndarray) -> None:
    """Raise `ModelError` if ln dnde cannot be interpolated in ln E."""
    wrong = (
        f"energies of shape {energy.shape} and values of shape {values.shape}; both must be lists of equal length"
        if energy.ndim != 1 or energy.shape != values.shape
        else f"{energy.size} points; at least 2 are needed"
        if energy.size < 2
        else "energies that are not positive, finite and increasing; sort them"
        if not (energy[0] > 0 and np.all(np.diff(energy) > 0) and np.isfinite(energy[-1]))
        else "values that are not positive and finite; leave those points out"
        if not np.all((values > 0) & np.isfinite(values))
        else ""
    )
    if wrong:
        raise ModelError(f"TemplateSpectralModel has {wrong}")


OPERATORS = {"add": python_operator.add, "mul": python_operator.mul}


class CompoundSpectralModel(SpectralModel):
    """Sum or product of two spectral models, made by `a + b` and `a * b`; `operator` is "add" or "mul"."""

    tag = ("CompoundSpectralModel", "compound")
    model1: SpectralModel
    model2: SpectralModel
    operator: str = eqx.field(static=True, default="add")

    def __check_init__(self) -> None:
        for part in (self.model1, self.model2):
            _spectral(part)
        if self.operator not in OPERATORS:
            raise ModelError(f"CompoundSpectralModel: operator {self.operator!r} is not one of {', '.join(OPERATORS)}")

    def dnde(self, energy: Scalar) -> Scalar:
        return OPERATORS[self.operator](self.model1.dnde(energy), self.model2.dnde(energy))
