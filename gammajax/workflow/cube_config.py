"""Configuration of a reduction to cubes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gammajax.errors import ConfigError, GammajaxError, nearest
from gammajax.geom.grid import SkyGrid
from gammajax.reduce.background import IRFBackground
from gammajax.reduce.cube import CubeBackground
from gammajax.reduce.fov_scale import FoVBackgroundScale
from gammajax.reduce.ring import AdaptiveRingBackground, RingBackground
from gammajax.workflow.sections import Configuration, options, parsed, section, shared
from gammajax.workflow.typed import a_list, angle, boolean, mapping, number, position, quantity, required, text

_OF_SPECTRA = ("datasets.on_region", "datasets.containment_correction")
_MAPS = ("counts", "exposure", "background", "psf", "edisp")
_FRAMES = ("icrs", "galactic")
_NORMS = ("pl-norm", "PowerLawNormSpectralModel")
_MOST_PIXELS = 50_000
"""Of one side of a grid: more is a mistake in a unit."""


@dataclass(frozen=True, kw_only=True)
class CubeReductionConfig(Configuration):
    """A reduction to cubes (`datasets.type: 3d`), ready to run.

    `background` does not know the `exclusion` yet, which may be a file. `offset_max` [deg] is half the side of the part
    of `grid` that a run fills; `binsize_irf` [deg] is the size of the pixels of PSF and dispersion.
    """

    grid: SkyGrid
    background: CubeBackground | None
    offset_max: float
    binsize_irf: float

    @classmethod
    def read(cls, path: str | Path) -> "CubeReductionConfig":
        """Read a configuration file; paths in it are relative to it, environment variables are expanded.

        Raises `ConfigError` naming the key and what to do, `MissingFile` where the file or its `obs_file` is absent.
        """
        return parsed(path, of_cubes)


def of_cubes(content: Mapping[str, Any], base: Path) -> CubeReductionConfig:
    """The configuration that a YAML file holds; paths are relative to `base`."""
    kind = section(content, "datasets").get("type")
    if kind != "3d":
        raise ConfigError(f"datasets.type is {'1d' if kind is None else kind!r}: only '3d' can be reduced to cubes")
    wcs, selection = section(content, "datasets.geom.wcs"), section(content, "datasets.geom.selection")
    background = _background(section(content, "datasets.background"))
    unused = ("datasets.background.exclusion",) if background is None or isinstance(background, IRFBackground) else ()
    _check_maps(section(content, "datasets").get("map_selection"))
    return CubeReductionConfig(
        **shared(content, base, *_OF_SPECTRA, *unused),
        grid=_grid(wcs),
        background=background,
        offset_max=_size(selection, "offset_max", 2.5, "datasets.geom.selection"),
        binsize_irf=_size(wcs, "binsize_irf", 0.2, _WCS),
    )


_WCS = "datasets.geom.wcs"


def _grid(wcs: Mapping[str, Any]) -> SkyGrid:
    """The pixels, where not said otherwise with Gammapy's defaults: 5 x 5 deg, 0.02 deg, CAR."""
    skydir, width = wcs.get("skydir") or {}, wcs.get("width") or {}
    where = f"{_WCS}.skydir"
    center = position(skydir, where)
    frame = skydir.get("frame") or "icrs"
    if frame not in _FRAMES:
        raise ConfigError(f"{where}.frame is {frame!r}: the pixels of a cube are in {' or '.join(_FRAMES)}")
    binsize = _size(wcs, "binsize", 0.02, _WCS)
    sides = [_size(width, key, 5.0, f"{_WCS}.width") for key in ("width", "height")]
    if (most := max(sides) / binsize) > _MOST_PIXELS:
        raise ConfigError(
            f"{_WCS}.binsize: {binsize:g} deg makes {most:.3g} pixels a side, more than the {_MOST_PIXELS} that a grid "
            "may have: check the units"
        )
    proj = wcs.get("proj")
    try:
        return SkyGrid.create(
            center, tuple(sides), binsize, "CAR" if proj is None else text(proj, f"{_WCS}.proj"), frame
        )
    except GammajaxError as error:
        message = str(error)
        raise ConfigError(message if message.startswith(_WCS) else f"{_WCS}: {message}") from error


