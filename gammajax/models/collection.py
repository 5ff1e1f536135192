"""`Models`: the immutable container of named models and of all that was decided about their parameters."""

import dataclasses
import functools
import html
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import jax
import numpy as np
from astropy.table import Table
from equinox import is_array

from gammajax.errors import ConfigError, GammajaxError, LinkError, ModelError, OutOfBounds, PriorError, UnitMismatch
from gammajax.io.hdf5 import SUFFIXES, Node, is_hdf5, read_arrays, read_tree, write_arrays, write_tree
from gammajax.io.matrix import write_matrix
from gammajax.io.yaml import parse_yaml, read_yaml, sequence, text, write_yaml, yaml_text
from gammajax.models.covariance import Covariance, covariance_from_node, read_covariance
from gammajax.models.nuisance import Nuisance
from gammajax.models.parse import Choice, Entry, from_component, links, naming
from gammajax.models.serialise import Writer, known_to_gammapy, without_foreign_links
from gammajax.models.sky import SkyModel
from gammajax.params import table as tables
from gammajax.params.groups import AnyGroup, check_joints, prior_groups
from gammajax.params.joint import MultiNormal, Share
from gammajax.params.layout import Layout
from gammajax.params.priors import Prior
from gammajax.params.table import Parameter
from gammajax.params.tree import fill, fill_weights, has_weights, slots, weight_leaves
from gammajax.tables import as_text
from gammajax.units import to_number

Member = SkyModel | Nuisance


