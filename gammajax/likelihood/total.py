"""The statistic of a group as a function of the models; for cubes with derivatives that never go bin by bin."""

from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp

from gammajax._typing import Scalar
from gammajax.datasets.cube_groups import CubeGroup
from gammajax.datasets.groups import Group
from gammajax.likelihood.terms import Bins, group_background, group_derivatives
from gammajax.models.nuisance import Nuisance
from gammajax.models.sky import SkyModel
from gammajax.predict.bend import Acting
from gammajax.predict.groups import Prediction, predict, weighted

Measure = Callable[[Group, Prediction], Bins]


def group_total(measure: Measure, models: Sequence[SkyModel | Nuisance], acts: Acting, group: Group) -> Scalar:
    """Sum over all bins of `group_stat` or `group_deviance`, as `measure` says."""
    return (_of_cubes if isinstance(group, CubeGroup) else _plain)(models, acts, group, measure=measure)


def _plain(models, acts: Acting, group: Group, *, measure: Measure) -> Scalar:
    return jnp.sum(measure(group, predict(models, acts, group)))


_of_cubes = eqx.filter_custom_jvp(_plain)


@_of_cubes.def_jvp
def _slope_of_cubes(primals, tangents, *, measure: Measure) -> tuple[Scalar, Scalar]:
    """With the derivative of the statistic in each bin as weight, what moves is a weighted sum of the prediction."""
    (models, acts, group), (moves, _, group_moves) = primals, tangents
    prediction = predict(models, acts, group)
    slope, *_ = group_derivatives(group, prediction)
    weights = slope, slope * group_background(group, prediction)
    total = jnp.sum(measure(group, prediction))
    parts = []
    if jax.tree.leaves(moves):
        parts.append(eqx.filter_jvp(lambda m: weighted(m, acts, group, weights), (models,), (moves,))[1])
    if jax.tree.leaves(group_moves):
        parts.append(eqx.filter_jvp(lambda g: _plain(models, acts, g, measure=measure), (group,), (group_moves,))[1])
    # What does not depend on the models, as where none acts on these cubes, has None for a slope.
    return total, sum((part for part in parts if part is not None), jnp.zeros_like(total))
