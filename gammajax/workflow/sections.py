"""What all configurations of reductions share: the keys of Gammapy's analysis configuration, section by section.

Unknown keys are errors that name the nearest valid one, and so are values of the wrong type and groups of keys that
are half given; keys that belong to other steps of an analysis or to another type of datasets are known and listed as
not used.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from astropy.time import Time

from gammajax._typing import Edges
from gammajax.errors import ConfigError, FileFormatError, GammajaxError, nearest
from gammajax.geom.axes import energy_edges
from gammajax.geom.parse import region
from gammajax.geom.regions import Circle, circle
from gammajax.geom.shapes import Region
from gammajax.io.dl3 import read_obs_ids
from gammajax.io.paths import is_file
from gammajax.io.regions import read_region
from gammajax.io.yaml import read_yaml
from gammajax.reduce.cube_resume import fingerprint
from gammajax.reduce.safe_mask import SafeMask
from gammajax.workflow.typed import (
    a_list,
    a_path,
    a_time,
    all_given,
    angle,
    boolean,
    integer,
    mapping,
    number,
    position,
    quantity,
    required,
    text,
)

C = TypeVar("C")

_ANY = None
_POSITION = {"frame": _ANY, "lon": _ANY, "lat": _ANY}
CIRCLE = {**_POSITION, "radius": _ANY}
_RANGE = {"min": _ANY, "max": _ANY}
_AXIS = {**_RANGE, "nbins": _ANY}
_GENERAL = ("log", "outdir", "n_jobs", "datasets_file", "models_file", "steps", "overwrite")
_WCS = {
    "skydir": _POSITION,
    "binsize": _ANY,
    "width": {"width": _ANY, "height": _ANY},
    "binsize_irf": _ANY,
    "proj": _ANY,
}
_KNOWN: dict[str, Any] = {
    "general": dict.fromkeys(_GENERAL, _ANY),
    "observations": {
        "datastore": _ANY,
        "obs_ids": _ANY,
        "obs_file": _ANY,
        "obs_cone": CIRCLE,
        "obs_time": {"start": _ANY, "stop": _ANY},
        "required_irf": _ANY,
    },
    "datasets": {
        "type": _ANY,
        "stack": _ANY,
        "geom": {
            "axes": {"energy": _AXIS, "energy_true": _AXIS},
            "wcs": _WCS,
            "selection": {"offset_max": _ANY},
        },
        "map_selection": _ANY,
        "background": {"method": _ANY, "exclusion": _ANY, "parameters": _ANY},
        "safe_mask": {"methods": _ANY, "parameters": _ANY},
        "on_region": _ANY,
        "containment_correction": _ANY,
    },
    "fit": {"fit_range": _RANGE},
    "flux_points": _ANY,
    "excess_map": _ANY,
    "light_curve": _ANY,
    "metadata": _ANY,
}
_ELSEWHERE = ("flux_points", "excess_map", "light_curve")
_REQUIRABLE = ("events", "gti", "aeff", "bkg", "edisp", "psf", "rad_max")
_FILES = (".fits", ".fit", ".gz", ".reg")
_MOST_BINS = 10_000
_NO_EFFECT = ("n_jobs", "not_used")
"""Fields that have no influence on the datasets."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What a reduction of any kind is told.

    Runs are those of `obs_ids` (all that are listed if None) that point into `cone` and have good time in `time`, cut
    to it. Energies [TeV]; `fit_range` [TeV] or None. `exclusion` is a file (a mask, or regions) or a region. `stack`
    may hold a label per run: one stack for each. `not_used` names the keys that were given without effect.
    """

    datastore: Path
    obs_ids: tuple[int, ...] | None
    cone: Circle | None
    time: tuple[Time, Time] | None
    required_irf: tuple[str, ...]
    energy: Edges
    energy_true: Edges
    exclusion: Path | Region | None
    safe_mask: SafeMask
    stack: bool | Mapping[int, str]
    fit_range: tuple[float, float] | None
    n_jobs: int
    not_used: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """A digest of all that decides on the datasets, the exclusion mask's content included; data files are not."""
        decisive = [(f.name, getattr(self, f.name)) for f in fields(self) if f.name not in _NO_EFFECT]
        file = self.exclusion if isinstance(self.exclusion, Path) and is_file(self.exclusion) else None
        return fingerprint((decisive, np.frombuffer(b"" if file is None else file.read_bytes(), np.uint8)))


