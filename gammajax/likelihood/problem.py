"""`Problem`: datasets, models, layout and priors as one pytree, and the likelihood as a function of it.

Everything that optimisers, samplers and profiles need is `nll(problem, z)`.
"""

import copy
from collections.abc import Iterable, Sequence
from typing import Any, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from gammajax._typing import Array, Bool, Float, Scalar, Vector
from gammajax.datasets.collection import as_datasets
from gammajax.datasets.groups import Dataset, Group
from gammajax.errors import ModelError, UnknownDataset, nearest
from gammajax.likelihood.terms import Bins, group_deviance, group_stat, observed
from gammajax.likelihood.total import Measure, group_total
from gammajax.models.collection import Models
from gammajax.models.nuisance import Nuisance
from gammajax.models.sky import SkyModel
from gammajax.params.groups import AnyGroup
from gammajax.params.layout import Layout
from gammajax.params.tree import fill, fill_weights, weight_leaves
from gammajax.predict.groups import Prediction, Weights, arrange, predict, weighted


class Problem(eqx.Module):
    """What is fitted, as one pytree of arrays; names and units stay outside.

    >>> problem = Problem(datasets, models)                                             # doctest: +SKIP
    >>> value, slope = jax.value_and_grad(nll, argnums=1)(problem, problem.start)       # doctest: +SKIP
    """

    groups: tuple[Group, ...]
    acts: tuple[Bool[Array, "model dataset"], ...]
    models: tuple[SkyModel | Nuisance, ...]
    layout: Layout
    priors: tuple[AnyGroup, ...]

    def __init__(self, datasets: Dataset | Iterable[Dataset], models: Models, *, nodes: int = 4, dense: bool = False):
        """`nodes`: Gauss-Legendre nodes per true-energy bin. Raises `UnknownDataset` for a wrong `datasets_names`.

        With `dense`, cubes keep bins without counts: needed where their counts are going to be replaced.
        """
        datasets, models = as_datasets(datasets), as_models(models)
        names = datasets.names
        sees = [_sees(name, wanted, names) for name, wanted in models.datasets_names.items()]
        self.models = models.tree
        arranged = arrange(datasets, models, np.array(sees, dtype=bool), nodes, dense=dense)
        self.groups, self.acts = (tuple(x) for x in zip(*arranged, strict=True)) if arranged else ((), ())
        self.layout = models.layout
        self.priors = models.priors

    @property
    def start(self) -> Vector:
        """The start values as the vector `z` of free parameters."""
        return self.layout.z

    @property
    def lower(self) -> Vector:
        """Lower bounds of `z`."""
        return self.layout.lower

    @property
    def upper(self) -> Vector:
        """Upper bounds of `z`."""
        return self.layout.upper

    @property
    def weights(self) -> list[Array]:
        """Arrays of the network weights in the models."""
        return weight_leaves(self.models)

    def with_weights(self, weights: list[Array]) -> Self:
        """The problem with other network weights."""
        return self._replace(models=fill_weights(self.models, weights))

    def with_layout(self, layout: Layout) -> Self:
        """The problem with another layout (start values, bounds, what is held)."""
        return self._replace(layout=layout)

    def with_counts(self, counts: tuple[tuple[Bins, ...], ...]) -> Self:
        """The problem with other counts: per group `(counts,)` or `(counts, counts_off)`."""
        return self._replace(
            groups=tuple(eqx.tree_at(observed, g, new) for g, new in zip(self.groups, counts, strict=True))
        )

    def _replace(self, **fields) -> Self:
        new = copy.copy(self)
        for name, value in fields.items():
            object.__setattr__(new, name, value)
        return new


def as_models(models: Any) -> Models:
    """`Models`, or those of a result that carries them, such as a `Fit`. Raises `ModelError` for anything else."""
    inner = getattr(models, "models", models)
    if not isinstance(inner, Models):
        got = type(models).__name__
        raise ModelError(f"models must be Models(name=SkyModel(...)) or a fit, got {got}; Models.read() reads files")
    return inner


def _sees(model: str, wanted: tuple[str, ...] | None, datasets: list[str]) -> list[bool]:
    """Which datasets see a model that acts on `wanted` (None: all)."""
    for name in wanted or ():
        if name not in datasets:
            close = nearest(name, datasets)
            raise UnknownDataset(
                f"{model} acts on {name!r}; datasets are {', '.join(map(repr, datasets))}"
                + (f"; nearest: {close}" if close else "")
            )
    return [wanted is None or dataset in wanted for dataset in datasets]


def predictions(problem: Problem, values: Float[Array, "slot"]) -> tuple[Prediction, ...]:
    """What is predicted for each group at the parameter values."""
    models = fill(problem.models, values)
    return tuple(predict(models, acts, g) for g, acts in zip(problem.groups, problem.acts, strict=True))


def weighted_predictions(problem: Problem, weights: Sequence[Weights], values: Float[Array, "slot"]) -> Scalar:
    """Sum over the bins of all groups of `predictions` times weights."""
    models = fill(problem.models, values)
    every = zip(problem.groups, problem.acts, weights, strict=True)
    return sum((weighted(models, acts, g, w) for g, acts, w in every), jnp.zeros(()))


def prior_stat(problem: Problem, values: Float[Array, "slot"]) -> Scalar:
    """Minus twice the log density of all priors."""
    return jnp.asarray(-2.0 * sum((jnp.sum(p.log_prob(values)) for p in problem.priors), jnp.zeros(())))


def stat(problem: Problem, z: Vector) -> Scalar:
    """Total statistic at `z`: minus twice the log likelihood (Cash, WStat) plus that of the priors."""
    return _total(group_stat, problem, z)


def deviance(problem: Problem, z: Vector) -> Scalar:
    """`stat` above the least value that each bin can have: its differences survive single precision."""
    return _total(group_deviance, problem, z)


def _total(measure: Measure, problem: Problem, z: Vector) -> Scalar:
    if not isinstance(problem, Problem):
        raise ModelError(
            "the statistic is a function of a problem and of its free parameters z, stat(problem, problem.start) "
            f"with problem = Problem(datasets, models); got {type(problem).__name__}"
        )
    values = problem.layout.values(z)
    models = fill(problem.models, values)
    every = zip(problem.groups, problem.acts, strict=True)
    return sum((group_total(measure, models, acts, g) for g, acts in every), prior_stat(problem, values))


def nll(problem: Problem, z: Vector) -> Scalar:
    """Minus the log posterior density at `z`, up to a constant: half of `stat`."""
    return 0.5 * stat(problem, z)


def stat_per_dataset(problem: Problem, values: Float[Array, "slot"]) -> Float[Array, "dataset"]:
    """Statistic of each dataset at the parameter values, in the order of the collection."""
    out = jnp.zeros(sum(len(g.index) for g in problem.groups))
    for g, p in zip(problem.groups, predictions(problem, values), strict=True):
        out = out.at[g.index].set(jnp.sum(group_stat(g, p), axis=1))
    return out
