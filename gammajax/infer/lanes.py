"""Many toys in few calls: chunks of lanes, and the share of toys in a tail."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from gammajax.datasets.cube_groups import CubeGroup
from gammajax.likelihood.problem import Problem
from gammajax.numeric.each import each

LANES = 512
_MEMORY = 2**31
"""Bytes that the predictions of all lanes of a call may take."""


def in_chunks(run: Callable[..., Any], n: int, most: int = LANES) -> Any:
    """Results of `n` lanes: `run(chunk=k, lanes=m)` for k = 0, 1, ..., joined along their first axis, as numpy arrays.

    Numbers of lanes are powers of two, at most `most`, so that other numbers of toys find their program compiled.
    """
    lanes = min(most, 1 << (n - 1).bit_length())
    parts = [jax.tree.map(np.asarray, run(chunk=np.int32(k), lanes=lanes)) for k in range(-(-n // lanes))]
    return jax.tree.map(lambda *x: np.concatenate(x)[:n], *parts)


def most_lanes(*problems: Problem) -> int:
    """How many lanes, at most `LANES` and a power of two, keep the predictions of problems within the memory."""
    size = 0
    for problem in problems:
        for group in problem.groups:
            depth = group.exposure.shape[1] if isinstance(group, CubeGroup) else 1
            size += 8 * group.mask.size * (depth + problem.start.size + 8)
    return 1 << int(np.clip(np.log2(_MEMORY / size), 0, np.log2(LANES)))


def along_lanes(problem: Problem, function: Callable[..., Any], *arguments: Any) -> Any:
    """The results along a new first axis, for lanes that each run to an end of their own.

    Spectra all at once. Cubes one by one on a CPU (`numeric.each`): together, each lane would wait for the last.
    """
    alone = any(isinstance(group, CubeGroup) for group in problem.groups)
    return each(function, *arguments) if alone else jax.vmap(function)(*arguments)


def tail(toys: np.ndarray, measured: float) -> tuple[float, float]:
    """p-value `(k + 1) / (n + 1)` of a measured value, k of n toys being at least as large, and its binomial error.

    The measurement counts as one of the draws: the p-value is then never zero, and valid for any n. NaN without toys.

    Reference: A. C. Davison & D. V. Hinkley, Bootstrap Methods and their Application, chapter 4 (1997).

    >>> tail(np.array([1.0, 2.0, 3.0]), 2.5)[0]
    0.5
    """
    n = len(toys)
    if not n:
        return float("nan"), float("nan")
    p = (1.0 + float(np.sum(toys >= measured))) / (n + 1.0)
    return p, float(np.sqrt(p * (1.0 - p) / n))
