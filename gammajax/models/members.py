"""What `Models` is made of: named models, the table of their parameters, and both as arrays."""

import copy
import functools
import html
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

import jax
import numpy as np
from astropy.table import Table
from equinox import is_array

from gammajax.errors import ModelError
from gammajax.models.covariance import Covariance
from gammajax.models.nuisance import Nuisance
from gammajax.models.sky import SkyModel
from gammajax.params import table as tables
from gammajax.params.groups import AnyGroup, check_joints, prior_groups
from gammajax.params.layout import Layout
from gammajax.params.paths import Path
from gammajax.params.table import Parameter
from gammajax.params.tree import fill, slots
from gammajax.tables import as_text

Member = SkyModel | Nuisance


class Members(Mapping[str, Member]):
    """Named models and the table of their parameters, to be looked at; `Models` adds edits and files."""

    def __init__(self, members: Mapping[str, Any] | None = None, /, **named: Any):
        if members is not None and not isinstance(members, Mapping):
            raise ModelError(
                'models have names: Models(crab=SkyModel(...)) or Models({"crab-bkg": FoVBackground(...)}), '
                f"got {type(members).__name__}"
            )
        given = {**(members or {}), **named}
        self._members: dict[str, Member] = {name: _member(name, model) for name, model in given.items()}
        rows = [
            Parameter.from_spec(path, spec, value)
            for name, model in self._members.items()
            for path, spec, value in ((f"{name}.{p}", s, v) for p, s, v in slots(model))
        ]
        self._rows = {row.path: row for row in rows}
        self._covariance: Covariance | None = None
        if isinstance(members, Members):
            if twice := sorted(set(members) & set(named)):
                raise ModelError(f"models are named twice: {', '.join(twice)}; drop() or rename one of each")
            self._rows |= members._rows
            self._covariance = None if named else members._covariance
        for row in self._rows.values():
            row.check()

    def __getitem__(self, name: str) -> Any:
        """The model of this name, with its current parameter values."""
        if name not in self._members:
            raise ModelError(f"no model {name!r}; models are {', '.join(map(repr, self._members)) or 'none'}")
        return self.filled[name]

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    @functools.cached_property
    def filled(self) -> dict[str, Member]:
        """All models with their current parameter values, by name."""
        values = np.array([tables.resolved(self._rows, path) for path in self._rows], dtype=float)
        # One transfer for all: a call to the device per parameter takes seconds for a hundred models.
        tree = jax.device_put(fill(tuple(self._members.values()), values))
        return dict(zip(self._members, tree, strict=True))

    @property
    def sources(self) -> dict[str, SkyModel]:
        """The models that shine, by name, with their current parameter values: all that are no nuisances."""
        return {name: model for name, model in self.filled.items() if isinstance(model, SkyModel)}

    @property
    def datasets_names(self) -> dict[str, tuple[str, ...] | None]:
        """The datasets that each model acts on, by name; None for all."""
        return {name: model.datasets_names for name, model in self._members.items()}

    @property
    def rows(self) -> dict[str, Parameter]:
        """The table, path to row, in slot order."""
        return dict(self._rows)

    @property
    def free_paths(self) -> list[str]:
        """Paths of the parameters that a fit moves, in order."""
        return [path for path, row in self._rows.items() if row.free]

    def value(self, path: str) -> float:
        """Current value of one parameter in its canonical unit, following its link."""
        return tables.resolved(self._rows, self.find(path))

    def error(self, path: str) -> float:
        """Standard error of one parameter, NaN if it was not fitted."""
        return tables.resolved_error(self._rows, self.find(path))

    def match(self, pattern: str) -> list[str]:
        """Paths that match; raises `NoSuchParameter` with the nearest paths."""
        return tables.match(self._rows, pattern)

    def find(self, pattern: str) -> str:
        """The one path that matches; raises `ModelError` if several do."""
        found = self.match(pattern)
        if len(found) > 1:
            raise ModelError(f"{pattern!r} matches {len(found)} parameters, one is needed: {', '.join(found)}")
        return found[0]

    @property
    def covariance(self) -> Covariance | None:
        """Covariance of the last fit; None before a fit and after an edit of a fitted value."""
        return self._covariance

    @property
    def table(self) -> Table:
        """The table as an astropy `Table`."""
        return tables.as_table(self._rows)

    def to_list(self) -> list[dict[str, Any]]:
        """The table as plain Python: path, value, error, unit, min, max, frozen, link (a text, or None)."""
        return [
            {
                "path": path,
                "value": self.value(path),
                "error": self.error(path),
                "unit": row.unit,
                "min": row.lower,
                "max": row.upper,
                "frozen": row.frozen,
                "link": None if row.link is None else str(row.link),
            }
            for path, row in self._rows.items()
        ]

    def __repr__(self) -> str:
        if not self._rows:
            return "Models: none"
        return as_text(self.table)

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(', '.join(self._members))}</p>{self.table._repr_html_()}"

    @property
    def paths(self) -> Path:
        """All paths for tab completion: `models.paths.crab.spectral.index` is "crab.spectral.index"."""
        return Path("", tuple(self._rows))

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._members)

    # -- as arrays -------------------------------------------------------------------------------------------------

    @property
    def tree(self) -> tuple[Member, ...]:
        """The models for a compiled function: no names, nothing that differs between analyses of one kind."""
        return nameless(self._members.values())

    @property
    def layout(self) -> Layout:
        """The table as arrays."""
        return tables.layout(self._rows.values())

    @property
    def priors(self) -> tuple[AnyGroup, ...]:
        """The priors as arrays, one group per family."""
        return prior_groups(self._rows)

    def _with(self, rows: dict[str, Parameter], members: dict[str, Member] | None = None) -> Self:
        check_joints(rows)
        new = object.__new__(type(self))
        new._members = self._members if members is None else members
        new._rows = rows
        new._covariance = None
        return new


def nameless(members: Iterable[Member]) -> tuple[Member, ...]:
    """The models without the names of their datasets, which are static: so that other names compile nothing."""
    return tuple(acting_on(model, None) for model in members)


def acting_on(model: Member, names: tuple[str, ...] | None) -> Member:
    """The model with other names of datasets; nothing else is made anew."""
    new = copy.copy(model)
    object.__setattr__(new, "datasets_names", names)
    return new


def _member(name: str, model: Any) -> Member:
    if not isinstance(model, SkyModel | Nuisance):
        hint = f": write {name}=SkyModel(spectral=...)" if name.isidentifier() else ""
        raise ModelError(f"{name!r} must be a SkyModel or a nuisance, got {type(model).__name__}{hint}")
    # A network holds its activation functions as leaves: as Partial they become structure, and only arrays are left.
    return jax.tree_util.tree_map(lambda x: x if is_array(x) or not callable(x) else jax.tree_util.Partial(x), model)
