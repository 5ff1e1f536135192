"""Components of a models YAML, Gammapy's or our own, as models and what is said about their parameters.

Files are data only: reading one never executes code from it. Whatever is malformed raises an error of gammajax that
names model and parameter; `naming` adds the file.
"""

import contextlib
import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from astropy import units as u

from gammajax.errors import FileFormatError, GammajaxError, ModelError, nearest
from gammajax.io.yaml import boolean, mapping, number, numbers, sequence, text
from gammajax.models.sky import SkyModel
from gammajax.models.spectral import SpectralModel
from gammajax.models.tags import priors, spectral_models
from gammajax.params.field import ParamSpec, TableSpec, WeightsSpec, spec_of
from gammajax.params.priors import Prior
from gammajax.params.table import Link
from gammajax.units import conversion, unit_of

_DEEPEST = 50
"""Models inside models, at most; a file may refer to itself."""


@contextlib.contextmanager
def naming(where: str) -> Iterator[None]:
    """Put `where`, such as a file, in front of the messages of errors raised inside."""
    try:
        yield
    except GammajaxError as error:
        raise type(error)(f"{where}: {error}") from error


@dataclasses.dataclass(frozen=True)
class Entry:
    """What a file says about one parameter besides its value, in canonical units; None where it says nothing."""

    lower: float | None
    upper: float | None
    frozen: bool | None
    error: float | None
    label: str | None
    """Parameters with one label are one parameter."""
    link: Link | None
    """A link of our own kind, with factor and offset."""
    prior: Prior | None
    """Its numbers carry the file's unit."""
    factor: float
    """Size of the file's unit in the canonical unit."""


def from_component(content: Any, like: Mapping[str, SkyModel]) -> tuple[str, SkyModel, dict[str, Entry]]:
    """Name, model, and what is said about its parameters, of one component.

    `like` supplies the architecture of models with networks, by name.
    """
    component = mapping(content, "each of the components")
    if not component.get("name"):
        raise FileFormatError("a component has no name")
    name = text(component["name"], "the name of a component")
    kind = component.get("type")
    if kind != "SkyModel":
        raise ModelError(f"{name} is a {kind!r}; only SkyModel components can be read")
    for part in ("spatial", "temporal"):
        if component.get(part):
            raise ModelError(f"{name} has a {part} model, which spectra do not use: remove it")
    if component.get("spectral") is None:
        raise FileFormatError(f"{name} has no spectral model")
    entries: dict[str, Entry] = {}
    template = like[name].spectral if name in like else None
    spectral = _model(component["spectral"], f"{name}.spectral", template, entries)
    return name, SkyModel(spectral, datasets_names=_datasets_names(component.get("datasets_names"), name)), entries


def _datasets_names(content: Any, name: str) -> list[str] | None:
    if content is None:
        return None
    where = f"datasets_names of {name}"
    listed = [content] if isinstance(content, str) else sequence(content, where)
    return [text(x, f"each of the {where}") for x in listed]


def _model(content: Any, path: str, like: Any, entries: dict[str, Entry], depth: int = 0) -> SpectralModel:
    content = mapping(content, path)
    cls = _class(text(content.get("type"), f"the type of {path}"), path)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    listed = _listed(content.get("parameters", []), path)
    stray = [name for name in listed if re.sub(r"\.\d+$", "", name) not in fields]
    if stray:
        close = nearest(stray[0], [n for n, f in fields.items() if isinstance(spec_of(f), ParamSpec)])
        raise ModelError(f"{cls.__name__} of {path} has no parameter {stray[0]!r}; nearest: {close}")
    shapes = mapping(content.get("shapes", {}), f"shapes of {path}")
    arguments: dict[str, Any] = {}
    for name, field in fields.items():
        spec, where = spec_of(field), f"{path}.{name}"
        if isinstance(spec, ParamSpec):
            elements = _elements(name, listed, where)
            if elements:
                values = [_parameter(listed[e], spec, f"{path}.{e}", entries) for e in elements]
                arguments[name] = values[0] if elements == [name] else _shaped(values, shapes.get(name), where)
        elif isinstance(spec, TableSpec) and name in content:
            arguments[name] = _table(content[name], field.metadata["converter"].unit, where)
        elif isinstance(spec, WeightsSpec):
            if type(like) is not cls:
                raise ModelError(f"{path} holds a network: pass like=Models(...) with its architecture")
            arguments[name] = getattr(like, name)
        elif name in content and spec is None:
            arguments[name] = _part(content[name], where, getattr(like, name, None), entries, depth + 1)
    return _built(cls, arguments, path)


def _class(tag: str, path: str) -> type[SpectralModel]:
    known = spectral_models()
    if tag not in known:
        close = nearest(tag, known)
        raise ModelError(f"{path} has the unknown type {tag!r}" + (f"; nearest: {close}" if close else ""))
    return known[tag]


def _built(cls: type[SpectralModel], arguments: dict[str, Any], path: str) -> SpectralModel:
    try:
        with naming(path):
            return cls(**arguments)
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"{path} ({cls.__name__}) is incomplete or malformed: {error}") from error


