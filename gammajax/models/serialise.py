"""Models as Gammapy's YAML components: writing (`models/parse.py` reads them).

What Gammapy has no form for is written in keys of our own, or refused where the file is meant for Gammapy.
"""

import dataclasses
import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from gammajax.errors import LinkError, ModelError, PriorError
from gammajax.models.attached import file_for
from gammajax.models.background import FoVBackground
from gammajax.models.component import Component, tags_of
from gammajax.models.counts_template import TemplateNPred
from gammajax.models.mapped import map_content
from gammajax.models.nuisance import BackgroundNorm, Nuisance
from gammajax.models.sky import AppliedIRF, SkyModel
from gammajax.models.spatial import SpatialModel, TemplateSpatial
from gammajax.models.spectral import SpectralModel, TemplateNDSpectralModel, TemplateSpectralModel, evaluate
from gammajax.models.tags import GAMMAPY_PRIORS, priors
from gammajax.params import table as tables
from gammajax.params.field import Model, ParamSpec, TableSpec, WeightsSpec, spec_of
from gammajax.params.joint import Share
from gammajax.params.priors import Tempered
from gammajax.params.table import Parameter

_EXPORT_ENERGIES = np.geomspace(1e-6, 1e4, 1001)
"""Energies [TeV] at which a spectrum that Gammapy does not know is tabulated for it."""


def known_to_gammapy(model: SpectralModel) -> bool:
    """True if Gammapy reads the model: it and all its parts carry tags, and files hold all that they are."""
    return model.in_gammapy


def tabulated(model: SpectralModel) -> TemplateSpectralModel:
    """The spectrum as a table that interpolates it, over 1 MeV to 10 PeV at 100 points per decade."""
    values = np.asarray(evaluate(model, jnp.asarray(_EXPORT_ENERGIES)))
    inside = np.isfinite(values) & (values > 0)
    return TemplateSpectralModel(energy=jnp.asarray(_EXPORT_ENERGIES[inside]), values=jnp.asarray(values[inside]))


def without_foreign_links(rows: Mapping[str, Parameter]) -> dict[str, Parameter]:
    """The rows, those with a link that Gammapy cannot express frozen at their values instead."""
    return {
        path: row if _shared(path, rows) else dataclasses.replace(tables.cut(rows, path), frozen=True)
        for path, row in rows.items()
    }


def _shared(path: str, rows: Mapping[str, Parameter]) -> bool:
    """True if the parameter is its own, or one with another: equal in name and unit, factor 1, offset 0."""
    row = rows[path]
    if row.link is None:
        return True
    source = rows[row.link.source]
    same = (_name(path), row.unit) == (_name(source.path), source.unit)
    return same and (row.link.factor, row.link.offset) == (1.0, 0.0)


def _name(path: str) -> str:
    """The last part of a path, with the position if it is an element of an array: `index`, `c.0`."""
    found = re.search(r"[^.]+(\.\d+)*$", path)
    return found.group() if found else path


