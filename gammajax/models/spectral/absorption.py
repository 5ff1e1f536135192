"""Absorption of gamma rays by the extragalactic background light (EBL)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from gammajax._typing import Array, Float, Scalar
from gammajax.errors import FileFormatError, ModelError
from gammajax.io.ebl import find_ebl, read_ebl
from gammajax.io.yaml import mapping, numbers, text
from gammajax.models.spectral.base import NormSpectralModel
from gammajax.params.field import ParamSpec, param, spec_of, table
from gammajax.units import conversion, to_value

_DENORMAL = 1.2e-38
"""Least float32 with all its digits: the tables are of single precision, and tau is not known beyond."""
_BELOW = 30
"""Nodes added below the least energy, where tau falls on as a power law."""


class EBLAbsorptionNorm(NormSpectralModel):
    r"""Transmission of the extragalactic background light, `exp(-alpha_norm tau(E, redshift))`.

    `energy` [TeV], `param` (redshifts) and `data` (transmissions, shape (redshift, energy)) are the table; `read` and
    `read_builtin` take it from a file. tau is interpolated by cubic Hermite splines in ln E and redshift, whose slopes
    are those of the parabolas through three neighbours: equal to the table at its nodes, with continuous first
    derivatives everywhere. (Where a coarse table starts to rise, tau swings below zero by up to 2e-5.) Beyond the table
    tau is

    - 0 at redshift 0, also where the table begins later, and linear in redshift above the last one (the natural
      bounds of `redshift` are 0 and the last one);
    - a falling power law in energy below the least energy, and linear in ln E above the greatest;
    - continued as a power law in energy where the transmission underflows (below 1.2e-38);
    - never negative: where a table falls towards its end, absorption ends beyond it.

    >>> EBLAbsorptionNorm.read_builtin("dominguez", redshift=0.117)                     # doctest: +SKIP
    """

    tag = ("EBLAbsorptionNormSpectralModel", "ebl-norm")
    redshift: Scalar = param(0.1, lower=0.0, frozen=True)
    alpha_norm: Scalar = param(1.0, frozen=True)
    nodes_z: Float[Array, "redshift"] = table()
    nodes_e: Float[Array, "energy"] = table()
    depth: Float[Array, "redshift energy"] = table()
    given: tuple[int, int] = eqx.field(static=True, default=(0, 0))
    """Where the table as given begins in the extended one."""
    filename: str = eqx.field(static=True, default="")

    def __init__(
        self,
        energy: Any,
        param: Any,
        data: Any,
        redshift: Any = 0.1,
        alpha_norm: Any = 1.0,
        *,
        filename: str | Path = "",
    ):
        energy = np.asarray(to_value(energy, "TeV", "EBLAbsorptionNorm.energy"))
        param, data = (np.asarray(to_value(x, "", "EBLAbsorptionNorm")) for x in (param, data))
        _check(energy, param, data)
        extended: Any = _extended(energy, param, data)
        self.nodes_z, self.nodes_e, self.depth, self.given = extended
        self.redshift, self.alpha_norm, self.filename = redshift, alpha_norm, str(filename)

    @classmethod
    def read(cls, filename: str | Path, redshift: Any = 0.1, alpha_norm: Any = 1.0) -> Self:
        """Read an XSPEC table model; a file that is not where it is said is looked for in `$GAMMAPY_DATA/ebl`.

        Raises `MissingFile`, `FileFormatError`.
        """
        path = find_ebl(filename)
        found = read_ebl(path)
        return cls(found.energy, found.redshift, found.transmission, redshift, alpha_norm, filename=path)

    @classmethod
    def read_builtin(cls, reference: str = "dominguez", redshift: Any = 0.1, alpha_norm: Any = 1.0) -> Self:
        """Read "dominguez", "franceschini", "finke", "franceschini17" or "saldana-lopez21" from the data folder.

        References: A. Dominguez et al., MNRAS 410, 2556 (2011); A. Franceschini et al., A&A 487, 837 (2008) and
        A&A 603, A34 (2017); J. D. Finke et al., ApJ 712, 238 (2010); A. Saldana-Lopez et al., MNRAS 507, 5144 (2021).
        Raises `MissingFile` if `$GAMMAJAX_DATA` and `$GAMMAPY_DATA` do not have it.
        """
        return cls.read(reference, redshift, alpha_norm)

    def optical_depth(self, energy: Scalar) -> Scalar:
        """tau at one energy [TeV] and the model's redshift, without `alpha_norm`."""
        # Below the added nodes tau is zero; a coordinate below would be extrapolated.
        x = jnp.maximum(jnp.log(energy), self.nodes_e[1])
        i, by_energy = _hermite(self.nodes_e, x)
        j, by_redshift = _hermite(self.nodes_z, self.redshift)
        patch = self.depth[j[:, None], i[None, :]]
        depth = jnp.sum(by_redshift[:, None] * by_energy[None, :] * patch)
        z, inner = self.redshift, (self.nodes_z[1], self.nodes_z[-2])
        beyond = (z < inner[0]) | (z > inner[1]) | (x > self.nodes_e[-2])
        return jnp.where(beyond, jnp.maximum(depth, 0.0), depth)

    def dnde(self, energy: Scalar) -> Scalar:
        return jnp.exp(-self.alpha_norm * self.optical_depth(energy))

    @property
    def transmission(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Energies [TeV], redshifts and transmissions as given (zeros continued)."""
        z, e = self.given
        depth = np.asarray(self.depth)[z:-1, e:-1]
        return np.exp(np.asarray(self.nodes_e)[e:-1]), np.asarray(self.nodes_z)[z:-1], np.exp(-depth)

    def slots_of(self, name: str) -> Sequence[tuple[str, ParamSpec]] | None:
        spec = spec_of(type(self).__dataclass_fields__[name])
        if name != "redshift" or not isinstance(spec, ParamSpec):
            return None
        return [(name, replace(spec, upper=float(self.nodes_z[-2])))]

    @classmethod
    def from_yaml(cls, content: Mapping[str, Any], where: str) -> dict[str, Any]:
        if "filename" in content:
            path = find_ebl(text(content["filename"], "the filename"))
            found = read_ebl(path)
            arrays = {"energy": found.energy, "param": found.redshift, "data": found.transmission}
            return {**arrays, "filename": str(path)}
        arguments = {}
        for key, name, unit in (("energy", "energy", "TeV"), ("param", "param", ""), ("values", "data", "")):
            if key not in content:
                raise FileFormatError(
                    f"an EBL model needs a filename, or the tables energy, param and values: no {key}"
                )
            part = mapping(content[key], key)
            factor = conversion(text(part.get("unit") or "", f"unit of {key}"), unit, key)
            arguments[name] = numbers(part.get("data"), f"data of {key}") * factor
        return arguments

    def to_yaml(self, content: dict[str, Any], gammapy: bool) -> dict[str, Any]:
        plain = {key: content[key] for key in ("type", "parameters")}
        if self.filename:
            return {**plain, "filename": self.filename}
        energy, redshift, values = (x.tolist() for x in self.transmission)
        inline = {"energy": (energy, "TeV"), "param": (redshift, ""), "values": (values, "")}
        return {**plain, **{key: {"data": x, "unit": unit} for key, (x, unit) in inline.items()}}


def _check(energy: np.ndarray, redshift: np.ndarray, data: np.ndarray) -> None:
    if energy.ndim != 1 or redshift.ndim != 1 or data.shape != (redshift.size, energy.size):
        raise ModelError(
            f"EBLAbsorptionNorm has {energy.size} energies, {redshift.size} redshifts and a table of shape "
            f"{data.shape}; expected (redshift, energy)"
        )
    if min(data.shape) < 2:
        raise ModelError(f"EBLAbsorptionNorm has a table of shape {data.shape}; at least 2 of each are needed")
    for x, what in ((energy, "energies"), (redshift, "redshifts")):
        if not (np.all(np.isfinite(x)) and x[0] >= 0 and np.all(np.diff(x) > 0)) or energy[0] == 0:
            raise ModelError(f"EBLAbsorptionNorm: {what} must be increasing and not negative")
    if not np.all((data >= 0) & (data <= 1)):
        raise ModelError("EBLAbsorptionNorm: transmissions must lie between 0 and 1")


def _extended(energy: np.ndarray, redshift: np.ndarray, data: np.ndarray):
    """Redshifts, ln E and tau with one more node at each end for the slopes there, and what the docstring tells."""
    x = np.log(energy)
    known = data >= _DENORMAL
    tau = -np.log(np.where(known, data, 1.0)) + 0.0
    for row, ok in zip(tau, known, strict=True):
        _continue(x, row, ok)
    step = x[1] - x[0]
    fall = np.array([_slope(row[:2], step) for row in tau])
    down = np.arange(_BELOW, 0, -1) * step
    below = tau[:, :1] * np.exp(-fall[:, None] * down)
    # Two zeros and a third for the slope: tau ends flat.
    below[:, :3] = 0.0
    end = 2 * tau[:, -1:] - tau[:, -2:-1]
    tau = np.concatenate([below, tau, end], axis=1)
    x = np.concatenate([x[0] - down, x, [2 * x[-1] - x[-2]]])
    z, first = redshift, 1
    if z[0] > 0:
        z, tau, first = np.concatenate([[0.0], z]), np.concatenate([np.zeros((1, tau.shape[1])), tau]), 2
    z = np.concatenate([[2 * z[0] - z[1]], z, [2 * z[-1] - z[-2]]])
    tau = np.concatenate([2 * tau[:1] - tau[1:2], tau, 2 * tau[-1:] - tau[-2:-1]])
    return z, x, tau, (first, _BELOW)


def _continue(x: np.ndarray, row: np.ndarray, ok: np.ndarray) -> None:
    """Go on as a power law in energy where the transmission is zero: in place."""
    if ok.all():
        return
    last = int(np.argmin(ok)) - 1
    if last < 1:
        row[:] = np.where(ok, row, 100.0)
        return
    slope = _slope(row[last - 1 : last + 1], x[last] - x[last - 1])
    row[last + 1 :] = row[last] * np.exp(max(slope, 0.0) * (x[last + 1 :] - x[last]))


def _slope(pair: np.ndarray, step: float) -> float:
    """d ln tau / d ln E between two neighbours; steep where the first is zero."""
    return float(np.log(pair[1] / pair[0]) / step) if pair.min() > 0 else 2.0


def _hermite(nodes: Float[Array, "node"], x: Scalar):
    """Positions of the four nodes around `x`, and their weights.

    `f(x) = h00 f1 + h10 d m1 + h01 f2 + h11 d m2` with the slopes `m` of the parabolas through three neighbours,
    which are linear in the values: so is the result.
    """
    # A sum is less to compile than a search, and as fast with this many nodes.
    i = jnp.clip(jnp.sum(nodes <= x) - 1, 1, nodes.size - 3)
    # Numbered 0 to 3, x lies between 1 and 2; above the last inner node the spline goes on as a straight line.
    n0, n1, n2, n3 = (nodes[i + k] for k in (-1, 0, 1, 2))
    d0, d1, d2 = n1 - n0, n2 - n1, n3 - n2
    t = (x - n1) / d1
    over, under = jnp.maximum(t - 1.0, 0.0), jnp.minimum(t, 0.0)
    t = jnp.clip(t, 0.0, 1.0)
    h10, h11 = t * (1 - t) ** 2 + under, t**2 * (t - 1) + over
    h01 = t**2 * (3 - 2 * t)
    # Slope times d1 at nodes 1 and 2: from the differences f1 - f0, f2 - f1, f3 - f2.
    a0, a1 = d1**2 / (d0 * (d0 + d1)), d0 / (d0 + d1)
    b1, b2 = d2 / (d1 + d2), d1**2 / (d2 * (d1 + d2))
    from0 = h10 * a0
    from1 = h01 + h10 * a1 + h11 * b1
    from2 = h11 * b2
    weights = jnp.stack([-from0, 1.0 + from0 - from1, from1 - from2, from2])
    return i + jnp.arange(-1, 3), weights