def parsed(path: str | Path, parse: Callable[[dict[str, Any], Path], C]) -> C:
    """What `parse(content, folder)` makes of a YAML file whose keys are known; its errors name the file."""
    path = Path(path)
    try:
        content = read_yaml(path)
        check_keys(content, _KNOWN, "")
        return parse(content, path.parent)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def shared(content: Mapping[str, Any], base: Path, *not_used: str) -> dict[str, Any]:
    """The fields of `Configuration`; `not_used` are further keys ("datasets.on_region") that have no effect."""
    observations, datasets = section(content, "observations"), section(content, "datasets")
    axes, jobs = section(content, "datasets.geom.axes"), section(content, "general").get("n_jobs")
    return {
        "datastore": a_path(required(observations, "datastore", "observations"), base, "observations.datastore"),
        "obs_ids": _obs_ids(observations, base),
        "cone": _cone(observations.get("obs_cone") or {}),
        "time": _interval(observations.get("obs_time") or {}),
        "required_irf": _required_irf(observations.get("required_irf")),
        "energy": _axis(axes, "energy"),
        "energy_true": _axis(axes, "energy_true"),
        "exclusion": _exclusion(section(content, "datasets.background").get("exclusion"), base),
        "safe_mask": _safe_mask(datasets.get("safe_mask") or {}),
        "stack": _stack(datasets),
        "fit_range": _fit_range(section(content, "fit.fit_range")),
        "n_jobs": 1 if jobs is None else integer(jobs, "general.n_jobs", least=1),
        "not_used": tuple(key for key in (*_ELSEWHERE, *not_used) if section(content, key)),
    }


def section(content: Mapping[str, Any], path: str) -> Any:
    """What a key such as "datasets.geom.axes" holds; an empty mapping where it or one above it is not given."""
    for key in path.split("."):
        content = content.get(key) or {}
    return content


def check_keys(content: Any, known: Mapping[str, Any] | None, where: str) -> None:
    """Raise `ConfigError` for a key that is not known, naming the nearest."""
    if known is None or content is None:
        return
    if not isinstance(content, Mapping):
        raise ConfigError(f"{where} must hold keys and values, got {type(content).__name__}")
    for key, value in content.items():
        path = f"{where}.{key}" if where else str(key)
        if key not in known:
            raise ConfigError(f"there is no key {path!r}; nearest: {nearest(str(key), known) or ', '.join(known)}")
        check_keys(value, known[key], path)


# The sections, one by one.


def _obs_ids(content: Mapping[str, Any], base: Path) -> tuple[int, ...] | None:
    """The numbers of `obs_ids` or those in `obs_file`; None, for all runs, if there is neither."""
    listed, file = content.get("obs_ids"), content.get("obs_file")
    where = "observations.obs_ids"
    ids = tuple(integer(i, where) for i in a_list([] if listed is None else listed, where))
    if file is None:
        return ids or None
    if ids:
        raise ConfigError("observations has both obs_ids and obs_file: give one of them")
    ids = read_obs_ids(a_path(file, base, "observations.obs_file"))
    if not ids:
        raise ConfigError(f"observations.obs_file: {file} lists no run")
    return ids


def _cone(content: Mapping[str, Any]) -> Circle | None:
    where = "observations.obs_cone"
    if not all_given(content, where, "lon", "lat", "radius"):
        return None
    return a_circle(content, where)


def a_circle(content: Mapping[str, Any], where: str) -> Circle:
    """A position with a radius, or without: None."""
    radius = content.get("radius")
    try:
        return circle(position(content, where), None if radius is None else angle(radius, f"{where}.radius"))
    except ConfigError as error:
        message = str(error)
        raise ConfigError(message if message.startswith(where) else f"{where}: {message}") from error


def _interval(content: Mapping[str, Any]) -> tuple[Time, Time] | None:
    where = "observations.obs_time"
    if not all_given(content, where, "start", "stop"):
        return None
    start, stop = (a_time(content[key], f"{where}.{key}") for key in ("start", "stop"))
    if not start < stop:
        raise ConfigError(f"{where}: start {start.isot} is not before stop {stop.isot}")
    return start, stop


def _required_irf(value: Any) -> tuple[str, ...]:
    where = "observations.required_irf"
    names = tuple(text(name, where) for name in a_list([] if value is None else value, where))
    for name in names:
        if name not in _REQUIRABLE:
            raise ConfigError(f"{where} has {name!r}; nearest: {nearest(name, _REQUIRABLE) or ', '.join(_REQUIRABLE)}")
    return names


