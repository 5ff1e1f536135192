"""Paths that come from a person or from a file: what the system says of them, as errors of gammajax."""

from pathlib import Path

from gammajax.errors import MissingFile


def is_file(path: Path) -> bool:
    """True if there is such a file. Raises `MissingFile` for a path that the system refuses (too long, no access)."""
    try:
        return path.is_file()
    except OSError as error:
        raise MissingFile(f"{path} cannot be looked at: {error.strerror}") from error


def is_folder(path: Path) -> bool:
    """True if there is such a folder. Raises `MissingFile` as `is_file` does."""
    try:
        return path.is_dir()
    except OSError as error:
        raise MissingFile(f"{path} cannot be looked at: {error.strerror}") from error


def check_file(path: Path) -> None:
    """Raise `MissingFile` if there is no such file, or a folder in its place."""
    if not is_file(path):
        raise MissingFile(f"{path} is a folder, not a file" if is_folder(path) else f"{path} does not exist")
