r"""Bayesian evidence `Z = int L(x) pi(x) dx` by nested sampling, with BlackJAX's nested slice sampler.

The sampler moves in the unit cube of prior probability, `x_i = ppf_i(q_i)`: there the prior is flat. Where bounds cut a
prior off, it is renormalised inside them. `ln L` is minus half the statistic without priors, as in Gammapy: for Cash
without the term `ln n!`, for WStat up to the constant of its definition. Evidences of different models for the same
data are to be compared, `ln Z` alone has no meaning.

References: J. Skilling, Bayesian Anal. 1, 833 (2006); D. Yallup, N. Kroupa & W. Handley, arXiv:2601.23252.
"""

import dataclasses
from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from astropy.table import Table
from rich.progress import Progress, TextColumn

from gammajax._typing import Array, Float
from gammajax.checks import probability, whole
from gammajax.datasets.collection import as_datasets
from gammajax.datasets.groups import Dataset
from gammajax.errors import ConfigError, NothingToFit, PriorError
from gammajax.infer.cube import Cube, log_likelihood, log_prior, make_cube, to_natural
from gammajax.infer.fit import Fit, make_problem
from gammajax.infer.posterior import Posterior
from gammajax.infer.stopwatch import Stopwatch
from gammajax.likelihood.problem import as_models
from gammajax.models.collection import Models
from gammajax.numeric.keys import as_key
from gammajax.tables import as_text

_STEPS = 16
"""Steps of the sampler between two looks at whether it has ended."""


@dataclasses.dataclass(frozen=True)
class Evidence:
    """Result of nested sampling.

    `log_z` is ln Z with its standard error; `information` the Kullback-Leibler divergence of the posterior from the
    prior [nats]; `ess` the effective number of weighted draws; `evaluations` those of the likelihood. `posterior`
    holds draws of equal weight; `points[point, parameter]`, `log_likelihood[point]` and `log_weights[point]` (their
    exponentials sum to one) the weighted ones.
    """

    log_z: float
    log_z_error: float
    information: float
    ess: float
    evaluations: int
    posterior: Posterior
    points: np.ndarray
    log_likelihood: np.ndarray
    log_weights: np.ndarray
    message: str

    @property
    def timings(self) -> dict[str, float]:
        """Seconds: "compile", "run", "total"."""
        return dict(self.posterior.timings)

    @property
    def table(self) -> Table:
        """Mean, width and quantiles of each parameter."""
        return self.posterior.table

    def __repr__(self) -> str:
        numbers = f"ln Z = {self.log_z:.3f} +- {self.log_z_error:.3f}, information {self.information:.2f} nats"
        return f"Evidence: {numbers}. {self.message}\n{as_text(self.table)}"

    def _repr_html_(self) -> str:
        return (
            f"<p>ln Z = {self.log_z:.3f} &plusmn; {self.log_z_error:.3f}. {self.message}</p>{self.table._repr_html_()}"
        )


def evidence(
    datasets: Dataset | Iterable[Dataset],
    models: Models | Fit,
    *,
    key: Any,
    live: int = 500,
    steps: int | None = None,
    remainder: float = 1e-3,
    progress: bool = False,
    nodes: int = 4,
) -> Evidence:
    """Evidence and posterior of `models` by nested sampling, with `live` points.

    Every free parameter needs a prior; the error of ln Z is about `sqrt(information / live)`. A replaced point is
    moved by `steps` slices (default: two per parameter, at least six). The run ends when the live points hold
    less than the share `remainder` of Z. `nodes` are the quadrature nodes per true-energy bin.

    Raises `PriorError` naming free parameters without a prior, `ConfigError` without BlackJAX (the extra
    gammajax[evidence]).

    >>> models = models.prior("*.index", Uniform(1, 5)).prior("*.amplitude", LogUniform(1e-12, 1e-10))  # doctest: +SKIP
    >>> result = evidence(datasets, models, key=1)                                      # doctest: +SKIP
    >>> result.log_z, result.log_z_error                                                # doctest: +SKIP
    """
    datasets, models = as_datasets(datasets), as_models(models)
    _check(models, live, steps, remainder)
    key = as_key(key)
    with Stopwatch() as watch:
        problem = make_problem(datasets, models, nodes=nodes)
        cube = make_cube(problem, models)
        dead, share = _run(cube, key, live, steps or max(6, 2 * len(models.free_paths)), remainder, progress)
    seed = np.asarray(jax.random.key_data(key)).ravel()
    return _result(models, dead, share, remainder, watch, np.random.default_rng(seed.tolist()))