def _axis(axes: Mapping[str, Any], name: str) -> Edges:
    where = f"datasets.geom.axes.{name}"
    # Gammapy's defaults of an analysis without axes
    default = {"energy": ("1 TeV", "10 TeV", 5), "energy_true": ("0.5 TeV", "20 TeV", 16)}[name]
    axis = axes.get(name)
    low, high, bins = default if axis is None else (required(axis, key, where) for key in ("min", "max", "nbins"))
    limits = [quantity(value, "TeV", f"{where}.{key}") for key, value in (("min", low), ("max", high))]
    count = integer(bins, f"{where}.nbins", least=1, most=_MOST_BINS)
    try:
        return energy_edges(*limits, bins=count)
    except GammajaxError as error:
        raise ConfigError(f"{where}: {error}") from error


def a_region(content: str, base: Path, where: str) -> Region:
    """DS9 text, or the name of a DS9 file (.reg)."""
    try:
        if content.endswith(".reg"):
            return read_region(a_path(content, base, where))
        return region(content)
    except (ConfigError, FileFormatError) as error:
        raise ConfigError(f"{where}: {error}") from error


def _exclusion(value: Any, base: Path) -> Path | Region | None:
    """The name of a FITS mask or of a DS9 file, opened when it is needed, or DS9 text."""
    where = "datasets.background.exclusion"
    if value is None:
        return None
    ds9 = "(" in text(value, where) and not value.lower().endswith(_FILES)
    return a_region(value, base, where) if ds9 else a_path(value, base, where)


def _fit_range(content: Mapping[str, Any]) -> tuple[float, float] | None:
    """Limits [TeV]; a side that is not given is open, as in Gammapy."""
    where = "fit.fit_range"
    given = {key: quantity(x, "TeV", f"{where}.{key}") for key, x in content.items() if x is not None}
    if not given:
        return None
    low, high = given.get("min", 0.0), given.get("max", np.inf)
    if not low < high:
        raise ConfigError(f"{where}: min {low:g} TeV is not below max {high:g} TeV")
    return low, high


def switch(datasets: Mapping[str, Any], key: str) -> bool:
    """A boolean that is on where it is not given, as in Gammapy."""
    value = datasets.get(key)
    return True if value is None else boolean(value, f"datasets.{key}")


def _stack(datasets: Mapping[str, Any]) -> bool | dict[int, str]:
    """True, False, or runs by label, as labels by run."""
    where, groups = "datasets.stack", datasets.get("stack")
    if not isinstance(groups, Mapping):
        return switch(datasets, "stack")
    found: dict[int, str] = {}
    for label, runs in groups.items():
        for run in a_list(runs, f"{where}.{label}"):
            if integer(run, f"{where}.{label}") in found:
                raise ConfigError(f"{where}: run {run} stands under {found[run]!r} and under {str(label)!r}")
            found[run] = str(label)
    if not found:
        raise ConfigError(f"{where} lists no run: write true, false, or {{label: [runs]}}")
    return found


def options(content: Any, known: Mapping[str, Callable[[Any, str], Any]], where: str) -> dict[str, Any]:
    """The options that are given, each through its own door. Raises `ConfigError` for one that is not known."""
    for key in content:
        if key not in known:
            raise ConfigError(f"{where} has no {key!r}; nearest: {nearest(str(key), known) or ', '.join(known)}")
    return {key: known[key](value, f"{where}.{key}") for key, value in content.items() if value is not None}


_SAFE_OPTIONS: dict[str, Callable[[Any, str], Any]] = {
    "aeff_percent": number,
    "bias_percent": number,
    "offset_max": angle,
    "fixed_offset": angle,
    "position": lambda value, where: position(mapping(value, where), where),
    "irfs": text,
    "energy_min": lambda value, where: quantity(value, "TeV", where),
    "energy_max": lambda value, where: quantity(value, "TeV", where),
}


def _safe_mask(content: Mapping[str, Any]) -> SafeMask:
    where, methods = "datasets.safe_mask", content.get("methods")
    # An empty list is a choice: no safe mask.
    names = ["aeff-default"] if methods is None else a_list(methods, f"{where}.methods")
    given = options(mapping(content.get("parameters"), f"{where}.parameters"), _SAFE_OPTIONS, f"{where}.parameters")
    try:
        return SafeMask(*(text(name, f"{where}.methods") for name in names), **given)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
