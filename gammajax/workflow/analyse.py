"""`gammajax stat`, `fit` and `sample`: from files to result files."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from gammajax.datasets.collection import Datasets
from gammajax.datasets.cube import Cube
from gammajax.datasets.files import file_stem
from gammajax.datasets.flux_points import FluxPointsDataset
from gammajax.datasets.groups import Dataset
from gammajax.datasets.spectrum import SpectrumDataset, SpectrumDatasetOnOff
from gammajax.infer.fit import Fit, fit, make_problem
from gammajax.infer.posterior import Posterior
from gammajax.io.json import write_json
from gammajax.likelihood.expected import ExpectedCounts, predict_all
from gammajax.likelihood.problem import prior_stat, stat_per_dataset
from gammajax.models.collection import Models


@dataclass(frozen=True)
class Inputs:
    """What was read, and how long it took [s]."""

    datasets: Datasets
    models: Models
    seconds: float


def read_inputs(datasets: str | Path, models: str | Path) -> Inputs:
    """Read a datasets YAML and a models YAML, both in Gammapy's formats."""
    begin = time.perf_counter()
    return Inputs(Datasets.read(datasets), Models.read(models), time.perf_counter() - begin)


@jax.jit
def _terms(problem: Any) -> tuple[jax.Array, jax.Array]:
    values = problem.layout.values(problem.start)
    return stat_per_dataset(problem, values), prior_stat(problem, values)


def statistic(inputs: Inputs) -> dict[str, Any]:
    """The statistic at the models' values: total with priors, and per dataset; counts and npred in the fit range.

    `npred` is signal plus background, the latter profiled for on-off data.
    """
    each, prior = _terms(make_problem(inputs.datasets, inputs.models))
    found = predict_all(inputs.datasets, inputs.models)
    rows = [
        {"name": d.name, "type": type(d).__name__, "stat": float(stat), **_totals(d, expected)}
        for d, stat, expected in zip(inputs.datasets, each, found, strict=True)
    ]
    return {"stat": float(np.sum(each) + prior), "datasets": rows, "prior_stat": float(prior)}


def _totals(dataset: Dataset, expected: ExpectedCounts) -> dict[str, float | int]:
    mask = np.asarray(dataset.mask)
    if isinstance(dataset, FluxPointsDataset):
        return {"n_bins": int(mask.sum())}
    npred = expected.signal + expected.background
    counts = np.asarray(dataset.counts)
    return {"n_bins": int(mask.sum()), "counts": float(counts[mask].sum()), "npred": float(npred[mask].sum())}


def run_fit(inputs: Inputs, out: str | Path, *, plots: bool = True) -> Fit:
    """Fit, and write `result.json`, `models.yaml` (with its covariance) and plots into `out`."""
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    result = fit(inputs.datasets, inputs.models)
    write_fit(result, out, read_seconds=inputs.seconds)
    if plots:
        write_fit_plots(inputs.datasets, result, out)
    return result


def write_fit(result: Fit, out: Path, *, read_seconds: float = 0.0) -> None:
    """Write `result.json` and `models.yaml`; timings [s] are read, compile, run, total."""
    content = result.to_dict()
    timings = {"read": read_seconds, **result.timings}
    timings["total"] = read_seconds + result.timings["total"]
    write_json({**content, "timings": timings}, out / "result.json")
    result.models.write(out / "models.yaml")


def write_fit_plots(datasets: Datasets, result: Fit, out: Path, posterior: Posterior | None = None) -> list[Path]:
    """Write the counts of all spectra, residual maps of cubes, and the SED of each model.

    SEDs have the band of the posterior where there is one.
    """
    from gammajax.plot import plot_counts, plot_residual_map, plot_sed, save

    counts = [d for d in datasets if isinstance(d, SpectrumDataset | SpectrumDatasetOnOff)]
    written = [save(plot_counts(counts, result.models), out / "counts.png")] if counts else []
    cubes = [d for d in datasets if isinstance(d, Cube) and d.mask.any()]
    written += [save(plot_residual_map(d, result), out / f"residuals_{file_stem(d.name)}.png") for d in cubes]
    bounds = energy_range(datasets)
    for name in result.models.sources:
        figure = plot_sed(result, name, bounds, posterior=posterior)
        written.append(save(figure, out / f"sed_{name}.png"))
    return written


def energy_range(datasets: Datasets) -> tuple[float, float]:
    """Lowest and highest energy of the bins that take part in the likelihood [TeV]."""
    # of a cube an energy takes part if any of its pixels does
    edges = [(*_bounds(d), np.asarray(d.mask).reshape(len(d.mask), -1).any(axis=1)) for d in datasets]
    used = [(low[mask].min(), high[mask].max()) for low, high, mask in edges if mask.any()]
    return float(min(low for low, _ in used)), float(max(high for _, high in used))


def _bounds(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper end of each bin, or the energies of flux points twice."""
    if isinstance(dataset, FluxPointsDataset):
        return np.asarray(dataset.energy_ref), np.asarray(dataset.energy_ref)
    return np.asarray(dataset.energy)[:-1], np.asarray(dataset.energy)[1:]


def run_sample(
    inputs: Inputs,
    out: str | Path,
    *,
    seed: int = 0,
    draws: int = 1000,
    chains: int = 4,
    warmup: int = 300,
    progress: bool = True,
    plots: bool = True,
) -> tuple[Fit, Posterior]:
    """Fit, sample, and write what `run_fit` writes, `posterior.h5`, `posterior.json` and a corner plot into `out`."""
    from gammajax.infer.sample import sample

    out = Path(out)
    result = run_fit(inputs, out, plots=False)
    posterior = sample(
        inputs.datasets,
        result,
        key=jax.random.key(seed),
        draws=draws,
        chains=chains,
        warmup=warmup,
        progress=progress,
    )
    write_posterior(posterior, out)
    if plots:
        from gammajax.plot import plot_corner, save

        write_fit_plots(inputs.datasets, result, out, posterior)
        save(plot_corner(posterior, fit=result), out / "corner.png")
    return result, posterior


def write_posterior(posterior: Posterior, out: Path) -> None:
    """Write `posterior.h5` (draws) and `posterior.json` (summary)."""
    posterior.write(out / "posterior.h5")
    posterior.write(out / "posterior.json")
