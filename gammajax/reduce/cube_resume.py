"""A folder in which a reduction to cubes keeps the runs that it has finished."""

import dataclasses
import hashlib
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import numpy as np
from astropy.wcs import WCS

import gammajax
from gammajax.datasets.cube import Cube
from gammajax.datasets.cube_files import read_cube, write_cube
from gammajax.errors import ConfigError
from gammajax.io.json import read_json, write_json
from gammajax.reduce.fov_scale import BackgroundScale

REPORT = "reduction.json"


class RunFolder:
    """One FITS file per run, and a report that says which are finished and with which arguments they were made.

    Raises `ConfigError` for a folder of other arguments or another version.
    """

    def __init__(self, folder: str | Path, arguments: Any):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.head = {"reduction": fingerprint(arguments), "version": gammajax.__version__}
        self.runs: dict[str, Any] = {}
        if (self.folder / REPORT).is_file():
            report = read_json(self.folder / REPORT)
            found = report if isinstance(report, dict) else {}
            if {key: found.get(key) for key in self.head} != self.head or not isinstance(found.get("runs"), dict):
                raise ConfigError(
                    f"{self.folder / REPORT} was made with other arguments or another version: take another folder, or "
                    "empty this one"
                )
            self.runs = found["runs"]

    def __contains__(self, obs_id: int) -> bool:
        return str(obs_id) in self.runs

    def read(self, obs_id: int) -> tuple[Cube, BackgroundScale | None]:
        """A finished run."""
        entry = self.runs[str(obs_id)]
        scale = entry["scale"]
        return read_cube(self.folder / entry["file"]), None if scale is None else BackgroundScale(*scale)

    def write(self, obs_id: int, dataset: Cube, scale: BackgroundScale | None) -> None:
        """Keep a run: a file that is not complete is never named in the report."""
        file = f"{obs_id}.fits"
        write_cube(dataset, self.folder / file)
        self.runs[str(obs_id)] = {"file": file, "scale": None if scale is None else list(scale)}
        write_json({**self.head, "runs": self.runs}, self.folder / REPORT)


def fingerprint(arguments: Any) -> str:
    """A text that changes with the arguments of a reduction."""
    return hashlib.sha256(_told(arguments).encode()).hexdigest()[:16]


def _code(code: CodeType) -> str:
    """What a function does: two of one name, such as lambdas, are told apart by it."""
    return f"code({code.co_code.hex()}, {code.co_names}, {_told(code.co_consts)})"


def _told(x: Any) -> str:
    """What an argument holds, as text that does not depend on the process."""
    if isinstance(x, np.ndarray):
        return f"array({x.shape}, {x.dtype}, {hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest()})"
    if isinstance(x, WCS):
        return x.to_header_string()
    if dataclasses.is_dataclass(x) and not isinstance(x, type):
        fields = ((f.name, getattr(x, f.name)) for f in dataclasses.fields(x))
        return f"{type(x).__name__}({', '.join(f'{name}={_told(value)}' for name, value in fields)})"
    if isinstance(x, tuple | list):
        return f"({', '.join(map(_told, x))})"
    if isinstance(x, frozenset):
        # The order of a set is that of hashes, which differ from process to process.
        return f"frozenset({', '.join(sorted(map(_told, x)))})"
    if isinstance(x, CodeType):
        return _code(x)
    if isinstance(x, FunctionType):
        cells = [cell.cell_contents for cell in x.__closure__ or () if cell.cell_contents is not x]
        return f"{x.__module__}.{x.__qualname__}{_told([x.__defaults__, x.__kwdefaults__, cells])}{_code(x.__code__)}"
    if callable(x):
        return f"{getattr(x, '__module__', '')}.{getattr(x, '__qualname__', repr(type(x)))}"
    return repr(x)
