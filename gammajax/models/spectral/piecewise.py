"""A factor with free values at chosen energies."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gammajax._typing import Array, Float, Scalar
from gammajax.errors import ModelError
from gammajax.models.spectral.base import NormSpectralModel
from gammajax.models.spectral.scale import SCALES, unscaled
from gammajax.params.field import ParamSpec, param, spec_of, table


class PiecewiseNormSpectralModel(NormSpectralModel):
    """A factor with free values `norms` at the energies `energy` [TeV], constant beyond both ends.

    `interp` is "log" for norms linear in ln-ln, "lin" for norms linear in E (of any sign), "sqrt" for roots linear in
    the root of E; norms of logarithms and roots cannot be negative. The parameters are called norm_0, norm_1, ...

    >>> PiecewiseNormSpectralModel(["0.1 TeV", "1 TeV", "10 TeV"]).norms.tolist()
    [1.0, 1.0, 1.0]
    """

    tag = ("PiecewiseNormSpectralModel", "piecewise-norm")
    energy: Float[Array, "node"] = table(unit="TeV")
    norms: Float[Array, "node"] = param()
    interp: str = eqx.field(static=True, default="log")

    def __init__(self, energy: Any, norms: Any = None, *, interp: str = "log"):
        self.energy, self.interp = energy, interp
        ones: Any = np.ones(np.shape(self.energy))
        self.norms = ones if norms is None else norms

    def __check_init__(self) -> None:
        if self.interp not in SCALES:
            raise ModelError(f"PiecewiseNormSpectralModel: interp {self.interp!r} is not one of {', '.join(SCALES)}")
        if all(isinstance(x, jax.Array) and not isinstance(x, Tracer) for x in (self.energy, self.norms)):
            energy = np.asarray(self.energy)
            if energy.ndim != 1 or energy.shape != self.norms.shape or energy.size < 2:
                raise ModelError(
                    f"PiecewiseNormSpectralModel has {np.size(energy)} energies and {np.size(self.norms)} norms; it "
                    "needs two lists of equal length, with at least 2 entries"
                )
            if not (energy[0] > 0 and np.all(np.diff(energy) > 0) and np.isfinite(energy[-1])):
                raise ModelError("PiecewiseNormSpectralModel: energies must be positive, finite and increasing")

    def dnde(self, energy: Scalar) -> Scalar:
        scale = SCALES[self.interp]
        found = jnp.interp(scale(energy), scale(self.energy), scale(self.norms))
        return found if self.interp == "lin" else unscaled(found, self.interp)

    def kinks(self) -> list[float]:
        return np.asarray(self.energy).tolist()

    def slots_of(self, name: str) -> Sequence[tuple[str, ParamSpec]] | None:
        spec = spec_of(type(self).__dataclass_fields__["norms"])
        if not isinstance(spec, ParamSpec):
            return None
        # A logarithm or a root is interpolated: the norms cannot be negative.
        spec = spec if self.interp == "lin" else replace(spec, lower=0.0)
        return [(f"norm_{i}", spec) for i in range(np.size(self.norms))]

    @classmethod
    def from_yaml(cls, content: Mapping[str, Any], where: str) -> dict[str, Any]:
        return {} if "interp" in content else {"interp": "log"}
