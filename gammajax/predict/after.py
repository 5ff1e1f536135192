"""PSFs over reconstructed energy: flux times exposure comes first, then the dispersion, then the PSF."""

import dataclasses
from collections.abc import Callable

import jax.numpy as jnp
from jax import lax

from gammajax._typing import Array, Float, Scalar
from gammajax.datasets.cube_groups import CubeGroup
from gammajax.predict.closed import counts_closed


def closed_after(
    pixel: Float[Array, "2"],
    sigma: Scalar | None,
    kernel: Float[Array, "energy_true energy"],
    cube: CubeGroup,
    reach: int,
    flux: Float[Array, "energy_true 1"],
) -> Float[Array, "bin"]:
    """`counts_closed` of a cube whose PSF acts after the dispersion.

    Each reconstructed energy takes the place of a true one, with the exposure that its flux has gathered:
    `sum_t flux_t kernel_te exposure_t`.
    """
    exposure = dispersed(flux, kernel, cube.exposure[:, None])
    energies = len(exposure)
    gathered = dataclasses.replace(cube, exposure=exposure)
    return counts_closed(pixel, sigma, jnp.eye(energies), jnp.ones(energies), gathered, reach)


def dispersed(
    flux: Float[Array, "energy_true node"],
    kernel: Float[Array, "energy_true energy"],
    maps: Float[Array, "energy_true node lat lon"],
) -> Float[Array, "energy lat lon"]:
    """Maps at true energies, times flux, at reconstructed energies."""
    return jnp.einsum("te,tyx->eyx", kernel, jnp.einsum("tn,tnyx->tyx", flux, maps))


def per_unit(
    counts: Callable[[Float[Array, "energy_true node"]], Float[Array, "bin"]], shape: tuple[int, int]
) -> Float[Array, "energy_true node bin"]:
    """Counts per unit of flux at each true energy and node, of a function that is linear in it."""
    size = shape[0] * shape[1]
    return lax.map(counts, jnp.eye(size).reshape(size, *shape)).reshape(*shape, -1)
