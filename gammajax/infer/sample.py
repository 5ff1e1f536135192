r"""Posterior sampling: numpyro's NUTS, started and preconditioned by the fit.

The density is that of the natural parameters: likelihood times priors, flat where a parameter has none. The sampler
moves in `u` with `y = y_fit + L u`, where `L L^T` is the Laplace covariance and `y` the unbounded form of the fitted
vector (`infer.box`): there the posterior is close to a unit Gaussian, and few leapfrog steps make an independent draw.

numpyro's kernel is driven inside one compiled scan; the first `MCMC.run` would compile a hundred small programs.

References: M. D. Hoffman & A. Gelman, JMLR 15, 1593 (2014); D. Phan, N. Pradhan & M. Jankowiak, arXiv:1912.11554.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numpyro.infer.hmc import HMCState, hmc
from rich.progress import Progress, TextColumn

from gammajax._typing import Array, Bool, Float, Scalar, Vector
from gammajax.datasets.collection import Datasets, as_datasets
from gammajax.datasets.spectrum import Spectrum
from gammajax.errors import ConfigError, NothingToFit
from gammajax.infer.box import from_box, log_slope, to_box
from gammajax.infer.covariance import LEAST_PIVOT, degenerate
from gammajax.infer.fit import Fit, fit, make_problem
from gammajax.infer.minimise import Status
from gammajax.infer.posterior import Posterior
from gammajax.infer.stopwatch import Stopwatch
from gammajax.likelihood.problem import Problem, nll
from gammajax.models.collection import Models
from gammajax.numeric.keys import as_key

_CHUNK = 100


class Target(NamedTuple):
    """The density to sample, as arrays: problem, centre and Cholesky factor of the preconditioner."""

    problem: Problem
    centre: Vector
    factor: Float[Array, "free free"]


class Draws(NamedTuple):
    """What is kept of each draw."""

    values: Float[Array, "draw chain free"]
    stat: Float[Array, "draw chain"]
    accept_prob: Float[Array, "draw chain"]
    num_steps: Float[Array, "draw chain"]
    diverging: Bool[Array, "draw chain"]


def potential(target: Target, u: Vector) -> Scalar:
    """Minus the log density of the natural parameters, carried over to `u`, up to a constant."""
    problem, layout = target.problem, target.problem.layout
    y = target.centre + target.factor @ u
    z = to_box(y, problem.lower, problem.upper)
    jacobian = log_slope(y, problem.lower, problem.upper) + jnp.log(layout.slope(z))
    return nll(problem, z) - jnp.sum(jacobian)


def _potential_of(target: Target):
    return partial(potential, target)


def _start(target: Target, key: Array, num_warmup: int, target_accept: float):
    """numpyro's initial state of one chain, and its transition; the first draw is from the Laplace approximation."""
    init, step = hmc(potential_fn_gen=_potential_of, algo="NUTS")
    key, first = jax.random.split(key)
    u = jax.random.normal(first, target.centre.shape, target.centre.dtype)
    state = init(
        u,
        num_warmup,
        step_size=1.0,
        dense_mass=True,
        target_accept_prob=target_accept,
        model_args=(target,),
        rng_key=key,
    )
    return state, partial(step, model_args=(target,))


@partial(jax.jit, static_argnames=("num_warmup", "target_accept"))
def _begin(target: Target, keys: Array, num_warmup: int, target_accept: float) -> HMCState:
    return jax.vmap(lambda key: _start(target, key, num_warmup, target_accept)[0])(keys)


@partial(jax.jit, static_argnames=("num_warmup", "target_accept", "length"))
def _advance(
    target: Target, state: HMCState, key: Array, num_warmup: int, target_accept: float, length: int
) -> tuple[HMCState, Draws]:
    """Move all chains by `length` draws; adaptation goes on until `num_warmup`."""
    # numpyro's transition learns the adaptation schedule when its initial state is made: abstractly here, at no cost.
    found = {}

    def trace(key: Array) -> HMCState:
        state, found["step"] = _start(target, key, num_warmup, target_accept)
        return state

    jax.eval_shape(trace, key)
    problem = target.problem

    def draw(state: HMCState, _: None) -> tuple[HMCState, Draws]:
        state = jax.vmap(found["step"])(state)
        z = jax.vmap(lambda u: to_box(target.centre + target.factor @ u, problem.lower, problem.upper))(state.z)
        values = jax.vmap(problem.layout.natural)(z)
        return state, Draws(values, state.potential_energy, state.accept_prob, state.num_steps, state.diverging)

    return lax.scan(draw, state, None, length=length)


