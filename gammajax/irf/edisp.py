"""Energy dispersion."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gammajax._typing import Kernel
from gammajax.io.irf import Response
from gammajax.irf.axis import Axis, coordinate
from gammajax.numeric.interp import floored_log, inside, interp_rows, multilinear, regular_grid
from gammajax.tables import Shown, range_text

NEGLIGIBLE = 1e-8
"""Kernel entries below this are rounding residues of the cumulative and are set to zero, as Gammapy does."""


class EnergyDispersion(Shown, eqx.Module):
    """Migration density dP/dmu(mu | E, offset), mu = E_reco / E_true, from GADF EDISP_2D.

    The table is kept as read (files are often not normalised); every evaluation interpolates linearly in
    (ln E, offset), clips at zero and normalises over mu. Empty rows stay zero. Beyond the outer true energies
    the interpolation goes on, since the effective area ends there anyhow; beyond the outer offsets it is
    zero.
    """

    energy: Axis
    offset: Axis
    migra: Axis
    values: Float[Array, "energy offset migra"]

    def _about(self) -> dict[str, str]:
        return {
            "energy_true": self.energy.text("TeV"),
            "offset": self.offset.text("deg"),
            "migra": self.migra.text(),
            "density": range_text(self.values),
        }

    @classmethod
    def from_response(cls, response: Response) -> "EnergyDispersion":
        """From an EDISP_2D table as read by `gammajax.io.irf.read_response`."""
        return cls(
            **{name: Axis.from_grid(response.axes[name]) for name in ("energy", "offset", "migra")},
            values=jnp.asarray(response.values["MATRIX"]),
        )

    def evaluate(self, energy_true: Any, migra: Any, offset: Any) -> Float[Array, "..."]:
        """Normalised density dP/dmu [-] at true energy [TeV], migration and offset [deg], broadcast together.

        int dP/dmu dmu = 1 wherever the file has any content; zero outside the range of the migra axis.
        """
        return _density(
            self,
            coordinate(energy_true, "TeV", "energy_true"),
            coordinate(migra, "", "migra"),
            coordinate(offset, "deg", "offset"),
        )

    def kernel(self, energy_true_edges: Any, energy_edges: Any, offset: Any) -> Kernel:
        """Probability of each reconstructed-energy bin for a photon of each true-energy bin at one offset.

        R(I, J) = C(E'_{J+1} / E_I | E_I) - C(E'_J / E_I | E_I), with C the cumulative of dP/dmu and E_I the
        geometric centre of the true bin; shape (energy_true, energy), rows sum to at most 1. Edges in TeV,
        offset in deg. The numbers are those of Gammapy 2.1 (`EnergyDispersion2D.to_edisp_kernel`, also
        `SpectrumDatasetMaker` at region centre).
        """
        return _kernel(
            self,
            coordinate(energy_true_edges, "TeV", "energy_true_edges"),
            coordinate(energy_edges, "TeV", "energy_edges"),
            coordinate(offset, "deg", "offset"),
        )


def _rows(edisp: EnergyDispersion, energy: Array, offset: Array) -> Float[Array, "... migra"]:
    """dP/dmu on the migra bins, clipped at zero and normalised."""
    energy, offset = jnp.broadcast_arrays(energy, offset)
    ok = inside(edisp.offset.edges, offset)
    rows = multilinear(
        [floored_log(edisp.energy.points), edisp.offset.points],
        edisp.values,
        [floored_log(energy), jnp.where(ok, offset, edisp.offset.points[0])],
    )
    rows = jnp.where(ok[..., None], jnp.maximum(rows, 0.0), 0.0)
    total = jnp.sum(rows * _widths(edisp, rows), axis=-1, keepdims=True)
    return rows / jnp.where(total > 0, total, 1.0)


def _widths(edisp: EnergyDispersion, rows: Float[Array, "... migra"]) -> Float[Array, "... migra"]:
    """Widths of the migra bins, for every row."""
    return jnp.broadcast_to(jnp.diff(edisp.migra.edges), rows.shape)


@jax.jit
def _density(edisp: EnergyDispersion, energy: Array, migra: Array, offset: Array) -> Array:
    energy, migra, offset = jnp.broadcast_arrays(energy, migra, offset)
    rows = _rows(edisp, energy.ravel(), offset.ravel())
    found = jax.vmap(lambda row, mu: regular_grid([edisp.migra.points], [edisp.migra.edges], row, [mu]))(
        rows, migra.ravel()
    )
    return jnp.maximum(found, 0.0).reshape(energy.shape)


@jax.jit
def _kernel(edisp: EnergyDispersion, energy_true_edges: Array, energy_edges: Array, offset: Array) -> Array:
    centre = jnp.sqrt(energy_true_edges[1:] * energy_true_edges[:-1])
    rows = _rows(edisp, centre, offset)
    steps = rows * _widths(edisp, rows)
    cumulative = jnp.pad(jnp.cumsum(steps, axis=-1), ((0, 0), (1, 0)))
    kernel = jnp.diff(interp_rows(energy_edges[None, :] / centre[:, None], edisp.migra.edges, cumulative), axis=-1)
    return jnp.where(kernel < NEGLIGIBLE, 0.0, kernel)
