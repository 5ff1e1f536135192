"""Many runs reduced to cubes: one task per run, on any executor, stacked as they come, resumed where they stopped."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Any, Literal

import jax

from gammajax.data import Observation
from gammajax.datasets.cube import Cube
from gammajax.errors import ConfigError, EmptyRun, GammajaxError
from gammajax.geom.grid import SkyGrid
from gammajax.reduce.background import IRFBackground
from gammajax.reduce.cube import CubeBackground, reduce_map
from gammajax.reduce.cube_plan import CubePlan
from gammajax.reduce.cube_resume import RunFolder
from gammajax.reduce.cube_stack import CubeStack
from gammajax.reduce.fov_scale import BackgroundScale
from gammajax.reduce.pipeline import Reduction, collected, shown
from gammajax.reduce.safe_mask import SafeMask
from gammajax.units import to_number

Background = CubeBackground | Literal["irf"] | None
Result = tuple[Cube, BackgroundScale | None]


def reduce_maps(
    observations: Iterable[Observation],
    grid: SkyGrid,
    *,
    energy: Any,
    energy_true: Any,
    background: Background = "irf",
    safe_mask: SafeMask | Sequence[str] | str = (),
    offset_max: Any = None,
    rad: Any = None,
    binsz_irf: Any = "0.2 deg",
    stack: bool | Mapping[int, Any] = False,
    name: str = "",
    executor: Executor | None = None,
    progress: bool = True,
    each: Callable[[Cube], object] | None = None,
    folder: str | Path | None = None,
) -> Reduction:
    """Cubes of counts, background, exposure, PSF and dispersion on the sky from many runs.

    Parameters
    ----------
    observations
        The runs; the failures of an `Observations` (runs that could not be read) are passed on.
    grid
        The pixels (`SkyGrid`). Each run fills the part of them around its pointing.
    energy, energy_true
        Bin edges, reconstructed and true [TeV], for example from `energy_edges`.
    background
        "irf": that of the response, with one power law per energy bin, as Gammapy; `IRFBackground()` integrates along
        the rule of the response; `FoVBackgroundScale(...)` scales it to the counts of each run; `RingBackground(...)`
        and `AdaptiveRingBackground(...)` make on-off cubes (`MapDatasetOnOff`) of it; None takes none.
    safe_mask
        `SafeMask(...)`, or the name or names of its methods.
    offset_max
        Half the side of the part of the grid that a run fills, and the limit of the method "offset-max" if the methods
        are given by name; by default that of the `SafeMask` (3 deg).
    rad
        Edges of the PSF's axis [deg]; by default 66 bins to 0.66 deg.
    binsz_irf
        Size of the pixels of PSF and dispersion.
    stack
        Add all runs up to one dataset on the whole grid, called `name` (or "stacked"), see `stack_maps`; or a label for
        each observation id: one dataset per label, called `<name>-<label>`. Runs are not kept then.
    name
        Datasets are called `<name>-<obs_id>`, or `<obs_id>` without a name.
    executor
        Any `concurrent.futures.Executor`; runs are reduced in this process if None.
    progress
        Show a progress bar where the output is a terminal.
    each
        Called, in this process, with the dataset of each run as soon as it is reduced.
    folder
        Where the dataset of each run is written as soon as it is there (FITS of Gammapy's `MapDataset`). Runs that an
        earlier call with the same arguments left there are read, and only the others are reduced; the DL3 data are
        taken to be the same.

    A run that fails (no livetime, nothing of the grid in its field of view, no PSF, ...) is named in `failures` of the
    result; the others go on. `scales` holds the norm of each run's background where that was scaled.

    Raises `ConfigError` for arguments that make no sense or a `folder` of other arguments, `EmptyRun` if a stack was
    asked for and no run is left.

    >>> reduction = reduce_maps(runs, grid, energy=edges, energy_true=edges, stack=True)  # doctest: +SKIP
    """
    rule = _rule(safe_mask, offset_max)
    reach = rule.offset_max if offset_max is None else to_number(offset_max, "deg", "offset_max")
    plan = CubePlan.create(grid, energy, energy_true, rad=rad, binsz_irf=binsz_irf, offset_max=reach)
    plan.warm()
    expected = _background(background)
    prefix = f"{name}-" if name else ""
    kept = None if folder is None else RunFolder(folder, (plan, expected, rule, prefix))
    task = partial(
        _reduce_one,
        plan=plan,
        background=expected,
        safe_mask=rule,
        prefix=prefix,
        x64=bool(jax.config.read("jax_enable_x64")),
    )
    runs = list(observations)
    sums = _Sums(plan.grid, stack, name, [run.obs_id for run in runs])
    failures, scales = dict(getattr(observations, "failures", {})), {}
    for run, result, new in shown(_results(task, runs, executor, kept), len(runs), progress):
        if isinstance(result, str):
            failures[run.obs_id] = result
            continue
        dataset, scale = result
        if scale is not None:
            scales[run.obs_id] = scale
        if new and kept is not None:
            kept.write(run.obs_id, dataset, scale)
        if new and each is not None:
            each(dataset)
        sums.take(dataset, run.obs_id)
    return Reduction(sums.datasets(failures), failures, scales)


def _results(
    task: Callable[[Observation], Result | str],
    runs: list[Observation],
    executor: Executor | None,
    kept: RunFolder | None,
) -> Iterator[tuple[Observation, Result | str, bool]]:
    """Each run with its result, and whether it is new: runs that the folder keeps are read."""
    finished = {id(run) for run in runs if kept is not None and run.obs_id in kept}
    todo = [run for run in runs if id(run) not in finished]
    results = iter(map(task, todo) if executor is None else collected(task, todo, executor))
    for run in runs:
        if kept is not None and id(run) in finished:
            yield run, kept.read(run.obs_id), False
        else:
            yield run, next(results), True


class _Sums:
    """The datasets of a reduction: those of the runs, or their sums by label."""

    def __init__(self, grid: SkyGrid, stack: bool | Mapping[int, Any], name: str, obs_ids: Sequence[int]):
        if isinstance(stack, Mapping) and (lost := [i for i in obs_ids if i not in stack]):
            raise ConfigError(f"stack={{...}} has no label for the runs {lost}: each run needs one to be stacked")
        self.grid, self.stack, self.name = grid, stack, name
        self.found: list[Cube] = []
        self.stacks: dict[str, CubeStack] = {}

    def take(self, dataset: Cube, obs_id: int) -> None:
        """Keep a dataset, or add it to its sum."""
        if self.stack is False:
            self.found.append(dataset)
            return
        label = self._label(obs_id)
        if label not in self.stacks:
            self.stacks[label] = CubeStack(dataset, self.grid)
        self.stacks[label].add(dataset)

    def _label(self, obs_id: int) -> str:
        if not isinstance(self.stack, Mapping):
            return self.name or "stacked"
        return f"{self.name}-{self.stack[obs_id]}" if self.name else str(self.stack[obs_id])

    def datasets(self, failures: Mapping[int, str]) -> list[Cube]:
        """What was taken. Raises `EmptyRun`, with what became of the runs, for a stack of nothing."""
        if self.stack is False:
            return self.found
        if not self.stacks:
            reasons = "; ".join(failures.values()) or "there were no runs"
            raise EmptyRun(f"no run is left to stack: {reasons}")
        return [one.dataset(label) for label, one in self.stacks.items()]


def _reduce_one(
    observation: Observation,
    *,
    plan: CubePlan,
    background: CubeBackground | None,
    safe_mask: SafeMask,
    prefix: str,
    x64: bool,
) -> Result | str:
    """The cube of one run and the scale of its background, or why there is none: text, which crosses processes."""
    if bool(jax.config.read("jax_enable_x64")) != x64:
        # a new process starts with the default precision, not with that of its parent
        jax.config.update("jax_enable_x64", x64)
    try:
        return reduce_map(observation, plan, background, safe_mask, f"{prefix}{observation.obs_id}")
    except GammajaxError as error:
        message = str(error)
        named = f"run {observation.obs_id}"
        return message if message.startswith(named) else f"{named}: {message}"
    except Exception as error:
        return f"run {observation.obs_id}: unexpected {type(error).__name__}: {error}"


def _rule(given: SafeMask | Sequence[str] | str, offset_max: Any) -> SafeMask:
    if isinstance(given, SafeMask):
        return given
    names = (given,) if isinstance(given, str) else tuple(given)
    return SafeMask(*names) if offset_max is None else SafeMask(*names, offset_max=offset_max)


def _background(given: Any) -> CubeBackground | None:
    if isinstance(given, str) and given == "irf":
        return IRFBackground(exact=False)
    if given is None or isinstance(given, CubeBackground):
        return given
    raise ConfigError(
        "the background of a cube is 'irf', IRFBackground(), FoVBackgroundScale(...), RingBackground(...), "
        "AdaptiveRingBackground(...) or None, got " + (repr(given) if isinstance(given, str) else type(given).__name__)
    )
