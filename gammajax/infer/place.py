"""Which spectrum is meant: that of a source, or a part of it, such as the intrinsic one below an absorption."""

from typing import Any, NamedTuple

import numpy as np

from gammajax.errors import ModelError
from gammajax.models.collection import Models
from gammajax.models.sky import SkyModel
from gammajax.models.spectral.base import SpectralModel
from gammajax.units import DNDE


class Place(NamedTuple):
    """Position of a source among the models, and the fields that lead from there to a spectrum."""

    position: int
    parts: tuple[str, ...]

    def of(self, tree: tuple[Any, ...]) -> SpectralModel:
        """The spectrum in a tree of models."""
        found = tree[self.position]
        for part in self.parts:
            found = getattr(found, part)
        return found


def values_of(models: Models, name: str, energy: Any) -> np.ndarray:
    """`dnde` of the spectrum called `name` at energies [TeV], with the current values [cm-2 s-1 TeV-1]."""
    spectrum = locate(models, name).of(tuple(models.filled.values()))
    return np.asarray(spectrum(energy).value)


def locate(models: Models, name: str) -> Place:
    """Where the spectrum called `name` stands: the name of a source, or a path such as "pks.spectral.model1".

    Raises `ModelError` for an unknown name, a nuisance, or a part that is no flux.
    """
    source, *parts = (name,) if name in models else name.split(".")
    if not isinstance(models[source], SkyModel):
        listed = ", ".join(map(repr, models.sources)) or "none"
        raise ModelError(f"{source!r} is a nuisance, which has no spectrum; sources are {listed}")
    place = Place(list(models).index(source), ("spectral",))
    for part in parts[1:] if parts[:1] == ["spectral"] else parts:
        here = place.of(models.tree)
        inner = [key for key in type(here).__dataclass_fields__ if isinstance(getattr(here, key), SpectralModel)]
        if part not in inner:
            where = ".".join([source, *place.parts])
            raise ModelError(f"{name!r}: {where} has no spectrum {part!r}; it has {', '.join(inner) or 'none inside'}")
        place = Place(place.position, (*place.parts, part))
    found = place.of(models.tree)
    if found.unit != DNDE:
        raise ModelError(f"{name!r} is a {type(found).__name__}, a factor without unit: no flux")
    return place