def sample(
    datasets: Spectrum | Iterable[Spectrum],
    models: Models | Fit,
    *,
    key: Any,
    draws: int = 1000,
    chains: int = 4,
    warmup: int = 300,
    target_accept: float = 0.8,
    progress: bool = False,
) -> Posterior:
    """Sample the posterior of all free parameters with NUTS, vectorised over chains.

    `models` may be a `Fit`, whose Hessian then preconditions; otherwise a fit is made first. `key` is a
    `jax.random.key` or an integer. Network weights stay fixed.
    Raises `NothingToFit` if neither data nor priors nor bounds constrain some parameters, naming them.

    >>> posterior = sample(datasets, models, key=jax.random.key(1))                     # doctest: +SKIP
    >>> posterior.table                                                                 # doctest: +SKIP
    """
    if min(chains, warmup) < 1 or draws < 4:
        raise ConfigError(f"at least 4 draws, 1 chain and 1 warm-up step are needed, got {draws}, {chains}, {warmup}")
    datasets = as_datasets(datasets)
    start = models if isinstance(models, Fit) else fit(datasets, models)
    with Stopwatch() as watch:
        target = _target(datasets, start)
        kept = _run(target, as_key(key), draws, chains, warmup, target_accept, progress)
    paths = start.models.free_paths
    return Posterior(
        models=start.models,
        paths=tuple(paths),
        samples=np.ascontiguousarray(np.moveaxis(kept.values, 1, 0)),
        stats={
            "potential": kept.stat.T,
            "accept_prob": kept.accept_prob.T,
            "num_steps": kept.num_steps.T,
            "diverging": kept.diverging.T,
        },
        timings={"compile": watch.compile, "run": watch.run, "total": watch.total},
        remark=_remark(start),
    )


_LEAST_PRECISION = 1.0
"""Precision of a bounded parameter in `y` without data: that of a density flat between its bounds, to order one."""


def _remark(start: Fit) -> str:
    """What is wrong with the fit that sampling starts from; a missing covariance alone is not."""
    return "" if start.status is Status.CONVERGED else f"The fit that it started from failed: {start.message}"


def _target(datasets: Datasets, start: Fit) -> Target:
    """The problem at the fit, and a Cholesky factor of the inverse Hessian in the unbounded coordinates."""
    models = start.models
    problem = make_problem(datasets, models, nodes=start.nodes)
    if not models.free_paths:
        raise NothingToFit("no parameter is free: there is nothing to sample")
    if start.hessian is None:
        raise NothingToFit(f"the fit has no Hessian to start from: {start.message}")
    y, slope = jax.tree.map(np.asarray, _coordinates(problem, start.hessian))
    bounded = np.isfinite(problem.lower) | np.isfinite(problem.upper)
    precision = 0.5 * start.hessian * np.outer(slope, slope) + np.diag(np.where(bounded, _LEAST_PRECISION, 0.0))
    diagonal = np.diag(precision)
    size = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled = precision / np.outer(size, size)
    if not np.all(np.isfinite(scaled)) or np.linalg.eigvalsh(scaled)[0] < LEAST_PIVOT**2:
        names = degenerate(precision, np.zeros(len(size), dtype=bool), models.free_paths)
        reason = f"neither data nor priors nor bounds constrain {', '.join(names)}"
        raise NothingToFit(f"{_remark(start)} {reason}: freeze or bound them, or give them priors".strip())
    factor = np.linalg.inv(np.linalg.cholesky(scaled)).T / size[:, None]
    return Target(problem, *jax.device_put((y, factor)))


@jax.jit
def _coordinates(problem: Problem, hessian: Float[Array, "free free"]) -> tuple[Vector, Vector]:
    """The start in `y`, a standard deviation away from any bound, and the slope of the natural parameters there."""
    lower, upper = problem.lower, problem.upper
    curvature = 0.5 * jnp.diag(hessian) * jnp.square(problem.layout.slope(problem.start))
    width = jnp.where(curvature > 0, 1.0 / jnp.sqrt(jnp.where(curvature > 0, curvature, 1.0)), 1.0)
    y = from_box(problem.start, lower, upper, width)
    return y, problem.layout.slope(to_box(y, lower, upper)) * jnp.exp(log_slope(y, lower, upper))


def _run(target: Target, key: Array, draws: int, chains: int, warmup: int, target_accept: float, progress: bool) -> Any:
    key, begin = jax.random.split(key)
    options = {"num_warmup": warmup, "target_accept": target_accept}
    kept: list[Draws] = []
    with Progress(*Progress.get_default_columns(), TextColumn("{task.fields[note]}"), disable=not progress) as bar:
        task = bar.add_task("sampling", total=warmup + draws, note="compiling")
        state = _begin(target, jax.random.split(begin, chains), **options)
        for _ in range(-(-(warmup + draws) // _CHUNK)):
            state, new = _advance(target, state, key, length=_CHUNK, **options)
            kept.append(jax.tree.map(np.asarray, new))
            divergences = sum(int(x.diverging.sum()) for x in kept[-(-warmup // _CHUNK) :])
            bar.update(task, advance=_CHUNK, note=f"{divergences} divergences")
    return jax.tree.map(lambda *x: np.concatenate(x)[warmup : warmup + draws], *kept)
