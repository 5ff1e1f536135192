"""A factor with free values at chosen directions."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import equinox as eqx
import numpy as np
import scipy

from gammajax._typing import Array, Float, Scalar
from gammajax.errors import ModelError
from gammajax.models.spatial.base import SpatialModel
from gammajax.models.spectral.scale import SCALES, unscaled
from gammajax.numeric.clough_tocher import Elements, elements_of, interpolate
from gammajax.params.field import ParamSpec, param, spec_of, table
from gammajax.units import to_value

_LEAST = 4


class PiecewiseNormSpatial(SpatialModel):
    """A factor with free values `norms` at the directions (`lon`, `lat`) [deg], such as on a background.

    Between the directions, cubic and smooth on the triangles that they make in the plane of longitude and latitude
    (Clough-Tocher, as in Gammapy); `interp="log"` for norms that stay positive. Outside the triangles, the value at a
    place of their rim that is near, where Gammapy has none. The parameters are called norm_0, norm_1, ...

    >>> model = PiecewiseNormSpatial(lon=[0.0, 1.0, 0.0, 1.0], lat=[0.0, 0.0, 1.0, 1.0], norms=[1.0, 1.0, 2.0, 2.0])
    >>> import jax.numpy as jnp
    >>> round(model.brightness(jnp.array(0.5), jnp.array(0.25)).item(), 2)
    1.25
    """

    tag = ("PiecewiseNormSpatialModel", "piecewise-norm")
    lon: Float[Array, "node"] = table(unit="deg")
    lat: Float[Array, "node"] = table(unit="deg")
    norms: Float[Array, "node"] = param()
    corners: Float[Array, "triangle 3"] = table()
    barycentric: Float[Array, "triangle 3 3"] = table()
    slopes: Float[Array, "node 2 node"] = table()
    net: Float[Array, "triangle 19 9"] = table()
    start: Scalar = table(unit="deg")
    """Where longitudes are cut: far from the directions."""
    interp: str = eqx.field(static=True, default="lin")

    def __init__(self, lon: Any, lat: Any, norms: Any = None, *, interp: str = "lin", frame: str = "icrs"):
        if interp not in SCALES:
            raise ModelError(f"PiecewiseNormSpatial: interp {interp!r} is not one of {', '.join(SCALES)}")
        lon, lat = (np.asarray(to_value(x, "deg", n), dtype=float) for x, n in ((lon, "lon"), (lat, "lat")))
        norms = np.ones(np.shape(lon)) if norms is None else np.asarray(to_value(norms, "", "norms"))
        _check(lon, lat, norms)
        # Gammapy's cut, so that triangles of nodes on a grid are the same
        west = np.mod(lon, 360.0) - 360.0
        start = 0.5 * (west.max() - west.min()) - 360.0
        given: dict[str, Any] = {"lon": lon, "lat": lat, "norms": norms, "start": start}
        for name, value in {**given, **_elements(_from(start, lon), lat)._asdict()}.items():
            setattr(self, name, value)
        self.interp, self.frame = interp, frame

    @property
    def unit(self) -> str:
        return ""

    @property
    def normalized(self) -> bool:
        return False

    def brightness(self, lon: Scalar, lat: Scalar) -> Scalar:
        elements = Elements(self.corners, self.barycentric, self.slopes, self.net)
        values = SCALES[self.interp](self.norms)
        found = interpolate(elements, values, _from(self.start, lon), lat)
        return found if self.interp == "lin" else unscaled(found, self.interp)

    def slots_of(self, name: str) -> Sequence[tuple[str, ParamSpec]] | None:
        spec = spec_of(type(self).__dataclass_fields__["norms"])
        if not isinstance(spec, ParamSpec):
            return None
        # A logarithm is interpolated: the norms cannot be negative.
        spec = replace(spec, lower=0.0) if self.interp == "log" else spec
        return [(f"norm_{i}", spec) for i in range(np.size(self.norms))]

    @property
    def in_gammapy(self) -> bool:
        # Gammapy's files do not say how norms are interpolated.
        return self.interp == "lin"

    def to_yaml(self, content: dict[str, Any], gammapy: bool) -> dict[str, Any]:
        plain = {key: content[key] for key in ("type", "frame", "lon", "lat", "parameters")}
        return plain if self.interp == "lin" else {**plain, "interp": self.interp}


def _from(start: Any, lon: Any) -> Any:
    """Longitudes [deg] in the circle that begins at `start`."""
    return start + (lon - start) % 360.0


def _elements(x: np.ndarray, y: np.ndarray) -> Elements:
    try:
        found = elements_of(np.column_stack([x, y]))
    except scipy.spatial.QhullError as error:
        raise ModelError("PiecewiseNormSpatial: the directions lie on a line, and span no triangle") from error
    if np.unique(found.corners).size < x.size:
        raise ModelError("PiecewiseNormSpatial: two directions are the same, or almost")
    return found


def _check(lon: np.ndarray, lat: np.ndarray, norms: np.ndarray) -> None:
    if lon.ndim != 1 or not lon.shape == lat.shape == norms.shape or lon.size < _LEAST:
        raise ModelError(
            f"PiecewiseNormSpatial has {lon.size} longitudes, {lat.size} latitudes and {norms.size} norms; it needs "
            f"lists of equal length, with at least {_LEAST} entries"
        )
    if not (np.all(np.isfinite(lon)) and np.all(np.abs(lat) <= 90)):
        raise ModelError("PiecewiseNormSpatial: longitudes must be finite, and latitudes between -90 and 90 deg")
