"""Models as Gammapy's YAML components, in both directions.

Classes are found by their tags among all subclasses of `SpectralModel`; no table needs to be kept. Files are data
only: reading one never executes code from it.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from gammajax.errors import FileFormatError, LinkError, ModelError, nearest
from gammajax.models.sky import SkyModel
from gammajax.models.spectral import SpectralModel, TemplateSpectralModel, evaluate
from gammajax.params.field import ParamSpec, TableSpec, WeightsSpec, spec_of
from gammajax.params.priors import LogUniform, Normal, Prior, Uniform
from gammajax.params.table import Link, Parameter
from gammajax.units import conversion

# Gammapy's names of the priors and of their numbers, in the order of our fields.
_PRIORS: dict[str, tuple[type[Prior], tuple[str, ...]]] = {
    "GaussianPrior": (Normal, ("mu", "sigma")),
    "UniformPrior": (Uniform, ("min", "max")),
    "LogUniformPrior": (LogUniform, ("min", "max")),
}

_EXPORT_ENERGIES = np.geomspace(1e-6, 1e4, 1001)
"""Energies [TeV] at which a spectrum that Gammapy does not know is tabulated for it."""


def registry() -> dict[str, type[SpectralModel]]:
    """All spectral models by tag; a class without tags, such as one written in a notebook, by its own name."""
    found: dict[str, type[SpectralModel]] = {}
    waiting = list(SpectralModel.__subclasses__())
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        for tag in cls.tag or (cls.__name__,):
            found[tag] = cls
    return found


# -- writing -------------------------------------------------------------------------------------------------------


def to_component(name: str, model: SkyModel, rows: Mapping[str, Parameter], *, template: bool) -> dict[str, Any]:
    """One model as a component; with `template`, spectra that Gammapy does not know become tables.

    Raises `LinkError` for links that Gammapy cannot express (it ties equal names with factor one).
    """
    spectral = model.spectral
    if template and not _known_to_gammapy(spectral):
        spectral = tabulated(spectral)
    component: dict[str, Any] = {
        "name": name,
        "type": "SkyModel",
        "spectral": _model_to_dict(spectral, f"{name}.spectral", rows),
    }
    if model.datasets_names is not None:
        component["datasets_names"] = list(model.datasets_names)
    return component


def _known_to_gammapy(model: SpectralModel) -> bool:
    parts = [getattr(model, f.name) for f in dataclasses.fields(model)]
    return bool(model.tag) and all(_known_to_gammapy(part) for part in parts if isinstance(part, SpectralModel))


def tabulated(model: SpectralModel) -> TemplateSpectralModel:
    """The spectrum as a table that interpolates it, over 1 MeV to 10 PeV at 100 points per decade."""
    values = np.asarray(evaluate(model, jnp.asarray(_EXPORT_ENERGIES)))
    inside = np.isfinite(values) & (values > 0)
    return TemplateSpectralModel(energy=jnp.asarray(_EXPORT_ENERGIES[inside]), values=jnp.asarray(values[inside]))


def _model_to_dict(model: SpectralModel, path: str, rows: Mapping[str, Parameter]) -> dict[str, Any]:
    out: dict[str, Any] = {"type": (model.tag or (type(model).__name__,))[0]}
    parameters = []
    for field in dataclasses.fields(model):
        value, spec = getattr(model, field.name), spec_of(field)
        if isinstance(spec, ParamSpec):
            parameters += _parameters_to_list(f"{path}.{field.name}", value, rows)
        elif isinstance(spec, TableSpec):
            out[field.name] = {"data": np.asarray(value).tolist(), "unit": _data_unit(model, field.name)}
        elif isinstance(value, SpectralModel):
            out[field.name] = _model_to_dict(value, f"{path}.{field.name}", rows)
        elif not isinstance(spec, WeightsSpec):
            out[field.name] = value
    if parameters or not any(isinstance(v, dict) for v in out.values()):
        out["parameters"] = parameters
    return out


def _data_unit(model: SpectralModel, name: str) -> str:
    (field,) = (f for f in dataclasses.fields(model) if f.name == name)
    return field.metadata["converter"].unit


def _parameters_to_list(path: str, value: Any, rows: Mapping[str, Parameter]) -> list[dict[str, Any]]:
    paths = [path] if np.ndim(value) == 0 else [f"{path}.{i}" for i in range(np.size(value))]
    return [_row_to_dict(p, rows) for p in paths]


def _row_to_dict(path: str, rows: Mapping[str, Parameter]) -> dict[str, Any]:
    row = rows[path]
    source = row if row.link is None else rows[row.link.source]
    out: dict[str, Any] = {"name": path.rsplit(".", 1)[-1], "value": source.value}
    if row.unit:
        out["unit"] = row.unit
    out |= {"error": 0.0 if np.isnan(source.error) else source.error, "min": _bound(source.lower)}
    out |= {"max": _bound(source.upper), "frozen": source.frozen}
    if row.link is not None or any(r.link is not None and r.link.source == path for r in rows.values()):
        out["link"] = _link_label(row, source)
    if source.prior is not None:
        out["prior"] = _prior_to_dict(source)
    return out


def _bound(x: float) -> float:
    return x if np.isfinite(x) else float("nan")


def _link_label(row: Parameter, source: Parameter) -> str:
    name = source.path.rsplit(".", 1)[-1]
    if row.link is not None and (row.link != Link(source.path) or row.path.rsplit(".", 1)[-1] != name):
        raise LinkError(
            f"{row.path} = {row.link}: Gammapy's files can only tie parameters of one name with factor 1 and offset 0; "
            "unlink() and freeze() it to write its value"
        )
    return f"{name}@{source.path.removesuffix('.' + name)}"


def _prior_to_dict(row: Parameter) -> dict[str, Any]:
    for tag, (cls, names) in _PRIORS.items():
        if type(row.prior) is cls:
            numbers = [float(x) for x in vars(row.prior).values()]
            parameters = [{"name": n, "value": x} for n, x in zip(names, numbers, strict=True)]
            return {"type": tag, "parameters": parameters, "weight": 1.0}
    raise ModelError(f"{row.path}: the prior {row.prior} has no form in Gammapy's files")


# -- reading -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Entry:
    """What a file says about one parameter besides its value, in canonical units; None where it says nothing."""

    lower: float | None
    upper: float | None
    frozen: bool | None
    error: float | None
    link: str | None
    prior: Prior | None
    factor: float
    """Size of the file's unit in the canonical unit."""