class Models(Mapping[str, Member]):
    """Named models, and a table of value, bounds, prior, link and frozen flag for each parameter path.

    Paths read `<model name>.spectral.<parameter>`. Every edit returns a new `Models`; patterns such as "cal_*.norm"
    work wherever a path does. Unknown paths, wrong units and values out of bounds fail at the call.

    A linked parameter has no value, bounds, prior or freedom of its own: `set`, `bound`, `prior`, `freeze` and `free`
    raise for its path, and pass over it in a pattern that matches independent parameters too.

    `Models(other)` and `add(other)` keep all that was decided in `other`; a plain dictionary of its models, such as
    `{**other}`, holds only their values.

    >>> from gammajax import PowerLaw
    >>> models = Models(crab=SkyModel(PowerLaw())).set("crab.spectral.index", 2.6).freeze("*.amplitude")
    >>> models.value("crab.spectral.index")
    2.6
    """

    def __init__(self, members: Mapping[str, Any] | None = None, /, **named: Any):
        given = {**(members or {}), **named}
        self._members: dict[str, Member] = {name: _member(name, model) for name, model in given.items()}
        rows = [
            Parameter.from_spec(path, spec, value)
            for name, model in self._members.items()
            for path, spec, value in ((f"{name}.{p}", s, v) for p, s, v in slots(model))
        ]
        self._rows = {row.path: row for row in rows}
        self._covariance: Covariance | None = None
        if isinstance(members, Models):
            if twice := sorted(set(members) & set(named)):
                raise ModelError(f"models are named twice: {', '.join(twice)}; drop() or rename one of each")
            self._rows |= members._rows
            self._covariance = None if named else members._covariance
        for row in self._rows.values():
            row.check()

    # -- reading ---------------------------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Any:
        """The model of this name, with its current parameter values."""
        if name not in self._members:
            raise ModelError(f"no model {name!r}; models are {', '.join(map(repr, self._members)) or 'none'}")
        return self.filled[name]

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

    # -- files -----------------------------------------------------------------------------------------------------

    @classmethod
    def read(
        cls,
        path: str | Path,
        *,
        like: "Models | None" = None,
        spatial: Choice = "refuse",
        temporal: Choice = "refuse",
    ) -> Self:
        """Read a models YAML of Gammapy, with its covariance file if it names one; or an HDF5 file of gammajax.

        `like` supplies the architecture of models that hold networks, by name. Spatial and temporal models, which a
        spectrum has no use for, raise `ModelError`; with "ignore" the spectra are read without them, and components
        that are nothing without their map (backgrounds, diffuse templates) are left out, with a warning in the log.

        >>> Models.read("map_analysis.yaml", spatial="ignore")                          # doctest: +SKIP
        """
        path = Path(path)
        if is_hdf5(path):
            return cls.from_node(read_tree(path, "models"), like=like)
        content = read_yaml(path)
        with naming(str(path)):
            models, entries = cls._from_content(content, like, spatial, temporal)
            file = content.get("covariance") and text(content["covariance"], "covariance")
        if has_weights(models.tree):
            file_of_weights = path.with_suffix(".h5")
            models = models._with_leaves(read_arrays(file_of_weights, "weights"), str(file_of_weights))
        if file:
            scale = {p: entry.factor for p, entry in entries.items()}
            models._covariance = read_covariance(path.parent / file, models._rows, models.free_paths, scale)
        return models

    @classmethod
    def _from_content(
        cls, content: Mapping[str, Any], like: "Models | None", spatial: Choice = "refuse", temporal: Choice = "refuse"
    ) -> tuple[Self, dict[str, Entry]]:
        """Models from the content of a YAML file, and what it says about their parameters."""
        for option, choice in (("spatial", spatial), ("temporal", temporal)):
            if choice not in ("refuse", "ignore"):
                raise ConfigError(f"{option} must be 'refuse' or 'ignore', got {choice!r}")
        hint = " (it lists datasets, which Datasets.read reads)" if "datasets" in content else ""
        listed = sequence(content.get("components"), f"the list 'components'{hint}")
        found = (from_component(item, like.filled if like else {}, spatial, temporal) for item in listed)
        parts = [part for part in found if part is not None]
        names = [name for name, _, _ in parts]
        if len(set(names)) < len(names):
            raise ModelError(f"model names must be unique, got {', '.join(names)}")
        entries = {p: entry for _, _, some in parts for p, entry in some.items()}
        return cls({name: model for name, model, _ in parts})._told(entries), entries

    @classmethod
    def from_node(cls, node: Node, *, like: "Models | None" = None) -> Self:
        """Models from a group of an HDF5 file, as `to_tree` makes it."""
        with naming(node.where):
            models, _ = cls._from_content(parse_yaml(node.text("yaml"), "its YAML"), like)
        if has_weights(models.tree):
            weights = node.group("weights")
            models = models._with_leaves([weights.array(name) for name in sorted(weights)], weights.where)
        if "covariance" in node:
            models._covariance = covariance_from_node(node.group("covariance"), models._rows)
        return models

    def to_tree(self) -> dict[str, Any]:
        """Everything that the models hold, for a group of an HDF5 file: texts and arrays."""
        writer = Writer(self._rows, whole=True)
        content = {"components": [writer.component(name, model) for name, model in self.filled.items()]}
        leaves = weight_leaves(self.tree)
        return {
            "yaml": yaml_text(content, "models"),
            "weights": {f"{i:04d}": np.asarray(x) for i, x in enumerate(leaves)} if leaves else None,
            "covariance": None if self._covariance is None else vars(self._covariance),
        }

    def write(self, path: str | Path, *, gammapy: bool = False, freeze_links: bool = False) -> Path:
        """Write as Gammapy's YAML, the covariance beside it, and network weights beside it as HDF5.

        What Gammapy has no form for (links with factor or offset, log-normal priors, arrays) is written in keys of
        our own. With `gammapy=True`, spectra that only gammajax knows (your own classes, networks) are tabulated so
        that Gammapy reads them, and such links and priors are refused; `freeze_links=True` writes frozen values for
        those links. To a name that ends in .h5 or .hdf5, everything goes into one HDF5 file.
        """
        path = Path(path)
        if path.suffix.lower() in SUFFIXES:
            if gammapy or freeze_links:
                raise ConfigError(
                    f"{path}: Gammapy reads YAML; gammapy and freeze_links are for a name ending in .yaml"
                )
            return write_tree(path, "models", self.to_tree())
        rows = without_foreign_links(self._rows) if freeze_links else self._rows
        writer = Writer(rows, gammapy)
        content: dict[str, Any] = {"components": [writer.component(name, model) for name, model in self.filled.items()]}
        if self._covariance is not None:
            # Gammapy applies the matrix by position to all parameters that it counts, linked ones too.
            tabled = [name for name, m in self.sources.items() if gammapy and not known_to_gammapy(m.spectral)]
            gone = {f"{name}.{p}" for name in tabled for p, _, _ in slots(self._members[name])}
            paths = [p for p in rows if p not in gone]
            file = path.with_name(f"{path.stem}_covariance.dat")
            write_matrix(file, paths, self._covariance.expanded(rows, paths))
            content["covariance"] = file.name
        content["metadata"] = {"creator": f"gammajax {version('gammajax')}"}
        if has_weights(self.tree) and not gammapy:
            write_arrays(path.with_suffix(".h5"), "weights", weight_leaves(self.tree))
        return write_yaml(content, path)

    def _told(self, entries: Mapping[str, Entry]) -> Self:
        """The table with what a file says."""
        rows = dict(self._rows)
        ties = links(entries)
        for path, entry in entries.items():
            said = {k: getattr(entry, k) for k in ("lower", "upper", "frozen", "error")}
            row = dataclasses.replace(rows[path], **{k: v for k, v in said.items() if v is not None})
            if entry.prior is not None and path not in ties:
                row = dataclasses.replace(row, prior=entry.prior.in_unit(row.unit, path))
            row.check()
            rows[path] = row
        for path, link in ties.items():
            rows[path] = tables.tied(rows, path, link)
        return self._with(rows)

    def _with_leaves(self, arrays: list[np.ndarray], file: str) -> Self:
        """The same table over models with the network weights of a file."""
        left = jax.device_put(arrays)
        tree = []
        for name, model in self._members.items():
            size = len(weight_leaves(model))
            with naming(f"{file}: {name}"):
                tree.append(fill_weights(model, left[:size]))
            left = left[size:]
        if left:
            raise ModelError(f"{file} holds {len(left)} arrays more than the networks of {', '.join(self._members)}")
        return self.with_weights(tuple(tree))

    # -- editing ---------------------------------------------------------------------------------------------------

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
            name: dataclasses.replace(new, datasets_names=old.datasets_names)
            for (name, old), new in zip(self._members.items(), tree, strict=True)
        }
        return self._with(self._rows, members)

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

    # -- private ---------------------------------------------------------------------------------------------------

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

    def _with(self, rows: dict[str, Parameter], members: dict[str, Member] | None = None) -> Self:
        check_joints(rows)
        new = object.__new__(type(self))
        new._members = self._members if members is None else members
        new._rows = rows
        new._covariance = None
        return new


def nameless(members: Iterable[Member]) -> tuple[Member, ...]:
    """The models without the names of their datasets, which are static: so that other names compile nothing."""
    return tuple(dataclasses.replace(model, datasets_names=None) for model in members)


def _member(name: str, model: Any) -> Member:
    if not isinstance(model, SkyModel | Nuisance):
        hint = f": write {name}=SkyModel(spectral=...)" if name.isidentifier() else ""
        raise ModelError(f"{name!r} must be a SkyModel or a nuisance, got {type(model).__name__}{hint}")
    # A network holds its activation functions as leaves: as Partial they become structure, and only arrays are left.
    return jax.tree_util.tree_map(lambda x: x if is_array(x) or not callable(x) else jax.tree_util.Partial(x), model)
