"""Configuration of a reduction to spectra, and the one reader of configurations of both types."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gammajax.errors import ConfigError
from gammajax.geom.shapes import Region
from gammajax.reduce.background import IRFBackground
from gammajax.reduce.phase import PhaseBackground
from gammajax.reduce.reflected import ReflectedRegions, WobbleRegions
from gammajax.reduce.spectrum import Background
from gammajax.workflow.cube_config import CubeReductionConfig, of_cubes
from gammajax.workflow.sections import (
    CIRCLE,
    Configuration,
    a_circle,
    a_region,
    check_keys,
    options,
    parsed,
    section,
    shared,
    switch,
)
from gammajax.workflow.typed import a_list, angle, boolean, integer, mapping, number, required, text

_OF_CUBES = ("datasets.geom.wcs", "datasets.geom.selection", "datasets.map_selection")


@dataclass(frozen=True, kw_only=True)
class ReductionConfig(Configuration):
    """A reduction to spectra (`datasets.type: 1d`), ready to run."""

    on_region: Region
    background: Background
    containment_correction: bool

    @classmethod
    def read(cls, path: str | Path) -> "ReductionConfig":
        """Read a configuration file; paths in it are relative to it, environment variables are expanded.

        Raises `ConfigError` naming the key and what to do, `MissingFile` where the file or its `obs_file` is absent.
        """
        return parsed(path, _of_spectra)


def read_config(path: str | Path) -> ReductionConfig | CubeReductionConfig:
    """Read the configuration of spectra or of cubes: what `datasets.type` says, "1d" (if absent) or "3d".

    Raises as `ReductionConfig.read`.
    """
    return parsed(path, _of_either)


def _of_either(content: Mapping[str, Any], base: Path) -> ReductionConfig | CubeReductionConfig:
    kind = section(content, "datasets").get("type")
    if kind not in (None, "1d", "3d"):
        raise ConfigError(f"datasets.type is {kind!r}: '1d' (spectra) or '3d' (cubes) can be reduced")
    return of_cubes(content, base) if kind == "3d" else _of_spectra(content, base)


def _of_spectra(content: Mapping[str, Any], base: Path) -> ReductionConfig:
    datasets = section(content, "datasets")
    kind = datasets.get("type")
    if kind not in (None, "1d"):
        raise ConfigError(f"datasets.type is {kind!r}: only '1d' can be reduced to spectra")
    return ReductionConfig(
        **shared(content, base, *_OF_CUBES),
        on_region=_on_region(datasets.get("on_region") or {}, base),
        background=_background(datasets.get("background") or {}),
        containment_correction=switch(datasets, "containment_correction"),
    )


def _on_region(content: Any, base: Path) -> Region:
    """A position with a radius, as in Gammapy; or DS9 text, or the name of a DS9 file (.reg)."""
    where = "datasets.on_region"
    if isinstance(content, str):
        return a_region(content, base, where)
    check_keys(content, CIRCLE, where)
    return a_circle(content, where)


def _phases(value: Any, where: str) -> list[tuple[float, float]]:
    """A pair of phases, or a list of pairs."""
    pairs = a_list(value, where)
    pairs = [pairs] if pairs and not isinstance(pairs[0], list) else pairs
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise ConfigError(f"{where} must be a pair such as [0.9, 1.1] or a list of pairs, got {value!r}")
    return [(number(low, where), number(high, where)) for low, high in pairs]


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


def _background(background: Mapping[str, Any]) -> Background:
    """Off regions ("reflected", the default), phases ("phase"), the response ("irf"), or no background ("none")."""
    method, where = background.get("method") or "reflected", "datasets.background.parameters"
    if text(method, "datasets.background.method") not in _METHODS:
        raise ConfigError(f"datasets.background.method is {method!r}: spectra take {', '.join(map(repr, _METHODS))}")
    given = mapping(background.get("parameters"), where)
    cls = _finder(given, where) if method == "reflected" else _METHODS[method]
    if cls is None:
        return None
    made = options(given, _OFF_OPTIONS[cls], where)
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
