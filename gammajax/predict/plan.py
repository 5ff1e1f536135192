"""What of a source is computed once for a cube, and what in every evaluation."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from gammajax._typing import Bool
from gammajax.datasets.cube_groups import CubeGroup
from gammajax.errors import ModelError
from gammajax.models.background import FoVBackground
from gammajax.models.collection import Models
from gammajax.models.counts_template import TemplateNPred
from gammajax.models.nuisance import Nuisance
from gammajax.models.spatial import GaussianSpatial, PointSpatial, SpatialModel
from gammajax.predict.cube import Live, fold

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
    fixed = not any(row.free or row.link is not None for row in rows.values())
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


def planned(group: CubeGroup, models: Models, sees: Bool[np.ndarray, "model dataset"]) -> CubeGroup:
    """The group with a plan for each model: how a source is evaluated, or its response if it stays where it is."""
    plans = []
    for (name, model), seen in zip(models.filled.items(), sees, strict=True):
        if isinstance(model, FoVBackground) and isinstance(model.spatial, SpatialModel) and np.any(seen):
            kind = type(model.spatial).__name__
            raise ModelError(f"{name}: the background of a cube takes FoVGradient() as its spatial model, got {kind}")
        if np.any(seen) and (isinstance(model, TemplateNPred) or not all(getattr(model, "apply_irf", ()))):
            raise ModelError(
                f"{name} acts on a cube, for which TemplateNPred and apply_irf are not supported yet: name other "
                f"datasets in its datasets_names, or drop({name!r})"
            )
        if isinstance(model, Nuisance) or not np.any(seen):
            plans.append(None)
            continue
        if model.spatial is None:
            raise ModelError(f"{name} acts on a cube and has no spatial model: SkyModel(spectral, PointSpatial(...))")
        motion = _motion(name, model, models)
        live = _live(group, motion)
        plans.append(fold(model.spatial, group, live) if motion.fixed else live)
    return dataclasses.replace(group, plans=tuple(plans))


def _live(group: CubeGroup, motion: Motion) -> Live:
    size = 1.0 / float(np.abs(np.linalg.det(np.asarray(group.projection.linear[0]))) ** 0.5)
    whole = max(group.exposure.shape[-2:])
    reach = group.reach + (whole if not np.isfinite(motion.extent) else int(np.ceil(motion.extent / size)))
    samples = 1 if not motion.resolution < size else int(np.ceil(size / max(motion.resolution, size / _MOST_SAMPLES)))
    return Live(min(reach, whole), 0 if motion.closed else samples)
