"""Points and round Gaussians folded with the PSF, integrated over pixels, in closed form.

A Gaussian mixture over pixels is a product of differences of the error function in x and in y, so a cutout is a matrix
product, smooth in position and width, with no kernel, no grid in between and no edge where it jumps.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from gammajax._typing import Array, Float, Int, Scalar
from gammajax.datasets.cube_groups import CubeGroup
from gammajax.irf.mixture import at_pixel, spread
from gammajax.numeric.safe import safe_divide


class Cutout(NamedTuple):
    """Counts on a part of the map per unit of flux at each true energy."""

    first: Int[Array, "2"]
    """Its first row and column."""
    plain: Float[Array, "energy_true row column"]
    exposed: Float[Array, "energy_true row column"] | None
    """What the exposure of each pixel is still to be multiplied with."""


def closed(pixel: Float[Array, "2"], sigma: Scalar | None, cube: CubeGroup, reach: int) -> Cutout:
    """A round Gaussian of width `sigma` [deg], or a point (None), at the pixel coordinates (x, y).

    Of the counts that a Gaussian of the source (width s) and of the PSF (width g) put at a place, those at the mean of
    where they came from, `centre + f (place - centre)` with `f = s^2 / (s^2 + g^2)`, stand for all: exact for an
    exposure that is linear in the place.
    """
    ny, nx = cube.exposure.shape[-2:]
    size = min(2 * reach + 1, ny), min(2 * reach + 1, nx)
    corner = jnp.round(lax.stop_gradient(pixel[::-1])).astype(int) - reach
    first = jnp.clip(corner, 0, jnp.array([ny - size[0], nx - size[1]]))
    here = _bilinear(cube.exposure, pixel)[:, None]
    weight, width = cube.psf.at(pixel), cube.psf.sigma
    if sigma is not None:
        width = jnp.sqrt(jnp.square(width) + jnp.square(sigma))
    axes = zip(first, size, pixel[::-1], pixels_per_degree(cube, pixel)[::-1], strict=True)
    (down, above), (right, beside) = (spread(s, n, c, width * d, reach - 1.0) for s, n, c, d in axes)
    if sigma is None:
        return Cutout(first, outer((here * weight)[..., None] * down, right), None)
    # A point has one in all inside the radius of its PSF; of an extended source nothing is lost beyond.
    weight = safe_divide(weight, jnp.sum(weight * above * beside, axis=1, keepdims=True))
    share = jnp.square(sigma / width)
    parts = [(x * weight)[..., None] * down for x in (here * (1.0 - share), share)]
    both = outer(jnp.concatenate(parts, axis=-1), right)
    return Cutout(first, both[:, : size[0]], both[:, size[0] :])


def pixels_per_degree(cube: CubeGroup, pixel: Float[Array, "2"]) -> Float[Array, "2"]:
    """Along x and along y at a place of the map."""
    return at_pixel(cube.scale, cube.scale_x, cube.scale_y, pixel)


def _bilinear(maps: Float[Array, "energy_true lat lon"], pixel: Float[Array, "2"]) -> Float[Array, "energy_true"]:
    """Maps between the centres of four pixels, constant beyond the outermost ones."""
    size = jnp.array(maps.shape[:0:-1])
    place = jnp.clip(pixel, 0.0, size - 1.0)
    first = jnp.clip(lax.stop_gradient(place).astype(int), 0, jnp.maximum(size - 2, 0))
    right, down = (jnp.stack([1.0 - f, f])[:n] for f, n in zip(place - first, maps.shape[:0:-1], strict=True))
    four = lax.dynamic_slice(maps, (0, first[1], first[0]), (len(maps), len(down), len(right)))
    return jnp.einsum("tyx,y,x->t", four, down, right)


def outer(
    down: Float[Array, "energy_true gauss row"], right: Float[Array, "energy_true gauss column"]
) -> Float[Array, "energy_true row column"]:
    """Sum over Gaussians of their products in both directions, as a matrix product."""
    return jnp.einsum("tgy,tgx->tyx", down, right)
