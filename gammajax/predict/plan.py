"""What of a source is computed once for a cube, and what in every evaluation."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from gammajax._typing import Bool
from gammajax.datasets.cube import Cube, MapDatasetOnOff
from gammajax.datasets.cube_groups import CubeGroup, overlap
from gammajax.errors import ModelError
from gammajax.models.background import FoVBackground
from gammajax.models.collection import Models
from gammajax.models.counts_template import TemplateNPred
from gammajax.models.nuisance import Nuisance
from gammajax.models.sky import SkyModel
from gammajax.models.spatial import GaussianSpatial, PointSpatial, SpatialModel
from gammajax.predict.cube import Fold, Live, Scaled, as_seen, as_template, fold
from gammajax.predict.field import field_of
from gammajax.predict.template import given

_MOST_SAMPLES = 10


class Motion(NamedTuple):
    """How a source may move on the sky in an analysis."""

    fixed: bool
    """Its place and shape stay as they are."""
    closed: bool
    """It is a point or a round Gaussian."""
    extent: float
    """Radius [deg] that it can fill; infinite without an upper bound of its size."""
    resolution: float
    """Angle [deg] over which its brightness changes; infinite where it is smooth."""


def _motion(name: str, model: Any, models: Models) -> Motion:
    prefix = f"{name}.spatial."
    rows = {path.removeprefix(prefix): row for path, row in models.rows.items() if path.startswith(prefix)}
    fixed = not _moves(prefix, models)
    round_ = isinstance(model.spatial, GaussianSpatial) and not (rows["e"].free or rows["e"].link or rows["e"].value)
    closed = round_ or isinstance(model.spatial, PointSpatial)
    return Motion(fixed, closed, _extent(model.spatial, rows, fixed), _resolution(model.spatial))


def _extent(spatial: SpatialModel, rows: dict[str, Any], fixed: bool) -> float:
    if isinstance(spatial, PointSpatial):
        return 0.0
    if isinstance(spatial, GaussianSpatial):
        size = rows["sigma"]
        return 5.0 * (size.value if fixed or size.frozen else size.range[1])
    return np.inf


def _resolution(spatial: SpatialModel) -> float:
    found = spatial.resolution()
    return np.inf if found is None else float(found)


def planned(
    group: CubeGroup, models: Models, sees: Bool[np.ndarray, "model dataset"], datasets: Sequence[Cube]
) -> CubeGroup:
    """The group with a plan for each model: how a source is evaluated, or its response if it stays where it is.

    `datasets` are those of the group. Raises `ModelError` for a model that they cannot take.
    """
    plans = []
    for (name, model), seen in zip(models.filled.items(), sees, strict=True):
        acted_on = [dataset for dataset, yes in zip(datasets, seen, strict=True) if yes]
        _check(name, model, acted_on)
        if isinstance(model, TemplateNPred) and acted_on:
            plans.append(given(name, model, group, datasets, seen))
        elif isinstance(model, SkyModel) and acted_on:
            plans.append(_source(name, model, models, group))
        elif isinstance(model, FoVBackground) and acted_on:
            plans.append(field_of(model, datasets))
        else:
            plans.append(None)
    return dataclasses.replace(group, plans=tuple(plans))


def _source(name: str, model: SkyModel, models: Models, group: CubeGroup) -> Fold | Scaled | Live:
    if model.spatial is None:
        raise ModelError(f"{name} acts on a cube and has no spatial model: SkyModel(spectral, PointSpatial(...))")
    motion, seen = _motion(name, model, models), as_seen(group, model.apply_irf)
    live = _live(seen, motion)
    if not motion.fixed:
        return live
    response = fold(model.spatial, seen, live)
    if not model.apply_irf.exposure or any(_bends(other) for other in models.filled.values()):
        return response
    return as_template(model, response, group, _moves(f"{name}.spectral.", models))


def _bends(model: Any) -> bool:
    return isinstance(model, Nuisance) and (model.bends("energy") or model.bends("efficiency"))


def _moves(prefix: str, models: Models) -> list[str]:
    """Which parameters under a path are free or linked, without that path."""
    rows = {path.removeprefix(prefix): row for path, row in models.rows.items() if path.startswith(prefix)}
    return [path for path, row in rows.items() if row.free or row.link is not None]


def _check(name: str, model: Any, datasets: Sequence[Cube]) -> None:
    """Raise `ModelError` for a model that cannot act on these cubes."""
    on_off = [dataset.name for dataset in datasets if isinstance(dataset, MapDatasetOnOff)]
    if on_off and isinstance(model, FoVBackground):
        raise ModelError(
            f"{name} acts on {', '.join(on_off)}, whose background is measured by off counts: name other cubes in "
            f"datasets_names, drop({name!r}), or take BackgroundNorm, which acts on alpha"
        )
    if isinstance(model, SkyModel) and not model.apply_irf.edisp:
        for dataset in datasets:
            _check_edges(name, dataset)


def _check_edges(name: str, dataset: Cube) -> None:
    """Raise `ModelError` if an edge of energy cuts a bin of true energy: how to share it out nobody says."""
    share = overlap(dataset)
    for i in np.flatnonzero(np.any((share > 0) & (share < 1), axis=1)):
        low, high = np.asarray(dataset.energy_true)[i : i + 2]
        raise ModelError(
            f"{name} is predicted without edisp (apply_irf), so that each bin of energy_true must lie in one bin "
            f"of energy; in {dataset.name} an edge cuts the one from {low:g} to {high:g} TeV: reduce it again with the "
            "edges of energy among those of energy_true"
        )


def _live(group: CubeGroup, motion: Motion) -> Live:
    size = 1.0 / float(np.abs(np.linalg.det(np.asarray(group.projection.affine[0, :, :2]))) ** 0.5)
    whole = max(group.exposure.shape[-2:])
    # A point that nothing spreads lies in one pixel; the window of points ends a pixel before its reach.
    reach = max(group.reach, 2) + (whole if not np.isfinite(motion.extent) else int(np.ceil(motion.extent / size)))
    samples = 1 if not motion.resolution < size else int(np.ceil(size / max(motion.resolution, size / _MOST_SAMPLES)))
    return Live(min(reach, whole), 0 if motion.closed else samples)
