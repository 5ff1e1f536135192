"""Components of a models YAML, Gammapy's or our own, as models and what is said about their parameters.

Files are data only: reading one never executes code from it. Whatever is malformed raises an error of gammajax that
names model and parameter; `naming` adds the file.
"""

import contextlib
import dataclasses
import logging
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

import equinox as eqx
import numpy as np
from astropy import units as u

from gammajax.errors import FileFormatError, GammajaxError, ModelError, PriorError, nearest
from gammajax.io.maps import read_map
from gammajax.io.yaml import boolean, mapping, number, numbers, sequence, text
from gammajax.models.attached import DEEPEST
from gammajax.models.background import FoVBackground
from gammajax.models.component import Component
from gammajax.models.counts_template import TemplateNPred
from gammajax.models.mapped import map_from
from gammajax.models.sky import SkyModel
from gammajax.models.spectral import SpectralModel
from gammajax.models.tags import PRIOR_DEFAULTS, nuisances, priors, spatial_models, spectral_models
from gammajax.params.field import Model, ParamSpec, TableSpec, WeightsSpec, spec_of
from gammajax.params.joint import MultiNormal
from gammajax.params.priors import Prior, Tempered
from gammajax.params.table import Link
from gammajax.units import conversion, unit_of

log = logging.getLogger(__name__)

Known: TypeAlias = Callable[[], Mapping[str, type[Any]]]
"""The classes of one family by their tags: spectral and spatial models share some."""


@contextlib.contextmanager
def naming(where: str) -> Iterator[None]:
    """Put `where`, such as a file, in front of the messages of errors raised inside."""
    try:
        yield
    except GammajaxError as error:
        raise type(error)(f"{where}: {error}") from error


@dataclasses.dataclass(frozen=True)
class Entry:
    """What a file says about one parameter, in canonical units; None where it says nothing."""

    value: float | None
    lower: float | None
    upper: float | None
    frozen: bool | None
    error: float | None
    label: str | None
    """Parameters with one label are one parameter."""
    link: Link | None
    """A link of our own kind, with factor and offset."""
    prior: Prior | None
    factor: float
    """Size of the file's unit in the canonical unit."""


Choice = Literal["keep", "refuse", "ignore"]

_IGNORED_KEYS = ("id", "metadata")
_COMPONENT_KEYS = ("name", "type", "spectral", "spatial", "temporal", "apply_irf", "datasets_names", *_IGNORED_KEYS)


def from_component(
    content: Any, like: Mapping[str, Any], spatial: Choice = "keep", temporal: Choice = "refuse"
) -> tuple[str, Any, dict[str, Entry]] | None:
    """Name, model, and what is said about its parameters, of one component; None for one that is left out.

    `like` supplies the architecture of models with networks, by name. With `spatial="ignore"` sources are read without
    their spatial models, and components that are nothing without their map (backgrounds, diffuse templates) are left
    out, with a line in the log. A temporal model raises `ModelError`, or is passed over with `temporal="ignore"`.
    """
    component = mapping(content, "each of the components")
    kind = text(component.get("type"), f"the type of {component.get('name') or 'a component'}")
    if kind in ("FoVBackgroundModel", "TemplateNPredModel"):
        return _background(component, kind, like, spatial)
    if not component.get("name"):
        raise FileFormatError("a component has no name")
    name = text(component["name"], "the name of a component")
    entries: dict[str, Entry] = {}
    if kind in nuisances():
        content = {key: x for key, x in component.items() if key not in ("name", *_IGNORED_KEYS)}
        return name, _model(content, name, like.get(name), entries, nuisances), entries
    if kind != "SkyModel":
        known = ", ".join(["SkyModel", "FoVBackgroundModel", *sorted(nuisances())])
        raise ModelError(f"{name} is a {kind!r}; components that can be read are {known}")
    _check_keys(component, _COMPONENT_KEYS, name)
    if component.get("spectral") is None:
        raise FileFormatError(f"{name} has no spectral model")
    _check_constant(component, name, temporal)
    template = like.get(name)
    spectral = _model(component["spectral"], f"{name}.spectral", getattr(template, "spectral", None), entries)
    shape = mapping(component.get("spatial") or {}, f"spatial of {name}")
    if shape and spatial == "ignore":
        if _needs_map(shape, spectral):
            log.warning("%s is left out: its flux is in its map (%s)", name, shape.get("type"))
            return None
        shape = {}
    place = None
    if shape:
        place = _model(shape, f"{name}.spatial", getattr(template, "spatial", None), entries, spatial_models)
    irf = mapping(component.get("apply_irf") or {}, f"apply_irf of {name}")
    with naming(name):
        seen = _datasets_names(component.get("datasets_names"), name)
        return name, SkyModel(spectral, place, datasets_names=seen, apply_irf=irf), entries


