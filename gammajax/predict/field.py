"""The factor on the background of a cube that depends on the direction."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from gammajax._typing import Array, Float
from gammajax.datasets.cube import Cube
from gammajax.datasets.cube_groups import CubeGroup
from gammajax.models.background import FoVBackground, FoVGradient
from gammajax.models.spatial import SpatialModel, evaluate
from gammajax.numeric.each import each
from gammajax.numeric.pixel import directions


class Field(eqx.Module):
    """The background whose factor a spatial model gives."""

    share: Float[Array, "dataset energy lat lon"]
    """Share of each bin of the mask in the background of its energy."""


def field_of(model: FoVBackground, datasets: Sequence[Cube]) -> Field | None:
    """What a background needs to know of its cubes; None unless it has a spatial model."""
    if not isinstance(model.spatial, SpatialModel):
        return None
    return Field(jnp.asarray(np.stack([_share(dataset) for dataset in datasets])))


def _share(dataset: Cube) -> Float[np.ndarray, "energy lat lon"]:
    kept = np.where(np.asarray(dataset.mask), np.asarray(dataset.background), 0.0)
    total = kept.sum(axis=(1, 2), keepdims=True)
    return np.divide(kept, total, out=np.zeros_like(kept), where=total > 0)


def over_field(model: FoVBackground, plan: Field | None, group: CubeGroup) -> Float[Array, "dataset bin"] | None:
    """Factor in every bin: in the occupied ones at their centres, in the sums the mean over the background."""
    spatial = model.spatial
    if isinstance(spatial, FoVGradient):
        # Linear in the place, so the mean place of a sum stands for all of it.
        return jax.vmap(jax.vmap(spatial.factor))(group.field[..., 0], group.field[..., 1])
    if plan is None or not isinstance(spatial, SpatialModel):
        return None

    def one(lon: Array, lat: Array, place: Array, share: Array) -> Float[Array, "bin"]:
        image = evaluate(spatial, *(x[0] for x in directions(lon, lat, group.frame, spatial.frame)))
        return jnp.concatenate([image[place[:, 1], place[:, 2]], jnp.einsum("eyx,yx->e", share, image)])

    return each(one, group.lon, group.lat, group.place, plan.share)
