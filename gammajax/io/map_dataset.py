"""Datasets of cubes in FITS files: Gammapy's `MapDataset` and `MapDatasetOnOff`, read as plain arrays.

Each quantity is a map of its own (COUNTS, EXPOSURE, BACKGROUND or COUNTS_OFF, ACCEPTANCE, ACCEPTANCE_OFF, EDISP, PSF,
MASK_SAFE, MASK_FIT) with its axes in `<name>_BANDS`. Beside them GTI and META_TABLE.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import Table

from gammajax._typing import Bool, Edges, Float
from gammajax.errors import FileFormatError, UnitMismatch
from gammajax.geom.grid import SkyGrid
from gammajax.geom.map_axis import MapAxis
from gammajax.geom.maps import SkyMap
from gammajax.io.dl3 import GTITable, good_time
from gammajax.io.fits import check_whole, open_fits, text
from gammajax.io.maps import hdu_list, is_map, map_of, named

Kind = Literal["MapDataset", "MapDatasetOnOff"]
Cube = Float[np.ndarray, "energy lat lon"]

log = logging.getLogger(__name__)

_ROUNDING = 1e-9
"""Negative values this small beside the largest one are roundings of 0."""


@dataclass(frozen=True, eq=False)
class PsfMap:
    """Density of the PSF [sr-1] over energy, distance and a coarse grid: `values` (energy, rad, lat, lon).

    `energy` [TeV] and `rad` [deg] are nodes or bin centres, `energy_edges` [TeV] and `rad_edges` [deg] the edges of the
    bins. `reco`: the energy is the reconstructed one, and the PSF acts after the dispersion. `grid` is None for a PSF
    that is the same everywhere. `exposure` (energy, lat, lon) [cm2 s] is the weight that the PSF had when runs were
    stacked, or None.
    """

    grid: SkyGrid | None
    energy: Float[np.ndarray, "energy"]
    rad: Float[np.ndarray, "rad"]
    values: Float[np.ndarray, "energy rad lat lon"]
    reco: bool
    rad_edges: Edges
    energy_edges: Edges
    exposure: Float[np.ndarray, "energy lat lon"] | None = None


@dataclass(frozen=True, eq=False)
class EdispMap:
    """Energy dispersion over a coarse grid: `values` (energy_true, energy or migra, lat, lon).

    A `kernel` holds probabilities that a true energy is reconstructed in each bin of `energy` (edges [TeV]); else the
    values are densities in `migra` = E_reco / E_true (edges). `energy_true` are edges [TeV], `energy_true_nodes` the
    nodes where the file has those. `grid` is None for a dispersion that is the same everywhere.
    """

    grid: SkyGrid | None
    energy_true: Edges
    energy: Edges | None
    migra: Edges | None
    values: Float[np.ndarray, "energy_true energy lat lon"]
    kernel: bool
    energy_true_nodes: Float[np.ndarray, "energy_true"] | None = None
    exposure: Float[np.ndarray, "energy_true lat lon"] | None = None


@dataclass(frozen=True, eq=False)
class MapDatasetFile:
    """What a file holds of a `MapDataset` or `MapDatasetOnOff`; cubes are (energy, lat, lon) on the pixels of `grid`.

    `energy` are edges [TeV] of reconstructed energy. `energy_true` are edges [TeV] of `exposure` [cm2 s]; where the
    file has nodes they lie half-way in log energy, and `energy_true_nodes` are the nodes. `livetime` [s] is what the
    file says of it. Parts that the file lacks are None.
    """

    name: str
    kind: Kind
    grid: SkyGrid
    energy: Edges
    counts: Cube | None = None
    background: Cube | None = None
    counts_off: Cube | None = None
    acceptance: Cube | None = None
    acceptance_off: Cube | None = None
    mask_safe: Bool[np.ndarray, "energy lat lon"] | None = None
    mask_fit: Bool[np.ndarray, "energy lat lon"] | None = None
    energy_true: Edges | None = None
    energy_true_nodes: Float[np.ndarray, "energy_true"] | None = None
    exposure: Float[np.ndarray, "energy_true lat lon"] | None = None
    psf: PsfMap | None = None
    edisp: EdispMap | None = None
    gti: GTITable | None = None
    livetime: float | None = None
    meta_table: Table | None = None


def read_map_dataset(
    path: str | Path, name: str | None = None, *, require: Sequence[str] = ("exposure",)
) -> MapDatasetFile:
    """Read a dataset of cubes; `name` replaces the one in the file.

    `require` names the parts ("counts", "background", "exposure", "psf", "edisp", ...) that must be there. NaN of
    counts and backgrounds is 0 where the safe mask is False, and an error elsewhere. NaN and negative values of
    responses are 0. Raises `MissingFile`, `FileFormatError`, `UnitMismatch`.

    >>> read_map_dataset("fermi-3fhl-gc/fermi-3fhl-gc.fits.gz").counts.shape  # doctest: +SKIP
    (11, 200, 400)
    """
    path = Path(path)
    with open_fits(path) as hdus:
        check_whole(hdus, path)
        every = hdu_list(hdus)
        parts = {one.name.upper(): one for one in every if is_map(one)}
        tables = {one.name.upper(): one for one in every if not one.is_image}
        _check_required(parts, path, require)
        cubes = {key: _cube(hdus, path, parts[key]) for key in _CUBES if key in parts}
        if not cubes:
            raise FileFormatError(f"{path} holds none of {', '.join(_CUBES)}; it has {named(hdus)}")
        grid, energy = _common(cubes, path)
        exposure = _exposure(map_of(hdus, path, parts["EXPOSURE"]), grid, path) if "EXPOSURE" in parts else {}
        off = {"COUNTS_OFF", "ACCEPTANCE", "ACCEPTANCE_OFF"} & set(cubes)
        return MapDatasetFile(
            name=name or text(every[0].header, "NAME") or path.name.split(".")[0],
            kind="MapDatasetOnOff" if off else "MapDataset",
            grid=grid,
            energy=energy,
            **_arrays(cubes, path),
            **exposure,
            psf=_psf(hdus, path, parts),
            edisp=_edisp(hdus, path, parts, energy),
            gti=good_time(hdus, path),
            meta_table=Table.read(tables["META_TABLE"]) if "META_TABLE" in tables else None,
        )


_CUBES = ("COUNTS", "BACKGROUND", "COUNTS_OFF", "ACCEPTANCE", "ACCEPTANCE_OFF", "MASK_SAFE", "MASK_FIT")


def _check_required(parts: dict[str, Any], path: Path, require: Sequence[str]) -> None:
    for name in require:
        if name.upper() not in parts:
            have = ", ".join(parts) or "no maps"
            raise FileFormatError(
                f"{path} has no {name.upper()}; it has {have}: write the dataset with one, or leave {name!r} out of "
                "require=(...)"
            )


def _cube(hdus: fits.HDUList, path: Path, hdu: Any) -> SkyMap:
    """A map over reconstructed energy and the pixels of the dataset."""
    where = f"{path}[{hdu.name}]"
    cube = map_of(hdus, path, hdu)
    if cube.grid is None:
        raise FileFormatError(f"{where} belongs to one region: read a spectrum with Datasets.read")
    names = [axis.name for axis in cube.axes]
    if names != ["energy"]:
        raise FileFormatError(f"{where} must have one axis, energy (E_MIN, E_MAX in {hdu.name}_BANDS), it has {names}")
    if cube.axes[0].kind != "edges":
        raise FileFormatError(f"{where} needs bins in energy (E_MIN, E_MAX), its axis has {cube.axes[0].kind}")
    return cube.to("", where)


def _common(cubes: dict[str, SkyMap], path: Path) -> tuple[SkyGrid, np.ndarray]:
    """The pixels and the energy axis that all cubes must share."""
    first, *others = cubes
    grid, axis = cubes[first].grid, cubes[first].axes[0]
    assert grid is not None  # _cube has refused regions
    for name in others:
        _same_pixels(cubes[name], grid, f"{path}[{name}]", first)
        edges = cubes[name].axes[0].points
        if edges.shape != axis.points.shape or not np.allclose(edges, axis.points, rtol=1e-5):
            raise FileFormatError(
                f"{path}[{name}] has {len(edges) - 1} bins from {edges[0]:.6g} to {edges[-1]:.6g} TeV, {first} has "
                f"{axis.size} from {axis.points[0]:.6g} to {axis.points[-1]:.6g} TeV: they must be the same"
            )
    return grid, axis.points


def _same_pixels(cube: SkyMap, grid: SkyGrid, where: str, first: str) -> None:
    if cube.grid != grid:
        raise FileFormatError(f"{where} lies on other pixels than {first}: {cube.grid}, not {grid}")


def _arrays(cubes: dict[str, SkyMap], path: Path) -> dict[str, np.ndarray]:
    """The arrays of the cubes by the names of the fields."""
    values = {name: cube.values for name, cube in cubes.items()}
    arrays = {name.lower(): values[name] != 0 for name in ("MASK_SAFE", "MASK_FIT") if name in values}
    safe = arrays.get("mask_safe", np.ones((), dtype=bool))
    for name in values:
        if not name.startswith("MASK"):
            cleaned = np.where(np.isnan(values[name]) & ~safe, 0.0, values[name])
            arrays[name.lower()] = _not_negative(cleaned, f"{path}[{name}]")
    return arrays


def _not_negative(values: np.ndarray, where: str) -> np.ndarray:
    """Values with negative roundings at 0. Raises `FileFormatError` for negative ones, NaN and infinities."""
    largest = np.max(np.abs(values), initial=0.0, where=np.isfinite(values))
    bad = ~np.isfinite(values) | (values < -_ROUNDING * largest)
    if bad.any():
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        raise FileFormatError(
            f"{where}: {int(bad.sum())} of {bad.size} values are negative or not finite, the first is {values[at]:g} "
            f"at (energy, lat, lon) = {at}: repair them, or mask these bins in MASK_SAFE if they are NaN"
        )
    return np.maximum(values, 0.0)


def _exposure(cube: SkyMap, grid: SkyGrid, path: Path) -> dict[str, Any]:
    """Exposure [cm2 s] and its axis; old files call that axis energy."""
    where = f"{path}[EXPOSURE]"
    if [axis.name for axis in cube.axes] not in (["energy_true"], ["energy"]):
        raise FileFormatError(f"{where} must have one axis, energy_true, it has {[a.name for a in cube.axes]}")
    _same_pixels(cube, grid, where, "the counts")
    values = cube.to("cm2 s", where).values
    values = np.where(np.isfinite(grid.lonlat[0]), values, 0.0)
    edges, nodes = _true_energy(cube.axes[0], where)
    return {
        "energy_true": edges,
        "energy_true_nodes": nodes,
        "exposure": _not_negative(values, where),
        "livetime": _livetime(cube.meta, where),
    }


def _true_energy(axis: MapAxis, where: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Edges and nodes of a true-energy axis, nodes only where the file has those."""
    if axis.kind not in ("edges", "nodes") or axis.size < (2 if axis.kind == "nodes" else 1):
        raise FileFormatError(f"{where}: the axis {axis.name} needs bins, or two nodes at least")
    # between nodes the bins end half-way in log energy, whatever INTERP says
    nodes = axis.points if axis.kind == "nodes" else None
    return axis.edges if nodes is None else MapAxis.from_nodes(axis.name, nodes, "TeV", "log").edges, nodes


