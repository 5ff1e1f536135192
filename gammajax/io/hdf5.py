"""HDF5 files of gammajax: named arrays, texts and numbers in groups. No pickles; reading never executes code.

Every file has the root attributes `creator`, `schema` (version of the layout below) and `kind` (what it holds). A group
holds arrays as datasets, numbers and short texts as attributes, long texts and lists of texts as datasets of UTF-8
strings, and further groups. What each kind holds is written down in docs/file_formats.md.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from gammajax.errors import ConfigError, FileFormatError, GammajaxError, nearest
from gammajax.io.paths import check_file, is_file

SCHEMA = 3
"""Version 1 had no groups, version 2 no cubes; files of a kind that has not changed are still read."""

SUFFIXES = (".h5", ".hdf5")
_HEADER = ("creator", "schema", "kind")
_LONGEST_ATTRIBUTE = 1000
_DEEPEST = 20
_BROKEN = (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, MemoryError, OverflowError)


def is_hdf5(path: str | Path) -> bool:
    """True for a name that ends like an HDF5 file, or a file that is one."""
    path = Path(path)
    return path.suffix.lower() in SUFFIXES or (is_file(path) and bool(h5py.is_hdf5(path)))


def hdf5_or_json(path: str | Path) -> str:
    """ "hdf5" or "json", by the ending of a name; raises `ConfigError` for another one."""
    suffix = Path(path).suffix.lower()
    if suffix in SUFFIXES:
        return "hdf5"
    if suffix == ".json":
        return "json"
    raise ConfigError(f"{path}: the name must end in .h5 (everything, to be read again) or .json (for people)")


def write_tree(path: str | Path, kind: str, tree: Mapping[str, Any]) -> Path:
    """Write nested mappings of arrays, numbers, texts and lists of texts; entries that are None are left out.

    The file takes its name when it is complete.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.part")
    with h5py.File(beside, "w") as file:
        file.attrs.update({"creator": f"gammajax {version('gammajax')}", "schema": SCHEMA, "kind": kind})
        _write_group(file, tree)
    return beside.replace(path)


def _write_group(group: h5py.Group, tree: Mapping[str, Any]) -> None:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            _write_group(group.create_group(name), value)
        elif isinstance(value, list | tuple):
            strings = np.array([str(x) for x in value], dtype=object)
            group.create_dataset(name, data=strings, dtype=h5py.string_dtype("utf-8"))
        elif isinstance(value, str) and len(value) > _LONGEST_ATTRIBUTE:
            group.create_dataset(name, data=value, dtype=h5py.string_dtype("utf-8"))
        elif isinstance(value, str | bool | int | float | np.generic):
            group.attrs[name] = value
        elif value is not None:
            group.create_dataset(name, data=np.asarray(value))


@dataclasses.dataclass(frozen=True)
class Node:
    """A group of a file, read: its entries by kind, each checked as it is taken. `where` names it in messages."""

    where: str
    content: Mapping[str, Any]

    def __contains__(self, name: str) -> bool:
        return name in self.content

    def __iter__(self) -> Iterator[str]:
        return iter(self.content)

    def group(self, name: str) -> "Node":
        """A group inside."""
        return self._checked(name, "a group", isinstance(self._found(name), Node))

    def array(self, name: str, axes: int | None = None, kinds: str = "iuf") -> np.ndarray:
        """An array with this many axes (None: any), of numbers ("iuf"), flags ("b") or both."""
        x = self._found(name)
        fits = isinstance(x, np.ndarray) and x.dtype.kind in kinds and axes in (None, x.ndim)
        what = "flags" if kinds == "b" else "numbers"
        along = "" if axes is None else f" along {axes} {'axis' if axes == 1 else 'axes'}"
        return self._checked(name, f"an array of {what}{along}", fits)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        x = self._found(name)
        fits = isinstance(x, tuple) and all(isinstance(item, str) for item in x)
        return self._checked(name, "a list of texts", fits)

    def text(self, name: str) -> str:
        """A text."""
        return self._checked(name, "a text", isinstance(self._found(name), str))

    def number(self, name: str) -> float:
        """A number as float."""
        return float(self._checked(name, "a number", _is_number(self._found(name))))

    def integer(self, name: str) -> int:
        """A whole number."""
        x = self._found(name)
        return int(self._checked(name, "a whole number", _is_number(x) and isinstance(x, int | np.integer)))

    def flag(self, name: str) -> bool:
        """True or false."""
        return bool(self._checked(name, "true or false", isinstance(self._found(name), bool | np.bool_)))

    def _found(self, name: str) -> Any:
        if name not in self.content:
            close = nearest(name, self.content)
            raise FileFormatError(f"{self.where} has no {name!r}" + (f"; nearest: {close}" if close else ""))
        return self.content[name]

    def _checked(self, name: str, wanted: str, fits: bool) -> Any:
        if not fits:
            raise FileFormatError(f"{self.where}: {name!r} must be {wanted}, it is {_described(self.content[name])}")
        return self.content[name]


