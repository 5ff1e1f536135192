"""`gammajax reduce`: from a configuration to datasets YAML and OGIP files."""

from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from gammajax.data import DataStore
from gammajax.datasets.collection import Datasets
from gammajax.errors import EmptyRun
from gammajax.infer.fit import versions
from gammajax.infer.stopwatch import Stopwatch
from gammajax.io.json import write_json
from gammajax.io.skymap import read_exclusion_mask
from gammajax.reduce.pipeline import Reduction, reduce_spectra
from gammajax.workflow.config import ReductionConfig


def run_reduction(config: ReductionConfig, out: str | Path, *, progress: bool = True) -> Reduction:
    """Reduce what the configuration asks for; write `datasets.yaml`, OGIP files and `reduction.json` into `out`.

    Runs that fail are named in `reduction.json`; raises `EmptyRun` if none is left.
    """
    out = Path(out)
    with Stopwatch() as watch:
        reduction = reduced(config, progress=progress)
        if not reduction.datasets:
            raise EmptyRun(
                "no run could be reduced: " + ("; ".join(reduction.failures.values()) or "none was selected")
            )
        datasets = Datasets(reduction.datasets)
        if config.fit_range is not None:
            datasets = datasets.select_energy(*config.fit_range)
        datasets.write(out)
    report: dict[str, Any] = {
        "datasets": datasets.names,
        "failures": {str(run): message for run, message in reduction.failures.items()},
        "not_used": list(config.not_used),
        "timings": {"compile": watch.compile, "run": watch.run, "total": watch.total},
        "versions": versions(),
    }
    write_json(report, out / "reduction.json")
    return Reduction(reduction.datasets, reduction.failures)


def reduced(config: ReductionConfig, *, progress: bool = True) -> Reduction:
    """The datasets of a configuration, in memory."""
    store = DataStore.from_dir(config.datastore)
    if config.obs_ids or (config.cone is None and config.time is None):
        ids = config.obs_ids or store.obs_ids
    else:
        ids = store.select(cone=config.cone, time=config.time)
    mask = None if config.exclusion is None else read_exclusion_mask(config.exclusion)
    # Processes are spawned: a forked copy of a process with JAX threads can hang.
    pool = ProcessPoolExecutor(config.n_jobs, get_context("spawn")) if config.n_jobs > 1 else nullcontext()
    with pool as executor:
        return reduce_spectra(
            store.observations(ids),
            config.on_region,
            energy=config.energy,
            energy_true=config.energy_true,
            exclusion_mask=mask,
            off_regions=config.off_regions,
            containment_correction=config.containment_correction,
            safe_mask=config.safe_mask,
            stack=config.stack,
            executor=executor,
            progress=progress,
        )
