r"""Goodness of fit by toys: is the deviance of the data from the best fit larger than chance makes it?

Counts are drawn from the best fit and fitted again; the deviances of the refits are what the fit's deviance is
compared with. No chi-squared law is assumed, which few counts would break. The deviance is that of the counts alone;
a prior constrains the refits but is no measurement that could deviate.

Reference: S. Baker & R. D. Cousins, NIM 221, 437 (1984).
"""

import dataclasses
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from scipy.stats import chi2

from gammajax._typing import Array, Scalar
from gammajax.checks import whole
from gammajax.datasets.groups import Dataset
from gammajax.infer.begin import begin
from gammajax.infer.deviance import deviance_and_largest, discrepancies
from gammajax.infer.fit import Fit
from gammajax.infer.lanes import along_lanes, in_chunks, most_lanes, tail
from gammajax.infer.minimise import MAX_STEPS, Status, minimise
from gammajax.io.hdf5 import write_tree
from gammajax.likelihood.problem import Problem
from gammajax.likelihood.toys import draw
from gammajax.models.collection import Models
from gammajax.numeric.keys import as_key
from gammajax.tables import as_text, make_table

_TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True)
class Goodness:
    """Deviance and largest absolute residual of the data at the best fit, and those of refitted toys.

    `converged` tells which toys were fitted; only those count.
    """

    deviance: float
    largest: float
    toys_deviance: np.ndarray
    toys_largest: np.ndarray
    converged: np.ndarray
    n_bins: int
    n_free: int
    remark: str = ""

    @property
    def p_value(self) -> tuple[float, float]:
        """Share of the toys that deviate as much in total, `(k + 1) / (n + 1)`, and its binomial error."""
        return tail(self.toys_deviance[self.converged], self.deviance)

    @property
    def p_value_largest(self) -> tuple[float, float]:
        """The same for the largest absolute residual of a bin."""
        return tail(self.toys_largest[self.converged], self.largest)

    @property
    def p_value_chi2(self) -> float:
        """What chi-squared with `n_bins - n_free` degrees of freedom says; right for many counts in a bin only."""
        return float(chi2.sf(self.deviance, self.n_bins - self.n_free))

    @property
    def message(self) -> str:
        """How many toys count, and what is wrong."""
        failed = int(np.sum(~self.converged))
        said = [self.remark] if self.remark else []
        said += [f"{failed} of {len(self.converged)} refits did not converge and are left out."] if failed else []
        return " ".join(said) or f"All {len(self.converged)} refits converged."

    @property
    def table(self) -> Any:
        """Columns statistic, measured, mean and std of the toys, p_value, p_error."""
        good = self.converged
        toys = [self.toys_deviance[good], self.toys_largest[good]]
        p = [self.p_value, self.p_value_largest]
        columns = {
            "statistic": ["deviance", "largest residual"],
            "measured": [self.deviance, self.largest],
            "toys_mean": [float(np.mean(x)) if len(x) else np.nan for x in toys],
            "toys_std": [float(np.std(x)) if len(x) else np.nan for x in toys],
            "p_value": [x for x, _ in p],
            "p_error": [x for _, x in p],
        }
        return make_table(columns, list(columns)[1:])

    def write(self, path: str | Path) -> Path:
        """Write measured values and toys as HDF5."""
        arrays = {
            "toys_deviance": self.toys_deviance,
            "toys_largest": self.toys_largest,
            "converged": self.converged,
        }
        header = {"deviance": self.deviance, "largest": self.largest, "n_bins": self.n_bins, "n_free": self.n_free}
        return write_tree(path, "goodness", {**arrays, **header, "p_value": self.p_value[0]})

    def __repr__(self) -> str:
        value, error = self.p_value
        head = f"Goodness of fit: deviance {self.deviance:.4g} in {self.n_bins} bins, p = {value:.3g} +- {error:.2g}"
        return f"{head}. {self.message}\n{as_text(self.table)}"

    def _repr_html_(self) -> str:
        return f"<p>{self.message}</p>{self.table._repr_html_()}"


def goodness(
    datasets: Dataset | Iterable[Dataset],
    fit: Fit | Models,
    *,
    key: Any,
    n: int = 1000,
) -> Goodness:
    """Goodness of fit by `n` toys, drawn from the best fit and refitted as lanes of one program.

    `key` is a `jax.random.key` or an integer. Off counts are drawn around their most likely values at the best fit.
    Raises `ConfigError` for n < 1, `UnknownDataset` if the fit was made to other datasets.

    >>> goodness(datasets, fit, key=1, n=2000).p_value                                  # doctest: +SKIP
    """
    n = whole(n, "n")
    start = begin(datasets, fit, dense=True)
    problem = start.problem
    total, largest = (float(x) for x in deviance_and_largest(problem, problem.start))
    toys = in_chunks(partial(_refits, problem, as_key(key), _TOLERANCE), n, most_lanes(problem))
    return Goodness(
        deviance=total,
        largest=largest,
        toys_deviance=toys[0],
        toys_largest=toys[1],
        converged=toys[2] == Status.CONVERGED,
        n_bins=start.fit.n_bins,
        n_free=len(start.fit.models.free_paths),
        remark=start.remark,
    )


@partial(jax.jit, static_argnames="lanes")
def _refits(problem: Problem, key: Array, tolerance: Scalar, chunk: Scalar, lanes: int) -> tuple[Array, Array, Array]:
    def one(counts) -> tuple[Array, Array, Array]:
        toy = problem.with_counts(counts)
        end = minimise(toy, problem.start, tolerance=tolerance, max_steps=MAX_STEPS)
        return *discrepancies(toy, end.z), end.status

    return along_lanes(problem, one, draw(problem, jax.random.fold_in(key, chunk), lanes))
