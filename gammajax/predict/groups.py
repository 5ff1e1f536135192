"""Where datasets and models meet: datasets in groups, and what models predict for each group."""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from gammajax._typing import Array, Bool, Float, Scalar
from gammajax.datasets.collection import Datasets
from gammajax.datasets.cube_groups import CubeGroup
from gammajax.datasets.grouping import group, refine
from gammajax.datasets.groups import Group
from gammajax.errors import ModelError
from gammajax.models.collection import Models
from gammajax.models.nuisance import Nuisance
from gammajax.models.sky import SkyModel, needs_map
from gammajax.predict.bend import background_scale
from gammajax.predict.cube import predict_cubes, weighted_cubes
from gammajax.predict.plan import planned
from gammajax.predict.spectrum import predict_spectra
from gammajax.remembered import Remembered

# Repeated fits of a collection find its groups on the device.
_grouped = Remembered(group)


class Prediction(NamedTuple):
    """What models predict for the bins of a group."""

    signal: Float[Array, "dataset energy"]
    """Counts of the sources."""
    scale: Float[Array, "dataset energy"] | None
    """Factor on the background; None where no model touches it: one."""


Weights: TypeAlias = tuple[Float[Array, "dataset energy"], Float[Array, "dataset energy"]]
"""Of the signal and of the background's factor in each bin."""


@jax.jit
def predict(models: Sequence[SkyModel | Nuisance], acts: Bool[Array, "model dataset"], group: Group) -> Prediction:
    """Counts that the models predict in each bin, and the background's factor; traced once for all programs.

    `acts` says which model acts on which dataset of the group.
    """
    if isinstance(group, CubeGroup):
        signal = predict_cubes(models, acts, group)
    else:
        signal = predict_spectra(models, acts, group)
    return Prediction(signal, background_scale(models, acts, group))


def weighted(
    models: Sequence[SkyModel | Nuisance], acts: Bool[Array, "model dataset"], group: Group, weights: Weights
) -> Scalar:
    """Sum over all bins of a prediction times weights, whose second derivatives cost less than those of each bin."""
    of_signal, of_scale = weights
    if isinstance(group, CubeGroup):
        signal = weighted_cubes(models, acts, group, of_signal)
    else:
        signal = jnp.vdot(of_signal, predict_spectra(models, acts, group))
    scale = background_scale(models, acts, group)
    return signal if scale is None else signal + jnp.vdot(of_scale, scale)


def arrange(
    datasets: Datasets,
    models: Models,
    sees: Bool[np.ndarray, "model dataset"],
    nodes: int = 4,
    *,
    dense: bool = False,
) -> list[tuple[Group, Bool[Array, "model dataset"]]]:
    """The datasets in groups that `predict` takes, each with `acts`: the columns of `sees` of its datasets.

    With `dense`, cubes keep every bin of their mask, for counts that are going to change. Raises `ModelError` for a
    source that needs a map and acts on a spectrum, or the reverse.
    """
    tree = models.tree
    bends = [isinstance(m, Nuisance) and (m.bends("energy") or m.bends("efficiency")) for m in tree]
    sees = sees.reshape(len(models), len(datasets))
    out = []
    for g in _grouped(datasets, nodes, dense):
        own = sees[:, np.asarray(g.index)]
        if isinstance(g, CubeGroup):
            g = planned(g, models, own, [datasets[i] for i in np.asarray(g.index)])
        else:
            _check_spectra(models, own)
            g = refine(g, own[bends]) if any(bends) else g
        out.append((g, jnp.asarray(own)))
    return out


def _check_spectra(models: Models, sees: Bool[np.ndarray, "model dataset"]) -> None:
    for (name, model), seen in zip(models.filled.items(), sees, strict=True):
        if np.any(seen) and (why := needs_map(model)):
            raise ModelError(f"{name} {why}: name its cubes in datasets_names, or drop({name!r})")
