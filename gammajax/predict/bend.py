"""How nuisances bend quadrature and background, for groups of every kind."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from gammajax._typing import Array, Bool, Float
from gammajax.datasets.cube_groups import CubeGroup
from gammajax.datasets.groups import Group
from gammajax.models.background import FoVBackground
from gammajax.models.nuisance import Nuisance
from gammajax.models.sky import SkyModel
from gammajax.predict.field import over_field

Acting = Bool[Array, "model dataset"]
Nodes = Float[Array, "axis energy_true node"]


def bent(
    models: Sequence[SkyModel | Nuisance], acts: Acting, group: Group, *, exposed: bool = True
) -> tuple[Nodes, Nodes]:
    """Energies at which spectra are evaluated and the weights of their sum, as nuisances of the response have them.

    A response that is off by `energy(E)` sees the spectrum `phi(energy(E)) |d energy / dE|`. Sources that are not
    `exposed` have no exposure that a nuisance could change.
    """
    nodes, weights = group.nodes, group.node_weights
    for _, model, seen in _nuisances(models, acts):
        on_axis = jnp.zeros(nodes.shape[0], bool).at[group.axis].set(seen)[:, None, None]
        if exposed and model.bends("efficiency"):
            weights = jnp.where(on_axis, weights * _mapped(model.efficiency, group.nodes), weights)
        if model.bends("energy"):
            moved, slope = jax.jvp(lambda x, m=model: _mapped(m.energy, x), (nodes,), (jnp.ones_like(nodes),))
            nodes = jnp.where(on_axis, moved, nodes)
            weights = jnp.where(on_axis, weights * jnp.abs(slope), weights)
    return nodes, weights


def background_scale(models: Sequence[SkyModel | Nuisance], acts: Acting, group: Group) -> Array | None:
    """Factor on the background of each bin; None where no model touches it: one."""
    total = None
    for i, model, seen in _nuisances(models, acts):
        if model.bends("background"):
            factor = _mapped(model.background, group.energy)
            if isinstance(group, CubeGroup) and isinstance(model, FoVBackground):
                field = over_field(model, group.plans[i], group)
                factor = factor if field is None else factor * field
            factor = jnp.where(seen[:, None], factor, 1.0)
            total = factor if total is None else total * factor
    return total


def _nuisances(models: Sequence[SkyModel | Nuisance], acts: Acting) -> list[tuple[int, Nuisance, Array]]:
    """Which of the models are nuisances, and on which datasets they act."""
    pairs = enumerate(zip(models, acts, strict=True))
    return [(i, model, seen) for i, (model, seen) in pairs if isinstance(model, Nuisance)]


def _mapped(method, energy: Array) -> Array:
    """A method for one energy, applied to energies of any shape."""
    return jax.vmap(method)(energy.reshape(-1)).reshape(energy.shape)
