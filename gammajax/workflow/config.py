"""Configuration of a 1D reduction: the keys of Gammapy's analysis configuration.

Unknown keys are errors that name the nearest valid one, and so are values of the wrong type and groups of keys that
are half given; keys that belong to other steps of an analysis (maps, flux points, light curves) are known and listed
as not used.
"""

import datetime
import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.time import Time

from gammajax._typing import Edges
from gammajax.errors import ConfigError, GammajaxError, UnitMismatch, nearest
from gammajax.geom.axes import energy_edges
from gammajax.geom.regions import Circle, circle
from gammajax.io.dl3 import read_obs_ids
from gammajax.io.yaml import read_yaml
from gammajax.reduce.reflected import OffRegionFinder, ReflectedRegions, WobbleRegions
from gammajax.reduce.safe_mask import SafeMask
from gammajax.units import to_value

_ANY = None
_POSITION = {"frame": _ANY, "lon": _ANY, "lat": _ANY}
_RANGE = {"min": _ANY, "max": _ANY}
_AXIS = {**_RANGE, "nbins": _ANY}
_KNOWN: dict[str, Any] = {
    "general": {key: _ANY for key in ("log", "outdir", "n_jobs", "datasets_file", "models_file")},
    "observations": {
        "datastore": _ANY,
        "obs_ids": _ANY,
        "obs_file": _ANY,
        "obs_cone": {**_POSITION, "radius": _ANY},
        "obs_time": {"start": _ANY, "stop": _ANY},
        "required_irf": _ANY,
    },
    "datasets": {
        "type": _ANY,
        "stack": _ANY,
        "geom": {"axes": {"energy": _AXIS, "energy_true": _AXIS}, "wcs": _ANY, "selection": _ANY},
        "map_selection": _ANY,
        "background": {"method": _ANY, "exclusion": _ANY, "parameters": _ANY},
        "safe_mask": {"methods": _ANY, "parameters": _ANY},
        "on_region": {**_POSITION, "radius": _ANY},
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
_NO_EFFECT = ("n_jobs", "not_used")
"""Fields that have no influence on the datasets."""


@dataclass(frozen=True)
class ReductionConfig:
    """A 1D reduction, ready to run.

    Runs are those of `obs_ids` (all that are listed if None) that point into `cone` and have good time in `time`, cut
    to it. Energies [TeV]; `fit_range` [TeV] or None.
    """

    datastore: Path
    obs_ids: tuple[int, ...] | None
    cone: Circle | None
    time: tuple[Time, Time] | None
    required_irf: tuple[str, ...]
    on_region: Circle
    energy: Edges
    energy_true: Edges
    off_regions: OffRegionFinder
    exclusion: Path | None
    safe_mask: SafeMask
    containment_correction: bool
    stack: bool
    fit_range: tuple[float, float] | None
    n_jobs: int
    not_used: tuple[str, ...]

    @classmethod
    def read(cls, path: str | Path) -> "ReductionConfig":
        """Read a configuration file; paths in it are relative to it, environment variables are expanded.

        Raises `ConfigError` naming the key and what to do, `MissingFile` where the file or its `obs_file` is absent.
        """
        path = Path(path)
        try:
            return _parse(read_yaml(path), path.parent)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error

    @property
    def fingerprint(self) -> str:
        """A digest of all that decides on the datasets, the exclusion mask's content included; data files are not."""
        decisive = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _NO_EFFECT}
        text = repr({key: x.tolist() if isinstance(x, np.ndarray) else x for key, x in decisive.items()})
        mask = b"" if self.exclusion is None or not self.exclusion.is_file() else self.exclusion.read_bytes()
        return hashlib.sha256(text.encode() + mask).hexdigest()


def _parse(content: Mapping[str, Any], base: Path) -> ReductionConfig:
    _check_keys(content, _KNOWN, "")
    observations, datasets = content.get("observations") or {}, content.get("datasets") or {}
    kind = datasets.get("type", "1d")
    if kind != "1d":
        raise ConfigError(f"datasets.type is {kind!r}: only '1d' can be reduced")
    background, axes = datasets.get("background") or {}, (datasets.get("geom") or {}).get("axes") or {}
    exclusion, jobs = background.get("exclusion"), (content.get("general") or {}).get("n_jobs")
    return ReductionConfig(
        datastore=_path(_required(observations, "datastore", "observations"), base, "observations.datastore"),
        obs_ids=_obs_ids(observations, base),
        cone=_cone(observations.get("obs_cone") or {}),
        time=_interval(observations.get("obs_time") or {}),
        required_irf=_required_irf(observations.get("required_irf")),
        on_region=_on_region(datasets.get("on_region") or {}),
        energy=_axis(axes, "energy"),
        energy_true=_axis(axes, "energy_true"),
        off_regions=_off_regions(background),
        exclusion=_path(exclusion, base, "datasets.background.exclusion") if exclusion is not None else None,
        safe_mask=_safe_mask(datasets.get("safe_mask") or {}),
        containment_correction=_switch(datasets, "containment_correction"),
        stack=_switch(datasets, "stack"),
        fit_range=_fit_range((content.get("fit") or {}).get("fit_range") or {}),
        n_jobs=1 if jobs is None else _integer(jobs, "general.n_jobs", least=1),
        not_used=tuple(key for key in _ELSEWHERE if content.get(key)),
    )


def _check_keys(content: Any, known: Mapping[str, Any] | None, where: str) -> None:
    if known is None or content is None:
        return
    if not isinstance(content, Mapping):
        raise ConfigError(f"{where} must hold keys and values, got {type(content).__name__}")
    for key, value in content.items():
        path = f"{where}.{key}" if where else str(key)
        if key not in known:
            raise ConfigError(f"there is no key {path!r}; nearest: {nearest(str(key), known) or ', '.join(known)}")
        _check_keys(value, known[key], path)


def _required(content: Mapping[str, Any], key: str, where: str) -> Any:
    if content.get(key) is None:
        raise ConfigError(f"{where}.{key} is missing")
    return content[key]


def _given(content: Mapping[str, Any], where: str, *keys: str) -> bool:
    """True if all keys of a group have a value, False if none has one; a group that is half given is an error."""
    given = [key for key in content if content[key] is not None]
    if given and (lacking := [key for key in keys if key not in given]):
        raise ConfigError(f"{where} has {', '.join(given)}, but lacks {', '.join(lacking)}: give all or none")
    return bool(given)


# The typed door: what YAML holds, as what it must be, or an error that names the key.


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{where} must be text, got {value!r}")
    return value


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise ConfigError(f"{where} must be a number, got {value!r}")
    return float(value)


def _integer(value: Any, where: str, least: int | None = None) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or (least is not None and value < least):
        raise ConfigError(f"{where} must be a whole number{'' if least is None else f' from {least}'}, got {value!r}")
    return value


def _boolean(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{where} must be true or false, got {value!r}")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise ConfigError(f"{where} must be a list such as [...], got {value!r}")
    return value


def _quantity(value: Any, unit: str, where: str) -> float:
    """Text with a unit, or a number that is in `unit` already."""
    try:
        number = to_value(value if isinstance(value, str) else _number(value, where), unit, where)
    except UnitMismatch as error:
        raise ConfigError(str(error)) from error
    return _number(number, where)


def _angle(value: Any, where: str) -> float:
    return _quantity(value, "deg", where)


def _path(value: Any, base: Path, where: str) -> Path:
    return (base / Path(os.path.expandvars(_text(value, where))).expanduser()).absolute()


def _time(value: Any, where: str) -> Time:
    """A time in UTC, as Gammapy reads it; YAML makes dates of unquoted text."""
    if not isinstance(value, str | datetime.date):
        raise ConfigError(f"{where} must be one time such as '2006-07-29T22:00', got {value!r}")
    try:
        return Time(value if isinstance(value, str) else value.isoformat(), scale="utc")
    except ValueError as error:
        raise ConfigError(f"{where}: {value!r} is no time such as '2006-07-29T22:00'") from error


def _position(content: Mapping[str, Any], where: str) -> SkyCoord:
    lon, lat = _required(content, "lon", where), _required(content, "lat", where)
    frame = _text(content.get("frame") or "icrs", f"{where}.frame")
    if not all(isinstance(x, str) for x in (lon, lat)):
        raise ConfigError(f"{where}: lon {lon!r}, lat {lat!r} are no position: write for example '83.63 deg'")
    try:
        return SkyCoord(lon, lat, frame=frame)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{where}: lon {lon!r}, lat {lat!r} are no position: {error}") from error


# The sections, one by one.


def _obs_ids(content: Mapping[str, Any], base: Path) -> tuple[int, ...] | None:
    """The numbers of `obs_ids` or those in `obs_file`; None, for all runs, if there is neither."""
    listed, file = content.get("obs_ids"), content.get("obs_file")
    where = "observations.obs_ids"
    ids = tuple(_integer(i, where) for i in _list([] if listed is None else listed, where))
    if file is None:
        return ids or None
    if ids:
        raise ConfigError("observations has both obs_ids and obs_file: give one of them")
    ids = read_obs_ids(_path(file, base, "observations.obs_file"))
    if not ids:
        raise ConfigError(f"observations.obs_file: {file} lists no run")
    return ids


def _cone(content: Mapping[str, Any]) -> Circle | None:
    where = "observations.obs_cone"
    if not _given(content, where, "lon", "lat", "radius"):
        return None
    return _circle(content, where)


def _circle(content: Mapping[str, Any], where: str) -> Circle:
    radius = content.get("radius")
    try:
        return circle(_position(content, where), None if radius is None else _angle(radius, f"{where}.radius"))
    except ConfigError as error:
        message = str(error)
        raise ConfigError(message if message.startswith(where) else f"{where}: {message}") from error


def _interval(content: Mapping[str, Any]) -> tuple[Time, Time] | None:
    where = "observations.obs_time"
    if not _given(content, where, "start", "stop"):
        return None
    start, stop = (_time(content[key], f"{where}.{key}") for key in ("start", "stop"))
    if not start < stop:
        raise ConfigError(f"{where}: start {start.isot} is not before stop {stop.isot}")
    return start, stop


def _required_irf(value: Any) -> tuple[str, ...]:
    where = "observations.required_irf"
    names = tuple(_text(name, where) for name in _list([] if value is None else value, where))
    for name in names:
        if name not in _REQUIRABLE:
            raise ConfigError(f"{where} has {name!r}; nearest: {nearest(name, _REQUIRABLE) or ', '.join(_REQUIRABLE)}")
    return names


def _on_region(content: Mapping[str, Any]) -> Circle:
    return _circle(content, "datasets.on_region")


def _axis(axes: Mapping[str, Any], name: str) -> Edges:
    where = f"datasets.geom.axes.{name}"
    # Gammapy's defaults of an analysis without axes
    default = {"energy": ("1 TeV", "10 TeV", 5), "energy_true": ("0.5 TeV", "20 TeV", 16)}[name]
    axis = axes.get(name)
    low, high, bins = default if axis is None else (_required(axis, key, where) for key in ("min", "max", "nbins"))
    limits = [_quantity(value, "TeV", f"{where}.{key}") for key, value in (("min", low), ("max", high))]
    count = _integer(bins, f"{where}.nbins", least=1)
    try:
        return energy_edges(*limits, bins=count)
    except GammajaxError as error:
        raise ConfigError(f"{where}: {error}") from error


def _fit_range(content: Mapping[str, Any]) -> tuple[float, float] | None:
    """Limits [TeV]; a side that is not given is open, as in Gammapy."""
    where = "fit.fit_range"
    given = {key: _quantity(x, "TeV", f"{where}.{key}") for key, x in content.items() if x is not None}
    if not given:
        return None
    low, high = given.get("min", 0.0), given.get("max", np.inf)
    if not low < high:
        raise ConfigError(f"{where}: min {low:g} TeV is not below max {high:g} TeV")
    return low, high


def _switch(datasets: Mapping[str, Any], key: str) -> bool:
    """A boolean that is on where it is not given, as in Gammapy."""
    value = datasets.get(key)
    return True if value is None else _boolean(value, f"datasets.{key}")


_OFF_OPTIONS: dict[type, dict[str, Callable[[Any, str], Any]]] = {
    ReflectedRegions: {
        "angle_increment": _angle,
        "min_distance": _angle,
        "min_distance_input": _angle,
        "max_region_number": _integer,
        "binsz": _angle,
    },
    WobbleRegions: {"n_off_regions": _integer, "binsz": _angle},
}
_FINDERS = {"ReflectedRegionsFinder": ReflectedRegions, "WobbleRegionsFinder": WobbleRegions}
_SAFE_OPTIONS: dict[str, Callable[[Any, str], Any]] = {
    "aeff_percent": _number,
    "bias_percent": _number,
    "offset_max": _angle,
}


def _options(content: Any, known: Mapping[str, Callable[[Any, str], Any]], where: str) -> dict[str, Any]:
    for key in content:
        if key not in known:
            raise ConfigError(f"{where} has no {key!r}; nearest: {nearest(str(key), known) or ', '.join(known)}")
    return {key: known[key](value, f"{where}.{key}") for key, value in content.items() if value is not None}


def _off_regions(background: Mapping[str, Any]) -> OffRegionFinder:
    method = background.get("method") or "reflected"
    if method != "reflected":
        raise ConfigError(f"datasets.background.method is {method!r}: spectra take 'reflected'")
    where = "datasets.background.parameters"
    options = _mapping(background.get("parameters"), where)
    finder = options.pop("region_finder", None)
    if finder is None:
        finder = "WobbleRegionsFinder" if "n_off_regions" in options else "ReflectedRegionsFinder"
    if _text(finder, f"{where}.region_finder") not in _FINDERS:
        raise ConfigError(f"{where}.region_finder is {finder!r}; choose from {', '.join(_FINDERS)}")
    cls = _FINDERS[finder]
    return cls(**_options(options, _OFF_OPTIONS[cls], where))


def _safe_mask(content: Mapping[str, Any]) -> SafeMask:
    where, methods = "datasets.safe_mask", content.get("methods")
    # An empty list is a choice: no safe mask.
    names = ["aeff-default"] if methods is None else _list(methods, f"{where}.methods")
    options = _options(_mapping(content.get("parameters"), f"{where}.parameters"), _SAFE_OPTIONS, f"{where}.parameters")
    try:
        return SafeMask(*(_text(name, f"{where}.methods") for name in names), **options)
    except ConfigError as error:
        raise ConfigError(f"{where}.methods: {error}") from error


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise ConfigError(f"{where} must hold keys and values, got {value!r}")
    return dict(value or {})
