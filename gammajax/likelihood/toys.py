"""Simulated counts of binned datasets: Asimov (expected) and Poisson toys."""

from collections.abc import Iterable, Sequence
from typing import Any

import jax
import numpy as np

from gammajax._typing import Array
from gammajax.datasets.collection import Datasets, as_datasets
from gammajax.datasets.groups import Dataset, of_dataset
from gammajax.likelihood.problem import Problem, predictions
from gammajax.likelihood.terms import Bins, draw_group, expected
from gammajax.models.collection import Models
from gammajax.numeric.keys import as_key


def expected_counts(problem: Problem) -> tuple[tuple[Bins, ...], ...]:
    """`expected` of every group at the start values of a problem."""
    values = problem.layout.values(problem.start)
    return tuple(expected(g, p) for g, p in zip(problem.groups, predictions(problem, values), strict=True))


_means = jax.jit(expected_counts)


def draw(problem: Problem, key: Array, n: int) -> tuple[tuple[Bins, ...], ...]:
    """`n` sets of measurements at the start values of a problem; arrays gain a leading axis of length `n`."""
    keys = jax.random.split(key, len(problem.groups))
    means = expected_counts(problem)
    return tuple(draw_group(g, mu, k, n) for g, mu, k in zip(problem.groups, means, keys, strict=True))


_draw_one = jax.jit(lambda problem, key: draw(problem, key, 1))


def asimov(datasets: Dataset | Iterable[Dataset], models: Models) -> Datasets:
    """The datasets with their counts replaced by what `models` predict (Asimov data).

    The statistic has its minimum at the model parameters. Reference: G. Cowan et al., EPJ C 71, 1554 (2011).
    """
    datasets = as_datasets(datasets)
    problem = Problem(datasets, models, dense=True)
    return _with_counts(datasets, problem, _means(problem))


def fake(datasets: Dataset | Iterable[Dataset], models: Models, *, key: Array) -> Datasets:
    """The datasets with their counts replaced by one Poisson draw from what `models` predict.

    `key` is a `jax.random.key` or an integer.
    """
    datasets = as_datasets(datasets)
    problem = Problem(datasets, models, dense=True)
    drawn = _draw_one(problem, as_key(key))
    return _with_counts(datasets, problem, [tuple(x[0] for x in group) for group in drawn])


def _with_counts(datasets: Datasets, problem: Problem, counts: Sequence[tuple[Any, ...]]) -> Datasets:
    new = list(datasets)
    # On the host: slicing on the device would compile a little program per shape.
    for group, arrays in zip(problem.groups, jax.tree.map(np.asarray, tuple(counts)), strict=True):
        for row, position in enumerate(group.index.tolist()):
            dataset = datasets[position]
            new[position] = dataset.with_observed(*(of_dataset(group, row, dataset, x) for x in arrays))
    return Datasets(new)
