"""What all spectral models share: values and integrals, sums and products, the hooks of files.

A model of one's own is one class with parameters declared by `param()` and a method `dnde(energy)` for ONE energy;
nothing needs to be registered. Built-in models carry Gammapy's tags and parameter names.
"""

from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from astropy import units as u

from gammajax._typing import Array, Float, Scalar
from gammajax.errors import ModelError, NotDefined
from gammajax.models.component import Component, parts
from gammajax.models.spectral.pieces import pieces
from gammajax.units import DNDE, FLUX, to_value

Nodes: TypeAlias = Float[Array | np.ndarray, "*bin node"]


class SpectralModel(Component):
    """Base of all spectral models: define `dnde(energy)` for one energy [TeV] -> [cm-2 s-1 TeV-1].

    >>> from gammajax import PowerLaw
    >>> PowerLaw(index=2.0)("10 TeV").unit.to_string()
    '1 / (TeV s cm2)'
    """

    def dnde(self, energy: Scalar) -> Scalar:
        """Differential flux at one energy [TeV], in cm-2 s-1 TeV-1."""
        raise NotDefined(f"{type(self).__name__} does not define dnde(energy)")

    @property
    def unit(self) -> str:
        """Unit of `dnde`: that of a differential flux, or "" for a factor on one."""
        return DNDE

    def integrate(self, nodes: Nodes, weights: Nodes, power: int = 0) -> Float[Array, "*bin"]:
        """Integral of `E^power dnde` over bins with the quadrature `nodes` [TeV] and `weights` of each.

        `weights` may carry a slowly varying factor besides, such as an efficiency. A model narrower than a bin
        overrides this with its closed form.
        """
        nodes = jnp.asarray(nodes)
        values = evaluate(self, nodes) * weights
        return jnp.sum(values * nodes**power if power else values, axis=-1)

    def kinks(self) -> list[float]:
        """Energies [TeV] at which the spectrum is not smooth: interactive integrals are split there."""
        return [x for part in parts(self) if isinstance(part, SpectralModel) for x in part.kinks()]

    def __call__(self, energy: Any) -> u.Quantity:
        """Differential flux at energies of any shape, with units; for interactive use."""
        energy = np.asarray(to_value(energy, "TeV", "energy"), dtype=float)
        flat = evaluate(self, jnp.asarray(energy.ravel()))
        return u.Quantity(np.asarray(flat).reshape(energy.shape), self.unit)

    def integral(self, energy_min: Any, energy_max: Any) -> u.Quantity:
        """Flux between two energies, `int dnde dE` [cm-2 s-1]; arrays of energies give one flux for each pair.

        Gauss-Legendre quadrature in ln E, eight nodes in each tenth of a decade, split at kinks.
        """
        return self._moment(energy_min, energy_max, 0)

    def energy_flux(self, energy_min: Any, energy_max: Any) -> u.Quantity:
        """Energy flux between two energies, `int E dnde dE` [TeV cm-2 s-1], by the same quadrature."""
        return self._moment(energy_min, energy_max, 1)

    def _moment(self, energy_min: Any, energy_max: Any, power: int) -> u.Quantity:
        low, high = (to_value(x, "TeV", n) for x, n in ((energy_min, "energy_min"), (energy_max, "energy_max")))
        split = pieces(low, high, self.kinks())
        values = np.asarray(_integrated(self, jnp.asarray(split.nodes), jnp.asarray(split.weights), power))
        flux = FLUX if self.unit == DNDE else "TeV"
        return u.Quantity(split.total(values), f"TeV {flux}" if power else flux)

    # -- sums and products -----------------------------------------------------------------------------------------

    def __add__(self, other: Any) -> "SpectralModel":
        return _combined(self, other, "add")

    def __radd__(self, other: Any) -> "SpectralModel":
        return _combined(other, self, "add")

    def __sub__(self, other: Any) -> "SpectralModel":
        return _combined(self, other, "sub")

    def __rsub__(self, other: Any) -> "SpectralModel":
        return _combined(other, self, "sub")

    def __mul__(self, other: Any) -> "SpectralModel":
        return _combined(self, other, "mul")

    def __rmul__(self, other: Any) -> "SpectralModel":
        return _combined(other, self, "mul")

    def __truediv__(self, other: Any) -> "SpectralModel":
        return _combined(self, other, "truediv")


class NormSpectralModel(SpectralModel):
    """Base of models without unit, which multiply a flux: `dnde` is a plain number.

    >>> class Wiggle(NormSpectralModel):                                                # doctest: +SKIP
    ...     depth: Scalar = param(0.1)
    ...     def dnde(self, energy):
    ...         return 1 + self.depth * jnp.sin(jnp.log(energy))
    """

    @property
    def unit(self) -> str:
        return ""


def _combined(left: Any, right: Any, operator: str) -> SpectralModel:
    # The compound stands in a file of its own, which needs this one.
    from gammajax.models.spectral.compound import combined

    return combined(left, right, operator)


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


@eqx.filter_jit
def _integrated(model: SpectralModel, nodes: Array, weights: Array, power: int) -> Array:
    return model.integrate(nodes, weights, power)
