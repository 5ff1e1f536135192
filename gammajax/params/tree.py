"""Between a tree of models and the flat list of its parameter slots.

The order of the slots is the order of the tree's leaves; only `param()` leaves count.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from gammajax._typing import Array, Float
from gammajax.errors import ModelError, UndeclaredArray
from gammajax.params.field import Model, ParamSpec, Spec, WeightsSpec, spec_of

Tree = TypeVar("Tree")


@dataclasses.dataclass(frozen=True)
class Leaf:
    """One array of a model tree: where it is, what it is declared to be, and its value."""

    path: str
    spec: Spec
    value: Any
    owner: Any = None
    """The model that declares the field."""


def leaves(tree: Any) -> list[Leaf]:
    """All array leaves of a tree of models, in the order of `jax.tree_util.tree_leaves`.

    Raises `UndeclaredArray` if a model holds arrays in a field without param(), weights() or table().
    """
    return list(_walk(tree, "", None, None))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _walk(node: Any, path: str, spec: Spec | None, owner: Any) -> Iterator[Leaf]:
    if spec is not None:
        for value in jax.tree_util.tree_leaves(node):
            yield Leaf(path, spec, value, owner)
    elif _declares(node):
        for field in dataclasses.fields(node):
            if not field.metadata.get("static", False):
                value = getattr(node, field.name)
                yield from _walk(value, _join(path, field.name), spec_of(field), node)
    elif isinstance(node, dict):
        for key in sorted(node):
            yield from _walk(node[key], _join(path, str(key)), None, owner)
    elif isinstance(node, list | tuple):
        for i, value in enumerate(node):
            yield from _walk(value, _join(path, str(i)), None, owner)
    else:
        arrays = [x for x in jax.tree_util.tree_leaves(node) if eqx.is_array_like(x)]
        if arrays:
            name = path.rsplit(".", 1)[-1]
            where = "" if owner is None else type(owner).__name__
            raise UndeclaredArray(
                f"{where}.{name} holds {len(arrays)} arrays; mark the field param(), weights() or table()"
            )


def _declares(node: Any) -> bool:
    """True for modules that say what their fields are; the layers of a network do not, and are named as a whole."""
    return isinstance(node, Model) or (
        isinstance(node, eqx.Module) and any(spec_of(field) is not None for field in dataclasses.fields(node))
    )


def slots(tree: Any) -> list[tuple[str, ParamSpec, float]]:
    """Path, declaration and value of every parameter slot; an array parameter has one slot per element."""
    found: list[tuple[str, ParamSpec, float]] = []
    for leaf in leaves(tree):
        if isinstance(leaf.spec, ParamSpec):
            value = np.asarray(leaf.value, dtype=float)
            base, _, name = leaf.path.rpartition(".")
            own = leaf.owner.slots_of(name) if isinstance(leaf.owner, Model) else None
            if own is not None:
                found += [(_join(base, n), spec, float(x)) for (n, spec), x in zip(own, value.ravel(), strict=True)]
            elif value.ndim == 0:
                found.append((leaf.path, leaf.spec, float(value)))
            else:
                found += [(f"{leaf.path}.{i}", leaf.spec, float(x)) for i, x in enumerate(value.ravel())]
    return found


def fill(tree: Tree, values: Float[Array | np.ndarray, "slot"]) -> Tree:
    """The tree with its parameter leaves replaced by `values`, in slot order; differentiable in `values`.

    Host arrays in, host arrays out: slices of device arrays would each be a call to the device.
    """
    specs = [leaf.spec for leaf in leaves(tree)]
    old, structure = jax.tree_util.tree_flatten(tree)
    new, start = [], 0
    for spec, leaf in zip(specs, old, strict=True):
        if isinstance(spec, ParamSpec):
            size = jnp.size(leaf)
            new.append(values[start : start + size].reshape(jnp.shape(leaf)))
            start += size
        else:
            new.append(leaf)
    return jax.tree_util.tree_unflatten(structure, new)


def weight_leaves(tree: Any) -> list[Array]:
    """The arrays of all `weights()` blocks, in tree order."""
    return [leaf.value for leaf in leaves(tree) if isinstance(leaf.spec, WeightsSpec) and eqx.is_array(leaf.value)]


def fill_weights(tree: Tree, new: Sequence[Any]) -> Tree:
    """The tree with the arrays of its `weights()` blocks replaced by `new`, in tree order.

    Raises `ModelError` if number or shapes of the arrays are not those of the tree.
    """
    held = weight_leaves(tree)
    shapes, given = [jnp.shape(x) for x in held], [jnp.shape(x) for x in new]
    if shapes != given:
        raise ModelError(
            f"the weights do not fit the network: it has {len(shapes)} arrays of shapes {_listed(shapes)}, "
            f"given are {len(given)} of shapes {_listed(given)}; use the architecture that was fitted"
        )
    specs = [leaf.spec for leaf in leaves(tree)]
    old, structure = jax.tree_util.tree_flatten(tree)
    values = iter(new)
    changed = [
        next(values) if isinstance(spec, WeightsSpec) and eqx.is_array(leaf) else leaf
        for spec, leaf in zip(specs, old, strict=True)
    ]
    return jax.tree_util.tree_unflatten(structure, changed)


def _listed(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join(map(str, shapes)) or "none"


def has_weights(tree: Any) -> bool:
    """True if the tree holds a network to be fitted."""
    return bool(weight_leaves(tree))
