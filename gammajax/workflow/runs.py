"""What reductions of every kind share while they run: the runs, the excluded sky, workers, and the report."""

from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from astropy.coordinates import SkyCoord

from gammajax.data import DataStore, Observations
from gammajax.errors import ConfigError, EmptyRun
from gammajax.infer.fit import versions
from gammajax.io.json import read_json
from gammajax.io.regions import read_region
from gammajax.io.skymap import read_exclusion_mask
from gammajax.workflow.sections import Configuration

REPORT = "reduction.json"


def selected(config: Configuration) -> Observations:
    """The runs of a configuration, cut to its time interval; `failures` names those that cannot be had."""
    store = DataStore.from_dir(config.datastore)
    ids = store.obs_ids if config.obs_ids is None else config.obs_ids
    if config.cone is not None:
        position = SkyCoord(config.cone.ra, config.cone.dec, unit="deg")
        ids = store.select(ids, cone=(position, config.cone.radius))
    runs = store.observations(ids, required=config.required_irf)
    return runs if config.time is None else runs.select_time(config.time)


def some(config: Configuration) -> Observations:
    """As `selected`; raises `EmptyRun` if no run is selected, not even one that fails."""
    runs = selected(config)
    if not len(runs) and not runs.failures:
        raise EmptyRun(
            f"no run could be reduced: none of {config.datastore} is selected by observations.obs_ids, obs_cone and "
            "obs_time"
        )
    return runs


def excluded(config: Configuration) -> Any:
    """The excluded sky of a configuration: a mask or a region, read if it is a file."""
    if not isinstance(config.exclusion, Path):
        return config.exclusion
    return (read_region if config.exclusion.suffix == ".reg" else read_exclusion_mask)(config.exclusion)


def workers(config: Configuration) -> AbstractContextManager[Executor | None]:
    """The processes of a configuration; None for one job, which is done here."""
    # Processes are spawned: a forked copy of a process with JAX threads can hang.
    return ProcessPoolExecutor(config.n_jobs, get_context("spawn")) if config.n_jobs > 1 else nullcontext()


def head(config: Configuration) -> dict[str, Any]:
    """What a report begins with: who made it of what."""
    return {"configuration": config.fingerprint, "versions": versions()}


def begun(config: Configuration, out: Path) -> dict[str, Any]:
    """The report of an earlier call with this configuration; empty where nothing was begun.

    Raises `ConfigError` if the report is that of another configuration or version.
    """
    if not (out / REPORT).is_file():
        return {}
    report = read_json(out / REPORT)
    mine = head(config)
    same = isinstance(report, dict) and report.get("configuration") == mine["configuration"]
    if not same or report["versions"]["gammajax"] != mine["versions"]["gammajax"]:
        raise ConfigError(
            f"{out / REPORT} was made with another configuration or version: take another folder, or do not resume"
        )
    return report