@dataclasses.dataclass(frozen=True)
class Writer:
    """Turns models and their table into components; with `gammapy`, into what Gammapy reads."""

    rows: Mapping[str, Parameter]
    gammapy: bool = False
    whole: bool = False
    """Write linked parameters with bounds of their own, which files of Gammapy do not have, and maps as `arrays`."""
    beside: Path | None = None
    """The YAML beside which maps without a file are written."""
    arrays: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    """Values of the maps by the names that stand in the text."""

    def component(self, name: str, model: SkyModel | Nuisance) -> dict[str, Any]:
        """One model as a component; for Gammapy, a spectrum that it does not know becomes a table.

        Raises `LinkError` or `PriorError` for links and priors that Gammapy cannot express.
        """
        if isinstance(model, Nuisance):
            return self._nuisance(name, model)
        spectral = model.spectral
        if self.gammapy and not known_to_gammapy(spectral):
            spectral = tabulated(spectral)
        out: dict[str, Any] = {"name": name, "type": "SkyModel", "spectral": self._model(spectral, f"{name}.spectral")}
        if model.spatial is not None:
            out["spatial"] = self._spatial(model.spatial, f"{name}.spatial")
        if model.apply_irf != AppliedIRF():
            out["apply_irf"] = model.apply_irf._asdict()
        if model.datasets_names is not None:
            out["datasets_names"] = list(model.datasets_names)
        return out

    def _spatial(self, model: Model, path: str) -> dict[str, Any]:
        """A spatial model; raises `ModelError` if Gammapy should read what it does not know."""
        if self.gammapy and not (isinstance(model, SpatialModel) and model.in_gammapy):
            raise ModelError(
                f"{path} ({type(model).__name__}) has no form in Gammapy's files: write without gammapy=True"
            )
        return self._model(model, path)

    def _nuisance(self, name: str, model: Nuisance) -> dict[str, Any]:
        """A nuisance as a component; factors on one dataset's background are also known to Gammapy."""
        if isinstance(model, FoVBackground | TemplateNPred):
            return self._background(name, model)
        out = {"name": name, **self._model(model, name)}
        listed = out.pop("datasets_names")
        if listed is not None:
            out["datasets_names"] = listed
        if not self.gammapy:
            return out
        if isinstance(model, BackgroundNorm) and len(listed or ()) == 1:
            spectral = {"type": "PowerLawNormSpectralModel", "parameters": out["parameters"]}
            return {"name": name, "type": "FoVBackgroundModel", "datasets_names": listed, "spectral": spectral}
        raise ModelError(
            f"{name} ({type(model).__name__}) has no form in Gammapy's files: leave it out with drop({name!r}), "
            "or write without gammapy=True"
        )

    def _background(self, name: str, model: FoVBackground | TemplateNPred) -> dict[str, Any]:
        seen = model.datasets_names
        if self.gammapy and (len(seen or ()) != 1 or not model.spectral.in_gammapy):
            raise ModelError(
                f"{name}: Gammapy's background models act on one dataset and have a spectral model that Gammapy knows; "
                "name one in datasets_names, or write without gammapy=True"
            )
        out: dict[str, Any] = {"name": name, "type": model.tag[0]}
        if seen is not None:
            out["datasets_names"] = list(seen)
        out["spectral"] = self._model(model.spectral, f"{name}.spectral")
        if isinstance(model, TemplateNPred):
            return out | {"filename": model.filename} | self._map(model, name)
        if model.spatial is not None:
            out["spatial"] = self._spatial(model.spatial, f"{name}.spatial")
        return out

    def _model(self, model: Model, path: str) -> dict[str, Any]:
        out: dict[str, Any] = {"type": tags_of(type(model))[0]}
        parameters: list[dict[str, Any]] = []
        for field in dataclasses.fields(model):
            value, spec, name = getattr(model, field.name), spec_of(field), field.name
            if isinstance(spec, ParamSpec):
                own = model.slots_of(name)
                parameters += (
                    self._parameters(f"{path}.{name}", value)
                    if own is None
                    else [self._parameter(f"{path}.{n}", n) for n, _ in own]
                )
                if np.ndim(value) > 1 and own is None:
                    out.setdefault("shapes", {})[name] = list(np.shape(value))
            elif isinstance(spec, TableSpec):
                out[name] = {"data": np.asarray(value).tolist(), "unit": field.metadata["converter"].unit}
            elif not isinstance(spec, WeightsSpec):
                out[name] = self._part(value, f"{path}.{name}")
        if parameters or not any(isinstance(v, dict) for v in out.values()):
            out["parameters"] = parameters
        if isinstance(model, Component):
            out = model.to_yaml(out, self.gammapy)
        return out | self._map(model, path) if isinstance(model, TemplateSpatial | TemplateNDSpectralModel) else out

    def _map(self, model: TemplateSpatial | TemplateNDSpectralModel | TemplateNPred, path: str) -> dict[str, Any]:
        """Where the map of a model is: an array of the file, or a file of its own, written if it is missing."""
        if self.whole:
            content, name = model.map, f"{len(self.arrays):04d}"
            self.arrays[name] = np.asarray(content.values)
            return {"map": map_content(content, name)}
        if self.beside is None:
            return {}
        file = file_for(model.filename, self.beside, path)
        if not file.is_file():
            model.write(file)
        return {"filename": str(file)}

    def _part(self, value: Any, path: str) -> Any:
        """A model inside a model, a list of such, or a plain value."""
        if isinstance(value, Component):
            return self._model(value, path)
        if isinstance(value, list | tuple):
            return [self._part(x, f"{path}.{i}") for i, x in enumerate(value)]
        return value

    def _parameters(self, path: str, value: Any) -> list[dict[str, Any]]:
        name = path.rsplit(".", 1)[-1]
        if np.ndim(value) == 0:
            return [self._parameter(path, name)]
        return [self._parameter(f"{path}.{i}", f"{name}.{i}") for i in range(np.size(value))]

    def _parameter(self, path: str, name: str) -> dict[str, Any]:
        row = self.rows[path]
        if not _shared(path, self.rows) or (self.whole and row.link is not None):
            return self._own_link(row, name)
        origin = row if row.link is None else self.rows[row.link.source]
        # A correlated prior stands at the parameters that it lists.
        once = row is not origin and isinstance(origin.prior, Share)
        out = self._row(dataclasses.replace(origin, prior=None) if once else origin, name)
        if origin.path in self._labelled:
            out["link"] = f"{name}@{origin.path.removesuffix('.' + name)}"
        return out

    @functools.cached_property
    def _labelled(self) -> set[str]:
        """Paths of the parameters that others share."""
        shared = (row for path, row in self.rows.items() if _shared(path, self.rows))
        return {row.link.source for row in shared if row.link is not None}

    def _own_link(self, row: Parameter, name: str) -> dict[str, Any]:
        """A parameter with a link that needs keys of our own."""
        if row.link is None or self.gammapy:
            raise LinkError(
                f"{row.path} = {row.link}: Gammapy's files can only tie parameters of one name and unit with factor 1 "
                "and offset 0; write(..., freeze_links=True) writes it as a frozen value"
            )
        law = {"link": row.link.source, "link_factor": row.link.factor, "link_offset": row.link.offset}
        return self._row(tables.cut(self.rows, row.path), name) | law

    def _row(self, row: Parameter, name: str) -> dict[str, Any]:
        out: dict[str, Any] = {"name": name, "value": row.value}
        if row.unit:
            out["unit"] = row.unit
        out["error"] = 0.0 if np.isnan(row.error) else row.error
        out |= {"min": _bound(row.lower), "max": _bound(row.upper), "frozen": row.frozen}
        if row.prior is not None:
            out["prior"] = self._prior(row)
        return out

    def _prior(self, row: Parameter) -> dict[str, Any]:
        known = GAMMAPY_PRIORS if self.gammapy else priors()
        prior, weight = row.prior, 1.0
        if isinstance(prior, Share) and not self.gammapy:
            # The whole prior stands at each of its parameters, in canonical units.
            return {"type": "MultiNormalPrior", **_plain(dataclasses.asdict(prior.joint))}
        if isinstance(prior, Tempered):
            prior, weight = prior.prior, float(prior.weight)
        for tag, (cls, names) in known.items():
            if type(prior) is cls:
                values = [float(getattr(prior, field.name)) for field in dataclasses.fields(cls)]
                listed = [{"name": n, "value": x} for n, x in zip(names, values, strict=True)]
                return {"type": tag, "parameters": listed, "weight": weight}
        raise PriorError(
            f"{row.path}: the prior {row.prior} has no form in Gammapy's files, which know "
            f"{', '.join(known)}; remove it with prior(path, None), or write without gammapy=True"
        )


def _plain(content: Any) -> Any:
    """Tuples as lists, which YAML has a form for."""
    if isinstance(content, dict):
        return {key: _plain(x) for key, x in content.items()}
    return [_plain(x) for x in content] if isinstance(content, tuple) else content


def _bound(x: float) -> float:
    return x if np.isfinite(x) else float("nan")
