"""Sources whose shape is a map: an image, or a cube over true energy."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from astropy import units as u

from gammajax._typing import Array, Float, Scalar
from gammajax.errors import FileFormatError, ModelError, UnitMismatch
from gammajax.geom.grid import SkyGrid
from gammajax.geom.map_axis import MapAxis
from gammajax.geom.maps import SkyMap
from gammajax.geom.projected import projection_of
from gammajax.io.maps import read_map, write_map
from gammajax.io.yaml import boolean, text
from gammajax.models.mapped import map_from
from gammajax.models.spatial.base import SURFACE, SpatialModel
from gammajax.models.spectral.scale import SCALES, unscaled
from gammajax.numeric.interp import bracket, multilinear
from gammajax.numeric.pixel import Projection
from gammajax.params.field import param, table
from gammajax.units import DNDE, conversion, unit_of

_FLUX = f"{DNDE} sr-1"


class TemplateSpatial(SpatialModel):
    """A map as the shape of a source: brightness per sr, or a flux per sr that a norm spectrum scales.

    Values are interpolated linearly between pixel centres (`interp="log"`: their logarithm, as in Gammapy; "lin";
    "sqrt"), in cubes also in the energy; nothing shines outside the pixels and energies. With `normalize` each plane is
    divided by its sum times the solid angle of a pixel. The map moves with (`lon_0`, `lat_0`) [deg], which stand at its
    centre and are frozen: by differences of coordinates, which is right for small ones. `read` takes a FITS map.

    >>> from gammajax.geom.grid import SkyGrid
    >>> grid = SkyGrid.create((83.0, 22.0), npix=(3, 3), binsz=0.1)
    >>> TemplateSpatial(SkyMap(np.ones((3, 3)), (), grid)).lon_0.item()
    83.0
    """

    tag = ("TemplateSpatialModel", "template")
    lon_0: Scalar = param(unit="deg", frozen=True)
    lat_0: Scalar = param(unit="deg", lower=-90.0, upper=90.0, frozen=True)
    scaled: Float[Array, "*energy lat lon"] = table()
    """Values on the scale of `interp`."""
    middle: Float[Array, "2"] = table(unit="deg")
    energy: Float[Array, "point"] = table()
    """Points of the energy axis on its scale: edges of bins or nodes; empty for an image."""
    rotation: Float[Array, "3 3"] = table()
    affine: Float[Array, "2 3"] = table()
    seam: Float[Array, "2"] = table()
    projection: str = eqx.field(static=True, default="CAR")
    normalize: bool = eqx.field(static=True, default=True)
    interp: str = eqx.field(static=True, default="log")
    axis: tuple[str, str] = eqx.field(static=True, default=("", ""))
    """Scale of the energy axis and kind of its points."""
    dimension: str = eqx.field(static=True, default=SURFACE)
    header: str = eqx.field(static=True, default="")
    filename: str = eqx.field(static=True, default="")

    def __init__(
        self,
        content: SkyMap,
        *,
        normalize: bool = True,
        interp: str = "log",
        lon_0: Any = None,
        lat_0: Any = None,
        filename: str | Path = "",
        frame: str | None = None,
    ):
        where = str(filename) or "TemplateSpatial"
        if not isinstance(content, SkyMap) or content.grid is None:
            raise ModelError(
                f"{where}: a SkyMap with pixels is needed, got {type(content).__name__}; read() takes files"
            )
        if interp not in SCALES:
            raise ModelError(f"{where}: interp {interp!r} is not one of {', '.join(SCALES)}")
        grid = content.grid
        if frame not in (None, grid.frame):
            raise ModelError(f"{where}: the frame is that of its map, {grid.frame!r}, got {frame!r}")
        self.frame, self.normalize, self.interp = grid.frame, bool(normalize), interp
        self.header, self.filename = grid.to_text(), str(filename)
        energy = _energy_axis(content, where)
        self.axis = ("", "") if energy is None else (energy.interp, energy.kind)
        values, self.dimension = _values(content, grid, normalize, where)
        given: dict[str, Any] = {
            "energy": np.zeros(0) if energy is None else SCALES[energy.interp](jnp.asarray(energy.points)),
            "scaled": SCALES[interp](jnp.asarray(values)),
            "middle": np.array(grid.center),
            "lon_0": grid.center[0] if lon_0 is None else lon_0,
            "lat_0": grid.center[1] if lat_0 is None else lat_0,
            "projection": grid.proj,
        }
        found = projection_of(grid)
        given |= {name: getattr(found, name) for name in ("rotation", "affine", "seam")}
        for name, value in given.items():
            setattr(self, name, value)

    @classmethod
    def read(cls, path: str | Path, *, normalize: bool = True, **options: Any) -> Self:
        """Read a FITS map. Raises `MissingFile`, `FileFormatError`, `UnitMismatch`."""
        return cls(read_map(path), normalize=normalize, filename=path, **options)

    @property
    def unit(self) -> str:
        return self.dimension

    @property
    def normalized(self) -> bool:
        return self.normalize

    @property
    def energy_dependent(self) -> bool:
        return self.scaled.ndim == 3

    def brightness(self, lon: Scalar, lat: Scalar, energy: Scalar | None = None) -> Scalar:
        pixels = Projection(self.rotation, self.affine, self.seam, self.projection)
        lon, lat = lon - (self.lon_0 - self.middle[0]), lat - (self.lat_0 - self.middle[1])
        places = [*reversed(pixels.pixel(lon, lat, self.frame))]
        if energy is not None:
            scale, kind = self.axis
            cell, fraction = bracket(self.energy, SCALES[scale](energy))
            places = [cell + fraction - (0.5 if kind == "edges" else 0.0), *places]
        inside = jnp.asarray(True)
        for place, n in zip(places, self.scaled.shape, strict=True):
            inside = inside & (place >= -0.5) & (place < n - 0.5)
        nodes = [jnp.arange(n, dtype=self.scaled.dtype) for n in self.scaled.shape]
        found = unscaled(multilinear(nodes, self.scaled, [jnp.where(inside, x, 0.0) for x in places]), self.interp)
        return jnp.where(inside, found, 0.0)

    def extent(self) -> Scalar:
        return jnp.asarray(max(self._grid.width) / 2)

    def resolution(self) -> Scalar:
        return jnp.asarray(min(self._grid.pixel_scales))

    @property
    def _grid(self) -> SkyGrid:
        return SkyGrid.from_text(self.header, self.filename or "TemplateSpatial")

    @property
    def map(self) -> SkyMap:
        """The map from which the model would be made again; of a normalised one, the share of each pixel."""
        grid, values, unit = self._grid, np.asarray(unscaled(self.scaled, self.interp)), self.unit
        if self.normalize:
            values, unit = values * grid.solid_angle, ""
        if not self.energy_dependent:
            return SkyMap(values, (), grid, unit)
        scale, kind = self.axis
        points = {"log": np.exp, "sqrt": np.square}.get(scale, np.asarray)(np.asarray(self.energy))
        said: dict[str, Any] = {"interp": scale, "kind": kind}
        return SkyMap(values, (MapAxis("energy_true", points, "TeV", **said),), grid, unit)

    def write(self, path: str | Path) -> Path:
        """Write the map as FITS, so that `read` and Gammapy read it; returns the path."""
        return write_map(self.map, path)

    # -- files

    @property
    def in_gammapy(self) -> bool:
        # Gammapy's files do not say how a map is interpolated.
        return self.interp == "log"

    @classmethod
    def from_yaml(cls, content: Mapping[str, Any], where: str) -> dict[str, Any]:
        if "filename" not in content and "map" not in content:
            raise FileFormatError("a TemplateSpatialModel needs the filename of its map")
        file = text(content.get("filename") or "", "the filename")
        normalize = boolean(content.get("normalize", True), "normalize")
        interp = text(content.get("interp", "log"), "interp")
        held = map_from(content["map"], f"{where}.map") if "map" in content else read_map(file)
        return {"content": held, "filename": file, "normalize": normalize, "interp": interp}

    def to_yaml(self, content: dict[str, Any], gammapy: bool) -> dict[str, Any]:
        ours = {} if self.interp == "log" else {"interp": self.interp}
        plain = {key: content[key] for key in ("type", "frame", "parameters")}
        return {**plain, "filename": self.filename, "normalize": self.normalize, "unit": self.unit, **ours}


def _energy_axis(content: SkyMap, where: str) -> MapAxis | None:
    """The axis of true energy; None for an image. Raises `ModelError` for other axes."""
    if not content.axes:
        return None
    named = [axis.name for axis in content.axes]
    if named not in (["energy_true"], ["energy"]) or content.axes[0].kind not in ("edges", "nodes"):
        raise ModelError(f"{where}: a template is an image, or a cube over energy_true; it has {', '.join(named)}")
    return content.axes[0]


def _values(content: SkyMap, grid: SkyGrid, normalize: bool, where: str) -> tuple[np.ndarray, str]:
    """The values in the unit of the model, what is not finite as 0 (as in Gammapy), and that unit."""
    values = np.where(np.isfinite(content.values), content.values, 0.0)
    if values.size == 0 or not np.any(values > 0):
        raise ModelError(f"{where}: no value of the map is above 0")
    if normalize:
        total = values.sum(axis=(-2, -1), keepdims=True)
        area = np.where(grid.solid_angle > 0, grid.solid_angle, np.inf)
        return np.where(total != 0, values / np.where(total != 0, total, 1.0), 0.0) / area, SURFACE
    unit = unit_of(content.unit)
    if unit.is_equivalent(u.one):
        raise UnitMismatch(
            f"{where} has no unit: with normalize=False a map is in {SURFACE} or {_FLUX}; set BUNIT, or normalize it"
        )
    for known in (SURFACE, _FLUX):
        if unit.is_equivalent(u.Unit(known)):
            return values * conversion(content.unit, known, where), known
    raise UnitMismatch(f"{where} is in {unit}; a template is in {SURFACE}, or a flux in {_FLUX}")
