"""Spectra made of spectra: sums, products, quotients, and a spectrum times a number."""

import operator as python_operator
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from astropy import units as u

from gammajax._typing import Array, Float, Scalar
from gammajax.errors import ModelError
from gammajax.models.spectral.base import Nodes, SpectralModel, evaluate
from gammajax.models.spectral.powerlaw import ConstantSpectralModel
from gammajax.params.field import param

OPERATORS = {name: getattr(python_operator, name) for name in ("add", "sub", "mul", "truediv")}


class CompoundSpectralModel(SpectralModel):
    """Two spectral models combined by `+`, `-`, `*` or `/`; `operator` is "add", "sub", "mul" or "truediv".

    Sums and differences are of two fluxes or of two factors (models without unit), products of a flux and a factor
    or of two factors; a quotient divides by a factor, or a flux by a flux. Raises `ModelError` for others.
    """

    tag = ("CompoundSpectralModel", "compound")
    model1: SpectralModel
    model2: SpectralModel
    operator: str = eqx.field(static=True, default="add")

    def __check_init__(self) -> None:
        for part in (self.model1, self.model2):
            _spectral(part)
        if self.operator not in OPERATORS:
            raise ModelError(f"CompoundSpectralModel: operator {self.operator!r} is not one of {', '.join(OPERATORS)}")
        _unit(self.model1, self.model2, self.operator)

    @property
    def unit(self) -> str:
        return _unit(self.model1, self.model2, self.operator)

    def dnde(self, energy: Scalar) -> Scalar:
        return OPERATORS[self.operator](self.model1.dnde(energy), self.model2.dnde(energy))

    def integrate(self, nodes: Nodes, weights: Nodes, power: int = 0) -> Float[Array, "*bin"]:
        # Each part by its own rule: a line stays a line in a sum, and under absorption.
        first, second = self.model1, self.model2
        if self.operator in ("add", "sub"):
            parts = (part.integrate(nodes, weights, power) for part in (first, second))
            return OPERATORS[self.operator](*parts)
        if self.operator == "truediv":
            return first.integrate(nodes, weights / evaluate(second, jnp.asarray(nodes)), power)
        flux, factor = (second, first) if first.unit == "" else (first, second)
        return flux.integrate(nodes, weights * evaluate(factor, jnp.asarray(nodes)), power)


_SIGNS = {"add": "+", "sub": "-", "mul": "*", "truediv": "/"}


def _unit(first: SpectralModel, second: SpectralModel, operator: str) -> str:
    """Unit of the combination; raises `ModelError` where there is none."""
    units = (first.unit, second.unit)
    if operator in ("add", "sub") and units[0] == units[1]:
        return units[0]
    if operator == "mul" and "" in units:
        return units[0] or units[1]
    if operator == "truediv" and units[0] == units[1]:
        return ""
    if operator == "truediv" and units[1] == "":
        return units[0]
    kinds = ["a factor without unit" if unit == "" else "a flux" for unit in units]
    hint = {
        "add": "add fluxes",
        "sub": "subtract fluxes",
        "mul": "multiply a flux by a norm such as PowerLawNorm",
    }
    raise ModelError(
        f"{type(first).__name__} {_SIGNS[operator]} {type(second).__name__} combines {kinds[0]} with {kinds[1]}; "
        + hint.get(operator, "divide by a norm model")
    )


class ScaleSpectralModel(SpectralModel):
    """Another model times a number, `dnde = norm model.dnde`."""

    tag = ("ScaleSpectralModel", "scale")
    model: SpectralModel
    norm: Scalar = param(1.0)

    def __check_init__(self) -> None:
        _spectral(self.model)

    @property
    def unit(self) -> str:
        return self.model.unit

    def dnde(self, energy: Scalar) -> Scalar:
        return self.norm * self.model.dnde(energy)

    def integrate(self, nodes: Nodes, weights: Nodes, power: int = 0) -> Float[Array, "*bin"]:
        return self.norm * self.model.integrate(nodes, weights, power)

    def to_yaml(self, content: dict[str, Any], gammapy: bool) -> dict[str, Any]:
        if not gammapy:
            return content
        # Gammapy writes this model without the model inside, and reads none: there it is a product.
        fixed = [
            {"name": "tilt", "value": 0.0, "frozen": True},
            {"name": "reference", "value": 1.0, "unit": "TeV", "frozen": True},
        ]
        norm = {"type": "PowerLawNormSpectralModel", "parameters": [fixed[0], *content["parameters"], fixed[1]]}
        parts = {"model1": norm, "model2": content["model"]}
        return {"type": "CompoundSpectralModel", **parts, "operator": "mul"}


def combined(left: Any, right: Any, operator: str) -> CompoundSpectralModel:
    """`left operator right`; in sums, a number or `Quantity` stands for a constant. Raises `ModelError`."""
    first, second = (_operand(x, other, operator) for x, other in ((left, right), (right, left)))
    return CompoundSpectralModel(first, second, operator)


def _operand(x: Any, other: Any, operator: str) -> SpectralModel:
    if operator in ("add", "sub") and isinstance(x, int | float | u.Quantity | str) and not isinstance(x, bool):
        # A bare number is in the unit of the other model.
        bare = isinstance(x, int | float)
        return ConstantSpectralModel(x * u.one if bare and other.unit == "" else x)
    return _spectral(x)


def _spectral(model: Any) -> SpectralModel:
    if not isinstance(model, SpectralModel):
        hint = "; write ScaleSpectralModel(model, norm=...)" if isinstance(model, int | float | u.Quantity) else ""
        raise ModelError(f"a spectral model combines with another spectral model, got {type(model).__name__}{hint}")
    return model