def _check_keys(content: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    """Raise `FileFormatError` for a key that nothing would be made of, such as a misspelt one."""
    for key in content:
        if key not in known:
            close = nearest(str(key), known)
            raise FileFormatError(f"{where} has the unknown key {key!r}" + (f"; nearest: {close}" if close else ""))


def _check_constant(component: Mapping[str, Any], name: str, temporal: Choice) -> None:
    """Raise `ModelError` for a temporal model, which must not be dropped unasked."""
    time = mapping(component.get("temporal") or {}, f"temporal of {name}").get("type")
    if time not in (None, "ConstantTemporalModel", "const") and temporal == "refuse":
        raise ModelError(
            f"{name} has a temporal model ({time}), and sources are constant: remove it, or read with "
            'temporal="ignore" to take the spectrum at a temporal factor of 1'
        )


def _needs_map(spatial: Mapping[str, Any], spectral: SpectralModel) -> bool:
    """True if the spectral part only scales what the spatial part holds: a flux per solid angle."""
    kind = spatial.get("type")
    template = kind in ("TemplateSpatialModel", "template") and spatial.get("normalize") is False
    return template or kind in ("ConstantSpatialModel", "const") or not spectral.unit


_BACKGROUND_KEYS = (
    "name", "type", "spectral", "spatial", "datasets_names", "parameters", "filename", "map", *_IGNORED_KEYS,
)  # fmt: skip


def _background(
    component: Mapping[str, Any], kind: str, like: Mapping[str, Any], spatial: Choice
) -> tuple[str, FoVBackground | TemplateNPred, dict[str, Entry]] | None:
    """A model of a dataset's background, or of its counts; parameters may stand directly in it, as of old.

    With `spatial="ignore"` it is left out: the map that it scales is not there.
    """
    listed = _datasets_names(component.get("datasets_names"), kind)
    name = text(component.get("name") or (f"{listed[0]}-bkg" if listed else kind), f"the name of a {kind}")
    if spatial == "ignore":
        log.warning("%s is left out: it scales the background of a map", name)
        return None
    _check_keys(component, _BACKGROUND_KEYS, name)
    if "name" not in component and len(listed or ()) != 1:
        found = ", ".join(listed or ()) or "none"
        raise FileFormatError(f"{name} must name one dataset in datasets_names, or have a name, got {found}")
    entries: dict[str, Entry] = {}
    # Files of old list the parameters without a spectral model around them.
    old = {"type": "PowerLawNormSpectralModel", "parameters": component.get("parameters") or []}
    template = like.get(name)
    content = component.get("spectral") or old
    spectral = _model(content, f"{name}.spectral", getattr(template, "spectral", None), entries)
    if kind == "TemplateNPredModel":
        return name, _counts(component, name, spectral, listed), entries
    place = None
    if component.get("spatial"):
        content = component["spatial"]
        place = _model(content, f"{name}.spatial", getattr(template, "spatial", None), entries, spatial_models)
    with naming(name):
        return name, FoVBackground(spectral, place, datasets_names=listed), entries


def _counts(component: Mapping[str, Any], name: str, spectral: SpectralModel, seen: list[str] | None) -> TemplateNPred:
    """Counts given by a map: of the file that the component names, or of the HDF5 file around it."""
    if component.get("spatial"):
        raise ModelError(
            f"{name} has a spatial model, by which a map of counts is not scaled: multiply the map with it"
        )
    file = text(component.get("filename") or "", f"filename of {name}")
    if not file and "map" not in component:
        raise FileFormatError(f"{name} (TemplateNPredModel) needs the filename of its map")
    with naming(name):
        held = map_from(component["map"], "its map") if "map" in component else read_map(file)
        return TemplateNPred(held, spectral, datasets_names=seen, filename=file)


def _datasets_names(content: Any, name: str) -> list[str] | None:
    if content is None:
        return None
    where = f"datasets_names of {name}"
    listed = [content] if isinstance(content, str) else sequence(content, where)
    return [text(x, f"each of the {where}") for x in listed]


def _model(
    content: Any, path: str, like: Any, entries: dict[str, Entry], known: Known = spectral_models, depth: int = 0
) -> Any:
    content = mapping(content, path)
    tag = text(content.get("type"), f"the type of {path}")
    # Of several classes with one name, the one whose architecture is given is meant.
    cls = type(like) if tag == type(like).__name__ else _class(tag, path, known())
    fields = {field.name: field for field in dataclasses.fields(cls)}
    listed = _listed(content.get("parameters", []), path)
    with naming(path):
        arguments = cls.from_yaml(content, path) if issubclass(cls, Component) else {}
    for name, field in fields.items():
        spec, where = spec_of(field), f"{path}.{name}"
        if name in arguments:
            continue
        if isinstance(spec, TableSpec) and name in content:
            arguments[name] = _table(content[name], field.metadata["converter"].unit, where)
        elif isinstance(spec, WeightsSpec):
            if type(like) is not cls:
                raise ModelError(f"{path} holds a network: pass like=Models(...) with its architecture")
            arguments[name] = getattr(like, name)
        elif name in content and spec is None:
            arguments[name] = _part(content[name], where, getattr(like, name, None), entries, known, depth + 1)
    specs = {name: spec for name, f in fields.items() if isinstance(spec := spec_of(f), ParamSpec)}
    # A model whose parameters depend on its tables is built once without them, to say what they are.
    draft = None if cls.slots_of is Model.slots_of or not listed else _built(cls, arguments, path)
    own = {name: draft.slots_of(name) for name in specs} if draft is not None else {}
    named = {n for slots in own.values() for n, _ in slots or ()}
    stray = [n for n in listed if re.sub(r"\.\d+$", "", n) not in {k for k in specs if not own.get(k)} | named]
    if stray:
        choices = sorted({n for n in specs if not own.get(n)} | named)
        close = nearest(stray[0], choices)
        hint = f"nearest: {close}" if close else f"it has {', '.join(choices) or 'none'}"
        raise ModelError(f"{cls.__name__} of {path} has no parameter {stray[0]!r}; {hint}")
    shapes = mapping(content.get("shapes", {}), f"shapes of {path}")
    for name, spec in specs.items():
        if slots := own.get(name):
            preset = np.ravel(getattr(draft, name)).tolist()
            values = [_parameter(listed[n], s, f"{path}.{n}", entries) if n in listed else None for n, s in slots]
            values = [x if v is None else v for v, x in zip(values, preset, strict=True)]
            arguments[name] = np.reshape(values, np.shape(getattr(draft, name)))
        elif elements := _elements(name, listed, f"{path}.{name}"):
            values = [_parameter(listed[e], spec, f"{path}.{e}", entries) for e in elements]
            if elements != [name]:
                arguments[name] = _shaped(_complete(values, elements, path), shapes.get(name), f"{path}.{name}")
            elif values[0] is not None:
                arguments[name] = values[0]
    return _built(cls, arguments, path)


def _class(tag: str, path: str, known: Mapping[str, type[Any]]) -> type[Any]:
    if tag not in known:
        close = nearest(tag, known)
        raise ModelError(f"{path} has the unknown type {tag!r}" + (f"; nearest: {close}" if close else ""))
    return known[tag]


def _built(cls: type[Any], arguments: dict[str, Any], path: str) -> Any:
    try:
        with naming(path):
            return cls(**arguments)
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"{path} ({cls.__name__}) is incomplete or malformed: {error}") from error


