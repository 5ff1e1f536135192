"""Editing `Models`: every edit returns new ones, and fails at the call if it makes no sense."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from gammajax.errors import GammajaxError, LinkError, ModelError, OutOfBounds, PriorError, UnitMismatch
from gammajax.models.covariance import Covariance
from gammajax.models.members import Member, Members, acting_on
from gammajax.params import table as tables
from gammajax.params.joint import MultiNormal, Share
from gammajax.params.priors import Prior
from gammajax.params.table import Parameter
from gammajax.params.tree import slots
from gammajax.units import to_number


class EditableMembers(Members):
    """Members whose values, bounds, priors, links and freedom can be changed."""

    def set(self, pattern: str | Mapping[str, Any], value: Any = None) -> Self:
        """Set a value (number, `Quantity`, text), or several from a mapping of paths to values."""
        if isinstance(pattern, Mapping):
            new = self
            for path, x in pattern.items():
                new = new.set(path, x)
            return new

        def change(row: Parameter) -> Parameter:
            if value is None:
                raise UnitMismatch(f"{row.path}: set() needs a value")
            return dataclasses.replace(row, value=to_number(value, row.unit, row.path), error=np.nan)

        return self._edit([pattern], change, OutOfBounds, "set")

    def freeze(self, *patterns: str) -> Self:
        """Keep parameters fixed in fits."""
        return self._hold(patterns, True)

    def free(self, *patterns: str) -> Self:
        """Let fits move parameters."""
        return self._hold(patterns, False)

    def bound(self, pattern: str, lower: Any = None, upper: Any = None) -> Self:
        """Set bounds; a side left out is unbounded."""

        def change(row: Parameter) -> Parameter:
            low = -np.inf if lower is None else to_number(lower, row.unit, f"{row.path}: lower bound")
            high = np.inf if upper is None else to_number(upper, row.unit, f"{row.path}: upper bound")
            return dataclasses.replace(row, lower=low, upper=high)

        return self._edit([pattern], change, OutOfBounds, "bound")

    def prior(self, pattern: str | Sequence[str], prior: Prior | MultiNormal | None) -> Self:
        """Place a prior on each parameter that matches, or one `MultiNormal` on all of them; None removes it.

        `pattern` may be a list: a correlated prior takes the parameters in that order.
        """
        patterns = [pattern] if isinstance(pattern, str) else list(pattern)
        if isinstance(prior, MultiNormal):
            paths = [path for one in patterns for path in self.match(one)]
            shares = prior.shares(paths, [self._rows[path].unit for path in paths])
            if linked := [path for path in paths if self._rows[path].link is not None]:
                raise PriorError(f"{', '.join(linked)} are linked: place the prior on what they are linked to")
            new = {p: dataclasses.replace(self._rows[p], prior=s) for p, s in zip(paths, shares, strict=True)}
            return self._with(self._rows | new)

        def change(row: Parameter) -> Parameter:
            if prior is not None and (not isinstance(prior, Prior) or isinstance(prior, Share)):
                raise PriorError(f"{row.path}: a prior is one of the classes Normal, Uniform, ..., got {prior!r}")
            return dataclasses.replace(row, prior=None if prior is None else prior.in_unit(row.unit, row.path))

        return self._edit(patterns, change, PriorError, "place the prior on")

    def link(self, pattern: str, to: str, factor: Any = 1.0, offset: Any = 0.0) -> Self:
        """Tie parameters to the parameter `to`: `value = factor * value(to) + offset`.

        The law holds for the physical values: with factor 1 a parameter in GeV equals one in TeV.
        """
        source = self.find(to)
        rows = dict(self._rows)
        for path in self.match(pattern):
            if path != source or pattern == source:
                rows[path] = tables.linked(rows, path, source, factor, offset)
        return self._with(rows)

    def unlink(self, *patterns: str) -> Self:
        """Make linked parameters independent again, at their current values."""
        found = [path for pattern in patterns for path in self.match(pattern)]
        rows = self._rows | {path: tables.cut(self._rows, path) for path in found}
        for path in found:
            rows[path].check()
        return self._with(rows)

    def add(self, members: Mapping[str, Any] | None = None, /, **named: Any) -> Self:
        """Add models, with all that was decided if they come as `Models`; raises `ModelError` if a name is taken."""
        more = type(self)(members, **named)
        for name in more:
            if name in self._members:
                raise ModelError(f"a model named {name!r} is there already: drop() it first")
        return self._with({**self._rows, **more._rows}, {**self._members, **more._members})

    def drop(self, *names: str) -> Self:
        """Remove models; raises `ModelError` if one is unknown or another model is linked to it."""
        for name in names:
            self[name]
        members = {k: v for k, v in self._members.items() if k not in names}
        gone = {f"{name}.{path}" for name in names for path, _, _ in slots(self._members[name])}
        rows = {path: row for path, row in self._rows.items() if path not in gone}
        for row in rows.values():
            if row.link is not None and row.link.source in gone:
                raise ModelError(f"{row.path} is linked to {row.link.source}: unlink it before dropping that model")
        return self._with(rows, members)

    def fitted(self, values: Mapping[str, float], covariance: Covariance | None) -> Self:
        """Values and errors as a fit found them; the error of a parameter on a bound is NaN."""
        errors = {} if covariance is None else dict(zip(covariance.paths, covariance.errors, strict=True))
        rows = dict(self._rows)
        for path, value in values.items():
            # The way to z and back may round: a value on a limit stays on it.
            inside = float(np.clip(value, *rows[path].range))
            rows[path] = dataclasses.replace(rows[path], value=inside, error=float(errors.get(path, np.nan)))
        new = self._with(rows)
        new._covariance = covariance
        return new

    def with_weights(self, tree: tuple[Member, ...]) -> Self:
        """The same table over models with other network weights."""
        members = {
            name: acting_on(new, old.datasets_names)
            for (name, old), new in zip(self._members.items(), tree, strict=True)
        }
        return self._with(self._rows, members)

    def _hold(self, patterns: tuple[str, ...], frozen: bool) -> Self:
        new = self
        for pattern in patterns:
            verb = "freeze" if frozen else "free"
            new = new._edit([pattern], lambda row: dataclasses.replace(row, frozen=frozen), LinkError, verb)
        return new

    def _edit(
        self,
        patterns: Sequence[str],
        change: Callable[[Parameter], Parameter],
        refusal: type[GammajaxError],
        verb: str,
    ) -> Self:
        """Change the parameters that match; linked ones are passed over, unless nothing else matches."""
        found = [path for pattern in patterns for path in self.match(pattern)]
        independent = [path for path in found if self._rows[path].link is None]
        if not independent:
            row = self._rows[found[0]]
            source = row.link.source if row.link else ""
            raise refusal(f"{row.path} is linked to {source}: {verb} that, or unlink it first")
        rows = dict(self._rows)
        for path in independent:
            rows[path] = change(rows[path])
            rows[path].check()
        return self._with(rows)
