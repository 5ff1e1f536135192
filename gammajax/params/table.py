"""The host-side table of what an analysis decided about each parameter, and its form as arrays.

Plain Python; it never enters a compiled function.
"""

import dataclasses
import fnmatch
import math
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np
from astropy.table import Table

from gammajax.errors import LinkError, NoSuchParameter, OutOfBounds, PriorError, nearest
from gammajax.params.field import ParamSpec, Scale
from gammajax.params.layout import Layout
from gammajax.params.priors import Prior
from gammajax.tables import make_table
from gammajax.units import conversion, to_number, unit_of


@dataclasses.dataclass(frozen=True)
class Link:
    """`value = factor * value(source) + offset`; `source` is a path."""

    source: str
    factor: float = 1.0
    offset: float = 0.0

    def __str__(self) -> str:
        factor = "" if self.factor == 1 else f"{self.factor:g} * "
        offset = "" if self.offset == 0 else f" {'+' if self.offset > 0 else '-'} {abs(self.offset):g}"
        return f"{factor}{self.source}{offset}"


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One row of the table: everything a person decides about one parameter, in canonical units."""

    path: str
    value: float
    unit: str
    lower: float = -math.inf
    upper: float = math.inf
    scale: Scale = "lin"
    frozen: bool = False
    link: Link | None = None
    prior: Prior | None = None
    error: float = math.nan

    @classmethod
    def from_spec(cls, path: str, spec: ParamSpec, value: float) -> "Parameter":
        """The row of a parameter as its class declares it."""
        return cls(path, value, spec.unit, spec.lower, spec.upper, spec.scale, spec.frozen)

    @property
    def free(self) -> bool:
        """True if a fit moves this parameter."""
        return not self.frozen and self.link is None

    @property
    def range(self) -> tuple[float, float]:
        """Where a fit or sampler may go: inside the bounds, and where the prior's density is not zero."""
        low, high = (-math.inf, math.inf) if self.prior is None else self.prior.support
        return max(self.lower, low), min(self.upper, high)

    def check(self) -> None:
        """Raise `OutOfBounds` if bounds contradict each other or the value is outside or not finite."""
        unit = f" {self.unit}" if self.unit else ""
        box = f"[{self.lower:g}, {self.upper:g}]{unit}"
        if not math.isfinite(self.value):
            raise OutOfBounds(f"{self.path} starts at {self.value}: give it a finite value with set()")
        if not self.lower < self.upper:
            raise OutOfBounds(f"{self.path}: the lower bound must be below the upper one, got {box}")
        if not self.lower <= self.value <= self.upper:
            raise OutOfBounds(
                f"{self.path} starts at {self.value:g}{unit}, outside {box}: set() it inside, or bound() it otherwise"
            )
        low, high = self.range
        if not low <= self.value <= high or not low < high:
            raise OutOfBounds(f"{self.path} starts at {self.value:g}{unit}, where its prior {self.prior} is zero")
        if self.scale == "log" and not self.value > 0 and self.free:
            raise OutOfBounds(
                f"{self.path} starts at {self.value:g}{unit}, but is fitted in its logarithm: "
                "start above 0 or freeze it"
            )


Rows = Mapping[str, Parameter]


def match(rows: Rows, pattern: str) -> list[str]:
    """Paths equal to `pattern`, or matching it as a shell pattern such as "cal_*.norm".

    Raises `NoSuchParameter`, naming the nearest paths.
    """
    if pattern in rows:
        return [pattern]
    found = [path for path in rows if fnmatch.fnmatchcase(path, pattern)]
    if not found:
        close = nearest(pattern, rows)
        hint = f"; nearest: {close}" if close else "; there are no parameters at all" if not rows else ""
        raise NoSuchParameter(f"no parameter matches {pattern!r}{hint}")
    return found


def resolved(rows: Rows, path: str) -> float:
    """Value of a parameter, following its link."""
    row = rows[path]
    return row.value if row.link is None else row.link.factor * rows[row.link.source].value + row.link.offset


def resolved_error(rows: Rows, path: str) -> float:
    """Standard error of a parameter, following its link."""
    row = rows[path]
    return row.error if row.link is None else abs(row.link.factor) * rows[row.link.source].error


