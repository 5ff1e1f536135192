"""Point spread functions of revolution: tabulated, and a mixture of three Gaussians.

All of them (and `PSFKing`) give the density dP/dOmega(rad), the containment within a radius, and the radius of a
containment; all are pytrees, differentiable in every argument, and zero, with zero gradient, where a file has no PSF.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gammajax.errors import FileFormatError
from gammajax.io.irf import GridAxis, Response
from gammajax.irf.axis import Axis, coordinate
from gammajax.numeric.interp import floored_log, interp_rows, regular_grid
from gammajax.numeric.safe import safe_divide
from gammajax.tables import Shown, on_host, range_text, shape_text

PER_SR = (180.0 / np.pi) ** 2
"""Square degrees per steradian."""


class PSFTable(Shown, eqx.Module):
    """Tabulated dP/dOmega(rad | E, offset) [sr-1], from GADF PSF_TABLE.

    Kept as read and as its cumulative over rad at the rad edges, which is linear in the table; interpolation linear
    in (ln E, offset), zero beyond their outer edges.
    """

    energy: Axis
    offset: Axis
    rad: Axis
    values: Float[Array, "energy offset rad"]
    cumulative: Float[Array, "energy offset edge"]

    def _about(self) -> dict[str, str]:
        return {
            "energy_true": self.energy.text("TeV"),
            "offset": self.offset.text("deg"),
            "rad": self.rad.text("deg"),
            "density": range_text(self.values, "sr-1"),
        }

    @classmethod
    def from_response(cls, response: Response) -> "PSFTable":
        """From a PSF_TABLE of `gammajax.io.irf.read_response`; bins have the area pi (r2^2 - r1^2).

        Raises `FileFormatError` for a single node in rad, which bounds no area.
        """
        rad = response.axes["rad"]
        # a node-type axis has an outer edge half a bin below its first node
        edges = np.maximum(rad.edges, 0.0)
        if not np.isfinite(edges).all():
            raise FileFormatError(f"{response.source} axis RAD has a single node; it needs bins or several nodes")
        area = np.pi * np.diff(np.deg2rad(edges) ** 2)
        values = np.maximum(response.values["RPSF"], 0.0)
        return cls(
            energy=Axis.from_grid(response.axes["energy"]),
            offset=Axis.from_grid(response.axes["offset"]),
            rad=Axis.from_grid(GridAxis(rad.points, edges)),
            values=jnp.asarray(values),
            cumulative=jnp.asarray(np.pad(np.cumsum(values * area, axis=-1), ((0, 0), (0, 0), (1, 0)))),
        )

    def evaluate(self, rad: Any, energy_true: Any, offset: Any, normalize: bool = True) -> Float[Array, "..."]:
        """Density dP/dOmega [sr-1] at `rad` [deg] from the true direction, broadcast together.

        Linear in rad between the bin centres, and zero beyond the table. With `normalize` it is divided by the
        integral of the table; without, it is what Gammapy's `PSF3D.evaluate` gives.
        """
        return _table_density(self, *_coordinates(rad, energy_true, offset), jnp.asarray(1.0 if normalize else 0.0))

    def containment(self, rad: Any, energy_true: Any, offset: Any, normalize: bool = True) -> Float[Array, "..."]:
        """Fraction of photons reconstructed within `rad` [deg] of their direction, broadcast together.

        The density is constant within a rad bin, so the cumulative is linear in rad^2 there. With `normalize`
        the whole table counts as 1 (tables integrate to 0.67..1.0 in real files); without, the plain integral
        is returned, which is what Gammapy's `PSF3D.containment` gives. Zero where the table is empty.
        """
        scale = jnp.asarray(1.0 if normalize else 0.0)
        return _table_containment(self, *_coordinates(rad, energy_true, offset), scale)

    def containment_radius(self, fraction: Any, energy_true: Any, offset: Any) -> Float[Array, "..."]:
        """Radius [deg] that contains `fraction` (0..1) of the photons, of the normalised table; NaN without PSF."""
        return _table_radius(self, *_coordinates(fraction, energy_true, offset, what="fraction"))


def _coordinates(first: Any, energy_true: Any, offset: Any, what: str = "rad") -> tuple[Array, Array, Array]:
    """The coordinates of a PSF as arrays: rad [deg] (or a fraction), true energy [TeV], offset [deg]."""
    return (
        coordinate(first, "deg" if what == "rad" else "", what),
        coordinate(energy_true, "TeV", "energy_true"),
        coordinate(offset, "deg", "offset"),
    )


def _table_rows(psf: PSFTable, energy: Array, offset: Array) -> Float[Array, "point edge"]:
    """The cumulative over rad at each (energy, offset), flattened."""
    rows = regular_grid(
        [floored_log(psf.energy.points), psf.offset.points],
        [floored_log(psf.energy.edges), psf.offset.edges],
        psf.cumulative,
        [floored_log(energy.ravel()), offset.ravel()],
    )
    return jnp.maximum(rows, 0.0)


@jax.jit
def _table_density(psf: PSFTable, rad: Array, energy: Array, offset: Array, normalize: Array) -> Array:
    rad, energy, offset = jnp.broadcast_arrays(rad, energy, offset)
    found = regular_grid(
        [floored_log(psf.energy.points), psf.offset.points, psf.rad.points],
        [floored_log(psf.energy.edges), psf.offset.edges, psf.rad.edges],
        psf.values,
        [floored_log(energy), offset, rad],
    )
    total = _table_rows(psf, energy, offset)[:, -1].reshape(rad.shape)
    return safe_divide(jnp.maximum(found, 0.0), jnp.where(normalize > 0, total, 1.0))


@jax.jit
def _table_containment(psf: PSFTable, rad: Array, energy: Array, offset: Array, normalize: Array) -> Array:
    rad, energy, offset = jnp.broadcast_arrays(rad, energy, offset)
    rows = _table_rows(psf, energy, offset)
    found = interp_rows(rad.reshape(-1, 1) ** 2, psf.rad.edges**2, rows)[:, 0]
    total = rows[:, -1]
    whole = jnp.where((normalize > 0) & (total > 0), total, 1.0)
    return (found / whole).reshape(rad.shape)


@jax.jit
def _table_radius(psf: PSFTable, fraction: Array, energy: Array, offset: Array) -> Array:
    fraction, energy, offset = jnp.broadcast_arrays(fraction, energy, offset)
    rows = _table_rows(psf, energy, offset)
    total = rows[:, -1]
    wanted = fraction.ravel() * total
    # the rad bin in which the cumulative passes the wanted value, and the place in it, linear in rad^2
    index = jax.vmap(lambda row, x: jnp.searchsorted(row, x, side="left"))(rows, wanted)
    index = jnp.clip(index, 1, rows.shape[-1] - 1)
    low, high = (jnp.take_along_axis(rows, i[:, None], axis=-1)[:, 0] for i in (index - 1, index))
    inner, outer = psf.rad.edges[index - 1] ** 2, psf.rad.edges[index] ** 2
    square = inner + (outer - inner) * safe_divide(wanted - low, high - low)
    ok = (total > 0) & (wanted > 0) & (fraction.ravel() <= 1)
    radius = jnp.where(ok, jnp.sqrt(jnp.where(ok, square, 1.0)), jnp.nan)
    return jnp.where((total > 0) & (fraction.ravel() == 0), 0.0, radius).reshape(fraction.shape)


def share_text(filled: Any) -> str:
    """How many points of a grid have a PSF, for a person to read."""
    values = on_host(filled)
    return shape_text(filled) if values is None else f"{int(values.sum())} of {values.size} points"


class PSF3Gauss(Shown, eqx.Module):
    """Three Gaussians, dP/dOmega ~ sum_i A_i exp(-r^2 / (2 s_i^2)) with A_1 = 1, from GADF PSF_3GAUSS.

    Widths [deg] and amplitudes are interpolated linearly in (ln E, offset) over the grid points that have a PSF
    (`filled`, 1 or 0), which are all in most places: Gammapy takes a width of 1 deg at the empty ones. The mixture is
    normalised to 1, so that SCALE, which is not the peak in real files, is not needed.
    """

    energy: Axis
    offset: Axis
    sigma: Float[Array, "energy offset component"]
    amplitude: Float[Array, "energy offset component"]
    filled: Float[Array, "energy offset"]

    def _about(self) -> dict[str, str]:
        return {
            "energy_true": self.energy.text("TeV"),
            "offset": self.offset.text("deg"),
            "sigma": range_text(self.sigma, "deg"),
            "filled": share_text(self.filled),
        }

    @classmethod
    def from_response(cls, response: Response) -> "PSF3Gauss":
        """From a PSF_3GAUSS table as read by `gammajax.io.irf.read_response`."""
        table = response.values
        sigma = np.stack([table[f"SIGMA_{i}"] for i in (1, 2, 3)], axis=-1)
        amplitude = np.stack([np.ones_like(table["AMPL_2"]), table["AMPL_2"], table["AMPL_3"]], axis=-1)
        return cls(
            energy=Axis.from_grid(response.axes["energy"]),
            offset=Axis.from_grid(response.axes["offset"]),
            # unused components have width 0; 1 deg is as good and has no 0/0
            sigma=jnp.asarray(np.where(sigma > 0, sigma, 1.0)),
            amplitude=jnp.asarray(amplitude),
            filled=jnp.asarray((sigma[..., 0] > 0).astype(float)),
        )

    def evaluate(self, rad: Any, energy_true: Any, offset: Any) -> Float[Array, "..."]:
        """Density dP/dOmega [sr-1] at `rad` [deg] from the true direction, broadcast together; integrates to 1.

        sum_i w_i / (2 pi s_i^2) exp(-rad^2 / (2 s_i^2)), with the weights of `containment`.
        """
        return _gauss_density(self, *_coordinates(rad, energy_true, offset))

    def containment(self, rad: Any, energy_true: Any, offset: Any) -> Float[Array, "..."]:
        """Fraction of photons reconstructed within `rad` [deg] of their direction, broadcast together.

        sum_i w_i (1 - exp(-rad^2 / (2 s_i^2))), w_i = A_i s_i^2 / sum_j A_j s_j^2. True energy in TeV, offset
        in deg; zero outside their range and where no neighbouring grid point has a PSF.
        """
        return _gauss_containment(self, *_coordinates(rad, energy_true, offset))

    def containment_radius(self, fraction: Any, energy_true: Any, offset: Any) -> Float[Array, "..."]:
        """Radius [deg] that contains `fraction` (0..1) of the photons; NaN where there is no PSF."""
        return _gauss_radius(self, *_coordinates(fraction, energy_true, offset, what="fraction"))


def _components(psf: PSF3Gauss, energy: Array, offset: Array) -> tuple[Array, Array, Array]:
    """Weights (sum 1, or 0 without PSF), variances [deg2], and where there is a PSF."""
    filled = psf.filled[..., None]
    table = jnp.concatenate([psf.sigma * filled, psf.amplitude * filled, filled], axis=-1)
    found = regular_grid(
        [floored_log(psf.energy.points), psf.offset.points],
        [floored_log(psf.energy.edges), psf.offset.edges],
        table,
        [floored_log(energy), offset],
    )
    share = found[..., 6]
    found = found[..., :6] / jnp.where(share > 0, share, 1.0)[..., None]
    sigma, amplitude = found[..., :3], jnp.maximum(found[..., 3:6], 0.0)
    variance = jnp.where(sigma > 0, sigma, 1.0) ** 2
    weight = jnp.where(sigma > 0, amplitude * variance, 0.0)
    total = jnp.sum(weight, axis=-1)
    ok = (share > 0) & (total > 0)
    weight = jnp.where(ok[..., None], weight / jnp.where(total > 0, total, 1.0)[..., None], 0.0)
    return weight, variance, ok


@jax.jit
def _gauss_density(psf: PSF3Gauss, rad: Array, energy: Array, offset: Array) -> Array:
    rad, energy, offset = jnp.broadcast_arrays(rad, energy, offset)
    weight, variance, _ = _components(psf, energy, offset)
    peak = PER_SR / (2.0 * np.pi * variance)
    return jnp.sum(weight * peak * jnp.exp(-0.5 * rad[..., None] ** 2 / variance), axis=-1)


@jax.jit
def _gauss_containment(psf: PSF3Gauss, rad: Array, energy: Array, offset: Array) -> Array:
    rad, energy, offset = jnp.broadcast_arrays(rad, energy, offset)
    weight, variance, _ = _components(psf, energy, offset)
    return jnp.sum(weight * -jnp.expm1(-0.5 * rad[..., None] ** 2 / variance), axis=-1)


@jax.jit
def _gauss_radius(psf: PSF3Gauss, fraction: Array, energy: Array, offset: Array) -> Array:
    fraction, energy, offset = jnp.broadcast_arrays(fraction, energy, offset)
    weight, variance, ok = _components(psf, energy, offset)
    ok = ok & (fraction >= 0) & (fraction < 1)
    wanted = jnp.where(ok, fraction, 0.5)

    def outside(t: Array) -> Array:
        """1 - containment at t = rad^2 / 2."""
        return jnp.sum(weight * jnp.exp(-t[..., None] / variance), axis=-1)

    def halve(_: int, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bounds
        middle = 0.5 * (low + high)
        beyond = outside(middle) > 1.0 - wanted
        return jnp.where(beyond, middle, low), jnp.where(beyond, high, middle)

    # the widest and the narrowest Gaussian alone bound the root
    depth = -jnp.log1p(-wanted)
    used = weight > 0
    narrow = jnp.min(jnp.where(used, variance, jnp.inf), axis=-1)
    wide = jnp.max(jnp.where(used, variance, 0.0), axis=-1)
    bounds = (depth * jnp.where(ok, narrow, 1.0), depth * jnp.where(ok, wide, 1.0))
    low, high = jax.lax.fori_loop(0, 60, halve, jax.lax.stop_gradient(bounds))
    root = jax.lax.stop_gradient(0.5 * (low + high))
    # one step of Newton at the root: changes nothing but carries the exact first derivative
    slope = jnp.sum(weight / variance * jnp.exp(-root[..., None] / variance), axis=-1)
    root = root + safe_divide(outside(root) - (1.0 - wanted), slope)
    positive = ok & (root > 0)
    radius = jnp.where(positive, jnp.sqrt(2.0 * jnp.where(positive, root, 1.0)), 0.0)
    return jnp.where(ok, radius, jnp.nan)
