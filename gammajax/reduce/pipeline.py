"""Many runs reduced to spectra: one task per run, on any executor, with failures named and set aside."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import jax
import numpy as np
from rich.console import Console
from rich.progress import track

from gammajax._typing import Edges
from gammajax.data import Observation
from gammajax.data.observations import as_runs
from gammajax.datasets.binned import OffMeasurement
from gammajax.datasets.spectrum import Spectrum
from gammajax.errors import EmptyRun, GammajaxError
from gammajax.geom.axes import enclosing_edges
from gammajax.geom.mask import ExclusionMask
from gammajax.geom.shapes import Region
from gammajax.io.regions import exclusion_mask as as_mask
from gammajax.io.regions import region
from gammajax.numeric.sphere import separation
from gammajax.reduce.background import as_background
from gammajax.reduce.reflected import ReflectedRegions
from gammajax.reduce.safe_mask import SafeMask
from gammajax.reduce.spectrum import Background, reduce_observation
from gammajax.reduce.stack import stack_by, stack_spectra


@dataclass(frozen=True)
class Reduction:
    """What came of a reduction: the `datasets` in the order of the runs, and why the other runs failed.

    `failures` maps the observation id to a message, `scales` to what the background of a cube was multiplied by.
    """

    datasets: list[Any]
    failures: dict[int, str] = field(default_factory=dict)
    scales: dict[int, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.datasets)

    def __iter__(self) -> Iterator[Spectrum]:
        return iter(self.datasets)

    def __repr__(self) -> str:
        head = f"Reduction: {len(self.datasets)} datasets, {len(self.failures)} failed runs"
        width = max((len(d.name) for d in self.datasets), default=4)
        lines = [f"  {'name':<{width}} {'on':>7} {'off':>7} {'excess':>9} {'livetime':>9}"] if self.datasets else []
        lines += [f"  {_row(d, width)}" for d in self.datasets[:20]]
        if len(self.datasets) > 20:
            lines.append(f"  ... and {len(self.datasets) - 20} more")
        lines += [f"  failed: {message}" for message in self.failures.values()]
        return "\n".join([head, *lines])


def _row(dataset: Any, width: int) -> str:
    on, background = (float(np.sum(x)) for x in (dataset.counts, dataset.background))
    off = f"{float(np.sum(dataset.counts_off)):.0f}" if isinstance(dataset, OffMeasurement) else "-"
    return f"{dataset.name:<{width}} {on:7.0f} {off:>7} {on - background:9.1f} {float(dataset.livetime) / 3600:7.2f} h"


def reduce_spectra(
    observations: Observation | Iterable[Observation],
    on_region: Any,
    *,
    energy: Any,
    energy_true: Any,
    exclusion_mask: Any = None,
    background: Background | Literal["irf"] = ReflectedRegions(),  # noqa: B008 - frozen
    containment_correction: bool = False,
    safe_mask: SafeMask | Sequence[str] | str = (),
    use_region_center: bool = True,
    stack: bool | Mapping[int, Any] = False,
    name: str = "",
    executor: Executor | None = None,
    progress: bool = True,
    each: Callable[[Spectrum], object] | None = None,
) -> Reduction:
    """Spectra of one region from many runs.

    Parameters
    ----------
    observations
        One run or several; the failures of an `Observations` (runs that could not be read) are passed on.
    on_region
        A region of the `regions` package (circle, ellipse, rectangle, annulus, polygon, compound) in any frame, DS9
        text such as "icrs;circle(83.63, 22.01, 0.11)", a DS9 file (.reg), several regions (their union), or a position
        (`SkyCoord`, "83.63 22.01", (ra, dec) in deg) where the radius is that of the response (RAD_MAX).
    energy, energy_true
        Bin edges, reconstructed and true [TeV], for example from `energy_edges`.
    exclusion_mask
        Sky that no off region may touch: a mask (`read_exclusion_mask`) or its FITS file, a region, DS9 text, a DS9
        file, or a list of regions.
    background
        Where the background is measured: `ReflectedRegions(...)`, `WobbleRegions(...)` or `PhaseBackground(...)`;
        "irf" takes the background of the response as known (a `SpectrumDataset`, for Cash), None takes none.
    containment_correction
        Multiply the exposure by the part of the PSF inside the region (full-enclosure responses only).
    safe_mask
        `SafeMask(...)`, or the name or names of its methods.
    use_region_center
        Responses at the centre of the region; False averages the effective area over it.
    stack
        Add all runs up to one dataset, called `name` (or "stacked"); or a label for each observation id: one dataset
        per label, called `<name>-<label>`.
    name
        Datasets are called `<name>-<obs_id>`, or `<obs_id>` without a name.
    executor
        Any `concurrent.futures.Executor`; runs are reduced in this process if None.
    progress
        Show a progress bar where the output is a terminal.
    each
        Called, in this process, with the dataset of each run as soon as it is there: to save it, for example.

    A run that fails (no events, no livetime, no off region, contradicting response, or an exception that nobody
    foresaw, which is called "unexpected") is named in `failures`; the others go on. So are runs that are lost
    because a worker process died: those that were finished before are kept.

    Raises `EmptyRun` if a stack was asked for and no run is left.

    >>> reduction = reduce_spectra(observations, region, energy=edges, energy_true=edges)  # doctest: +SKIP
    """
    energy, energy_true = enclosing_edges(energy, energy_true)
    task = partial(
        _reduce_one,
        on=region(on_region),
        energy=energy,
        energy_true=energy_true,
        background=as_background(background),
        exclusion_mask=as_mask(exclusion_mask),
        containment_correction=containment_correction,
        safe_mask=_safe_mask(safe_mask),
        use_region_center=use_region_center,
        prefix=f"{name}-" if name else "",
        x64=bool(jax.config.read("jax_enable_x64")),
    )
    runs = as_runs(observations)
    failures = dict(getattr(observations, "failures", {}))
    datasets = []
    results = map(task, runs) if executor is None else collected(task, runs, executor)
    for run, result in zip(runs, shown(results, len(runs), progress), strict=True):
        if isinstance(result, str):
            failures[run.obs_id] = result
            continue
        datasets.append(result)
        if each is not None:
            each(result)
    return Reduction(stacked(datasets, stack, name, failures), failures)


def stacked(
    datasets: list[Any], stack: bool | Mapping[int, Any], name: str = "", failures: Mapping[int, str] | None = None
) -> list[Any]:
    """Datasets of runs added up to one, or to one per label; as they are if `stack` is False.

    Raises `EmptyRun`, with what became of the runs, if there is none.
    """
    if stack is False:
        return datasets
    if not datasets:
        reasons = "; ".join((failures or {}).values()) or "there were no runs"
        raise EmptyRun(f"no run is left to stack: {reasons}")
    if stack is True:
        return [stack_spectra(datasets, name or "stacked")]
    return stack_by(datasets, stack, f"{name}-" if name else "")


def _reduce_one(
    observation: Observation,
    *,
    on: Region,
    energy: Edges,
    energy_true: Edges,
    background: Background,
    exclusion_mask: ExclusionMask | None,
    containment_correction: bool,
    safe_mask: SafeMask,
    use_region_center: bool,
    prefix: str,
    x64: bool,
) -> Spectrum | str:
    """The dataset of one run, or why there is none: text, so that it crosses the border of a process.

    An exception that is no `GammajaxError` is a flaw of gammajax or a file of a kind not met before. It must not cost
    the other runs of a long reduction: the text is then "run N: unexpected TypeError: ...".
    """
    if bool(jax.config.read("jax_enable_x64")) != x64:
        # a new process starts with the default precision, not with that of its parent
        jax.config.update("jax_enable_x64", x64)
    try:
        dataset = reduce_observation(
            observation,
            on,
            energy=energy,
            energy_true=energy_true,
            background=background,
            exclusion_mask=exclusion_mask,
            containment_correction=containment_correction,
            use_region_center=use_region_center,
            name=f"{prefix}{observation.obs_id}",
        )
        offset = float(separation(*observation.pointing_radec, *on.center))
        return safe_mask.apply(dataset, observation, offset)
    except GammajaxError as error:
        message = str(error)
        named = f"run {observation.obs_id}"
        return message if message.startswith(named) else f"{named}: {message}"
    except Exception as error:
        return f"run {observation.obs_id}: unexpected {type(error).__name__}: {error}"


def collected(task: Callable[[Observation], Any], runs: Sequence[Observation], executor: Executor) -> Iterator[Any]:
    """The results of an executor in the order of the runs; text for those that were lost with it."""
    futures = [_submitted(executor, task, run) for run in runs]
    try:
        for run, future in zip(runs, futures, strict=True):
            try:
                yield future.result()
            except (BrokenExecutor, CancelledError) as error:
                yield f"run {run.obs_id}: lost, since a worker process ended (killed, or out of memory?): {error}"
    finally:
        for future in futures:
            future.cancel()


def _submitted(executor: Executor, task: Callable[[Observation], Any], run: Observation) -> Future:
    try:
        return executor.submit(task, run)
    except BrokenExecutor as error:
        lost: Future = Future()
        lost.set_exception(error)
        return lost


def _safe_mask(given: SafeMask | Sequence[str] | str) -> SafeMask:
    if isinstance(given, SafeMask):
        return given
    return SafeMask(given) if isinstance(given, str) else SafeMask(*given)


def shown(results: Iterable, total: int, progress: bool) -> Iterable:
    """The results, with a progress bar where the output is a terminal."""
    console = Console(stderr=True)
    if not progress or not console.is_terminal:
        return results
    return track(results, "Reducing runs", total=total, console=console)
