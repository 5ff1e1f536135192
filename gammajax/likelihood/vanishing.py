"""Counts that nothing predicts: where -2 ln L is infinite, whatever the values of the parameters nearby."""

from typing import Any

import numpy as np

from gammajax.datasets.cube_groups import CubeGroup, OnOffCubeGroup
from gammajax.errors import DatasetError
from gammajax.likelihood.problem import Problem, predictions

LEAST = 1e-15
"""Fewer expected counts than this are none."""


def check_predicted(problem: Problem, names: list[str]) -> None:
    """Raise `DatasetError` if models at their start values predict nothing in bins of a cube that hold counts.

    Only bins without background need a look.
    """
    groups = [i for i, g in enumerate(problem.groups) if isinstance(g, CubeGroup) and bool(_bare(g).any())]
    if not groups:
        return
    found = predictions(problem, problem.layout.values(problem.start))
    for i in groups:
        empty = _bare(problem.groups[i]) & (np.asarray(found[i].signal) < LEAST)
        for row in np.flatnonzero(empty.any(axis=1)):
            name = names[int(problem.groups[i].index[row])]
            raise DatasetError(
                f"{name}: nothing is predicted in {int(empty[row].sum())} bins with counts, so that the likelihood "
                "is zero: give the dataset a background, add a diffuse model, or leave these bins out by mask_fit"
            )


def _bare(group: Any) -> np.ndarray:
    """Occupied bins without background; of on-off cubes those without off acceptance."""
    bins = np.asarray(group.mask) & ~np.asarray(group.is_sum)[None]
    background = group.alpha if isinstance(group, OnOffCubeGroup) else group.background
    return bins & (np.asarray(group.counts) > 0) & (np.asarray(background) <= 0)