def _check(models: Models, live: int, steps: int | None, remainder: float) -> None:
    paths = models.free_paths
    if not paths:
        raise NothingToFit("no parameter is free: the evidence is the likelihood")
    without = [path for path in paths if models.rows[path].prior is None]
    if without:
        raise PriorError(
            f"an evidence needs a proper prior on every free parameter; without one: {', '.join(without)}. "
            "Give them priors, such as Uniform(lower, upper), or freeze them"
        )
    least = 10 * (len(paths) + 1)
    whole(live, f"live (for {len(paths)} parameters)", least)
    probability(remainder, "remainder", 0.01)
    if steps is not None:
        whole(steps, "steps")


# -- run -------------------------------------------------------------------------------------------------------------


class Dead(NamedTuple):
    """Points in the order in which they were given up."""

    values: Float[Array, "*point free"]
    log_likelihood: Float[Array, "*point"]
    birth: Float[Array, "*point"]
    """ln L that the point had to exceed when it was made; NaN for the first ones."""
    evaluations: Float[Array, "*step"]


def _algorithm(cube: Cube, steps: int, delete: int) -> Any:
    try:
        from blackjax.ns import nss
    except ImportError as error:
        raise ConfigError("evidence needs BlackJAX 1.7: install it with the extra gammajax[evidence]") from error
    return nss.as_top_level_api(log_prior, partial(log_likelihood, cube), num_inner_steps=steps, num_delete=delete)


@partial(jax.jit, static_argnames=("live", "steps", "delete"))
def _begin(cube: Cube, key: Array, live: int, steps: int, delete: int) -> Any:
    first = jax.random.uniform(key, (live, cube.low.shape[0]))
    return _algorithm(cube, steps, delete).init(first)


@partial(jax.jit, static_argnames=("steps", "delete"))
def _advance(cube: Cube, state: Any, key: Array, steps: int, delete: int) -> tuple[Any, Dead]:
    algorithm = _algorithm(cube, steps, delete)

    def one(state: Any, key: Array) -> tuple[Any, Dead]:
        state, info = algorithm.step(key, state)
        slices = info.update_info
        # Each slice looks at its two ends before it steps out.
        used = jnp.sum(slices.num_expansions + slices.num_shrink + 2)
        return state, _dead(cube, info.particles, used)

    return jax.lax.scan(one, state, jax.random.split(key, _STEPS))


def _dead(cube: Cube, points: Any, used: Any) -> Dead:
    values = jax.vmap(partial(to_natural, cube))(points.position)
    return Dead(values, points.loglikelihood, points.loglikelihood_birth, used)


_rest = jax.jit(_dead)


