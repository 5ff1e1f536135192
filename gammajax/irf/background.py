"""Background rate per reconstructed energy, solid angle and on-time in the field of view."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gammajax.errors import ConfigError
from gammajax.io.irf import Response
from gammajax.irf.axis import Axis, coordinate
from gammajax.numeric.interp import floored_log, inside, multilinear
from gammajax.tables import Shown, range_text

FLOOR = 1e6 * float(np.finfo(np.float32).tiny)
"""The logarithm of an empty bin [s-1 TeV-1 sr-1] is taken here, as Gammapy does for tables in single precision."""


class Background2D(Shown, eqx.Module):
    """Background rate B(E, offset) [s-1 TeV-1 sr-1] around the pointing, from GADF BKG_2D."""

    energy: Axis
    offset: Axis
    values: Float[Array, "energy offset"]

    def _about(self) -> dict[str, str]:
        return {
            "energy": self.energy.text("TeV"),
            "offset": self.offset.text("deg"),
            "rate": range_text(self.values, "s-1 TeV-1 sr-1"),
        }

    @classmethod
    def from_response(cls, response: Response) -> "Background2D":
        """From a BKG_2D table as read by `gammajax.io.irf.read_response`."""
        return cls(
            energy=Axis.from_grid(response.axes["energy"]),
            offset=Axis.from_grid(response.axes["offset"]),
            values=jnp.asarray(response.values["BKG"]),
        )

    @property
    def alignment(self) -> str:
        """RADEC: a background of revolution is the same in every alignment."""
        return "RADEC"

    def evaluate(self, energy: Any, fov_lon: Any, fov_lat: Any = 0.0) -> Float[Array, "..."]:
        """Rate [s-1 TeV-1 sr-1] at reconstructed energy [TeV] and place in the field of view [deg], broadcast together.

        ln B is linear in (ln E, offset) between bin centres, cos(offset) = cos(fov_lon) cos(fov_lat); in the outer
        half bins it goes on linearly where no neighbour is empty, and is constant else. Zero beyond the outer edges.
        """
        return _rate_2d(self, *_coordinates(energy, fov_lon, fov_lat))

    def integrate(self, energy_edges: Any, fov_lon: Any, fov_lat: Any = 0.0, exact: bool = True) -> Float[Array, "..."]:
        """Rate [s-1 sr-1] in each bin of reconstructed energy, at places [deg] of shape (...); shape (..., energy).

        `exact`: power laws between all points of the table, which is the interpolation rule of `evaluate`;
        without, one power law per bin, as Gammapy does by default. A stretch that ends at zero counts nothing.
        """
        edges, lon, lat = _coordinates(energy_edges, fov_lon, fov_lat)
        return _integral_2d(self, edges, lon, lat) if exact else _plain_2d(self, edges, lon, lat)


class Background3D(Shown, eqx.Module):
    """Background rate B(E, fov_lon, fov_lat) [s-1 TeV-1 sr-1], from GADF BKG_3D.

    `alignment` of the field of view: RADEC (fov_lat towards the north), ALTAZ (towards the zenith), fov_lon towards
    *smaller* right ascension or azimuth. REVERSE_LON_RADEC has fov_lon with right ascension: the files of
    H.E.S.S. DL3 DR1 (`Observation.bkg` finds them by their headers).
    """

    energy: Axis
    fov_lon: Axis
    fov_lat: Axis
    values: Float[Array, "energy fov_lon fov_lat"]
    alignment: str = eqx.field(static=True, default="RADEC")

    def __check_init__(self):
        if self.alignment not in ALIGNMENTS:
            raise ConfigError(f"alignment is one of {', '.join(ALIGNMENTS)}, got {self.alignment!r}")

    def _about(self) -> dict[str, str]:
        return {
            "energy": self.energy.text("TeV"),
            "fov_lon": self.fov_lon.text("deg"),
            "fov_lat": self.fov_lat.text("deg"),
            "rate": range_text(self.values, "s-1 TeV-1 sr-1"),
            "alignment": self.alignment,
        }

    @classmethod
    def from_response(cls, response: Response) -> "Background3D":
        """From a BKG_3D table as read by `gammajax.io.irf.read_response`."""
        return cls(
            energy=Axis.from_grid(response.axes["energy"]),
            fov_lon=Axis.from_grid(response.axes["fov_lon"]),
            fov_lat=Axis.from_grid(response.axes["fov_lat"]),
            values=jnp.asarray(response.values["BKG"]),
            alignment=response.alignment,
        )

    def aligned(self, alignment: str) -> "Background3D":
        """The same table, read in another alignment. Raises `ConfigError` for one that does not exist."""
        return Background3D(self.energy, self.fov_lon, self.fov_lat, self.values, alignment)

    def evaluate(self, energy: Any, fov_lon: Any, fov_lat: Any = 0.0) -> Float[Array, "..."]:
        """Rate [s-1 TeV-1 sr-1] at reconstructed energy [TeV] and place in the field of view [deg], broadcast together.

        The place is in the axes of the table (see `alignment`). ln B is linear in (ln E, fov_lon, fov_lat) between
        bin centres; in the outer half bins it goes on linearly where no neighbour is empty, and is constant else.
        Zero beyond the outer edges.
        """
        return _rate_3d(self, *_coordinates(energy, fov_lon, fov_lat))

    def integrate(self, energy_edges: Any, fov_lon: Any, fov_lat: Any = 0.0, exact: bool = True) -> Float[Array, "..."]:
        """Rate [s-1 sr-1] in each bin of reconstructed energy; see `Background2D.integrate`."""
        edges, lon, lat = _coordinates(energy_edges, fov_lon, fov_lat)
        return _integral_3d(self, edges, lon, lat) if exact else _plain_3d(self, edges, lon, lat)


ALIGNMENTS = ("RADEC", "ALTAZ", "REVERSE_LON_RADEC")


def _coordinates(energy: Any, fov_lon: Any, fov_lat: Any) -> tuple[Array, Array, Array]:
    return (
        coordinate(energy, "TeV", "energy"),
        coordinate(fov_lon, "deg", "fov_lon"),
        coordinate(fov_lat, "deg", "fov_lat"),
    )


def _log_grid(axes: tuple[Axis, ...], values: Array, energy: Array, *place: Array) -> Array:
    """exp of the multilinear interpolation of ln(values) in (ln E, place), zero beyond the outer edges."""
    points = [floored_log(axes[0].points), *(axis.points for axis in axes[1:])]
    edges = [floored_log(axes[0].edges), *(axis.edges for axis in axes[1:])]
    coords = jnp.broadcast_arrays(floored_log(energy), *place)
    ok = jnp.ones(coords[0].shape, bool)
    for edge, x in zip(edges, coords, strict=True):
        ok = ok & inside(edge, x)
    kept = [jnp.where(ok, x, axis[0]) for axis, x in zip(points, coords, strict=True)]
    between = [jnp.clip(x, axis[0], axis[-1]) for axis, x in zip(points, kept, strict=True)]
    # extrapolating from a bin next to an empty one would shoot up by dozens of orders of magnitude; the outer cells
    # are asked in their middle, where all their corners count
    probe = [jnp.clip(x, *(_middles(axis))) for axis, x in zip(points, kept, strict=True)]
    full = multilinear(points, (values > FLOOR).astype(values.dtype), probe) > 1.0 - 1e-9
    at = [jnp.where(full, x, y) for x, y in zip(kept, between, strict=True)]
    found = jnp.exp(multilinear(points, jnp.log(jnp.maximum(values, FLOOR)), at))
    return jnp.where(ok & (found > 2.0 * FLOOR), found, 0.0)


def _middles(points: Array) -> tuple[Array, Array]:
    """The middle of the first and of the last cell."""
    return 0.5 * (points[0] + points[1 % points.size]), 0.5 * (points[-2 % points.size] + points[-1])


def _offset(fov_lon: Array, fov_lat: Array) -> Array:
    """Angle [deg] from the centre of the field of view; zero gradient there."""
    lon, lat = jnp.deg2rad(fov_lon), jnp.deg2rad(fov_lat)
    square = jnp.sin(0.5 * lat) ** 2 + jnp.cos(lat) * jnp.sin(0.5 * lon) ** 2
    apart = square > 0
    return jnp.where(apart, 2.0 * jnp.rad2deg(jnp.arcsin(jnp.sqrt(jnp.where(apart, square, 0.25)))), 0.0)


@jax.jit
def _rate_2d(bkg: Background2D, energy: Array, lon: Array, lat: Array) -> Array:
    return _log_grid((bkg.energy, bkg.offset), bkg.values, energy, _offset(lon, lat))


@jax.jit
def _rate_3d(bkg: Background3D, energy: Array, lon: Array, lat: Array) -> Array:
    return _log_grid((bkg.energy, bkg.fov_lon, bkg.fov_lat), bkg.values, energy, lon, lat)


@jax.jit
def _integral_2d(bkg: Background2D, edges: Array, lon: Array, lat: Array) -> Array:
    return _refined(_rate_2d, bkg, edges, lon, lat)


@jax.jit
def _integral_3d(bkg: Background3D, edges: Array, lon: Array, lat: Array) -> Array:
    return _refined(_rate_3d, bkg, edges, lon, lat)


@jax.jit
def _plain_2d(bkg: Background2D, edges: Array, lon: Array, lat: Array) -> Array:
    return _stretches(edges, _rate_2d(bkg, edges, lon[..., None], lat[..., None]))


@jax.jit
def _plain_3d(bkg: Background3D, edges: Array, lon: Array, lat: Array) -> Array:
    return _stretches(edges, _rate_3d(bkg, edges, lon[..., None], lat[..., None]))


def _refined(rate: Any, bkg: Any, edges: Array, lon: Array, lat: Array) -> Array:
    """The integral over each bin, cut at all points and outer edges of the table's energy axis."""
    axis = bkg.energy
    cuts = jnp.concatenate([axis.edges[:1], axis.points, axis.edges[-1:]])
    nodes = jnp.sort(jnp.concatenate([edges, jnp.clip(cuts, edges[0], edges[-1])]))
    lon, lat = jnp.broadcast_arrays(lon, lat)
    steps = _stretches(nodes, rate(bkg, nodes, lon[..., None], lat[..., None]))
    bins = jnp.searchsorted(edges, nodes[:-1], side="right") - 1
    # the last edge may stand in `nodes` more than once: a stretch without width
    bins = jnp.clip(bins, 0, edges.shape[0] - 2)
    return jnp.zeros((*lon.shape, edges.shape[0] - 1)).at[..., bins].add(steps)


def _stretches(x: Array, y: Array) -> Array:
    """Integral of the power law through each pair of neighbours: ln(x1/x0) (x1 y1 - x0 y0) / ln(x1 y1 / x0 y0)."""
    x = jnp.broadcast_to(x, y.shape)
    low, high = (x * y)[..., :-1], (x * y)[..., 1:]
    ok = (low > 0) & (high > 0)
    low, high = jnp.where(ok, low, 1.0), jnp.where(ok, high, 1.0)
    ratio = jnp.log(high / low)
    small = jnp.abs(ratio) < 1e-6
    mean = low * jnp.where(small, 1.0 + 0.5 * ratio, jnp.expm1(ratio) / jnp.where(small, 1.0, ratio))
    return jnp.where(ok, mean * jnp.diff(floored_log(x)), 0.0)
