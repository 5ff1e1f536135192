"""Effective area."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gammajax._typing import Scalar
from gammajax.io.irf import Response
from gammajax.irf.axis import Axis, coordinate
from gammajax.numeric.interp import floored_log, regular_grid
from gammajax.tables import Shown, numbers_text, range_text


class EffectiveArea(Shown, eqx.Module):
    """Effective area A(E, offset) [cm2] as a function of true energy, from GADF AEFF_2D.

    Linear in (ln E, offset) between bin centres or nodes, linearly extrapolated inside the outer half bins,
    zero beyond, never negative. `lo_thres`, `hi_thres` [TeV] bound the safe range in reconstructed energy and
    are NaN where the file gives none.
    """

    energy: Axis
    offset: Axis
    values: Float[Array, "energy offset"]
    lo_thres: Scalar
    hi_thres: Scalar

    def _about(self) -> dict[str, str]:
        return {
            "energy_true": self.energy.text("TeV"),
            "offset": self.offset.text("deg"),
            "area": range_text(self.values, "cm2"),
            "safe range": self._safe(),
        }

    @classmethod
    def from_response(cls, response: Response) -> "EffectiveArea":
        """From an AEFF_2D table as read by `gammajax.io.irf.read_response`."""
        return cls(
            energy=Axis.from_grid(response.axes["energy"]),
            offset=Axis.from_grid(response.axes["offset"]),
            values=jnp.asarray(response.values["EFFAREA"]),
            lo_thres=jnp.asarray(np.float64(response.lo_thres)),
            hi_thres=jnp.asarray(np.float64(response.hi_thres)),
        )

    def _safe(self) -> str:
        ends = (("from", self.lo_thres), ("up to", self.hi_thres))
        texts = [(word, numbers_text(x, "TeV")) for word, x in ends]
        return " ".join(f"{word} {text}" for word, text in texts if not text.startswith("nan"))

    def evaluate(self, energy_true: Any, offset: Any) -> Float[Array, "..."]:
        """Effective area [cm2] at true energy [TeV] and offset from the pointing [deg], broadcast together.

        Differentiable in both; source: GADF AEFF_2D with the evaluation rules of Gammapy 2.1.

        >>> from gammajax.io.irf import GridAxis
        >>> import numpy as np
        >>> aeff = EffectiveArea.from_response(Response(
        ...     "aeff_2d", {"energy": GridAxis.from_points(np.array([1.0, 100.0]), log=True),
        ...                 "offset": GridAxis.from_points(np.array([0.0, 1.0]))},
        ...     {"EFFAREA": np.array([[1e9, 0.0], [3e9, 0.0]])}))
        >>> float(aeff.evaluate("10 TeV", 0.5)) == 1e9
        True
        """
        return _aeff(self, coordinate(energy_true, "TeV", "energy_true"), coordinate(offset, "deg", "offset"))


@jax.jit
def _aeff(aeff: EffectiveArea, energy: Array, offset: Array) -> Array:
    found = regular_grid(
        [floored_log(aeff.energy.points), aeff.offset.points],
        [floored_log(aeff.energy.edges), aeff.offset.edges],
        aeff.values,
        [floored_log(energy), offset],
    )
    # extrapolation inside the outer half bins may cross zero
    return jnp.maximum(found, 0.0)