def _run(cube: Cube, key: Array, live: int, steps: int, remainder: float, progress: bool) -> tuple[Any, float]:
    """All points given up, those alive at the end last, and the share of Z that these held."""
    delete = max(1, live // 10)
    key, first = jax.random.split(key)
    pieces: list[Any] = []
    share = 1.0
    with Progress(*Progress.get_default_columns(), TextColumn("{task.fields[note]}"), disable=not progress) as bar:
        task = bar.add_task("nested sampling", total=None, note="compiling")
        state = _begin(cube, first, live, steps, delete)
        if not np.any(np.isfinite(state.particles.loglikelihood)):
            raise NothingToFit("the likelihood is zero at every point drawn from the priors: look at their ranges")
        for i in range(int(_MOST_NATS * live / delete / _STEPS)):
            state, dead = _advance(cube, state, jax.random.fold_in(key, i), steps, delete)
            pieces.append(jax.tree.map(np.asarray, dead))
            inside, outside = float(state.integrator.logZ_live), float(state.integrator.logZ)
            share = float(np.exp(inside - np.logaddexp(inside, outside)))
            bar.update(task, advance=1, note=f"ln Z {np.logaddexp(inside, outside):.2f}, remainder {share:.2g}")
            if share < remainder:
                break
    last = jax.tree.map(np.asarray, _rest(cube, state.particles, np.float64(live)))
    return _joined(pieces, last), share


def _joined(pieces: list[Any], last: Any) -> Any:
    """All points in one line: those of each step, then the last ones in order of their likelihood."""
    order = np.argsort(last.log_likelihood, kind="stable")
    columns: list[Any] = []
    for name in ("values", "log_likelihood", "birth"):
        steps = [getattr(piece, name) for piece in pieces]
        columns.append(np.concatenate([*(x.reshape(-1, *x.shape[2:]) for x in steps), getattr(last, name)[order]]))
    used: Any = np.append([piece.evaluations.sum() for piece in pieces], last.evaluations)
    return Dead(columns[0], columns[1], columns[2], used)


_MOST_NATS = 300.0
"""Compression after which a run that has not ended gives up."""


# -- result ----------------------------------------------------------------------------------------------------------

_SHRINKAGES = 200
"""Simulated sequences of prior volumes, from whose scatter the error of ln Z follows."""
_CHAINS = 4


def _log_sum(x: np.ndarray, axis: int = 0) -> np.ndarray:
    return np.logaddexp.reduce(x, axis=axis)


def log_weights(log_l: np.ndarray, birth: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float, float]:
    """Normalised log weights of points in ascending `log_l`, ln Z, and its standard error.

    At a death the volume shrinks by a factor `t = u^(1/n)`, `u` uniform, with `n` points alive: those born below.
    Reference: E. Higson et al., Bayesian Anal. 13, 873 (2018); A. Fowlie, W. Handley & L. Su, MNRAS 503, 1199 (2021).
    """
    points = len(log_l)
    born = np.sort(np.where(np.isnan(birth), -np.inf, birth))
    firsts = int(np.sum(np.isnan(birth)))
    alive = np.maximum(np.searchsorted(born, log_l, side="left"), firsts) - np.arange(points)
    shrink = np.log(rng.uniform(size=(points, _SHRINKAGES))) / alive[:, None]
    after = np.cumsum(shrink, axis=0)
    before = after - shrink
    log_w = before + np.log(-np.expm1(shrink)) + log_l[:, None]
    log_z = _log_sum(log_w)
    mean = _log_sum(log_w - log_z, axis=1) - np.log(_SHRINKAGES)
    return mean, float(log_z.mean()), float(log_z.std(ddof=1))


def _result(
    models: Models, dead: Dead, share: float, remainder: float, watch: Stopwatch, rng: np.random.Generator
) -> Evidence:
    order = np.argsort(dead.log_likelihood, kind="stable")
    values, log_l, birth = (np.asarray(x)[order] for x in dead[:3])
    weights, log_z, error = log_weights(log_l, birth, rng)
    share_of = np.exp(weights)
    ess = float(1.0 / np.sum(share_of**2))
    used = share_of > 0
    information = float(np.sum(share_of[used] * log_l[used]) - log_z)
    size = max(int(ess) // _CHAINS, 4)
    chosen = rng.permutation(_systematic(share_of, _CHAINS * size, rng))
    posterior = Posterior(
        models=models,
        paths=tuple(models.free_paths),
        samples=values[chosen].reshape(_CHAINS, size, -1),
        stats={"log_likelihood": log_l[chosen].reshape(_CHAINS, size)},
        timings={"compile": watch.compile, "run": watch.run, "total": watch.total},
        remark="" if share < remainder else f"Nested sampling stopped while {share:.1%} of Z was left.",
    )
    ended = f"Converged: the last live points hold {share:.1g} of Z."
    message = posterior.remark or ended
    total = int(dead.evaluations.sum())
    return Evidence(log_z, error, information, ess, total, posterior, values, log_l, weights, message)


def _systematic(share: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of draws of equal weight: each point comes up as often as its share says, to one."""
    edges = np.cumsum(share) / np.sum(share)
    return np.minimum(np.searchsorted(edges, (np.arange(size) + rng.uniform()) / size), len(share) - 1)