def from_component(
    component: Mapping[str, Any], like: Mapping[str, SkyModel], source: str
) -> tuple[str, SkyModel, dict[str, Entry]]:
    """Name, model, and what is said about its parameters, of one component of a models YAML.

    `like` supplies the architecture of models with networks, by name. `source` names the file in messages.
    Raises `FileFormatError` or `ModelError`.
    """
    name, kind = str(component.get("name", "")), component.get("type")
    if not name:
        raise FileFormatError(f"{source}: a component has no name")
    if kind != "SkyModel":
        raise ModelError(f"{source}: {name} is a {kind!r}; only SkyModel components can be read")
    for part in ("spatial", "temporal"):
        if component.get(part):
            raise ModelError(f"{source}: {name} has a {part} model, which spectra do not use: remove it")
    if not isinstance(component.get("spectral"), dict):
        raise FileFormatError(f"{source}: {name} has no spectral model")
    entries: dict[str, Entry] = {}
    template = like[name].spectral if name in like else None
    spectral = _model_from_dict(component["spectral"], f"{name}.spectral", template, entries, source)
    return name, SkyModel(spectral, datasets_names=component.get("datasets_names")), entries


def _model_from_dict(
    content: Mapping[str, Any], path: str, like: SpectralModel | None, entries: dict[str, Entry], source: str
) -> SpectralModel:
    known = registry()
    tag = content.get("type")
    if tag not in known:
        close = nearest(str(tag), known)
        raise ModelError(f"{source}: {path} has the unknown type {tag!r}" + (f"; nearest: {close}" if close else ""))
    cls = known[tag]
    listed = {str(p.get("name")): p for p in content.get("parameters", [])}
    fields = {field.name: field for field in dataclasses.fields(cls)}
    stray = [name for name in listed if re.sub(r"\.\d+$", "", name) not in fields]
    if stray:
        close = nearest(stray[0], [n for n, f in fields.items() if isinstance(spec_of(f), ParamSpec)])
        raise ModelError(f"{source}: {tag} of {path} has no parameter {stray[0]!r}; nearest: {close}")
    arguments: dict[str, Any] = {}
    for name, field in fields.items():
        spec = spec_of(field)
        if isinstance(spec, ParamSpec) and name in listed:
            arguments[name], entries[f"{path}.{name}"] = _parameter(listed[name], spec, f"{path}.{name}", source)
        elif isinstance(spec, TableSpec) and name in content:
            values = content[name]
            factor = conversion(values.get("unit", ""), field.metadata["converter"].unit, f"{source}: {path}.{name}")
            arguments[name] = np.asarray(values["data"], dtype=float) * factor
        elif isinstance(spec, WeightsSpec):
            if like is None or type(like) is not cls:
                raise ModelError(f"{source}: {path} holds a network: pass like=Models(...) with its architecture")
            arguments[name] = getattr(like, name)
        elif isinstance(content.get(name), Mapping):
            part = getattr(like, name, None)
            arguments[name] = _model_from_dict(content[name], f"{path}.{name}", part, entries, source)
        elif name in content and spec is None:
            arguments[name] = content[name]
    try:
        return cls(**arguments)
    except TypeError as error:
        raise FileFormatError(f"{source}: {path} ({tag}) is incomplete: {error}") from error


