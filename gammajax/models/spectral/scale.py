"""Scales on which tables are linear: the value itself, its logarithm, its root."""

from collections.abc import Callable

import jax.numpy as jnp

from gammajax._typing import Array, Float
from gammajax.numeric.interp import TINY, floored_log


def _root(x: Float[Array, "*s"]) -> Float[Array, "*s"]:
    """Square root, and 0 with zero slope where x <= 0."""
    return jnp.where(x > 0, jnp.sqrt(jnp.where(x > 0, x, 1.0)), 0.0)


SCALES: dict[str, Callable] = {"log": floored_log, "lin": jnp.asarray, "sqrt": _root}
"""From a value to what is linear."""


def unscaled(y: Float[Array, "*s"], name: str) -> Float[Array, "*s"]:
    """The way back; zero where a linear value is negative, and where a logarithm stands for zero."""
    if name == "log":
        tiny = max(TINY, float(jnp.finfo(jnp.result_type(float)).tiny))
        gone = y <= jnp.log(2.0 * tiny)
        return jnp.where(gone, 0.0, jnp.exp(jnp.where(gone, 0.0, y)))
    return jnp.maximum(y, 0.0) if name == "lin" else y**2