def _livetime(meta: dict[str, Any], where: str) -> float | None:
    """The livetime [s] that Gammapy notes beside the exposure, as text with a unit; None where there is none."""
    if "livetime" not in meta:
        return None
    try:
        return float(u.Quantity(meta["livetime"]).to_value("s"))
    except (ValueError, TypeError) as error:
        raise UnitMismatch(f"{where}: META: livetime {meta['livetime']!r} is no time: {error}") from error


def _psf(hdus: fits.HDUList, path: Path, parts: dict[str, Any]) -> PsfMap | None:
    if "PSF" not in parts:
        return None
    where = f"{path}[PSF]"
    psf = map_of(hdus, path, parts["PSF"]).to("sr-1", where)
    names = [axis.name for axis in psf.axes]
    if names not in (["energy_true", "rad"], ["energy", "rad"]):
        raise FileFormatError(f"{where} needs the axes rad and energy_true (or rad and energy), it has {names[::-1]}")
    energy, rad = psf.axes
    return PsfMap(
        grid=psf.grid,
        energy=energy.centers,
        rad=rad.centers,
        values=_response(psf.values, where),
        reco=energy.name == "energy",
        rad_edges=rad.edges,
        energy_edges=energy.edges if energy.kind == "edges" else _true_energy(energy, where)[0],
        exposure=_weight(hdus, path, parts.get("PSF_EXPOSURE"), psf),
    )


