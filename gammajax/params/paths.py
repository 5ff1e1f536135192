"""Parameter paths as attributes, so that an interactive shell completes them."""

from typing import Any

from gammajax.errors import NoSuchParameter, nearest

_SHOWN = 30
"""Paths that a beginning shows."""


class Path(str):
    """A parameter path, or the beginning of one: text whose attributes are what may follow.

    It is the text itself wherever a path or pattern is asked for; a beginning stands for nothing until completed.

    >>> paths = Path("", ("crab.spectral.index", "crab.spectral.amplitude"))
    >>> str(paths.crab.spectral.index)
    'crab.spectral.index'
    """

    _all: tuple[str, ...]

    def __new__(cls, text: str, known: tuple[str, ...]) -> "Path":
        new = super().__new__(cls, text)
        new._all = known
        return new

    def _following(self) -> list[str]:
        start = f"{self}." if self else ""
        parts = [path[len(start) :].split(".", 1)[0] for path in self._all if path.startswith(start)]
        return list(dict.fromkeys(parts))

    def __dir__(self) -> list[str]:
        return self._following()

    def __repr__(self) -> str:
        """A whole path as text is shown; a beginning by the paths that it may become."""
        if str(self) in self._all:
            return super().__repr__()
        start = f"{self}." if self else ""
        become = [path for path in self._all if path.startswith(start)]
        rest = [f"... and {len(become) - _SHOWN} more"] if len(become) > _SHOWN else []
        return "\n".join([*become[:_SHOWN], *rest]) or "no parameters"

    def __getattribute__(self, name: str) -> Any:
        # Before the methods of text: `index` is the name of one, and of the commonest parameter.
        if not name.startswith("_") and name in self._following():
            return type(self)(f"{self}.{name}" if self else name, self._all)
        return super().__getattribute__(name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        following, whole = self._following(), f"{self}.{name}" if self else name
        close = nearest(name, following)
        hint = f"nearest: {close}" if close else f"what may follow: {', '.join(following) or 'nothing'}"
        # An AttributeError too, so that hasattr() and completion work.
        raise _NoSuchPath(f"no parameter path begins with {whole!r}; {hint}")

    def __getitem__(self, key):
        """Names that are no identifiers: `paths["my source"].spectral.index`."""
        return getattr(self, key) if isinstance(key, str) else super().__getitem__(key)

    def _ipython_key_completions_(self) -> list[str]:
        return self._following()


class _NoSuchPath(NoSuchParameter, AttributeError):
    """Raised for an attribute that continues no path."""
