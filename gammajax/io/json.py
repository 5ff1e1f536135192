"""JSON files that any reader accepts: numbers that are not finite become null."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from gammajax.errors import FileFormatError
from gammajax.io.paths import check_file


def plain(x: Any) -> Any:
    """`x` as plain Python, with arrays as lists and numbers that are not finite as None."""
    if isinstance(x, dict):
        return {str(key): plain(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [plain(value) for value in x]
    if isinstance(x, np.ndarray):
        return plain(x.tolist())
    if isinstance(x, np.generic):
        return plain(x.item())
    if isinstance(x, float) and not math.isfinite(x):
        return None
    return x


def write_json(content: Any, path: str | Path) -> Path:
    """Write `content` as JSON; returns the path."""
    path = Path(path)
    path.write_text(json.dumps(plain(content), indent=2, allow_nan=False) + "\n")
    return path


def read_json(path: str | Path) -> Any:
    """The content of a JSON file. Raises `MissingFile` or `FileFormatError`."""
    path = Path(path)
    check_file(path)
    try:
        return json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{path} is not valid JSON: {error}") from error