def _edisp(hdus: fits.HDUList, path: Path, parts: dict[str, Any], energy: np.ndarray) -> EdispMap | None:
    if "EDISP" not in parts:
        return None
    where = f"{path}[EDISP]"
    edisp = map_of(hdus, path, parts["EDISP"]).to("", where)
    names = [axis.name for axis in edisp.axes]
    if names not in (["energy_true", "energy"], ["energy_true", "migra"]):
        raise FileFormatError(f"{where} needs the axes energy or migra, and energy_true, it has {names[::-1]}")
    kernel = names[1] == "energy"
    edges, nodes = _true_energy(edisp.axes[0], where)
    reco = edisp.axes[1].edges
    if kernel and (reco.shape != energy.shape or not np.allclose(reco, energy, rtol=1e-4)):
        raise FileFormatError(
            f"{where} has {len(reco) - 1} bins in energy from {reco[0]:.6g} to {reco[-1]:.6g} TeV, the counts have "
            f"{len(energy) - 1} from {energy[0]:.6g} to {energy[-1]:.6g} TeV: they must be the same"
        )
    return EdispMap(
        grid=edisp.grid,
        energy_true=edges,
        energy=reco if kernel else None,
        migra=None if kernel else reco,
        values=_response(edisp.values, where),
        kernel=kernel,
        energy_true_nodes=nodes,
        exposure=_weight(hdus, path, parts.get("EDISP_EXPOSURE"), edisp),
    )


