"""Spectra given by a table."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from astropy import units as u
from jax.core import Tracer

from gammajax._typing import Array, Float, Scalar
from gammajax.errors import ModelError
from gammajax.io.yaml import mapping, numbers, text
from gammajax.models.spectral.base import SpectralModel
from gammajax.models.spectral.powerlaw import dimension_of
from gammajax.models.spectral.scale import SCALES, unscaled
from gammajax.params.field import table
from gammajax.units import DNDE, to_value, unit_of


class TemplateSpectralModel(SpectralModel):
    """Spectrum given by a table: linear interpolation of ln dnde in ln E, continued beyond both ends.

    `energy` [TeV] increasing, `values` [cm-2 s-1 TeV-1], or a factor if they come as dimensionless `Quantity`.
    `interp` is what is linear in ln E: "log" the logarithm of the values, "lin" the values, "sqrt" their root. Where
    the result would be negative it is zero. Nothing is fitted: multiply by `PowerLawNorm` for that.
    """

    tag = ("TemplateSpectralModel", "template")
    energy: Float[Array, "point"] = table(unit="TeV")
    values: Float[Array, "point"] = table(unit=DNDE)
    interp: str = eqx.field(static=True, default="log")
    dimension: str = eqx.field(static=True, default=DNDE)

    def __init__(self, energy: Any, values: Any, *, interp: str = "log", dimension: str | None = None):
        self.dimension = dimension_of(values, "TemplateSpectralModel.values") if dimension is None else dimension
        self.energy, self.interp = energy, interp
        bare: Any = to_value(values, "", "values") if self.dimension == "" and not _inside(values) else values
        self.values = bare

    def __check_init__(self) -> None:
        tables = (self.energy, self.values)
        if self.interp not in SCALES:
            raise ModelError(f"TemplateSpectralModel: interp {self.interp!r} is not one of {', '.join(SCALES)}")
        # Only tables that a person gave: transformations build instances from tracers and placeholders.
        if all(isinstance(x, jax.Array) and not isinstance(x, Tracer) for x in tables):
            _check_template(np.asarray(self.energy), np.asarray(self.values), self.interp)

    @property
    def unit(self) -> str:
        return self.dimension

    def dnde(self, energy: Scalar) -> Scalar:
        x, y = jnp.log(self.energy), SCALES[self.interp](self.values)
        t = jnp.log(energy)
        low = jnp.clip(jnp.searchsorted(x, t) - 1, 0, x.size - 2)
        return unscaled(y[low] + (t - x[low]) * (y[low + 1] - y[low]) / (x[low + 1] - x[low]), self.interp)

    def kinks(self) -> list[float]:
        return np.asarray(self.energy).tolist()

    @property
    def in_gammapy(self) -> bool:
        # Gammapy's files do not say how a table is interpolated.
        return self.interp == "log"

    @classmethod
    def from_yaml(cls, content: Mapping[str, Any], where: str) -> dict[str, Any]:
        if "values" not in content:
            return {}
        values = mapping(content["values"], f"{where}.values")
        unit = unit_of(text(values.get("unit") or "", f"unit of {where}.values"))
        data = u.Quantity(numbers(values.get("data"), f"data of {where}.values"), unit)
        return {"dimension": dimension_of(data, f"{where}.values"), "values": data}

    def to_yaml(self, content: dict[str, Any], gammapy: bool) -> dict[str, Any]:
        content["values"]["unit"] = self.dimension
        ours = {} if self.interp == "log" else {"interp": self.interp}
        return {key: x for key, x in content.items() if key not in ("dimension", "interp")} | ours


def _inside(x: Any) -> bool:
    """True for what transformations put in place of a table."""
    return isinstance(x, jax.Array) or type(x) is object


def _check_template(energy: np.ndarray, values: np.ndarray, interp: str) -> None:
    """Raise `ModelError` if the table cannot be interpolated."""
    wrong = (
        f"energies of shape {energy.shape} and values of shape {values.shape}; both must be lists of equal length"
        if energy.ndim != 1 or energy.shape != values.shape
        else f"{energy.size} points; at least 2 are needed"
        if energy.size < 2
        else "energies that are not positive, finite and increasing; sort them"
        if not (energy[0] > 0 and np.all(np.diff(energy) > 0) and np.isfinite(energy[-1]))
        else "values that are not finite; leave those points out"
        if not np.all(np.isfinite(values))
        else "negative values; leave those points out, or interpolate with interp='lin'"
        if interp != "lin" and not np.all(values >= 0)
        else ""
    )
    if wrong:
        raise ModelError(f"TemplateSpectralModel has {wrong}")
