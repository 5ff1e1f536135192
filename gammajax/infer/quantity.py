"""`Derived`: draws of a quantity computed from the parameters, by one compiled program for all draws."""

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from astropy.table import Table
from numpyro.diagnostics import effective_sample_size, split_gelman_rubin

from gammajax._typing import Array, Float, Vector
from gammajax.errors import ConfigError
from gammajax.infer.intervals import LEVEL, central_interval, narrowest_interval
from gammajax.models.collection import Models
from gammajax.models.sky import SkyModel
from gammajax.params.layout import Layout
from gammajax.params.tree import fill
from gammajax.tables import as_text, make_table


@dataclasses.dataclass(frozen=True)
class Derived:
    """Draws of a derived quantity: `draws[chain, draw, ...]`, whose further axes are those of the quantity."""

    draws: np.ndarray
    unit: str = ""

    @property
    def flat(self) -> np.ndarray:
        """All draws of all chains along the first axis."""
        return self.draws.reshape(-1, *self.draws.shape[2:])

    @property
    def mean(self) -> np.ndarray:
        """Mean over the draws."""
        return self.flat.mean(axis=0)

    @property
    def std(self) -> np.ndarray:
        """Standard deviation over the draws."""
        return self.flat.std(axis=0, ddof=1)

    def quantile(self, q: Any) -> np.ndarray:
        """Quantiles; the axis of `q` comes first."""
        return np.quantile(self.flat, q, axis=0)

    def interval(self, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
        """Central interval of probability `level`."""
        return central_interval(self.flat, level)

    def hdi(self, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
        """Narrowest interval of probability `level` (highest density)."""
        return narrowest_interval(self.flat, level)

    @property
    def table(self) -> Table:
        """Mean, width, quantiles, R-hat and effective draws, one row per component."""
        columns = self.draws.reshape(*self.draws.shape[:2], -1)
        flat = columns.reshape(-1, columns.shape[2])
        numbers = {"mean": flat.mean(axis=0), "std": flat.std(axis=0, ddof=1)}
        quantiles = np.quantile(flat, [0.05, 0.16, 0.5, 0.84, 0.95], axis=0)
        numbers |= dict(zip(("q05", "q16", "median", "q84", "q95"), quantiles, strict=True))
        index = [str(i[0] if len(i) == 1 else i) if i else "" for i in np.ndindex(self.draws.shape[2:])]
        rest = {"unit": [self.unit] * len(index)}
        rest |= {"r_hat": split_gelman_rubin(columns), "ess": effective_sample_size(columns)}
        return make_table({"component": index, **numbers, **rest}, numbers, r_hat=".4f", ess=".0f")

    def __repr__(self) -> str:
        chains, draws = self.draws.shape[:2]
        return f"Derived: {chains} chains of {draws} draws\n{as_text(self.table)}"

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


Function = Callable[[Mapping[str, SkyModel]], Any]


def derive(models: Models, samples: np.ndarray, function: Function, unit: str = "") -> Any:
    """`Derived` of `function(models of one draw)`, in the structure that the function returns.

    Raises `ConfigError` if the function returns something else than numbers or cannot be traced by JAX.
    """
    try:
        found = _mapped(models.tree, models.layout, np.swapaxes(samples, 0, 1), function, tuple(models))
    except (jax.errors.JAXTypeError, TypeError) as error:
        raise ConfigError(
            f"the function to derive cannot be compiled: {str(error).splitlines()[0]}. Write it with jax.numpy and "
            "plain numbers in TeV, cm, s: m['crab'].spectral.dnde(2.0), not m['crab'].spectral('2 TeV')"
        ) from error
    return jax.tree.map(lambda x: Derived(np.ascontiguousarray(np.swapaxes(x, 0, 1)), unit), found)


@partial(jax.jit, static_argnames=("function", "names"))
def _mapped(
    tree: tuple[SkyModel, ...],
    layout: Layout,
    samples: Float[Array, "draw chain free"],
    function: Function,
    names: tuple[str, ...],
) -> Any:
    def one(values: Vector) -> Any:
        members = fill(tree, layout.values(layout.to_z(values)))
        return jax.tree.map(jnp.asarray, function(dict(zip(names, members, strict=True))))

    # Chains side by side, draws one after the other: a quantity may be large.
    return jax.lax.map(jax.vmap(one), samples)
