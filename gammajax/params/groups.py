"""Priors as arrays: all of one family together, so that numbers may change without compiling anything."""

from collections.abc import Iterable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm

from gammajax._typing import Array, Float, Int
from gammajax.errors import PriorError
from gammajax.params.joint import Joint, Share, factor_of
from gammajax.params.priors import Prior
from gammajax.params.table import Parameter

Values = Float[Array, "slot"]
Expansion = tuple[Int[Array, "prior dim"], Float[Array, "prior dim"], Float[Array, "prior dim dim"]]
"""Slots of each prior; gradient of `-2 ln p` in them, and the positive part of its Hessian."""


class PriorGroup(eqx.Module):
    """All priors of one family: their parameter slots, and the family with vectors for its numbers."""

    slots: Int[Array, "prior"]
    family: Prior

    def log_prob(self, values: Values) -> Float[Array, "prior"]:
        """Log density of each prior at the slot values."""
        return eqx.filter_vmap(lambda prior, x: prior.log_prob(x))(self.family, values[self.slots])

    def expansion(self, values: Values) -> Expansion:
        """First and second derivatives of `-2 ln p`."""

        def one(family: Prior, x: Array) -> Array:
            return -2.0 * family.log_prob(x)

        x = values[self.slots]
        first = jax.vmap(jax.grad(one, argnums=1))(self.family, x)
        second = jax.vmap(jax.grad(jax.grad(one, argnums=1), argnums=1))(self.family, x)
        return self.slots[:, None], first[:, None], jnp.maximum(second, 0.0)[:, None, None]

    def ppf(self, q: Float[Array, "prior"]) -> Float[Array, "prior"]:
        """Values of the parameters in `slots` from quantiles, for uniform `q` draws of the prior."""
        return eqx.filter_vmap(lambda prior, x: prior.ppf(x))(self.family, q)


class JointGroup(eqx.Module):
    """All correlated priors of one dimension."""

    slots: Int[Array, "prior dim"]
    mu: Float[Array, "prior dim"]
    factor: Float[Array, "prior dim dim"]
    """Cholesky factor L of the covariance."""
    inverse: Float[Array, "prior dim dim"]

    def _whitened(self, values: Values) -> Float[Array, "prior dim"]:
        return jnp.einsum("pij,pj->pi", self.inverse, values[self.slots] - self.mu)

    def log_prob(self, values: Values) -> Float[Array, "prior"]:
        """Log density of each prior at the slot values."""
        size = jnp.log(jnp.diagonal(self.factor, axis1=1, axis2=2))
        return jnp.sum(norm.logpdf(self._whitened(values)) - size, axis=1)

    def expansion(self, values: Values) -> Expansion:
        """First and second derivatives of `-2 ln p`."""
        first = 2.0 * jnp.einsum("pij,pi->pj", self.inverse, self._whitened(values))
        return self.slots, first, 2.0 * jnp.einsum("pki,pkj->pij", self.inverse, self.inverse)

    def ppf(self, q: Float[Array, "prior dim"]) -> Float[Array, "prior dim"]:
        """Values of the parameters in `slots` from quantiles, for uniform `q` draws of the prior."""
        return self.mu + jnp.einsum("pij,pj->pi", self.factor, norm.ppf(q))


AnyGroup = PriorGroup | JointGroup


def prior_groups(rows: Mapping[str, Parameter]) -> tuple[AnyGroup, ...]:
    """The priors in groups, in an order that depends on their families only.

    A prior on a frozen parameter adds a constant and is kept: the statistic at given values is then the same
    whether a parameter is free or not.
    """
    families: dict[Any, list[tuple[int, Prior]]] = {}
    for i, row in enumerate(rows.values()):
        if row.prior is not None and not isinstance(row.prior, Share):
            families.setdefault(jax.tree.structure(row.prior), []).append((i, row.prior))
    groups: list[AnyGroup] = []
    for family in sorted(families, key=str):
        slots, priors = zip(*families[family], strict=True)
        # Host arrays, one transfer: operations on the device would each compile a little program.
        numbers = jax.tree.map(lambda *x: np.array(x, dtype=float), *priors)
        groups.append(PriorGroup(*jax.device_put((np.array(slots, dtype=np.int32), numbers))))
    return (*groups, *_joint_groups(rows))


def _joint_groups(rows: Mapping[str, Parameter]) -> list[JointGroup]:
    place = {path: i for i, path in enumerate(rows)}
    found = joints(rows.values())
    groups = []
    for size in sorted({len(joint.paths) for joint in found}):
        own = [joint for joint in found if len(joint.paths) == size]
        slots = np.array([[place[path] for path in joint.paths] for joint in own], dtype=np.int32)
        mu, factor = np.array([joint.mu for joint in own]), np.stack([factor_of(joint) for joint in own])
        groups.append(JointGroup(*jax.device_put((slots, mu, factor, np.linalg.inv(factor)))))
    return groups


def joints(rows: Iterable[Parameter]) -> list[Joint]:
    """The correlated priors, each once, in the order of the parameters."""
    return list(dict.fromkeys(row.prior.joint for row in rows if isinstance(row.prior, Share)))


def check_joints(rows: Mapping[str, Parameter]) -> None:
    """Raise `PriorError` if a correlated prior has lost one of its parameters."""
    for joint in joints(rows.values()):
        for i, path in enumerate(joint.paths):
            held = rows[path].prior if path in rows else None
            if not isinstance(held, Share) or (held.joint, held.position) != (joint, i):
                raise PriorError(
                    f"{', '.join(joint.paths)} share one prior, and {path} would leave it: "
                    "remove it from all of them first, with prior([...], None)"
                )