def _size(content: Mapping[str, Any], key: str, default: float, where: str) -> float:
    """An angle above zero [deg]."""
    value = content.get(key)
    found = default if value is None else angle(value, f"{where}.{key}")
    if not found > 0:
        raise ConfigError(f"{where}.{key} must be above 0 deg, got {found:g} deg")
    return found


def _check_maps(value: Any) -> None:
    """Raise `ConfigError` unless all maps are asked for: a model needs every one of them."""
    where = "datasets.map_selection"
    if value is None:
        return
    names = [text(name, where) for name in a_list(value, where)]
    for name in names:
        if name not in _MAPS:
            raise ConfigError(f"{where} has {name!r}; nearest: {nearest(name, _MAPS) or ', '.join(_MAPS)}")
    if lacking := [name for name in _MAPS if name not in names]:
        raise ConfigError(f"{where} lacks {', '.join(lacking)}: all maps are made; leave the key out")


def _norm(value: Any, where: str) -> str:
    if text(value, where) not in _NORMS:
        raise ConfigError(f"{where} is {value!r}: the background is scaled by {_NORMS[0]!r} (norm and tilt) only")
    return value


_FOV_OPTIONS: dict[str, Callable[[Any, str], Any]] = {
    "method": text,
    "spectral_model": _norm,
    "min_counts": number,
    "min_npred_background": number,
    "reference": lambda value, where: quantity(value, "TeV", where),
    "exact": boolean,
}
_SPECTRAL = ("reflected", "phase")


def _background(content: Mapping[str, Any]) -> CubeBackground | None:
    """That of the response ("irf", the default), scaled run by run ("fov_background"), from rings, or none ("none")."""
    where = "datasets.background"
    method = text(content.get("method") or "irf", f"{where}.method")
    if method in _SPECTRAL:
        raise ConfigError(f"{where}.method is {method!r}, which is for spectra (datasets.type: 1d): {_CHOICES}")
    if method not in _METHODS:
        raise ConfigError(f"{where}.method is {method!r}: {_CHOICES}")
    known, needed, make = _METHODS[method]
    parameters = mapping(content.get("parameters"), f"{where}.parameters")
    given = options(parameters, known, f"{where}.parameters")
    for key in needed:
        required(parameters, key, f"{where}.parameters")
    try:
        return make(**given)
    except ConfigError as error:
        raise ConfigError(f"{where}.parameters: {error}") from error


def _fov(spectral_model: str = "pl-norm", min_npred_background: float = 0.0, **others: Any) -> FoVBackgroundScale:
    return FoVBackgroundScale(None, min_background=min_npred_background, **others)


def _irf(exact: bool = False) -> IRFBackground:
    # Gammapy's rule of one power law per bin, as reduce_maps(background="irf")
    return IRFBackground(exact=exact)


_RING_OPTIONS: dict[str, Callable[[Any, str], Any]] = {"r_in": angle, "width": angle, "exact": boolean}
_ADAPTIVE_OPTIONS: dict[str, Callable[[Any, str], Any]] = {
    **_RING_OPTIONS,
    "r_out_max": angle,
    "stepsize": angle,
    "threshold_alpha": number,
    "theta": angle,
    "method": text,
}
_METHODS: dict[str, tuple[dict[str, Callable[[Any, str], Any]], tuple[str, ...], Callable[..., Any]]] = {
    "fov_background": (_FOV_OPTIONS, (), _fov),
    "ring": (_RING_OPTIONS, ("r_in", "width"), RingBackground),
    "adaptive_ring": (_ADAPTIVE_OPTIONS, ("r_in", "r_out_max", "width"), AdaptiveRingBackground),
    "irf": ({"exact": boolean}, (), _irf),
    "none": ({}, (), lambda: None),
}
"""Per method its options, those that must be given, and what makes it."""
_CHOICES = f"cubes take {', '.join(map(repr, _METHODS))}"
