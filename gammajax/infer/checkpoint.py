"""Checkpoints of a sampling run: its state and draws in one HDF5 file, so that it can go on after a kill.

The file (kind "checkpoint") holds the leaves of the sampler's state in the group `state`, all draws so far, warm-up
included, in `draws`, the coordinates that it moves in in `target`, and fingerprints of data, models, priors and options
as attributes. No pickles: reading executes nothing.
"""

import hashlib
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gammajax._typing import Array
from gammajax.errors import ConfigError, FileFormatError
from gammajax.io.hdf5 import read_tree, write_tree
from gammajax.likelihood.problem import Problem
from gammajax.params.tree import fill

VERSION = 1
"""Of the layout of the file; another one is refused."""

_PARTS = ("data", "models", "priors", "options")


class Saved(NamedTuple):
    """What a checkpoint holds, as host arrays by name."""

    state: dict[str, Any]
    draws: dict[str, Any]
    target: dict[str, Any]


def fingerprints(problem: Problem, paths: Iterable[str], options: Mapping[str, Any]) -> dict[str, str]:
    """Hashes of what makes a run the same run: data, models, priors, options.

    Values of free parameters do not count: they are only where the run started.
    """
    layout = jax.tree.map(np.asarray, problem.layout)
    start = layout.start.copy()
    start[layout.free] = 0.0
    start[layout.source != np.arange(len(start))] = 0.0
    table = (start, layout.source, layout.factor, layout.offset, layout.free, layout.log, layout.least, layout.greatest)
    models = fill(problem.models, np.zeros(len(start)))
    return {
        "data": _hash((problem.groups, problem.acts)),
        "models": _hash((models, table), *paths),
        "priors": _hash(problem.priors),
        "options": _hash((), *(f"{k}={v}" for k, v in sorted(options.items()))),
    }


def _hash(tree: Any, *texts: str) -> str:
    leaves, structure = jax.tree.flatten(tree)
    # Functions in a structure are written with their address, which differs from process to process.
    total = hashlib.sha256(re.sub(r"0x[0-9a-f]+", "", str(structure)).encode())
    for text in texts:
        total.update(text.encode() + b"\0")
    for leaf in leaves:
        array = np.ascontiguousarray(leaf)
        total.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
    return total.hexdigest()


class Checkpoint:
    """A checkpoint file of one run; `read` checks that it belongs to that run."""

    def __init__(self, path: str | Path, prints: Mapping[str, str], options: Mapping[str, Any]):
        self.path = Path(path)
        self._header = {"version": VERSION, **{f"sha256_{k}": v for k, v in prints.items()}, **options}
        self._cost, self._written = 0.0, -np.inf

    def read(self) -> Saved | None:
        """What was saved; None if there is no file yet.

        Raises `ConfigError` if the file belongs to another run, naming what differs, and `FileFormatError` if it is
        no checkpoint.
        """
        if not self.path.exists():
            return None
        file = read_tree(self.path, "checkpoint")
        if (version := file.integer("version")) != VERSION:
            raise FileFormatError(
                f"{self.path} is a checkpoint of version {version}, this gammajax reads version {VERSION}: "
                "delete it to begin anew"
            )
        header = {name: file.content.get(name) for name in self._header}
        other = [part for part in _PARTS if header[f"sha256_{part}"] != self._header[f"sha256_{part}"]]
        if other:
            plain = [k for k in self._header if not k.startswith(("sha256_", "version"))]
            told = [f"{k} {header[k]} there, {self._header[k]} here" for k in plain if header[k] != self._header[k]]
            detail = f" ({'; '.join(told)})" if told else ""
            raise ConfigError(
                f"{self.path} is the checkpoint of another run: {', '.join(other)} differ{detail}; "
                "give another file, or delete this one to begin anew"
            )
        return Saved(*(dict(file.group(group).content) for group in Saved._fields))

    def write(self, saved: Saved) -> None:
        """Write all at once: a kill leaves the old file or the new one, never half of one."""
        begin = time.perf_counter()
        write_tree(self.path, "checkpoint", {**self._header, **saved._asdict()})
        self._written = time.perf_counter()
        self._cost = self._written - begin

    @property
    def due(self) -> bool:
        """True if writing again costs less than a tenth of the time since it was written last."""
        return time.perf_counter() - self._written > 10.0 * self._cost


def to_arrays(state: Any) -> dict[str, np.ndarray]:
    """The leaves of a state by name, as host arrays; random keys as their data."""
    flat, _ = jax.tree_util.tree_flatten_with_path(state)
    return {_name(path): np.asarray(jax.random.key_data(x) if _is_key(x) else x) for path, x in flat}


def from_arrays(like: Any, arrays: Mapping[str, np.ndarray], key: Array, path: Path) -> Any:
    """The state of the structure `like` (shapes are enough) from its arrays; random keys are of the kind of `key`.

    Raises `FileFormatError`, naming the array, if one is missing or has another shape.
    """
    flat, structure = jax.tree_util.tree_flatten_with_path(like)
    impl = jax.random.key_impl(key)
    leaves = []
    for place, leaf in flat:
        name, array = _name(place), arrays.get(_name(place))
        words = jax.eval_shape(jax.random.key_data, leaf) if _is_key(leaf) else leaf
        if array is None or array.shape != words.shape or array.dtype != words.dtype:
            found = "missing" if array is None else f"{array.dtype}{array.shape}"
            raise FileFormatError(
                f"{path}: state/{name} is {found}, this version of numpyro needs {words.dtype}{words.shape}: "
                "continue with the version that wrote it, or delete the file to begin anew"
            )
        device = jax.device_put(array)
        leaves.append(jax.random.wrap_key_data(device, impl=impl) if _is_key(leaf) else device)
    return jax.tree.unflatten(structure, leaves)


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _name(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")
