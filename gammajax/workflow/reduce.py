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
from gammajax.datasets.spectrum import SpectrumDatasetOnOff
from gammajax.errors import ConfigError, EmptyRun
from gammajax.infer.fit import versions
from gammajax.infer.stopwatch import Stopwatch
from gammajax.io.json import read_json, write_json
from gammajax.io.skymap import read_exclusion_mask
from gammajax.reduce.pipeline import Reduction, reduce_spectra
from gammajax.workflow.config import ReductionConfig

REPORT = "reduction.json"


def run_reduction(
    config: ReductionConfig, out: str | Path, *, progress: bool = True, resume: bool = False
) -> Reduction:
    """Reduce what the configuration asks for; write `datasets.yaml`, OGIP files and `reduction.json` into `out`.

    Unless the runs are stacked, each is written as soon as it is reduced. With `resume`, the runs that an interrupted
    call with the same configuration left in `out` are read from there, and only the others are reduced; the DL3 data
    are taken to be the same. Raises `ConfigError` if `out` was made with another configuration or gammajax version,
    or if a stack is to be resumed.

    Runs that fail are named in `reduction.json`; raises `EmptyRun` if none is left.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    earlier = _earlier(config, out) if resume else {}
    saved = dict(earlier)

    def save(dataset: SpectrumDatasetOnOff) -> None:
        write_dataset(dataset, out)
        saved[dataset.name] = dataset
        write_json({**_head(config), "complete": False, "datasets": list(saved)}, out / REPORT)

    with Stopwatch() as watch:
        reduction = reduced(config, progress=progress, done=earlier, each=None if config.stack else save)
        if not reduction.datasets:
            raise EmptyRun(
                "no run could be reduced: " + ("; ".join(reduction.failures.values()) or "none was selected")
            )
        datasets = Datasets(reduction.datasets)
        if config.fit_range is not None:
            datasets = datasets.select_energy(*config.fit_range)
        datasets.write(out)
    report: dict[str, Any] = {
        **_head(config),
        "complete": True,
        "datasets": datasets.names,
        "resumed": list(earlier),
        "failures": {str(run): message for run, message in reduction.failures.items()},
        "not_used": list(config.not_used),
        "timings": {"compile": watch.compile, "run": watch.run, "total": watch.total},
    }
    write_json(report, out / REPORT)
    return reduction


def _head(config: ReductionConfig) -> dict[str, Any]:
    return {"configuration": config.fingerprint, "versions": versions()}


def _earlier(config: ReductionConfig, out: Path) -> dict[str, SpectrumDatasetOnOff]:
    """The datasets that an earlier call with this configuration finished, by name; none where nothing was begun."""
    if config.stack:
        raise ConfigError("a stacked reduction cannot be resumed: its runs are not written one by one (stack: false)")
    if not (out / REPORT).is_file():
        return {}
    report = read_json(out / REPORT)
    begun = report.get("configuration") if isinstance(report, dict) else None
    if begun != config.fingerprint or report["versions"]["gammajax"] != versions()["gammajax"]:
        raise ConfigError(
            f"{out / REPORT} was made with another configuration or version: take another folder, or do not resume"
        )
    found = {name: read_dataset(out / f"pha_{name}.fits", name=name) for name in report["datasets"]}
    return {name: dataset for name, dataset in found.items() if isinstance(dataset, SpectrumDatasetOnOff)}


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
    done: dict[str, SpectrumDatasetOnOff] | None = None,
    each: Callable[[SpectrumDatasetOnOff], object] | None = None,
) -> Reduction:
    """The datasets of a configuration, in memory; those in `done` (by name) are taken as they are.

    `each` is called with every new one, as in `reduce_spectra`.
    """
    runs, done = selected(config), done or {}
    mask = None if config.exclusion is None else read_exclusion_mask(config.exclusion)
    # Processes are spawned: a forked copy of a process with JAX threads can hang.
    pool = ProcessPoolExecutor(config.n_jobs, get_context("spawn")) if config.n_jobs > 1 else nullcontext()
    with pool as executor:
        new = reduce_spectra(
            _without(runs, done),
            config.on_region,
            energy=config.energy,
            energy_true=config.energy_true,
            exclusion_mask=mask,
            background=config.off_regions,
            containment_correction=config.containment_correction,
            safe_mask=config.safe_mask,
            stack=config.stack,
            executor=executor,
            progress=progress,
            each=each,
        )
    if not done:
        return new
    found = {**done, **{dataset.name: dataset for dataset in new.datasets}}
    return Reduction([found[str(i)] for i in runs.ids if str(i) in found], new.failures)


def _without(runs: Observations, done: Collection[str]) -> Observations:
    return Observations((run for run in runs if str(run.obs_id) not in done), runs.failures)