def _part(content: Any, path: str, like: Any, entries: dict[str, Entry], depth: int) -> Any:
    """A model inside a model, a tuple of such, or a plain value."""
    if depth > _DEEPEST:
        raise FileFormatError(f"{path} is nested more than {_DEEPEST} models deep")
    if isinstance(content, dict):
        return _model(content, path, like, entries, depth)
    if isinstance(content, list):
        parts = like if isinstance(like, list | tuple) and len(like) == len(content) else [None] * len(content)
        # A tuple, because plain values are part of a compiled function's key.
        both = enumerate(zip(content, parts, strict=True))
        return tuple(_part(x, f"{path}.{i}", part, entries, depth + 1) for i, (x, part) in both)
    return content


def _listed(content: Any, path: str) -> dict[str, dict[str, Any]]:
    """The entries of a list of parameters, by name."""
    found: dict[str, dict[str, Any]] = {}
    for item in sequence(content, f"parameters of {path}"):
        entry = mapping(item, f"each of the parameters of {path}")
        name = text(entry.get("name"), f"the name of a parameter of {path}")
        if name in found:
            raise FileFormatError(f"{path} lists its parameter {name!r} twice")
        found[name] = entry
    return found


def _elements(name: str, listed: Mapping[str, Any], where: str) -> list[str]:
    """Names under which a field is listed: its own, or `name.0`, `name.1`, ... for an array."""
    found = [n for n in listed if n == name or re.fullmatch(rf"{re.escape(name)}\.\d+", n)]
    ordered = [f"{name}.{i}" for i in range(len(found))]
    if found == [name] or not found:
        return found
    if set(found) != set(ordered):
        raise FileFormatError(f"{where} lists {', '.join(found)}; expected {', '.join(ordered)}")
    return ordered


def _shaped(values: list[float], shape: Any, where: str) -> np.ndarray:
    if shape is None:
        return np.array(values)
    try:
        return np.reshape(values, [int(number(n, f"shape of {where}")) for n in sequence(shape, f"shape of {where}")])
    except ValueError as error:
        raise FileFormatError(f"{where} lists {len(values)} numbers, which make no array of shape {shape}") from error


def _table(content: Any, unit: str, where: str) -> np.ndarray:
    content = mapping(content, where)
    if "data" not in content:
        raise FileFormatError(f"{where} has no data")
    given = text(content.get("unit") or "", f"unit of {where}")
    return numbers(content["data"], f"data of {where}") * conversion(given, unit, where)


def _parameter(content: Mapping[str, Any], spec: ParamSpec, path: str, entries: dict[str, Entry]) -> float:
    """The value of one parameter; what else is said about it goes to `entries`."""
    said = {key: x for key, x in content.items() if x is not None}
    unit = text(said.get("unit", ""), f"unit of {path}") or spec.unit
    factor = conversion(unit, spec.unit, path)
    found = {k: number(said[k], f"{k} of {path}") for k in ("value", "min", "max", "error") if k in said}
    if "value" not in found:
        raise FileFormatError(f"{path} has no value")
    error = found.get("error", 0.0)
    label, link = _link(said, path)
    entries[path] = Entry(
        lower=_side(found.get("min"), factor, -np.inf),
        upper=_side(found.get("max"), factor, np.inf),
        frozen=boolean(said["frozen"], f"frozen of {path}") if "frozen" in said else None,
        error=error * factor if np.isfinite(error) and error > 0 else None,
        label=label,
        link=link,
        prior=_prior(said["prior"], unit, path) if "prior" in said else None,
        factor=factor,
    )
    return found["value"] * factor


def _side(x: float | None, factor: float, missing: float) -> float | None:
    return None if x is None else missing if np.isnan(x) else x * factor


def _link(said: Mapping[str, Any], path: str) -> tuple[str | None, Link | None]:
    """Gammapy's label, or our own link with factor and offset."""
    if "link" not in said:
        return None, None
    target = text(said["link"], f"link of {path}")
    if "link_factor" not in said and "link_offset" not in said:
        return target, None
    factor, offset = (
        number(said.get(key, x), f"{key} of {path}") for key, x in (("link_factor", 1), ("link_offset", 0))
    )
    return None, Link(target, factor, offset)


def _prior(content: Any, unit: str, path: str) -> Prior:
    where = f"prior of {path}"
    content, known = mapping(content, where), priors()
    tag = text(content.get("type"), f"type of the {where}")
    if tag not in known:
        raise ModelError(f"{path}: the prior {tag!r} is not one of {', '.join(known)}")
    if number(content.get("weight", 1.0), f"weight of the {where}") != 1.0:
        raise ModelError(f"{path}: priors with a weight other than 1 are no densities; widen or narrow it instead")
    cls, names = known[tag]
    listed = _listed(content.get("parameters", []), where)
    values = {name: number(entry.get("value"), f"{name} of the {where}") for name, entry in listed.items()}
    missing = [name for name in names if name not in values]
    if missing:
        raise FileFormatError(f"{path}: its {tag} lacks {', '.join(missing)}")
    bare = cls(*(values[name] for name in names))
    return cls(*(u.Quantity(x, unit_of(bare.number_unit(key, unit))) for key, x in vars(bare).items()))


def links(entries: Mapping[str, Entry]) -> dict[str, Link]:
    """The links that entries ask for; of parameters with one label, the first is the one that the others follow."""
    first: dict[str, str] = {}
    found: dict[str, Link] = {}
    for path, entry in entries.items():
        if entry.label is not None and first.setdefault(entry.label, path) != path:
            found[path] = Link(first[entry.label])
    shared = {path: link.source for path, link in found.items()}
    for path, entry in entries.items():
        if entry.link is not None:
            found[path] = dataclasses.replace(entry.link, source=shared.get(entry.link.source, entry.link.source))
    return found