def _response(values: np.ndarray, where: str) -> np.ndarray:
    """A response without holes: empty (NaN) and negative cells are 0. Raises `FileFormatError` if nothing is left."""
    cleaned = np.maximum(np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0), 0.0)
    if (lost := int(np.sum(~np.isfinite(values) | (values < 0)))) and not cleaned.any():
        raise FileFormatError(f"{where}: all of its values are negative or not finite")
    if lost:
        log.warning("%s: %d of %d values are negative or not finite, and count as 0", where, lost, values.size)
    return cleaned


def _weight(hdus: fits.HDUList, path: Path, hdu: Any, response: SkyMap) -> np.ndarray | None:
    """The exposure that belongs to a response, (energy, lat, lon) [cm2 s]; None where it is absent or all zero."""
    if hdu is None:
        return None
    where = f"{path}[{hdu.name}]"
    cube = map_of(hdus, path, hdu).to("cm2 s", where)
    first, pixels = response.axes[0].size, response.values.shape[-2:]
    if cube.values.size != first * np.prod(pixels):
        raise FileFormatError(f"{where} has the shape {cube.values.shape}, the response needs {(first, 1, *pixels)}")
    values = _not_negative(np.nan_to_num(cube.values.reshape(first, *pixels), nan=0.0), where)
    return values if values.any() else None
