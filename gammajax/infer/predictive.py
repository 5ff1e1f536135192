r"""Predictive checks: what counts do a prior, a fit or a posterior predict, and do the data look like them?

Parameters are drawn from the posterior (or from the priors), counts from the parameters. The discrepancy T(counts,
parameters), the deviance or the largest residual, of the drawn counts is compared with that of the measured ones at
the same parameters: the share of draws with the larger one is the predictive p-value. It is near 0.5 for data like the
model and, as the data were used twice, less extreme than a p-value of goodness().

Off counts are drawn too, around the background that the measured on and off counts make most likely at the drawn
parameters. Cubes are drawn and compared pixel by pixel; of their draws the sums over the mask at each energy are kept.

References: D. B. Rubin, Ann. Stat. 12, 1151 (1984); A. Gelman, X.-L. Meng & H. Stern, Stat. Sinica 6, 733 (1996).
"""

import dataclasses
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from astropy.table import Table, vstack

from gammajax._typing import Array, Float, Scalar
from gammajax.checks import whole
from gammajax.datasets.binned import OffMeasurement
from gammajax.datasets.collection import Datasets, as_datasets
from gammajax.datasets.cube import Cube
from gammajax.datasets.cube_groups import CubeGroup
from gammajax.datasets.flux_points import FluxPointsDataset
from gammajax.datasets.groups import Dataset, Group
from gammajax.errors import DatasetError, PriorError
from gammajax.infer.deviance import at, discrepancies
from gammajax.infer.fit import Fit, make_problem
from gammajax.infer.lanes import in_chunks, most_lanes, tail
from gammajax.infer.posterior import Posterior
from gammajax.io.hdf5 import write_tree
from gammajax.likelihood.cube import of_sums
from gammajax.likelihood.problem import Problem, as_models
from gammajax.likelihood.toys import draw
from gammajax.models.collection import Models
from gammajax.numeric.keys import as_key
from gammajax.tables import as_text, make_table

QUANTILES = (0.025, 0.16, 0.5, 0.84, 0.975)
"""Edges of the central 95 % and 68 % intervals, and the median."""


