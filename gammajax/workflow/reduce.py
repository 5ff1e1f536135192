"""`gammajax reduce`: from a configuration to datasets YAML and OGIP files."""

from collections.abc import Callable, Collection
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from astropy.coordinates import SkyCoord

from gammajax.data import DataStore, Observations
from gammajax.datasets.collection import Datasets
from gammajax.datasets.files import read_dataset, write_dataset
from gammajax.datasets.spectrum import Spectrum
from gammajax.errors import ConfigError, EmptyRun
from gammajax.infer.fit import versions
from gammajax.infer.stopwatch import Stopwatch
from gammajax.io.json import read_json, write_json
from gammajax.io.regions import read_region
from gammajax.io.skymap import read_exclusion_mask
from gammajax.reduce.pipeline import Reduction, reduce_spectra, stacked
from gammajax.workflow.config import ReductionConfig

REPORT = "reduction.json"


def run_reduction(
    config: ReductionConfig, out: str | Path, *, progress: bool = True, resume: bool = False
) -> Reduction:
    """Reduce what the configuration asks for; write `datasets.yaml`, OGIP files and `reduction.json` into `out`.

    Each run is written as soon as it is reduced (into `out/runs` if they are stacked). With `resume`, the runs that an
    interrupted call with the same configuration left there are read, and only the others are reduced; the DL3 data
    are taken to be the same. Raises `ConfigError` if `out` was made with another configuration or gammajax version.

    Runs that fail are named in `reduction.json`; raises `EmptyRun` if none is left.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    earlier = _earlier(config, out) if resume else {}
    folder = _runs(config, out)
    folder.mkdir(exist_ok=True)
    saved = {name: str(read_json(out / REPORT)["runs"][name]) for name in earlier}

    def save(dataset: Spectrum) -> None:
        saved[dataset.name] = write_dataset(dataset, folder)
        report = {"complete": False, "datasets": list(saved), "runs": saved}
        write_json({**_head(config), **report}, out / REPORT)

    with Stopwatch() as watch:
        reduction = reduced(config, progress=progress, done=earlier, each=save)
        if not reduction.datasets:
            none = f"none of {config.datastore} is selected by observations.obs_ids, obs_cone and obs_time"
            raise EmptyRun("no run could be reduced: " + ("; ".join(reduction.failures.values()) or none))
        datasets = Datasets(reduction.datasets)
        if config.fit_range is not None:
            datasets = datasets.select_energy(*config.fit_range)
        datasets.write(out)
    report: dict[str, Any] = {
        **_head(config),
        "complete": True,
        "datasets": datasets.names,
        "runs": saved,
        "resumed": list(earlier),
        "failures": {str(run): message for run, message in reduction.failures.items()},
        "not_used": list(config.not_used),
        "timings": {"compile": watch.compile, "run": watch.run, "total": watch.total},
    }
    write_json(report, out / REPORT)
    return reduction


def _head(config: ReductionConfig) -> dict[str, Any]:
    return {"configuration": config.fingerprint, "versions": versions()}


def _runs(config: ReductionConfig, out: Path) -> Path:
    """Where the datasets of single runs are kept."""
    return out / "runs" if config.stack else out


def _earlier(config: ReductionConfig, out: Path) -> dict[str, Any]:
    """The datasets that an earlier call with this configuration finished, by name; none where nothing was begun."""
    if not (out / REPORT).is_file():
        return {}
    report = read_json(out / REPORT)
    begun = report.get("configuration") if isinstance(report, dict) else None
    if begun != config.fingerprint or report["versions"]["gammajax"] != versions()["gammajax"]:
        raise ConfigError(
            f"{out / REPORT} was made with another configuration or version: take another folder, or do not resume"
        )
    return {name: read_dataset(_runs(config, out) / file, name=name) for name, file in report["runs"].items()}


def selected(config: ReductionConfig) -> Observations:
    """The runs of a configuration, cut to its time interval; `failures` names those that cannot be had."""
    store = DataStore.from_dir(config.datastore)
    ids = store.obs_ids if config.obs_ids is None else config.obs_ids
    if config.cone is not None:
        position = SkyCoord(config.cone.ra, config.cone.dec, unit="deg")
        ids = store.select(ids, cone=(position, config.cone.radius))
    runs = store.observations(ids, required=config.required_irf)
    return runs if config.time is None else runs.select_time(config.time)


def reduced(
    config: ReductionConfig,
    *,
    progress: bool = True,
    done: dict[str, Spectrum] | None = None,
    each: Callable[[Spectrum], object] | None = None,
) -> Reduction:
    """The datasets of a configuration, in memory; those in `done` (by name) are taken as they are.

    `each` is called with every new one, as in `reduce_spectra`.
    """
    runs, done = selected(config), done or {}
    mask: Any = None
    if config.exclusion is not None:
        mask = (read_region if config.exclusion.suffix == ".reg" else read_exclusion_mask)(config.exclusion)
    # Processes are spawned: a forked copy of a process with JAX threads can hang.
    pool = ProcessPoolExecutor(config.n_jobs, get_context("spawn")) if config.n_jobs > 1 else nullcontext()
    with pool as executor:
        new = reduce_spectra(
            _without(runs, done),
            config.on_region,
            energy=config.energy,
            energy_true=config.energy_true,
            exclusion_mask=mask,
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
