"""Nuisance models: what is not known about the response of datasets, as parameters with priors.

A nuisance acts on the datasets that it names, in one or more of three ways, each a method for ONE energy. A nuisance
of one's own is one class that overrides one of them; several nuisances on one dataset compose.
"""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from gammajax._typing import Array, Float, Scalar
from gammajax.errors import ModelError
from gammajax.params.field import Model, param, table
from gammajax.units import to_value


def names(x: Any) -> tuple[str, ...] | None:
    """Dataset names as a tuple: one name, several, or None for all."""
    return (x,) if isinstance(x, str) else None if x is None else tuple(x)


class Nuisance(Model):
    """Base of all nuisance models; `datasets_names` limits it to the datasets of these names (None: all).

    With the response R(E) = exposure and dispersion at the energy E, a spectrum phi predicts
    `mu = int phi(energy(E)) |d energy / dE| efficiency(E) R(E) dE + background(E') b`.

    >>> class Clouds(Nuisance):                                                         # doctest: +SKIP
    ...     depth: Scalar = param(0.0, lower=0.0)
    ...     def efficiency(self, energy):
    ...         return jnp.exp(-self.depth / energy)
    """

    tag: ClassVar[tuple[str, ...]] = ()
    datasets_names: tuple[str, ...] | None = eqx.field(static=True, default=None, converter=names, kw_only=True)

    def energy(self, energy: Scalar) -> Scalar:
        """Energy of the photons [TeV] to which the response at `energy` [TeV] belongs."""
        return energy

    def efficiency(self, energy: Scalar) -> Scalar:
        """Factor on the exposure at a true energy [TeV] of the response."""
        return jnp.ones_like(energy)

    def background(self, energy: Scalar) -> Scalar:
        """Factor on the background at a reconstructed energy [TeV]."""
        return jnp.ones_like(energy)

    @classmethod
    def bends(cls, what: str) -> bool:
        """True if the class defines `what`: "energy", "efficiency" or "background"."""
        return getattr(cls, what) is not getattr(Nuisance, what)


class EnergyScale(Nuisance):
    r"""Scale of the energies, `E -> E / (1 + delta)`: with delta > 0 a telescope reports energies that are too high.

    The predicted spectrum is `phi(E / (1 + delta)) / (1 + delta)`.
    Reference: C. Nigro et al., A&A 625, A10 (2019), section 4.4.
    """

    delta: Scalar = param(0.0, lower=-0.9, upper=9.0)

    def energy(self, energy: Scalar) -> Scalar:
        return energy / (1.0 + self.delta)


class ExposureNorm(Nuisance):
    """Factor `norm` on the exposure."""

    norm: Scalar = param(1.0, lower=0.0)

    def efficiency(self, energy: Scalar) -> Scalar:
        return self.norm * jnp.ones_like(energy)


class ExposureTilt(Nuisance):
    """Slope of the exposure in energy, factor `(E / reference)^tilt`."""

    tilt: Scalar = param(0.0)
    reference: Scalar = param(1.0, unit="TeV", frozen=True)

    def efficiency(self, energy: Scalar) -> Scalar:
        return jnp.exp(self.tilt * jnp.log(energy / self.reference))


class ExposureShape(Nuisance):
    """Piecewise shape of the exposure: `shifts` at the energies `nodes` [TeV], factor `exp(shift)`.

    The shifts are interpolated linearly in ln E and constant beyond both ends. One prior on "name.shifts.*" makes a
    band of allowed shapes.

    >>> ExposureShape(nodes=["0.1 TeV", "1 TeV", "10 TeV"]).shifts.shape
    (3,)
    """

    nodes: Float[Array, "node"] = table(unit="TeV")
    shifts: Float[Array, "node"] = param()

    def __init__(self, nodes: Any, shifts: Any = None, *, datasets_names: Any = None):
        # Field converters run after this: shape and order are looked at once units are gone.
        at = np.asarray(to_value(nodes, "TeV", "ExposureShape.nodes"), dtype=float)
        by = np.zeros(at.shape) if shifts is None else np.asarray(to_value(shifts, "", "ExposureShape.shifts"))
        if at.ndim != 1 or not np.all(at > 0) or not np.all(np.diff(at) > 0):
            raise ModelError("ExposureShape: nodes must be positive and increase")
        if by.shape != at.shape:
            raise ModelError(f"ExposureShape: {at.size} nodes need {at.size} shifts, got {by.size}")
        self.nodes, self.shifts, self.datasets_names = at, by, datasets_names  # type: ignore[assignment]

    def efficiency(self, energy: Scalar) -> Scalar:
        return jnp.exp(jnp.interp(jnp.log(energy), jnp.log(self.nodes), self.shifts))


class BackgroundNorm(Nuisance):
    """Factor on the background, `norm (E' / reference)^-tilt`.

    For on-off data it multiplies alpha, the ratio of the acceptances.
    """

    norm: Scalar = param(1.0, lower=0.0)
    tilt: Scalar = param(0.0, frozen=True)
    reference: Scalar = param(1.0, unit="TeV", frozen=True)

    def background(self, energy: Scalar) -> Scalar:
        return self.norm * jnp.exp(-self.tilt * jnp.log(energy / self.reference))
