"""How long something took, with the time spent compiling apart."""

import time
from typing import Self

from jax import monitoring

_COMPILING = ("/jax/core/compile/", "/jax/compilation_cache/cache_retrieval_time_sec")
_total = {"seconds": 0.0, "programs": 0}


def _listen(event: str, duration_secs: float, **_: str | int) -> None:
    if event.startswith(_COMPILING):
        _total["seconds"] += duration_secs
    if event == "/jax/core/compile/backend_compile_duration":
        _total["programs"] += 1


monitoring.register_event_duration_secs_listener(_listen)


class Stopwatch:
    """Measure a `with` block: `total`, of which `compile` (tracing, lowering, XLA) and `run` [s]; `programs` compiled.

    >>> with Stopwatch() as watch:
    ...     pass
    >>> watch.programs
    0
    """

    def __enter__(self) -> Self:
        self._begin, self._before = time.perf_counter(), dict(_total)
        return self

    def __exit__(self, *_: object) -> None:
        self.total = time.perf_counter() - self._begin
        self.programs = int(_total["programs"] - self._before["programs"])
        self.compile = min(_total["seconds"] - self._before["seconds"], self.total)

    @property
    def run(self) -> float:
        """Time not spent compiling [s]."""
        return self.total - self.compile