def _is_number(x: Any) -> bool:
    return isinstance(x, int | float | np.integer | np.floating) and not isinstance(x, bool)


def _described(x: Any) -> str:
    if isinstance(x, Node):
        return "a group"
    if isinstance(x, np.ndarray):
        return f"an array of shape {x.shape} and type {x.dtype}"
    return f"the {type(x).__name__} {x!r:.60}"


def read_tree(path: str | Path, kind: str) -> Node:
    """The content of a file of the given kind, without its header. Raises `MissingFile` or `FileFormatError`.

    Links to other places and files are refused, and so is data kept outside the file.
    """
    path = Path(path)
    with _opened(path) as file:
        _check_kind(path, dict(file.attrs), kind)
        root = _read_group(path, file)
    return Node(root.where, {name: x for name, x in root.content.items() if name not in _HEADER})


def _read_group(path: Path, group: h5py.Group, depth: int = 0) -> Node:
    where = f"{path}[{group.name}]" if depth else str(path)
    if depth > _DEEPEST:
        raise FileFormatError(f"{where} is nested more than {_DEEPEST} groups deep")
    content: dict[str, Any] = {name: _attribute(value, f"{where}: {name}") for name, value in group.attrs.items()}
    for name in map(str, group):
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise FileFormatError(f"{where}: {name!r} is a link to elsewhere, which is not followed")
        item: Any = group[name]
        if isinstance(item, h5py.Group):
            content[name] = _read_group(path, item, depth + 1)
        elif isinstance(item, h5py.Dataset):
            content[name] = _dataset(item, f"{where}: {name!r}")
    return Node(where, content)


def _dataset(item: h5py.Dataset, where: str) -> Any:
    if item.external or item.is_virtual:
        raise FileFormatError(f"{where} keeps its numbers in another file, which is not followed")
    if h5py.check_string_dtype(item.dtype) is not None:
        read = item.asstr()[()]
        return read if isinstance(read, str) else tuple(str(x) for x in np.ravel(read))
    if item.dtype.kind not in "iufb":
        raise FileFormatError(f"{where} holds {item.dtype}; numbers, flags and texts are what is read")
    return np.asarray(item[()])


def _attribute(value: Any, where: str) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, str | bool | np.bool_ | int | float | np.integer | np.floating):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "iufb":
        return value
    if isinstance(value, np.ndarray) and all(isinstance(x, str) for x in value.flat):
        return tuple(value.flat)
    raise FileFormatError(f"{where} holds {type(value).__name__}; numbers, flags and texts are what is read")


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    check_file(path)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except GammajaxError:
        raise
    except _BROKEN as error:
        raise FileFormatError(f"{path} cannot be read as HDF5: {error}") from error


_READERS = {
    "datasets": "Datasets.read",
    "models": "Models.read",
    "fit": "Fit.read",
    "posterior": "Posterior.read",
    "profile": "Profile.read",
}
"""What reads the commonest kinds of files."""


def _check_kind(path: Path, header: Mapping[str, Any], kind: str) -> None:
    # As text: an attribute of a foreign file may be an array.
    schema = str(header.get("schema"))
    if schema.isdigit() and int(schema) > SCHEMA and "gammajax" in str(header.get("creator")):
        raise FileFormatError(
            f"{path} has the schema {schema}, written by {header['creator']}; this version reads up to {SCHEMA}: "
            "update gammajax"
        )
    found = str(header.get("kind"))
    if found != kind or schema not in map(str, range(1, SCHEMA + 1)):
        have = f"kind {header.get('kind')!r}, schema {header.get('schema')}"
        hint = f", which {_READERS[found]} reads" if found in _READERS and found != kind else ""
        raise FileFormatError(
            f"{path}: expected a gammajax file of kind {kind!r}, schema {SCHEMA}; it has {have}{hint}"
        )