def _part(content: Any, path: str, like: Any, entries: dict[str, Entry], known: Known, depth: int) -> Any:
    """A model inside a model, a tuple of such, or a plain value."""
    if depth > DEEPEST:
        raise FileFormatError(f"{path} is nested more than {DEEPEST} models deep")
    if isinstance(content, dict):
        return _model(content, path, like, entries, known, depth)
    if isinstance(content, list):
        parts = like if isinstance(like, list | tuple) and len(like) == len(content) else [None] * len(content)
        # A tuple, because plain values are part of a compiled function's key.
        both = enumerate(zip(content, parts, strict=True))
        return tuple(_part(x, f"{path}.{i}", part, entries, known, depth + 1) for i, (x, part) in both)
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


def _complete(values: list[float | None], elements: list[str], path: str) -> list[float]:
    missing = [f"{path}.{e}" for e, x in zip(elements, values, strict=True) if x is None]
    if missing:
        raise FileFormatError(f"{missing[0]} has no value")
    return [x for x in values if x is not None]


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


_PARAMETER_KEYS = (
    "name", "value", "unit", "error", "min", "max", "frozen", "link", "link_factor", "link_offset", "prior",
    "interp", "scale_method", "scale_transform", "scale", "factor", "is_norm", "type",
)  # fmt: skip
"""Keys of a parameter; those of the second line say how Gammapy, now or once, scales it, and are not used."""


