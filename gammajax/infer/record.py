"""Results in HDF5 files: one rule for every result class, by the types of its fields.

A result is a frozen dataclass. Arrays become arrays, texts and numbers attributes, `Models` a group of their own, and
mappings of numbers two lists. A field with a default may be missing in a file: it was added after the file was written.
"""

import dataclasses
import enum
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from gammajax.errors import FileFormatError, GammajaxError
from gammajax.io.hdf5 import Node, read_tree, write_tree
from gammajax.models.collection import Models

T = TypeVar("T")


def write_record(path: str | Path, kind: str, result: Any) -> Path:
    """Write a result as an HDF5 file of this kind; returns the path."""
    return write_tree(path, kind, to_tree(result))


def read_record(path: str | Path, kind: str, cls: type[T], *, like: Models | None = None, **given: Any) -> T:
    """A result of class `cls` from an HDF5 file of this kind; `given` fields are not looked for in the file.

    `like` supplies the architecture of networks in its models.
    """
    return from_node(cls, read_tree(path, kind), like, given)


def to_tree(result: Any) -> dict[str, Any]:
    """The fields of a result as arrays, texts, numbers and groups of these."""
    return {field.name: _stored(getattr(result, field.name)) for field in dataclasses.fields(result)}


def _stored(value: Any) -> Any:
    if isinstance(value, Models):
        return value.to_tree()
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, Mapping):
        if all(isinstance(x, int | float | np.number) for x in value.values()):
            # Not as attributes: names of datasets may hold any character, and their order counts.
            return {"names": list(value), "values": np.array(list(value.values()), dtype=float)}
        return {name: _stored(x) for name, x in value.items()}
    if dataclasses.is_dataclass(value):
        return to_tree(value)
    if value is None or isinstance(value, str | bool | int | float | np.generic | np.ndarray):
        return value
    if isinstance(value, list | tuple) and all(isinstance(x, str) for x in value):
        return list(value)
    if hasattr(value, "__array__"):
        return np.asarray(value)
    raise TypeError(f"{type(value).__name__} has no form in HDF5 files")


def from_node(cls: type[T], node: Node, like: Models | None = None, given: Mapping[str, Any] | None = None) -> T:
    """The result of class `cls` in a group of a file; raises `FileFormatError` for what is missing or malformed."""
    hints, fields = typing.get_type_hints(cls), dict(given or {})
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        if field.name in fields:
            continue
        kind, optional = _kind(hints[field.name])
        if field.name in node:
            fields[field.name] = _read(kind, node, field.name, like)
        elif optional:
            fields[field.name] = None
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise FileFormatError(f"{node.where} has no {field.name!r}; it has {', '.join(node) or 'nothing'}")
    return cls(**fields)


def _kind(hint: Any) -> tuple[Any, bool]:
    """The type that a field holds, and whether it may be None."""
    if isinstance(hint, types.UnionType):
        inner = [x for x in typing.get_args(hint) if x is not type(None)]
        return inner[0], len(inner) < len(typing.get_args(hint))
    return hint, False


def _read(kind: Any, node: Node, name: str, like: Models | None) -> Any:
    origin = typing.get_origin(kind) or kind
    simple = {float: node.number, int: node.integer, bool: node.flag, str: node.text, tuple: node.texts}
    if origin in simple:
        return simple[origin](name)
    if origin is np.ndarray:
        return node.array(name, kinds="iufb")
    if origin is Models:
        return Models.from_node(node.group(name), like=like)
    if isinstance(origin, type) and issubclass(origin, enum.Enum):
        return _member(origin, node, name)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(typing.get_args(kind)[1], node.group(name))
    if dataclasses.is_dataclass(origin):
        return from_node(typing.cast(type, origin), node.group(name), like)
    raise TypeError(f"{kind} has no form in HDF5 files")


def _member(kind: type[enum.Enum], node: Node, name: str) -> enum.Enum:
    word = node.text(name)
    if word not in kind.__members__:
        raise FileFormatError(f"{node.where}: {name} is {word!r}, not one of {', '.join(kind.__members__)}")
    return kind[word]


def _mapping(kind: Any, group: Node) -> dict[str, Any]:
    if kind is float:
        names, values = group.texts("names"), group.array("values", 1)
        if len(names) != len(values):
            raise FileFormatError(f"{group.where} has {len(names)} names for {len(values)} values")
        return dict(zip(names, values.tolist(), strict=True))
    return {name: group.array(name, kinds="iufb") for name in group}


def check_shape(where: Any, name: str, array: np.ndarray, shape: tuple[int | None, ...]) -> None:
    """Raise `FileFormatError` unless an array has this shape (None: any length)."""
    fits = np.ndim(array) == len(shape) and all(n in (None, m) for n, m in zip(shape, np.shape(array), strict=False))
    if not fits:
        wanted = ", ".join("*" if n is None else str(n) for n in shape)
        raise FileFormatError(f"{where}: {name!r} has the shape {np.shape(array)}, expected ({wanted})")


def check_paths(where: Any, paths: tuple[str, ...], models: Models) -> None:
    """Raise `FileFormatError` unless the models have all these parameters."""
    try:
        for path in paths:
            models.match(path)
    except GammajaxError as error:
        raise FileFormatError(f"{where} belongs to other models: {error}") from error
