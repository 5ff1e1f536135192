"""Point spread functions of revolution: tabulated, and a mixture of three Gaussians."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gammajax.io.irf import Response
from gammajax.irf.axis import Axis, coordinate
from gammajax.numeric.interp import floored_log, interp_rows, regular_grid


class PSFTable(eqx.Module):
    """Tabulated dP/dOmega(rad | E, offset) [sr-1], from GADF PSF_TABLE.

    Kept as its cumulative over rad at the rad edges, which is linear in the table; interpolation linear in
    (ln E, offset), zero beyond their outer edges.
    """

    energy: Axis
    offset: Axis
    rad_edges: Float[Array, "edge"]
    cumulative: Float[Array, "energy offset edge"]

    @classmethod
    def from_response(cls, response: Response) -> "PSFTable":
        """From a PSF_TABLE of `gammajax.io.irf.read_response`; bins have the area pi (r2^2 - r1^2)."""
        rad = response.axes["rad"]
        # a node-type axis has an outer edge half a bin below its first node
        edges = np.maximum(rad.edges, 0.0)
        area = np.pi * np.diff(np.deg2rad(edges) ** 2)
        steps = np.cumsum(np.maximum(response.values["RPSF"], 0.0) * area, axis=-1)
        return cls(
            energy=Axis.from_grid(response.axes["energy"]),
            offset=Axis.from_grid(response.axes["offset"]),
            rad_edges=jnp.asarray(edges),
            cumulative=jnp.asarray(np.pad(steps, ((0, 0), (0, 0), (1, 0)))),
        )

    def containment(self, rad: Any, energy_true: Any, offset: Any, normalize: bool = True) -> Float[Array, "..."]:
        """Fraction of photons reconstructed within `rad` [deg] of their direction, broadcast together.

        The density is constant within a rad bin, so the cumulative is linear in rad^2 there. With `normalize`
        the whole table counts as 1 (tables integrate to 0.67..1.0 in real files); without, the plain integral
        is returned, which is what Gammapy's `PSF3D.containment` gives. Zero where the table is empty.
        """
        scale = jnp.asarray(1.0 if normalize else 0.0)
        return _table_containment(
            self,
            coordinate(rad, "deg", "rad"),
            coordinate(energy_true, "TeV", "energy_true"),
            coordinate(offset, "deg", "offset"),
            scale,
        )


@jax.jit
def _table_containment(psf: PSFTable, rad: Array, energy: Array, offset: Array, normalize: Array) -> Array:
    rad, energy, offset = jnp.broadcast_arrays(rad, energy, offset)
    rows = regular_grid(
        [floored_log(psf.energy.points), psf.offset.points],
        [floored_log(psf.energy.edges), psf.offset.edges],
        psf.cumulative,
        [floored_log(energy), offset],
    )
    rows = jnp.maximum(rows, 0.0).reshape(-1, rows.shape[-1])
    found = interp_rows(rad.reshape(-1, 1) ** 2, psf.rad_edges**2, rows)[:, 0]
    total = rows[:, -1]
    whole = jnp.where((normalize > 0) & (total > 0), total, 1.0)
    return (found / whole).reshape(rad.shape)


class PSF3Gauss(eqx.Module):
    """Three Gaussians, dP/dOmega ~ sum_i A_i exp(-r^2 / (2 s_i^2)) with A_1 = 1, from GADF PSF_3GAUSS.

    Widths [deg] and amplitudes are interpolated linearly in (ln E, offset) and the mixture is normalised to
    1, so that SCALE, which is not the peak in real files, is not needed. `filled` is 0 at grid points without
    a PSF.
    """

    energy: Axis
    offset: Axis
    sigma: Float[Array, "energy offset component"]
    amplitude: Float[Array, "energy offset component"]
    filled: Float[Array, "energy offset"]

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

    def containment(self, rad: Any, energy_true: Any, offset: Any) -> Float[Array, "..."]:
        """Fraction of photons reconstructed within `rad` [deg] of their direction, broadcast together.

        sum_i w_i (1 - exp(-rad^2 / (2 s_i^2))), w_i = A_i s_i^2 / sum_j A_j s_j^2. True energy in TeV, offset
        in deg; zero outside their range and where no neighbouring grid point has a PSF.
        """
        return _gauss_containment(
            self,
            coordinate(rad, "deg", "rad"),
            coordinate(energy_true, "TeV", "energy_true"),
            coordinate(offset, "deg", "offset"),
        )


@jax.jit
def _gauss_containment(psf: PSF3Gauss, rad: Array, energy: Array, offset: Array) -> Array:
    rad, energy, offset = jnp.broadcast_arrays(rad, energy, offset)
    table = jnp.concatenate([psf.sigma, psf.amplitude, psf.filled[..., None]], axis=-1)
    found = regular_grid(
        [floored_log(psf.energy.points), psf.offset.points],
        [floored_log(psf.energy.edges), psf.offset.edges],
        table,
        [floored_log(energy), offset],
    )
    sigma, amplitude, filled = found[..., :3], jnp.maximum(found[..., 3:6], 0.0), found[..., 6]
    variance = jnp.where(sigma > 0, sigma, 1.0) ** 2
    weight = jnp.where(sigma > 0, amplitude * variance, 0.0)
    total = jnp.sum(weight, axis=-1)
    within = jnp.sum(weight * -jnp.expm1(-0.5 * rad[..., None] ** 2 / variance), axis=-1)
    return jnp.where((filled > 0) & (total > 0), within / jnp.where(total > 0, total, 1.0), 0.0)
