"""Correlated priors: one normal density over several parameters."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from jax.scipy.stats import norm

from gammajax._typing import Scalar
from gammajax.errors import PriorError
from gammajax.params.priors import Prior
from gammajax.units import to_number, to_value


@dataclasses.dataclass(frozen=True)
class MultiNormal:
    """Normal density of several parameters with means `mu`, widths `sigma` and a `correlation` matrix.

    `ln p = -(1/2) r^T C^-1 r - (1/2) ln |2 pi C|` with `r = (x - mu) / sigma` and the correlation C, up to the widths.
    `mu` and `sigma` are one number (with unit) for all parameters, or a list in the order of the paths.

    >>> prior = MultiNormal(mu=0.0, sigma=0.15, correlation=[[1.0, 0.5], [0.5, 1.0]])
    >>> models.prior(["scale_hess.delta", "scale_magic.delta"], prior)                  # doctest: +SKIP
    """

    mu: Any
    sigma: Any
    correlation: Any

    def shares(self, paths: Sequence[str], units: Sequence[str]) -> list["Share"]:
        """The part of each parameter in the prior. Raises `PriorError` if numbers and parameters do not match."""
        what = f"prior of {', '.join(paths)}"
        matrix = np.asarray(to_value(self.correlation, "", f"correlation in the {what}"), dtype=float)
        n = len(paths)
        if matrix.shape != (n, n):
            raise PriorError(f"the {what} needs a correlation matrix of shape {(n, n)}, got {matrix.shape}")
        if not np.allclose(matrix, matrix.T) or not np.allclose(np.diag(matrix), 1.0):
            raise PriorError(f"the correlation in the {what} must be symmetric, with ones on its diagonal")
        if not np.linalg.eigvalsh(matrix)[0] > 0:
            raise PriorError(f"the correlation in the {what} is not positive definite")
        mu, sigma = (_numbers(getattr(self, k), units, f"{k} in the {what}") for k in ("mu", "sigma"))
        if not np.all(sigma > 0):
            raise PriorError(f"sigma in the {what} must be positive")
        joint = Joint(tuple(paths), tuple(mu.tolist()), tuple(sigma.tolist()), tuple(map(tuple, matrix.tolist())))
        return [Share(joint, i) for i in range(n)]


def _numbers(x: Any, units: Sequence[str], what: str) -> np.ndarray:
    """One number per parameter, each in the unit of its parameter."""
    given = list(x) if isinstance(x, list | tuple | np.ndarray) else [x] * len(units)
    if len(given) != len(units):
        raise PriorError(f"{what}: {len(given)} numbers for {len(units)} parameters")
    return np.array([to_number(v, unit, what) for v, unit in zip(given, units, strict=True)])


@dataclasses.dataclass(frozen=True)
class Joint:
    """A correlated prior in canonical units, with the paths that it is placed on."""

    paths: tuple[str, ...]
    mu: tuple[float, ...]
    sigma: tuple[float, ...]
    correlation: tuple[tuple[float, ...], ...]


class Share(Prior):
    """What one parameter has of a correlated prior; alone, its marginal density."""

    joint: Any
    position: Any

    def log_prob(self, x: Scalar) -> Scalar:
        return norm.logpdf(x, self.joint.mu[self.position], self.joint.sigma[self.position])

    def ppf(self, q: Scalar) -> Scalar:
        return norm.ppf(q, self.joint.mu[self.position], self.joint.sigma[self.position])

    def in_unit(self, unit: str, what: str) -> Self:
        return self

    def __str__(self) -> str:
        mu, sigma = self.joint.mu[self.position], self.joint.sigma[self.position]
        return f"MultiNormal({mu:g}, {sigma:g}; {self.position + 1} of {len(self.joint.paths)})"


def factor_of(joint: Joint) -> np.ndarray:
    """Lower triangular L with `x = mu + L u` of that covariance for a unit normal u."""
    return np.linalg.cholesky(np.array(joint.correlation)) * np.array(joint.sigma)[:, None]
