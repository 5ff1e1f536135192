"""How the fitted vector fills the parameter slots."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax

from gammajax._typing import Array, Bool, Float, Int, Slots, Vector


class Layout(eqx.Module):
    """The parameter table as arrays: no name, no unit, nothing static, so that no edit of it compiles anything.

    The fitted vector `z` is of order one: a parameter is `z * scale`, or `exp(z)` where `log` is set.
    `scale` is a power of two, so that the way from a value to `z` and back is exact. Bounds are a box in `z`.
    """

    start: Float[Array, "slot"]
    """Every parameter value; frozen ones are read from here."""
    source: Int[Array, "slot"]
    """The slot that this slot copies: itself, or what it is linked to."""
    factor: Float[Array, "slot"]
    offset: Float[Array, "slot"]
    free: Slots
    scale: Vector
    log: Bool[Array, "free"]
    lower: Vector
    """Bounds in `z`; infinite where there is none."""
    upper: Vector
    least: Vector
    """The same bounds in natural units."""
    greatest: Vector
    held: Bool[Array, "free"]
    """Pinned for now: the shape of `z` is unchanged, its gradient there is zero."""

    def natural(self, z: Vector) -> Vector:
        """Values of the free parameters, in their units, at `z`."""
        power = jnp.exp(jnp.where(self.log, z, 0.0))
        # exp(log(limit)) rounds to either side of a limit, and beyond it a prior's density is zero: the value is put on
        # the limit. The derivative stays that of the exponential.
        inside = jnp.clip(power, self.least, self.greatest)
        inside = jnp.where(z >= self.upper, self.greatest, jnp.where(z <= self.lower, self.least, inside))
        power = jnp.where(inside == power, power, power + lax.stop_gradient(inside - power))
        return jnp.where(self.log, power, z * self.scale)

    def to_z(self, natural: Vector) -> Vector:
        """The vector `z` of given values of the free parameters."""
        return jnp.where(self.log, jnp.log(jnp.where(self.log, natural, 1.0)), natural / self.scale)

    def slope(self, z: Vector) -> Vector:
        """Derivative of the free parameters' values in `z`."""
        return jnp.where(self.log, jnp.exp(jnp.where(self.log, z, 0.0)), self.scale)

    def values(self, z: Vector) -> Float[Array, "slot"]:
        """All parameter values at `z`: free ones moved, frozen ones as they start, linked ones copied."""
        z = jnp.where(self.held, lax.stop_gradient(z), z)
        moved = self.start.at[self.free].set(self.natural(z))
        return self.factor * moved[self.source] + self.offset

    def directions(self, z: Vector) -> Float[Array, "free slot"]:
        """Derivative of all parameter values in each free one: how frozen, linked and held ones follow `z`."""
        moves = jnp.where(self.held, 0.0, self.slope(z))
        return jnp.where(self.free[:, None] == self.source[None], moves[:, None] * self.factor[None], 0.0)

    @property
    def z(self) -> Vector:
        """The vector `z` of the start values."""
        return _start(self)


@jax.jit
def _start(layout: Layout) -> Vector:
    """One program: operation by operation, JAX would compile a dozen."""
    return layout.to_z(layout.start[layout.free])
