"""Configuration of a 1D reduction: the keys of Gammapy's analysis configuration.

Unknown keys are errors that name the nearest valid one, and so are values of the wrong type and groups of keys that
are half given; keys that belong to other steps of an analysis (maps, flux points, light curves) are known and listed
as not used.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

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
from gammajax.reduce.background import IRFBackground
from gammajax.reduce.phase import PhaseBackground
from gammajax.reduce.reflected import ReflectedRegions, WobbleRegions
from gammajax.reduce.safe_mask import SafeMask
from gammajax.reduce.spectrum import Background
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
_MOST_BINS = 10_000
_NO_EFFECT = ("n_jobs", "not_used")
"""Fields that have no influence on the datasets."""


@dataclass(frozen=True)
class ReductionConfig:
    """A 1D reduction, ready to run.

    Runs are those of `obs_ids` (all that are listed if None) that point into `cone` and have good time in `time`, cut
    to it. Energies [TeV]; `fit_range` [TeV] or None. `stack` may hold a label per run: one stack for each.
    """

    datastore: Path
    obs_ids: tuple[int, ...] | None
    cone: Circle | None
    time: tuple[Time, Time] | None
    required_irf: tuple[str, ...]
    on_region: Region
    energy: Edges
    energy_true: Edges
    background: Background
    exclusion: Path | None
    safe_mask: SafeMask
    containment_correction: bool
    stack: bool | Mapping[int, str]
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
        mask = b"" if self.exclusion is None or not is_file(self.exclusion) else self.exclusion.read_bytes()
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
        datastore=a_path(required(observations, "datastore", "observations"), base, "observations.datastore"),
        obs_ids=_obs_ids(observations, base),
        cone=_cone(observations.get("obs_cone") or {}),
        time=_interval(observations.get("obs_time") or {}),
        required_irf=_required_irf(observations.get("required_irf")),
        on_region=_on_region(datasets.get("on_region") or {}, base),
        energy=_axis(axes, "energy"),
        energy_true=_axis(axes, "energy_true"),
        background=_background(background),
        exclusion=a_path(exclusion, base, "datasets.background.exclusion") if exclusion is not None else None,
        safe_mask=_safe_mask(datasets.get("safe_mask") or {}),
        containment_correction=_switch(datasets, "containment_correction"),
        stack=_stack(datasets),
        fit_range=_fit_range((content.get("fit") or {}).get("fit_range") or {}),
        n_jobs=1 if jobs is None else integer(jobs, "general.n_jobs", least=1),
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
    return _circle(content, where)


def _circle(content: Mapping[str, Any], where: str) -> Circle:
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


def _on_region(content: Any, base: Path) -> Region:
    """A position with a radius, as in Gammapy; or DS9 text, or the name of a DS9 file (.reg)."""
    where = "datasets.on_region"
    if not isinstance(content, str):
        _check_keys(content, {**_POSITION, "radius": _ANY}, where)
        return _circle(content, where)
    try:
        if content.endswith(".reg"):
            return read_region(a_path(content, base, where))
        return region(content)
    except (ConfigError, FileFormatError) as error:
        raise ConfigError(f"{where}: {error}") from error


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


def _phases(value: Any, where: str) -> list[tuple[float, float]]:
    """A pair of phases, or a list of pairs."""
    pairs = a_list(value, where)
    pairs = [pairs] if pairs and not isinstance(pairs[0], list) else pairs
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise ConfigError(f"{where} must be a pair such as [0.9, 1.1] or a list of pairs, got {value!r}")
    return [(number(low, where), number(high, where)) for low, high in pairs]


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


def _switch(datasets: Mapping[str, Any], key: str) -> bool:
    """A boolean that is on where it is not given, as in Gammapy."""
    value = datasets.get(key)
    return True if value is None else boolean(value, f"datasets.{key}")


def _stack(datasets: Mapping[str, Any]) -> bool | dict[int, str]:
    """True, False, or runs by label, as labels by run."""
    where, groups = "datasets.stack", datasets.get("stack")
    if not isinstance(groups, Mapping):
        return _switch(datasets, "stack")
    found: dict[int, str] = {}
    for label, runs in groups.items():
        for run in a_list(runs, f"{where}.{label}"):
            if integer(run, f"{where}.{label}") in found:
                raise ConfigError(f"{where}: run {run} stands under {found[run]!r} and under {str(label)!r}")
            found[run] = str(label)
    if not found:
        raise ConfigError(f"{where} lists no run: write true, false, or {{label: [runs]}}")
    return found


_OFF_OPTIONS: dict[type, dict[str, Callable[[Any, str], Any]]] = {
    ReflectedRegions: {
        "angle_increment": angle,
        "min_distance": angle,
        "min_distance_input": angle,
        "max_region_number": integer,
        "binsz": angle,
    },
    WobbleRegions: {"n_off_regions": integer, "binsz": angle},
    PhaseBackground: {"on_phase": _phases, "off_phase": _phases, "phase_column_name": text},
    IRFBackground: {"exact": boolean},
}
_FINDERS = {"ReflectedRegionsFinder": ReflectedRegions, "WobbleRegionsFinder": WobbleRegions}
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


def _options(content: Any, known: Mapping[str, Callable[[Any, str], Any]], where: str) -> dict[str, Any]:
    for key in content:
        if key not in known:
            raise ConfigError(f"{where} has no {key!r}; nearest: {nearest(str(key), known) or ', '.join(known)}")
    return {key: known[key](value, f"{where}.{key}") for key, value in content.items() if value is not None}


def _background(background: Mapping[str, Any]) -> Background:
    """Off regions ("reflected", the default), phases ("phase"), the response ("irf"), or no background ("none")."""
    method, where = background.get("method") or "reflected", "datasets.background.parameters"
    if text(method, "datasets.background.method") not in _METHODS:
        raise ConfigError(f"datasets.background.method is {method!r}: spectra take {', '.join(map(repr, _METHODS))}")
    options = mapping(background.get("parameters"), where)
    cls = _finder(options, where) if method == "reflected" else _METHODS[method]
    if cls is None:
        return None
    made = _options(options, _OFF_OPTIONS[cls], where)
    if cls is PhaseBackground:
        made = {
            "on_phase": required(made, "on_phase", where),
            "off_phase": required(made, "off_phase", where),
            **made,
        }
    try:
        return cls(**made)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


_METHODS: dict[str, Any] = {"reflected": ReflectedRegions, "phase": PhaseBackground, "irf": IRFBackground, "none": None}


def _finder(options: dict[str, Any], where: str) -> type:
    finder = options.pop("region_finder", None)
    if finder is None:
        finder = "WobbleRegionsFinder" if "n_off_regions" in options else "ReflectedRegionsFinder"
    if text(finder, f"{where}.region_finder") not in _FINDERS:
        raise ConfigError(f"{where}.region_finder is {finder!r}; choose from {', '.join(_FINDERS)}")
    return _FINDERS[finder]


def _safe_mask(content: Mapping[str, Any]) -> SafeMask:
    where, methods = "datasets.safe_mask", content.get("methods")
    # An empty list is a choice: no safe mask.
    names = ["aeff-default"] if methods is None else a_list(methods, f"{where}.methods")
    options = _options(mapping(content.get("parameters"), f"{where}.parameters"), _SAFE_OPTIONS, f"{where}.parameters")
    try:
        return SafeMask(*(text(name, f"{where}.methods") for name in names), **options)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