def _parameter(content: Mapping[str, Any], spec: Any, path: str, entries: dict[str, Entry]) -> float | None:
    """The value of one parameter, None where its class' default holds; what else is said about it goes to `entries`."""
    _check_keys(content, _PARAMETER_KEYS, path)
    said = {key: x for key, x in content.items() if x is not None}
    unit = text(said.get("unit", ""), f"unit of {path}") or spec.unit
    factor = conversion(unit, spec.unit, path)
    found = {k: number(said[k], f"{k} of {path}") for k in ("value", "min", "max", "error") if k in said}
    error = found.get("error", 0.0)
    label, link = _link(said, path)
    prior = _prior(said["prior"], unit, path) if "prior" in said else None
    entries[path] = Entry(
        value=found["value"] * factor if "value" in found else None,
        lower=_side(found.get("min"), factor, -np.inf),
        upper=_side(found.get("max"), factor, np.inf),
        frozen=boolean(said["frozen"], f"frozen of {path}") if "frozen" in said else None,
        error=error * factor if np.isfinite(error) and error > 0 else None,
        label=label,
        link=link,
        prior=None if prior is None else prior.in_unit(spec.unit, path),
        factor=factor,
    )
    return entries[path].value


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


def _prior(content: Any, unit: str, path: str) -> Prior | None:
    """A prior with its numbers in the unit of its parameter; Gammapy's defaults stand for those not listed."""
    where = f"prior of {path}"
    content, known = mapping(content, where), priors()
    tag = text(content.get("type"), f"type of the {where}")
    if tag == "MultiNormalPrior":
        return _share(content, path, where)
    if tag not in known:
        raise ModelError(f"{path}: the prior {tag!r} is not one of {', '.join(known)}")
    _check_keys(content, ("type", "parameters", "weight"), f"the {where}")
    weight = number(content.get("weight", 1.0), f"weight of the {where}")
    cls, names = known[tag]
    listed = _listed(content.get("parameters") or [], where)
    _check_keys(listed, names, f"the {where}")
    values = dict(PRIOR_DEFAULTS.get(tag, {}))
    for name, entry in listed.items():
        if entry.get("value") is not None or name not in values:
            values[name] = number(entry.get("value"), f"{name} of the {where}")
        given = text(entry.get("unit") or "", f"unit of {name} of the {where}")
        if given and unit_of(given) != unit_of(unit):
            raise FileFormatError(f"{name} of the {where} is in {given!r}; write it in the parameter's unit, {unit!r}")
    missing = [name for name in names if name not in values]
    if missing:
        raise FileFormatError(f"{path}: its {tag} lacks {', '.join(missing)}")
    bare = cls(*(values[name] for name in names))
    prior = cls(*(u.Quantity(x, unit_of(bare.number_unit(key, unit))) for key, x in vars(bare).items()))
    return prior if weight == 1.0 else Tempered(prior, weight)


def _share(content: Mapping[str, Any], path: str, where: str) -> Prior:
    """What a parameter has of a correlated prior, which stands as a whole at each of its parameters."""
    _check_keys(content, ("type", "paths", "mu", "sigma", "correlation"), f"the {where}")
    paths = [
        text(x, f"each of the paths of the {where}") for x in sequence(content.get("paths"), f"paths of the {where}")
    ]
    if path not in paths:
        raise FileFormatError(f"the {where} is correlated with {', '.join(paths)}, but does not list {path} itself")
    given = {key: numbers(content.get(key), f"{key} of the {where}") for key in ("mu", "sigma", "correlation")}
    return MultiNormal(**given).shares(paths, [""] * len(paths))[paths.index(path)]


def joined(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """The entries, those of one label agreeing: the prior of any of them is that of the first, which all follow.

    A value, bounds or freedom other than those of the first do not count, as in Gammapy, and are named in the log.
    Raises `PriorError` for priors that contradict each other.
    """
    first: dict[str, str] = {}
    found = dict(entries)
    for path, entry in entries.items():
        source = path if entry.label is None else first.setdefault(entry.label, path)
        if source == path:
            continue
        origin = found[source]
        if entry.prior is not None and origin.prior is not None and not eqx.tree_equal(entry.prior, origin.prior):
            raise PriorError(
                f"{source} and {path} are one parameter (link: {entry.label}), but their priors differ, "
                f"{origin.prior} and {entry.prior}: keep one"
            )
        if other := [key for name, key in _AGREEING.items() if _differ(getattr(entry, name), getattr(origin, name))]:
            log.warning("%s (%s) is one parameter with %s, which counts", path, ", ".join(other), source)
        found[source] = dataclasses.replace(origin, prior=entry.prior if origin.prior is None else origin.prior)
        found[path] = dataclasses.replace(entry, prior=None)
    return found


_AGREEING = {"value": "value", "lower": "min", "upper": "max", "frozen": "frozen"}
"""What parameters of one label must have in common, by its name in files."""


def _differ(said: float | None, counts: float | None) -> bool:
    return said is not None and (counts is None or not math.isclose(said, counts, rel_tol=1e-9))


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
