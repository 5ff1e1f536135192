"""What a models file does not hold itself: maps beside a YAML, arrays beside the text in HDF5."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gammajax.errors import FileFormatError


def with_files(content: Any, folder: Path) -> Any:
    """The content of a models YAML with its maps where they are: as written, or else beside the YAML.

    Environment variables in names are expanded.
    """

    def found(part: dict[str, Any]) -> dict[str, Any]:
        name = part.get("filename")
        return part | {"filename": _found(name, folder)} if isinstance(name, str) else part

    return _in_components(content, found)


def _found(name: str, folder: Path) -> str:
    here = Path(os.path.expandvars(name))
    for place in (here, folder / here, folder / here.name):
        if place.is_file():
            return str(place)
    return str(here)


def file_for(filename: str, beside: Path, path: str) -> Path:
    """Where the map of the model at `path` is written: as it is called, or beside the YAML."""
    named = Path(os.path.expandvars(filename))
    if filename and named.parent.is_dir():
        return named
    return beside.with_name(f"{beside.stem}_{re.sub(r'[^-.A-Za-z0-9_]+', '_', path.removesuffix('.spatial'))}.fits")


def with_arrays(content: Any, array: Callable[[str], np.ndarray]) -> Any:
    """The content of a text with the values of the maps, which it holds by name, as `array` finds them."""

    def found(part: dict[str, Any]) -> dict[str, Any]:
        held = part.get("map")
        if not isinstance(held, dict):
            return part
        if not isinstance(held.get("values"), str):
            raise FileFormatError(
                f"the values of a map are an array that is named by a text, got {held.get('values')!r}"
            )
        return part | {"map": held | {"values": array(held["values"])}}

    return _in_components(content, found)


DEEPEST = 50
"""Models inside models, at most; a YAML may refer to itself."""


def _in_components(content: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """The content with each component and each model in it changed; what is malformed stays as it is."""
    listed = content.get("components") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        return content
    return content | {"components": [_inside(x, change, 0) for x in listed]}


def _inside(part: Any, change: Callable[[dict[str, Any]], dict[str, Any]], depth: int) -> Any:
    """The part with the models in it changed, which are known by their type; the deepest are left to the parser."""
    if depth > DEEPEST:
        return part
    if isinstance(part, list):
        return [_inside(x, change, depth + 1) for x in part]
    if not isinstance(part, dict):
        return part
    part = change(part) if "type" in part or not depth else part
    skipped = ("map", "parameters")
    return {k: x if k in skipped else _inside(x, change, depth + 1) for k, x in part.items()}
