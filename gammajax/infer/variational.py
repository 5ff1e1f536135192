r"""A preview of the posterior by variational inference: the Gaussian nearest to it, in whitened coordinates.

In the coordinates `u` of `infer.target` the Laplace approximation of the fit is the unit Gaussian. A full-rank Gaussian
`q(u)` starts there and is moved by numpyro's SVI to the greatest evidence lower bound,
`ELBO = E_q[ln p(data, u) - ln q(u)] <= ln Z`. Bounds are kept, as `u` maps into the box.

How near it came is told by the importance weights `w = p / q` of its draws: their efficiency `(sum w)^2 / (n sum w^2)`
is 1 where the posterior is that Gaussian.

References: D. M. Blei, A. Kucukelbir & J. D. McAuliffe, JASA 112, 859 (2017); A. Kucukelbir et al., JMLR 18, 14 (2017).
"""

import dataclasses
from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import optax
from astropy.table import Table
from numpyro import distributions as dist
from numpyro.distributions import constraints
from numpyro.infer import SVI, Trace_ELBO
from numpyro.optim import optax_to_numpyro

from gammajax._typing import Array, Float, Scalar, Vector
from gammajax.checks import whole
from gammajax.datasets.collection import as_datasets
from gammajax.datasets.groups import Dataset
from gammajax.infer.fit import Fit, fit
from gammajax.infer.posterior import Posterior
from gammajax.infer.stopwatch import Stopwatch
from gammajax.infer.target import Target, natural, potential, remark, target_of_fit
from gammajax.models.collection import Models
from gammajax.numeric.keys import as_key
from gammajax.tables import as_text

_PARTICLES = 16
_LEARNING_RATE = 0.02
_GOOD = 0.5
"""Efficiency of the importance weights above which the Gaussian describes the posterior."""


@dataclasses.dataclass(frozen=True)
class Variational:
    """A variational preview: draws of the fitted Gaussian as a `Posterior` that says that it is not to be trusted.

    `elbo` is the evidence lower bound with its Monte-Carlo error, up to the constant of the density; `losses` are minus
    the bound at each step; `efficiency` (0 to 1) is that of the importance weights, `log_weights[chain, draw]`.
    """

    posterior: Posterior
    elbo: float
    elbo_error: float
    losses: np.ndarray
    efficiency: float
    log_weights: np.ndarray

    @property
    def message(self) -> str:
        """One sentence on what this is and how far it may be believed."""
        return self.posterior.message

    @property
    def table(self) -> Table:
        """Mean, width and quantiles of each parameter."""
        return self.posterior.table

    def __getitem__(self, path: str) -> np.ndarray:
        """Draws of one parameter, shape (chain, draw)."""
        return self.posterior[path]

    def __repr__(self) -> str:
        return f"Variational: ELBO {self.elbo:.3f} +- {self.elbo_error:.3f}. {self.message}\n{as_text(self.table)}"

    def _repr_html_(self) -> str:
        return f"<p>{self.message}</p>{self.table._repr_html_()}"


def variational(
    datasets: Dataset | Iterable[Dataset],
    models: Models | Fit,
    *,
    key: Any,
    steps: int = 500,
    draws: int = 1000,
) -> Variational:
    """A preview of the posterior: the nearest Gaussian in unbounded, whitened coordinates, and draws of it.

    `models` may be a `Fit`, which is the start; otherwise a fit is made first. `steps` of stochastic gradients, then
    `draws` for each of four chains. Widths of skewed or many-peaked posteriors come out too small: `sample` decides.
    Raises `NothingToFit` if neither data nor priors nor bounds constrain some parameters, naming them.

    >>> preview = variational(datasets, fit, key=1)                                     # doctest: +SKIP
    >>> preview.posterior["crab.spectral.index"].std()                                  # doctest: +SKIP
    """
    steps, draws = whole(steps, "steps"), whole(draws, "draws", 4)
    datasets = as_datasets(datasets)
    start = models if isinstance(models, Fit) else fit(datasets, models)
    with Stopwatch() as watch:
        target = target_of_fit(datasets, start)
        end = jax.tree.map(np.asarray, _ascend(target, as_key(key), steps, draws))
    log_weights = end.log_weights.T
    weights = np.exp(log_weights - log_weights.max())
    efficiency = float(weights.mean() ** 2 / np.mean(weights**2))
    posterior = Posterior(
        models=start.models,
        paths=tuple(start.models.free_paths),
        samples=np.ascontiguousarray(np.swapaxes(end.values, 0, 1)),
        stats={"potential": end.potential.T},
        timings={"compile": watch.compile, "run": watch.run, "total": watch.total},
        remark=f"{remark(start)} {_statement(efficiency)}".strip(),
    )
    elbo, error = float(log_weights.mean()), float(log_weights.std() / np.sqrt(log_weights.size))
    return Variational(posterior, elbo, error, end.losses, efficiency, log_weights)


_CHAINS = 4


def _statement(efficiency: float) -> str:
    text = "A variational preview, not a sampled posterior"
    if not efficiency > _GOOD:
        return f"{text}: the posterior is no Gaussian (efficiency {efficiency:.0%}), use sample."
    return f"{text}: the posterior is close to a Gaussian (efficiency {efficiency:.0%}); sample confirms it."


class _End(NamedTuple):
    losses: Float[Array, "step"]
    values: Float[Array, "draw chain free"]
    potential: Float[Array, "draw chain"]
    log_weights: Float[Array, "draw chain"]


def _model(target: Target) -> None:
    flat = dist.ImproperUniform(constraints.real_vector, (), target.centre.shape)
    u: Any = numpyro.sample("u", flat)
    numpyro.factor("density", -potential(target, u))


def _guide(target: Target) -> None:
    size = target.centre.shape[0]
    loc = numpyro.param("loc", jnp.zeros(size))
    factor = numpyro.param("factor", jnp.eye(size), constraint=constraints.lower_cholesky)
    numpyro.sample("u", dist.MultivariateNormal(loc, scale_tril=factor))


@partial(jax.jit, static_argnames=("steps", "draws"))
def _ascend(target: Target, key: Array, steps: int, draws: int) -> _End:
    """All steps and the draws in one program; data are arguments, so that other data compile nothing."""
    optimiser = optax_to_numpyro(optax.adam(optax.cosine_decay_schedule(_LEARNING_RATE, steps, alpha=0.02)))
    svi = SVI(_model, _guide, optimiser, Trace_ELBO(num_particles=_PARTICLES))
    begin, last = jax.random.split(key)
    state, losses = jax.lax.scan(lambda s, _: svi.update(s, target), svi.init(begin, target), None, length=steps)
    found = svi.get_params(state)
    loc, factor = found["loc"], found["factor"]
    size = loc.shape[0]
    constant = jnp.sum(jnp.log(jnp.diag(factor))) + 0.5 * size * np.log(2.0 * np.pi)

    def look(unit: Vector) -> tuple[Vector, Scalar, Scalar]:
        u = loc + factor @ unit
        height = potential(target, u)
        return natural(target, u), height, constant + 0.5 * unit @ unit - height

    return _End(losses, *jax.lax.map(jax.vmap(look), jax.random.normal(last, (draws, _CHAINS, size))))