def _parameter(content: Mapping[str, Any], spec: ParamSpec, path: str, source: str) -> tuple[float, Entry]:
    where = f"{source}: {path}"
    factor = conversion(content.get("unit") or spec.unit, spec.unit, where)
    try:
        number = {k: float(content[k]) for k in ("value", "min", "max", "error") if content.get(k) is not None}
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"{where}: value, min, max and error must be numbers: {error}") from error
    if "value" not in number:
        raise FileFormatError(f"{where} has no value")
    prior = content.get("prior")
    entry = Entry(
        lower=_side(number.get("min"), factor, -np.inf),
        upper=_side(number.get("max"), factor, np.inf),
        frozen=bool(content["frozen"]) if "frozen" in content else None,
        error=number["error"] * factor if number.get("error", 0.0) > 0 else None,
        link=content.get("link"),
        prior=None if prior is None else _prior_from_dict(prior, factor, where),
        factor=factor,
    )
    return number["value"] * factor, entry


def _side(x: float | None, factor: float, missing: float) -> float | None:
    return None if x is None else missing if np.isnan(x) else x * factor


def _prior_from_dict(content: Mapping[str, Any], factor: float, where: str) -> Prior:
    tag = content.get("type")
    if tag not in _PRIORS:
        raise ModelError(f"{where}: the prior {tag!r} is not one of {', '.join(_PRIORS)}")
    if float(content.get("weight", 1.0)) != 1.0:
        raise ModelError(f"{where}: priors with a weight other than 1 are no densities; widen or narrow it instead")
    cls, names = _PRIORS[tag]
    values = {str(p.get("name")): float(p["value"]) for p in content.get("parameters", [])}
    missing = [name for name in names if name not in values]
    if missing:
        raise FileFormatError(f"{where}: its {tag} lacks {', '.join(missing)}")
    return cls(*(values[name] * factor for name in names))


def linked_sources(entries: Iterable[tuple[str, Entry]]) -> dict[str, str]:
    """For parameters that share a link label with an earlier one: path -> path of the earliest."""
    first: dict[str, str] = {}
    links = {}
    for path, entry in entries:
        if entry.link is not None and first.setdefault(entry.link, path) != path:
            links[path] = first[entry.link]
    return links
