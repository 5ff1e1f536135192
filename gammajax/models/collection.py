"""`Models`: the immutable container of named models and of all that was decided about their parameters."""

import dataclasses
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import jax
import numpy as np

from gammajax.errors import ConfigError, FileFormatError, ModelError
from gammajax.io.hdf5 import SUFFIXES, Node, is_hdf5, read_tree, write_tree
from gammajax.io.matrix import write_matrix
from gammajax.io.yaml import parse_yaml, read_yaml, sequence, text, write_yaml, yaml_text
from gammajax.models.attached import with_arrays, with_files
from gammajax.models.covariance import covariance_from_node, read_covariance
from gammajax.models.editing import EditableMembers
from gammajax.models.parse import Choice, Entry, from_component, joined, links, naming
from gammajax.models.serialise import Writer, known_to_gammapy, without_foreign_links
from gammajax.params import table as tables
from gammajax.params.tree import fill_weights, has_weights, slots, weight_leaves


class Models(EditableMembers):
    """Named models, and a table of value, bounds, prior, link and frozen flag for each parameter path.

    Paths read `<model name>.spectral.<parameter>`. Every edit returns a new `Models`; patterns such as "cal_*.norm"
    work wherever a path does. Unknown paths, wrong units and values out of bounds fail at the call.

    A linked parameter has no value, bounds, prior or freedom of its own: `set`, `bound`, `prior`, `freeze` and `free`
    raise for its path, and pass over it in a pattern that matches independent parameters too.

    `Models(other)` and `add(other)` keep all that was decided in `other`; a plain dictionary of its models, such as
    `{**other}`, holds only their values.

    >>> from gammajax import PowerLaw, SkyModel
    >>> models = Models(crab=SkyModel(PowerLaw())).set("crab.spectral.index", 2.6).freeze("*.amplitude")
    >>> models.value("crab.spectral.index")
    2.6
    """

    @classmethod
    def read(
        cls,
        path: str | Path,
        *,
        like: "Models | None" = None,
        spatial: Choice = "keep",
        temporal: Choice = "refuse",
    ) -> Self:
        """Read a models YAML of Gammapy, with its covariance file if it names one; or an HDF5 file of gammajax.

        `like` supplies the architecture of models that hold networks, by name. With `spatial="ignore"` sources are read
        without their spatial models, and components that are nothing without their map (backgrounds, diffuse templates)
        are left out, with a warning in the log. Temporal models raise `ModelError`, unless `temporal="ignore"`.

        >>> Models.read("map_analysis.yaml", spatial="ignore")                          # doctest: +SKIP
        """
        path = Path(path)
        if is_hdf5(path):
            return cls.from_node(read_tree(path, "models"), like=like)
        content = with_files(read_yaml(path), path.parent)
        with naming(str(path)):
            models, entries = cls._from_content(content, like, spatial, temporal)
            file = content.get("covariance") and text(content["covariance"], "covariance")
        if has_weights(models.tree):
            models = models._with_leaves(read_tree(path.with_suffix(".h5"), "weights"))
        if file:
            scale = {p: entry.factor for p, entry in entries.items()}
            models._covariance = read_covariance(path.parent / file, models._rows, models.free_paths, scale)
        return models

    @classmethod
    def _from_content(
        cls, content: Mapping[str, Any], like: "Models | None", spatial: Choice = "keep", temporal: Choice = "refuse"
    ) -> tuple[Self, dict[str, Entry]]:
        """Models from the content of a YAML file, and what it says about their parameters."""
        for option, choice, first in (("spatial", spatial, "keep"), ("temporal", temporal, "refuse")):
            if choice not in (first, "ignore"):
                raise ConfigError(f"{option} must be {first!r} or 'ignore', got {choice!r}")
        hint = " (it lists datasets, which Datasets.read reads)" if "datasets" in content else ""
        if "components" not in content:
            have = ", ".join(repr(key) for key in content) or "none"
            raise FileFormatError(f"there is no list 'components'{hint}; keys are {have}")
        listed = sequence(content.get("components"), f"the list 'components'{hint}")
        found = (from_component(item, like.filled if like else {}, spatial, temporal) for item in listed)
        parts = [part for part in found if part is not None]
        names = [name for name, _, _ in parts]
        if len(set(names)) < len(names):
            raise ModelError(f"model names must be unique, got {', '.join(names)}")
        entries = joined({p: entry for _, _, some in parts for p, entry in some.items()})
        return cls({name: model for name, model, _ in parts})._told(entries), entries

    @classmethod
    def from_node(cls, node: Node, *, like: "Models | None" = None) -> Self:
        """Models from a group of an HDF5 file, as `to_tree` makes it."""
        with naming(node.where):
            content = parse_yaml(node.text("yaml"), "its YAML")
            if "maps" in node:
                content = with_arrays(content, node.group("maps").array)
            models, _ = cls._from_content(content, like)
        if has_weights(models.tree):
            models = models._with_leaves(node.group("weights"))
        if "covariance" in node:
            models._covariance = covariance_from_node(node.group("covariance"), models._rows)
        return models

    def to_tree(self) -> dict[str, Any]:
        """Everything that the models hold, for a group of an HDF5 file: texts and arrays."""
        writer = Writer(self._rows, whole=True)
        content = {"components": [writer.component(name, model) for name, model in self.filled.items()]}
        return {
            "yaml": yaml_text(content, "models"),
            "maps": writer.arrays or None,
            "weights": self._leaves() or None,
            "covariance": None if self._covariance is None else vars(self._covariance),
        }

    def write(self, path: str | Path, *, gammapy: bool = False, freeze_links: bool = False) -> Path:
        """Write as Gammapy's YAML, the covariance beside it, and network weights beside it as HDF5.

        What Gammapy has no form for (links with factor or offset, log-normal priors, arrays) is written in keys of
        our own. With `gammapy=True`, spectra that only gammajax knows (your own classes, networks) are tabulated so
        that Gammapy reads them, and such links and priors are refused; `freeze_links=True` writes frozen values for
        those links. Maps stay in the files that they were read from; others are written as FITS beside the YAML. To a
        name that ends in .h5 or .hdf5, everything goes into one HDF5 file.
        """
        path = Path(path)
        if path.suffix.lower() in SUFFIXES:
            if gammapy or freeze_links:
                raise ConfigError(
                    f"{path}: Gammapy reads YAML; gammapy and freeze_links are for a name ending in .yaml"
                )
            return write_tree(path, "models", self.to_tree())
        rows = without_foreign_links(self._rows) if freeze_links else self._rows
        writer = Writer(rows, gammapy, beside=path)
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
            write_tree(path.with_suffix(".h5"), "weights", self._leaves())
        return write_yaml(content, path)

    def _told(self, entries: Mapping[str, Entry]) -> Self:
        """The table with what a file says."""
        rows = dict(self._rows)
        ties = links(entries)
        for path, entry in entries.items():
            said = {k: getattr(entry, k) for k in ("lower", "upper", "frozen", "error", "prior")}
            rows[path] = dataclasses.replace(rows[path], **{k: v for k, v in said.items() if v is not None})
            rows[path].check()
        for path, link in ties.items():
            rows[path] = tables.tied(rows, path, link)
        return self._with(rows)

    def _leaves(self) -> dict[str, np.ndarray]:
        """The network weights as entries of a file."""
        return {f"{i:04d}": np.asarray(x) for i, x in enumerate(weight_leaves(self.tree))}

    def _with_leaves(self, weights: Node) -> Self:
        """The same table over models with the network weights of a file."""
        left = jax.device_put([weights.array(name) for name in sorted(weights)])
        tree = []
        for name, model in self._members.items():
            size = len(weight_leaves(model))
            with naming(f"{weights.where}: {name}"):
                tree.append(fill_weights(model, left[:size]))
            left = left[size:]
        if left:
            raise ModelError(
                f"{weights.where} holds {len(left)} arrays more than the networks of {', '.join(self._members)}"
            )
        return self.with_weights(tuple(tree))