@dataclasses.dataclass(frozen=True)
class Predictive:
    """Counts drawn from drawn parameters, and how the measured ones compare.

    `counts[name][draw, bin]` are on counts of each dataset, of cubes the sums over their mask at each energy,
    `counts_off[name]` off counts of on-off data; `drawn` and `measured` hold the discrepancies of drawn and measured
    counts, one per draw. `source` is "priors", "fit" or "posterior".
    """

    datasets: Datasets
    source: str
    counts: dict[str, np.ndarray]
    counts_off: dict[str, np.ndarray]
    drawn: dict[str, np.ndarray]
    measured: dict[str, np.ndarray]
    parameters: np.ndarray

    def observed(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Measured on counts of a dataset at each energy, of cubes summed over the mask, and which energies are in use.

        Raises `UnknownDataset`.
        """
        dataset: Any = self.datasets[name]
        counts, mask = np.asarray(dataset.counts), np.asarray(dataset.mask)
        if not isinstance(dataset, Cube):
            return counts, mask
        return np.where(mask, counts, 0.0).sum(axis=(1, 2)), np.any(mask, axis=(1, 2))

    def quantiles(self, name: str, quantiles: Sequence[float] = QUANTILES) -> np.ndarray:
        """Quantiles of the on counts in each bin of a dataset, shape (quantile, bin). Raises `UnknownDataset`."""
        return np.quantile(self.counts[self.datasets[name].name], quantiles, axis=0)

    @property
    def p_values(self) -> dict[str, tuple[float, float]]:
        """Share of draws that deviate at least as much as the data at the same parameters, and its binomial error.

        Keys "deviance" and "largest" (absolute residual of a bin).
        """
        return {name: tail(x - self.measured[name], 0.0) for name, x in self.drawn.items()}

    @property
    def table(self) -> Table:
        """One row per bin in use: dataset, energies [TeV], counts, quantiles, two-sided p-value of the bin.

        Of cubes a row is an energy.
        """
        parts = [self._rows(dataset) for dataset in self.datasets]
        return vstack(parts)

    def _rows(self, dataset: Any) -> Any:
        edges, drawn = np.asarray(dataset.energy), self.counts[dataset.name]
        counts, used = self.observed(dataset.name)
        n = len(drawn)
        # The measurement counts as one of the draws.
        above, below = (np.sum(x, axis=0) + 1.0 for x in (drawn >= counts, drawn <= counts))
        columns = {
            "dataset": np.full(len(counts), dataset.name),
            "energy_min": edges[:-1],
            "energy_max": edges[1:],
            "counts": counts,
            **{f"q{100 * q:g}": row for q, row in zip(QUANTILES, self.quantiles(dataset.name), strict=True)},
            "p_value": np.minimum(2.0 * np.minimum(above, below) / (n + 1.0), 1.0),
        }
        return make_table(columns, ["energy_min", "energy_max"], p_value=".3g")[used]

    def write(self, path: str | Path) -> Path:
        """Write drawn counts, parameters and discrepancies as HDF5."""
        arrays = {"parameters": self.parameters}
        for folder, content in (("counts", self.counts), ("counts_off", self.counts_off)):
            arrays |= {f"{folder}/{name}": x for name, x in content.items()}
        for folder, content in (("drawn", self.drawn), ("measured", self.measured)):
            arrays |= {f"{folder}/{name}": x for name, x in content.items()}
        header = {f"p_{name}": p for name, (p, _) in self.p_values.items()}
        return write_tree(path, "predictive", {**arrays, "source": self.source, **header})

    def __repr__(self) -> str:
        said = ", ".join(f"p({name}) = {p:.3g} +- {error:.2g}" for name, (p, error) in self.p_values.items())
        return f"Predictive check of the {self.source}, {len(self.parameters)} draws: {said}\n{as_text(self.table)}"

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def predictive(
    datasets: Dataset | Iterable[Dataset],
    models: Models | Fit | Posterior,
    *,
    key: Any,
    draws: int = 1000,
) -> Predictive:
    """Draw parameters, then counts, and compare the measured counts with them.

    A `Posterior` gives draws spread evenly over its chains; `Models` are drawn from their priors (prior predictive;
    free parameters without a prior stay at their value); of a `Fit` the best values are taken for every draw.
    `key` is a `jax.random.key` or an integer.
    Raises `ConfigError` for draws < 1, `PriorError` if no free parameter of `Models` has a prior.

    >>> predictive(datasets, posterior, key=2).p_values                                 # doctest: +SKIP
    """
    datasets, key = as_datasets(datasets), as_key(key)
    draws = whole(draws, "draws")
    if points := [d.name for d in datasets if isinstance(d, FluxPointsDataset)]:
        raise DatasetError(f"{', '.join(points)} hold flux points, which have no counts: check them apart from spectra")
    pick, poisson = jax.random.split(key)
    source, parameters = _parameters(models, pick, draws)
    nodes = models.nodes if isinstance(models, Fit) else 4
    problem = make_problem(datasets, as_models(models), nodes=nodes, dense=True)
    most = min(_LANES, most_lanes(problem), 1 << (draws - 1).bit_length())
    filled = np.resize(parameters, (-(-draws // most) * most, parameters.shape[1]))
    counts, drawn, measured = in_chunks(partial(_draw, problem, jax.device_put(filled), poisson), draws, most)
    on, off = _by_name(datasets, problem, counts)
    names = ("deviance", "largest")
    return Predictive(
        datasets=datasets,
        source=source,
        counts=on,
        counts_off=off,
        drawn=dict(zip(names, drawn, strict=True)),
        measured=dict(zip(names, measured, strict=True)),
        parameters=parameters,
    )


_LANES = 256


def _parameters(models: Models | Fit | Posterior, key: Array, draws: int) -> tuple[str, np.ndarray]:
    """Where parameters come from, and their natural values, shape (draw, free)."""
    if isinstance(models, Posterior):
        flat = models.flat
        return "posterior", flat[np.linspace(0, len(flat) - 1, draws).round().astype(int)]
    rows = [as_models(models).rows[path] for path in as_models(models).free_paths]
    values = np.tile([row.value for row in rows], (draws, 1)).reshape(draws, len(rows))
    if isinstance(models, Fit):
        return "fit", values
    if all(row.prior is None for row in rows):
        raise PriorError("no free parameter has a prior: place some, or pass a fit or a posterior")
    u = np.asarray(jax.random.uniform(key, values.shape, minval=1e-12))
    for i, row in enumerate(rows):
        if row.prior is not None:
            drawn = np.asarray(row.prior.ppf(jnp.asarray(u[:, i])))
            if not np.all((drawn >= row.lower) & (drawn <= row.upper)):
                raise PriorError(
                    f"{row.path}: its prior {row.prior} reaches beyond its bounds [{row.lower:g}, {row.upper:g}]: "
                    "draws there mean nothing; use a prior with that support"
                )
            values[:, i] = drawn
    return "priors", values


@partial(jax.jit, static_argnames="lanes")
def _draw(problem: Problem, parameters: Float[Array, "draw free"], key: Array, chunk: Scalar, lanes: int):
    """Counts, and discrepancies of drawn and measured counts, of one chunk of draws."""
    mine = jax.lax.dynamic_slice_in_dim(parameters, chunk * lanes, lanes)

    def one(natural: Array, key: Array):
        z = problem.layout.to_z(natural)
        counts = jax.tree.map(lambda x: x[0], draw(at(problem, z), key, 1))
        kept = tuple(_per_energy(group, drawn) for group, drawn in zip(problem.groups, counts, strict=True))
        return kept, discrepancies(problem.with_counts(counts), z), discrepancies(problem, z)

    return jax.vmap(one)(mine, jax.random.split(jax.random.fold_in(key, chunk), lanes))


def _per_energy(group: Group, counts: tuple[Array, ...]) -> tuple[Array, ...]:
    """Of cubes the sums over the mask at each energy, of spectra all bins."""
    return tuple(of_sums(group, x) for x in counts) if isinstance(group, CubeGroup) else counts


def _by_name(datasets: Datasets, problem: Problem, counts) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    on, off = {}, {}
    for group, arrays in zip(problem.groups, counts, strict=True):
        for row, position in enumerate(np.asarray(group.index).tolist()):
            dataset = datasets[position]
            n = len(dataset.counts)
            on[dataset.name] = arrays[0][:, row, :n]
            if isinstance(dataset, OffMeasurement):
                off[dataset.name] = arrays[1][:, row, :n]
    order = datasets.names
    return {x: on[x] for x in order}, {x: off[x] for x in order if x in off}
