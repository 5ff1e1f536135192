"""YAML files: reading with errors that name the file, and Gammapy's list of datasets.

Reading never executes code from a file (`yaml.safe_load`).
"""

import dataclasses
import os
from pathlib import Path
from typing import Any

import yaml

from gammajax.errors import FileFormatError, MissingFile


def read_yaml(path: str | Path) -> dict[str, Any]:
    """A YAML file as a dictionary. Raises `MissingFile`, or `FileFormatError` with the line at fault."""
    path = Path(path)
    if not path.is_file():
        raise MissingFile(f"{path} does not exist")
    try:
        content = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise FileFormatError(f"{path} must hold keys and values at top level, got {type(content).__name__}")
    return content


def write_yaml(content: dict[str, Any], path: str | Path) -> Path:
    """Write a dictionary as YAML; returns the path."""
    path = Path(path)
    path.write_text(yaml.safe_dump(content, sort_keys=False, default_flow_style=False))
    return path


@dataclasses.dataclass(frozen=True)
class DatasetEntry:
    """One entry of a datasets YAML, its file name resolved; `fit_range` as written, or None.

    `fit_range: {min, max}` is an addition to Gammapy's keys (which ignores it): OGIP files cannot hold a fit range.
    """

    name: str
    type: str
    filename: Path
    fit_range: tuple[Any, Any] | None


def dataset_entries(path: str | Path) -> list[DatasetEntry]:
    """The entries `{name, type, filename, fit_range}` of a datasets YAML.

    File names are relative to the YAML; environment variables in them are expanded.

    Raises `FileFormatError` for a missing key.
    """
    path = Path(path)
    listed = read_yaml(path).get("datasets")
    if not isinstance(listed, list) or not listed:
        raise FileFormatError(f"{path} has no list 'datasets' with at least one entry")
    entries = []
    for i, entry in enumerate(listed):
        missing = [key for key in ("name", "type", "filename") if key not in (entry if isinstance(entry, dict) else {})]
        if missing:
            raise FileFormatError(f"{path}: datasets entry {i} lacks {', '.join(missing)}")
        file = Path(os.path.expandvars(str(entry["filename"])))
        limits = entry.get("fit_range")
        if limits is not None and not (isinstance(limits, dict) and set(limits) == {"min", "max"}):
            raise FileFormatError(f"{path}: fit_range of {entry['name']} must have the keys min and max")
        fit_range = None if limits is None else (limits["min"], limits["max"])
        entries.append(DatasetEntry(str(entry["name"]), str(entry["type"]), path.parent / file, fit_range))
    return entries
