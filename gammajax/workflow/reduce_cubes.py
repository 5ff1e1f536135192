"""The cubes of a configuration."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from gammajax.io.json import read_json, write_json
from gammajax.reduce import cube_resume
from gammajax.reduce.cube_pipeline import reduce_maps
from gammajax.reduce.fov_scale import FoVBackgroundScale
from gammajax.reduce.pipeline import Reduction
from gammajax.reduce.ring import AdaptiveRingBackground, RingBackground
from gammajax.workflow.cube_config import CubeReductionConfig
from gammajax.workflow.runs import REPORT, excluded, head, some, workers


def cubes(
    config: CubeReductionConfig, out: Path, earlier: dict[str, Any], progress: bool
) -> tuple[Reduction, dict[str, Any]]:
    """The cubes, and what the report says about their runs: files, scales of backgrounds, which were there before.

    Runs are kept in `out/runs`; without an `earlier` report what lies there is forgotten.
    """
    runs, folder = some(config), out / "runs"
    background = config.background
    if isinstance(background, FoVBackgroundScale):
        background = replace(background, exclusion=excluded(config))
    elif isinstance(background, RingBackground | AdaptiveRingBackground):
        background = replace(background, exclusion_mask=excluded(config))
    if not earlier:
        (folder / cube_resume.REPORT).unlink(missing_ok=True)
    # An interrupted call leaves this: the configuration that the runs in the folder belong to.
    write_json({**head(config), "complete": False, "datasets": [], "runs": {}}, out / REPORT)
    new: set[str] = set()
    with workers(config) as executor:
        reduction = reduce_maps(
            runs,
            config.grid,
            energy=config.energy,
            energy_true=config.energy_true,
            background=background,
            safe_mask=config.safe_mask,
            offset_max=config.offset_max,
            binsz_irf=config.binsize_irf,
            stack=config.stack,
            executor=executor,
            progress=progress,
            each=lambda dataset: new.add(dataset.name),
            folder=folder,
        )
    return reduction, _about(folder, reduction, runs.ids.tolist(), new)


def _about(folder: Path, reduction: Reduction, ids: list[int], new: set[str]) -> dict[str, Any]:
    report = folder / cube_resume.REPORT
    kept = read_json(report)["runs"] if report.is_file() else {}
    used = [str(i) for i in ids if i not in reduction.failures]
    return {
        "runs": {name: kept[name]["file"] for name in used},
        "resumed": [name for name in used if name not in new],
        "scales": {str(run): scale._asdict() for run, scale in reduction.scales.items()},
    }
