"""What the parts of a source have in common: tags, and the hooks of files."""

from collections.abc import Mapping
from typing import Any, ClassVar

from gammajax.params.field import Model


class Component(Model):
    """Base of spectral and spatial models: how they stand in files."""

    tag: ClassVar[tuple[str, ...]] = ()

    @property
    def in_gammapy(self) -> bool:
        """True if Gammapy reads the model from its YAML."""
        return tags_of(type(self)) == self.tag and all(part.in_gammapy for part in parts(self))

    @classmethod
    def from_yaml(cls, content: Mapping[str, Any], where: str) -> dict[str, Any]:
        """Arguments that the model takes from its YAML by rules of its own; the others are read by the plain ones.

        `where` names the model in messages. Parameters, tables as `{data, unit}`, models inside the model and plain
        values are read without it.
        """
        return {}

    def to_yaml(self, content: dict[str, Any], gammapy: bool) -> dict[str, Any]:
        """The YAML of the model, from that by the plain rules; with `gammapy`, the form that Gammapy reads."""
        return content


def tags_of(cls: type[Any]) -> tuple[str, ...]:
    """The names of a class in files: tags that it declares itself, else its own name; a parent's stay the parent's."""
    return cls.__dict__.get("tag") or (cls.__name__,)


def parts(model: Component) -> list[Component]:
    """The models inside a model."""
    return [part for part in vars(model).values() if isinstance(part, Component)]
