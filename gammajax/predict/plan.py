"""What of a source is computed once for a cube, and what in every evaluation."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from gammajax._typing import Bool
from gammajax.datasets.cube import Cube, MapDatasetOnOff
from gammajax.datasets.cube_groups import CubeGroup, overlap
from gammajax.errors import ModelError
from gammajax.models.background import FoVBackground, FoVGradient
from gammajax.models.collection import Models
from gammajax.models.counts_template import TemplateNPred
from gammajax.models.nuisance import Nuisance
from gammajax.models.sky import SkyModel
from gammajax.models.spatial import GaussianSpatial, PointSpatial, SpatialModel
from gammajax.params.tree import has_weights
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
    fixed = not _moves(prefix, models) and not has_weights(model.spatial)
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
    _check_fields(models, sees, datasets)
    plans = []
    for (name, model), seen in zip(models.filled.items(), sees, strict=True):
        acted_on = [dataset for dataset, yes in zip(datasets, seen, strict=True) if yes]
        _check(name, model, acted_on)
        if isinstance(model, TemplateNPred) and acted_on:
            plans.append(given(name, model, group, datasets, seen))
        elif isinstance(model, SkyModel) and acted_on:
            plans.append(_source(name, model, models, group))
        elif isinstance(model, FoVBackground) and acted_on:
            _check_gradient(name, model, group, seen)
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


def _check_fields(models: Models, sees: Bool[np.ndarray, "model dataset"], datasets: Sequence[Cube]) -> None:
    """Raise `ModelError` for two factors over one field: their product on a sum is not that of their means."""
    fields = [
        (name, seen)
        for (name, model), seen in zip(models.filled.items(), sees, strict=True)
        if isinstance(model, FoVBackground) and model.spatial is not None
    ]
    for i, dataset in enumerate(datasets):
        names = [name for name, seen in fields if seen[i]]
        if len(names) > 1:
            raise ModelError(
                f"{' and '.join(names)} both have a spatial model and act on {dataset.name}: a background has one "
                "factor over its field; take one of them, or name other cubes in datasets_names"
            )


def _check_gradient(name: str, model: FoVBackground, group: CubeGroup, seen: Bool[np.ndarray, "dataset"]) -> None:
    """Raise `ModelError` for a gradient so steep that the background would be negative."""
    if not isinstance(model.spatial, FoVGradient):
        return
    x, y = np.moveaxis(np.asarray(group.field), -1, 0)
    factor = np.asarray(model.spatial.factor(x, y))
    least = float(np.min(factor[np.asarray(group.mask) & seen[:, None]], initial=1.0))
    if least < 0.0:
        raise ModelError(
            f"{name}: its gradient makes the background negative, {least:.3g} times what it was: start from a "
            "smaller one"
        )


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


def outgrown(group: CubeGroup, models: Models) -> list[str]:
    """Sources that have become too small for the samples per pixel that they were planned with."""
    pixel = _pixel(group)
    return [n for n, m, plan in _sampled(group, models) if plan.factor < _samples(_motion(n, m, models), pixel)]


def unsampled(group: CubeGroup, models: Models) -> list[str]:
    """Sources that fit between the samples of a pixel, where their flux is lost or counted twice."""
    least = 2.0 * _pixel(group) / _MOST_SAMPLES
    sizes = ((name, model.spatial.extent()) for name, model, _ in _sampled(group, models))
    return [name for name, size in sizes if size is not None and size < least]


def _sampled(group: CubeGroup, models: Models) -> list[tuple[str, Any, Live]]:
    """Names, models and plans of the moving sources of which samples are taken."""
    plans = zip(models.filled.items(), group.plans, strict=True)
    return [(name, model, plan) for (name, model), plan in plans if isinstance(plan, Live) and plan.factor]


def _pixel(group: CubeGroup) -> float:
    """Size of the pixels [deg] at the reference of the map."""
    return 1.0 / float(np.abs(np.linalg.det(np.asarray(group.projection.affine[0, :, :2]))) ** 0.5)


def _samples(motion: Motion, pixel: float) -> int:
    """Samples along both axes of a pixel for which the brightness is nearly linear between them."""
    if not motion.resolution < pixel:
        return 1
    return int(np.ceil(pixel / max(motion.resolution, pixel / _MOST_SAMPLES)))


def _live(group: CubeGroup, motion: Motion) -> Live:
    smallest, whole = 1.0 / float(np.max(np.asarray(group.scale))), max(group.exposure.shape[-2:])
    # A point that nothing spreads lies in one pixel; the window of points ends a pixel before its reach.
    reach = max(group.reach, 2) + (whole if not np.isfinite(motion.extent) else int(np.ceil(motion.extent / smallest)))
    return Live(min(reach, whole), 0 if motion.closed else _samples(motion, _pixel(group)))