def linked(rows: Rows, path: str, source: str, factor: Any, offset: Any) -> Parameter:
    """The row of `path` tied to `source` by `factor` and `offset` of the physical values, whatever their units.

    Raises `LinkError` for links across kinds of units, to itself or to a link.
    """
    row, origin = rows[path], rows[source]
    if not unit_of(row.unit).is_equivalent(unit_of(origin.unit)):
        raise LinkError(f"cannot link {path} ({row.unit or 1}) to {source} ({origin.unit or 1}): units differ")
    number = to_number(factor, "", f"{path}: factor of its link") * conversion(origin.unit, row.unit)
    return tied(rows, path, Link(source, number, to_number(offset, row.unit, f"{path}: offset of its link")))


def tied(rows: Rows, path: str, link: Link) -> Parameter:
    """The row of `path` with a link, whose numbers are in canonical units. Raises `LinkError`."""
    row, source = rows[path], link.source
    if source not in rows:
        raise LinkError(f"cannot link {path} to {source}, which does not exist; nearest: {nearest(source, rows)}")
    origin = rows[source]
    if path == source:
        raise LinkError(f"{path} cannot be linked to itself")
    if origin.link is not None:
        raise LinkError(f"cannot link {path} to {source}, which is itself linked to {origin.link.source}: link to that")
    followers = [p for p, r in rows.items() if r.link is not None and r.link.source == path]
    if followers:
        raise LinkError(f"cannot link {path}: {', '.join(followers)} is linked to it")
    if row.prior is not None:
        raise PriorError(f"{path} has a prior: remove it before linking, or place it on {source}")
    if not math.isfinite(link.factor) or link.factor == 0 or not math.isfinite(link.offset):
        raise LinkError(
            f"cannot link {path} to {source}: factor {link.factor:g} and offset {link.offset:g} make no law"
        )
    value = link.factor * origin.value + link.offset
    if not row.lower <= value <= row.upper:
        raise OutOfBounds(
            f"{path} would be {value:g} by its link, outside [{row.lower:g}, {row.upper:g}] {row.unit}".rstrip()
        )
    return dataclasses.replace(row, link=link)


def cut(rows: Rows, path: str) -> Parameter:
    """The row of `path` without its link, at its current value."""
    return dataclasses.replace(rows[path], link=None, value=resolved(rows, path), error=resolved_error(rows, path))


def layout(rows: Iterable[Parameter]) -> Layout:
    """The table as arrays."""
    rows = list(rows)
    index = {row.path: i for i, row in enumerate(rows)}
    links = [row.link or Link(row.path) for row in rows]
    free = [row for row in rows if row.free]
    log = np.array([row.scale == "log" for row in free], dtype=bool)
    scale = np.array([_scale(row) for row in free], dtype=float)

    least, greatest = (np.array([row.range[side] for row in free], dtype=float) for side in (0, 1))

    def boxed(bound: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            logarithm = np.where(bound > 0, np.log(bound), -np.inf)
        return np.where(log, logarithm, bound / scale)

    arrays = {
        "start": np.array([row.value for row in rows]),
        "source": np.array([index[link.source] for link in links], dtype=np.int32),
        "factor": np.array([link.factor for link in links]),
        "offset": np.array([link.offset for link in links]),
        "free": np.array([index[row.path] for row in free], dtype=np.int32),
        "scale": scale,
        "log": log,
        "lower": boxed(least),
        "upper": boxed(greatest),
        "least": least,
        "greatest": greatest,
        "held": np.zeros(len(free), dtype=bool),
    }
    return Layout(**jax.device_put(arrays))


def _scale(row: Parameter) -> float:
    """Typical size of a parameter: its value, else the narrower side of its bounds, else one."""
    if row.scale == "log":
        return 1.0
    sizes = [abs(x) for x in (row.value, row.upper, row.lower) if x != 0 and math.isfinite(x)]
    # Far below what any unit makes of a number, a value counts as zero: its reciprocal would overflow.
    return 2.0 ** round(math.log2(max(sizes[0], 1e-150))) if sizes else 1.0


def as_table(rows: Rows) -> Table:
    """The rows as an astropy table: path, value, error, unit, min, max, frozen, link, prior."""
    return make_table(
        {
            "path": [row.path for row in rows.values()],
            "value": [resolved(rows, path) for path in rows],
            "error": [resolved_error(rows, path) for path in rows],
            "unit": [row.unit for row in rows.values()],
            "min": [row.lower for row in rows.values()],
            "max": [row.upper for row in rows.values()],
            "frozen": [row.frozen for row in rows.values()],
            "link": [str(row.link or "") for row in rows.values()],
            "prior": [str(row.prior or "") for row in rows.values()],
        },
        numbers=["value", "error", "min", "max"],
    )
