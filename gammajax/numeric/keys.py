"""Random keys: what a person passes as a seed."""

from typing import Any

import jax
import jax.numpy as jnp

from gammajax._typing import Array
from gammajax.errors import ConfigError


def as_key(key: Any) -> Array:
    """A `jax.random.key` as it is, or one made from an integer. Raises `ConfigError` for anything else."""
    if isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        return key
    if isinstance(key, int):
        return jax.random.key(key)
    raise ConfigError(f"key must be jax.random.key(seed) or an integer, got {type(key).__name__}")
