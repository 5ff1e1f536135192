"""Configuration of a 1D reduction: the keys of Gammapy's analysis configuration.

Unknown keys are errors that name the nearest valid one; keys that belong to other steps of an analysis (maps, flux
points, light curves) are known and listed as not used.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from astropy.coordinates import SkyCoord

from gammajax._typing import Edges
from gammajax.errors import ConfigError, nearest
from gammajax.geom.axes import energy_edges
from gammajax.geom.regions import Circle, circle
from gammajax.io.yaml import read_yaml
from gammajax.reduce.reflected import OffRegionFinder, ReflectedRegions, WobbleRegions
from gammajax.reduce.safe_mask import SafeMask

_ANY = None
_POSITION = {"frame": _ANY, "lon": _ANY, "lat": _ANY}
_RANGE = {"min": _ANY, "max": _ANY}
_AXIS = {**_RANGE, "nbins": _ANY}
_KNOWN: dict[str, Any] = {
    "general": _ANY,
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


@dataclass(frozen=True)
class ReductionConfig:
    """A 1D reduction, ready to run. Energies [TeV]; `fit_range` or None."""

    datastore: Path
    obs_ids: tuple[int, ...]
    cone: tuple[SkyCoord, Any] | None
    time: tuple[Any, Any] | None
    on_region: Circle
    energy: Edges
    energy_true: Edges
    off_regions: OffRegionFinder
    exclusion: Path | None
    safe_mask: SafeMask
    containment_correction: bool
    stack: bool
    fit_range: tuple[Any, Any] | None
    n_jobs: int
    not_used: tuple[str, ...]

    @classmethod
    def read(cls, path: str | Path) -> "ReductionConfig":
        """Read a configuration file; paths in it are relative to it, environment variables are expanded.

        Raises `ConfigError` naming the key and what to do.
        """
        path = Path(path)
        try:
            return _parse(read_yaml(path), path.parent)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error


def _parse(content: Mapping[str, Any], base: Path) -> ReductionConfig:
    _check_keys(content, _KNOWN, "")
    observations, datasets = content.get("observations") or {}, content.get("datasets") or {}
    kind = datasets.get("type", "1d")
    if kind != "1d":
        raise ConfigError(f"datasets.type is {kind!r}: only '1d' can be reduced")
    background, axes = datasets.get("background") or {}, (datasets.get("geom") or {}).get("axes") or {}
    cone, when = observations.get("obs_cone") or {}, observations.get("obs_time") or {}
    fit_range = (content.get("fit") or {}).get("fit_range") or {}
    return ReductionConfig(
        datastore=_path(_required(observations, "datastore", "observations"), base),
        obs_ids=tuple(int(i) for i in observations.get("obs_ids") or ()),
        cone=(_position(cone, "observations.obs_cone"), cone["radius"]) if _given(cone, "radius") else None,
        time=(when["start"], when["stop"]) if _given(when, "start", "stop") else None,
        on_region=_on_region(datasets.get("on_region") or {}),
        energy=_axis(axes, "energy"),
        energy_true=_axis(axes, "energy_true"),
        off_regions=_off_regions(background),
        exclusion=_path(background["exclusion"], base) if background.get("exclusion") else None,
        safe_mask=_safe_mask(datasets.get("safe_mask") or {}),
        containment_correction=bool(datasets.get("containment_correction", True)),
        stack=bool(datasets.get("stack", True)),
        fit_range=(fit_range["min"], fit_range["max"]) if _given(fit_range, "min", "max") else None,
        n_jobs=int((content.get("general") or {}).get("n_jobs", 1)),
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


def _given(content: Mapping[str, Any], *keys: str) -> bool:
    return all(content.get(key) is not None for key in keys)


def _path(text: Any, base: Path) -> Path:
    return base / Path(os.path.expandvars(str(text))).expanduser()


def _position(content: Mapping[str, Any], where: str) -> SkyCoord:
    lon, lat = _required(content, "lon", where), _required(content, "lat", where)
    try:
        return SkyCoord(lon, lat, frame=str(content.get("frame") or "icrs"))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{where}: lon {lon!r}, lat {lat!r} are no position: {error}") from error


def _on_region(content: Mapping[str, Any]) -> Circle:
    return circle(_position(content, "datasets.on_region"), content.get("radius"))


def _axis(axes: Mapping[str, Any], name: str) -> Edges:
    where = f"datasets.geom.axes.{name}"
    # Gammapy's defaults of an analysis without axes
    default = {"energy": ("1 TeV", "10 TeV", 5), "energy_true": ("0.5 TeV", "20 TeV", 16)}[name]
    axis = axes.get(name)
    low, high, bins = default if axis is None else (_required(axis, key, where) for key in ("min", "max", "nbins"))
    return energy_edges(low, high, bins=int(bins))


def _off_regions(background: Mapping[str, Any]) -> OffRegionFinder:
    method = background.get("method") or "reflected"
    if method != "reflected":
        raise ConfigError(f"datasets.background.method is {method!r}: spectra take 'reflected'")
    options = dict(background.get("parameters") or {})
    finder = options.pop("region_finder", None)
    cls = WobbleRegions if finder == "WobbleRegionsFinder" or "n_off_regions" in options else ReflectedRegions
    known = cls.__dataclass_fields__
    for key in options:
        if key not in known:
            raise ConfigError(
                f"datasets.background.parameters has no {key!r}; nearest: {nearest(key, known) or ', '.join(known)}"
            )
    return cls(**options)


def _safe_mask(content: Mapping[str, Any]) -> SafeMask:
    options = dict(content.get("parameters") or {})
    known = ("aeff_percent", "bias_percent", "offset_max")
    for key in options:
        if key not in known:
            raise ConfigError(f"datasets.safe_mask.parameters has no {key!r}; nearest: {nearest(key, known)}")
    return SafeMask(*(content.get("methods") or ("aeff-default",)), **options)
