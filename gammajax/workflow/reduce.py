"""`gammajax reduce`: from a configuration to datasets YAML and the files that it names."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from gammajax.data import Observations
from gammajax.datasets.collection import Datasets
from gammajax.datasets.files import read_dataset, write_dataset
from gammajax.datasets.spectrum import Spectrum
from gammajax.errors import EmptyRun
from gammajax.infer.stopwatch import Stopwatch
from gammajax.io.json import write_json
from gammajax.reduce.pipeline import Reduction, reduce_spectra, stacked
from gammajax.workflow.config import ReductionConfig
from gammajax.workflow.cube_config import CubeReductionConfig
from gammajax.workflow.reduce_cubes import cubes
from gammajax.workflow.runs import REPORT, begun, excluded, head, selected, some, workers

__all__ = ["reduced", "run_reduction", "selected"]


def run_reduction(
    config: ReductionConfig | CubeReductionConfig, out: str | Path, *, progress: bool = True, resume: bool = False
) -> Reduction:
    """Reduce what the configuration asks for; write `datasets.yaml`, its files and `reduction.json` into `out`.

    Each run is written as soon as it is reduced: spectra into `out`, cubes and what is stacked into `out/runs`. With
    `resume`, the runs that an interrupted call with the same configuration left there are read, and only the others
    are reduced; the DL3 data are taken to be the same. Raises `ConfigError` if `out` was made with another
    configuration or gammajax version.

    Runs that fail are named in `reduction.json`; raises `EmptyRun` if none is left.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    earlier = begun(config, out) if resume else {}
    with Stopwatch() as watch:
        if isinstance(config, CubeReductionConfig):
            reduction, about = cubes(config, out, earlier, progress)
        else:
            reduction, about = _spectra(config, out, earlier, progress)
        if not reduction.datasets:
            raise EmptyRun("no run could be reduced: " + "; ".join(reduction.failures.values()))
        datasets = Datasets(reduction.datasets)
        if config.fit_range is not None:
            datasets = datasets.select_energy(*config.fit_range)
        datasets.write(out)
    report: dict[str, Any] = {
        **head(config),
        "complete": True,
        "datasets": datasets.names,
        **about,
        "failures": {str(run): message for run, message in reduction.failures.items()},
        "not_used": list(config.not_used),
        "timings": {"compile": watch.compile, "run": watch.run, "total": watch.total},
    }
    write_json(report, out / REPORT)
    return reduction


def _spectra(
    config: ReductionConfig, out: Path, earlier: dict[str, Any], progress: bool
) -> tuple[Reduction, dict[str, Any]]:
    """The spectra, and what the report says about their runs: files by name, and which were there before."""
    folder = out / "runs" if config.stack else out
    folder.mkdir(exist_ok=True)
    saved = {name: str(file) for name, file in earlier.get("runs", {}).items()}
    done = {name: read_dataset(folder / file, name=name) for name, file in saved.items()}

    def save(dataset: Spectrum) -> None:
        saved[dataset.name] = write_dataset(dataset, folder)
        report = {"complete": False, "datasets": list(saved), "runs": saved}
        write_json({**head(config), **report}, out / REPORT)

    reduction = reduced(config, progress=progress, done=done, each=save)
    return reduction, {"runs": saved, "resumed": list(done)}


def reduced(
    config: ReductionConfig,
    *,
    progress: bool = True,
    done: dict[str, Any] | None = None,
    each: Callable[[Spectrum], object] | None = None,
) -> Reduction:
    """The spectra of a configuration, in memory; those in `done` (by name) are taken as they are.

    `each` is called with every new one, as in `reduce_spectra`.
    """
    runs, done = some(config), done or {}
    with workers(config) as executor:
        new = reduce_spectra(
            _without(runs, done),
            config.on_region,
            energy=config.energy,
            energy_true=config.energy_true,
            exclusion_mask=excluded(config),
            background=config.background,
            containment_correction=config.containment_correction,
            safe_mask=config.safe_mask,
            executor=executor,
            progress=progress,
            each=each,
        )
    found = {**done, **{dataset.name: dataset for dataset in new.datasets}}
    datasets = [found[str(i)] for i in runs.ids if str(i) in found]
    return Reduction(stacked(datasets, config.stack, failures=new.failures), new.failures)


def _without(runs: Observations, done: Collection[str]) -> Observations:
    return Observations((run for run in runs if str(run.obs_id) not in done), runs.failures)
