"""YAML files: reading with errors that name the file, and Gammapy's list of datasets.

Reading never executes code from a file (`yaml.safe_load`).
"""

import dataclasses
import difflib
import hashlib
import os
import re
import reprlib
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from gammajax.errors import FileFormatError, MissingFile
from gammajax.io.paths import check_file

_GAMMAPYS: dict[str, Any] = {"sort_keys": False, "indent": 4, "width": 80, "default_flow_style": False}
"""How Gammapy lays out YAML: its checksum is that of this text."""

# PyYAML lets Python's own errors through for values that do not fit their tags, such as the date 2001-99-99.
_BROKEN = (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, OverflowError)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """A YAML file as a dictionary. Raises `MissingFile`, or `FileFormatError` with the line at fault.

    Gammapy's `checksum` is left out and not compared: these files are for people to edit.
    """
    path = Path(path)
    check_file(path)
    try:
        written = path.read_text()
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{path} is not valid YAML: {error}") from error
    return {key: x for key, x in parse_yaml(written, str(path)).items() if key != "checksum"}


def parse_yaml(written: str, where: str) -> dict[str, Any]:
    """A YAML text as a dictionary; `where` names it in messages. Raises `FileFormatError`."""
    try:
        content = yaml.safe_load(written)
    except RecursionError as error:
        raise FileFormatError(f"{where} is nested too deeply") from error
    except _BROKEN as error:
        raise FileFormatError(f"{where} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        found = f"{type(content).__name__}{': the file is empty' if content is None else ''}"
        raise FileFormatError(f"{where} must hold keys and values at top level, got {found}")
    return content


def write_yaml(content: dict[str, Any], path: str | Path) -> Path:
    """Write a dictionary as YAML, with the `checksum` that Gammapy compares; returns the path."""
    path = Path(path)
    written = yaml_text(content, str(path))
    checksum = hashlib.md5(written.encode(), usedforsecurity=False).hexdigest()
    path.write_text(f"{written}checksum: {checksum}\n")
    return path


def yaml_text(content: dict[str, Any], where: str) -> str:
    """A dictionary as YAML text; raises `FileFormatError` for values that YAML has no form for."""
    try:
        return yaml.safe_dump(content, **_GAMMAPYS)
    except yaml.representer.RepresenterError as error:
        raise FileFormatError(f"{where} cannot be written, YAML has no form for {error.args[-1]!r}") from error


# The doors through which parts of a file enter; `where` names the part in messages.


def mapping(x: Any, where: str) -> dict[str, Any]:
    """`x` if it is a mapping; raises `FileFormatError`."""
    return _checked(x, dict, "keys and values", where)


def sequence(x: Any, where: str) -> list[Any]:
    """`x` if it is a list; raises `FileFormatError`."""
    return _checked(x, list, "a list", where)


def text(x: Any, where: str) -> str:
    """`x` if it is a text; raises `FileFormatError`."""
    return _checked(x, str, "a text", where)


def boolean(x: Any, where: str) -> bool:
    """`x` if it is true or false; raises `FileFormatError`."""
    return _checked(x, bool, "true or false", where)


def number(x: Any, where: str) -> float:
    """`x` as float; a text such as 1e-12 counts, because YAML takes numbers without a point for text."""
    try:
        return float(_checked(x, int | float | str, "a number", where))
    except (ValueError, OverflowError) as error:
        raise FileFormatError(f"{where} must be a number, got {reprlib.repr(x)}") from error


def numbers(x: Any, where: str) -> np.ndarray:
    """A list of numbers, or of lists of equal length, as a float array; raises `FileFormatError`."""
    try:
        return np.asarray(sequence(x, where), dtype=float)
    except (TypeError, ValueError, OverflowError) as error:
        raise FileFormatError(f"{where} must be a list of numbers, got {reprlib.repr(x)}") from error


def _checked(x: Any, kind: Any, name: str, where: str) -> Any:
    # a bool is an int to Python
    if not isinstance(x, kind) or (isinstance(x, bool) and kind is not bool):
        raise FileFormatError(f"{where} must be {name}, got {reprlib.repr(x)}")
    return x


@dataclasses.dataclass(frozen=True)
class DatasetEntry:
    """One entry of a datasets YAML, its file name resolved; `fit_range` as written, or None.

    `fit_range: {min, max}` is an addition to Gammapy's keys (which ignores it): OGIP files cannot hold a fit range.
    """

    name: str
    type: str
    filename: Path
    fit_range: tuple[Any, Any] | None
    stat_type: str | None
    """How flux points are compared, an addition of ours too; None where it is not said."""


_ENTRY_KEYS = ("name", "type", "filename", "fit_range", "stat_type")


def dataset_entries(path: str | Path) -> list[DatasetEntry]:
    """The entries `{name, type, filename, fit_range}` of a datasets YAML.

    File names are relative to the YAML; environment variables in them are expanded.

    Raises `FileFormatError` for a missing key.
    """
    path = Path(path)
    content = read_yaml(path)
    listed = content.get("datasets")
    if not isinstance(listed, list) or not listed:
        hint = ": it holds models, which Models.read reads" if "components" in content else ""
        raise FileFormatError(f"{path} has no list 'datasets' with at least one entry{hint}")
    entries = []
    for i, entry in enumerate(listed):
        missing = [key for key in ("name", "type", "filename") if key not in (entry if isinstance(entry, dict) else {})]
        if missing:
            raise FileFormatError(f"{path}: datasets entry {i} lacks {', '.join(missing)}")
        file = Path(os.path.expandvars(text(entry["filename"], f"{path}: filename of {entry['name']}")))
        if unset := re.search(r"\$\{?\w+", str(file)):
            raise MissingFile(f"{path}: {file} needs the environment variable {unset.group().strip('${')}, not set")
        for key in entry:
            # others may be Gammapy's; one that is nearly ours is a slip
            if key not in _ENTRY_KEYS and (close := difflib.get_close_matches(str(key), _ENTRY_KEYS, 1, 0.75)):
                raise FileFormatError(f"{path}: {entry['name']} has the unknown key {key!r}; nearest: {close[0]!r}")
        limits = entry.get("fit_range")
        if limits is not None and not (isinstance(limits, dict) and set(limits) == {"min", "max"}):
            raise FileFormatError(f"{path}: fit_range of {entry['name']} must have the keys min and max")
        fit_range = None if limits is None else (limits["min"], limits["max"])
        stat_type = (
            None if "stat_type" not in entry else text(entry["stat_type"], f"{path}: stat_type of {entry['name']}")
        )
        entries.append(DatasetEntry(str(entry["name"]), str(entry["type"]), path.parent / file, fit_range, stat_type))
    return entries
