"""Points and round Gaussians folded with the PSF, integrated over pixels, in closed form.

A Gaussian mixture over pixels is a product of differences of the error function in x and in y, so a cutout is a matrix
product, smooth in position and width, with no kernel, no grid in between and no edge where it jumps.
"""

import jax.numpy as jnp
from jax import lax

from gammajax._typing import Array, Bool, Float, Int, Scalar
from gammajax.datasets.cube_groups import CubeGroup
from gammajax.irf.mixture import at_pixel, spread
from gammajax.numeric.each import each
from gammajax.numeric.safe import safe_divide


def response_closed(
    pixel: Float[Array, "2"],
    sigma: Scalar | None,
    kernel: Float[Array, "energy_true energy"],
    cube: CubeGroup,
    reach: int,
) -> Float[Array, "energy_true bin"]:
    """Counts in the bins per unit of flux at each true energy of a round Gaussian of width `sigma` [deg], or a point.

    `pixel` is its place (x, y), `kernel` the energy dispersion there. Of the counts that a Gaussian of the source
    (width s) and of the PSF (width g) put at a place, those at the mean of where they came from,
    `centre + f (place - centre)` with `f = s^2 / (s^2 + g^2)`, stand for all: exact for an exposure that is linear in
    the place.
    """
    ny, nx = cube.exposure.shape[-2:]
    size = min(2 * reach + 1, ny), min(2 * reach + 1, nx)
    corner = jnp.round(lax.stop_gradient(pixel[::-1])).astype(int) - reach
    first = jnp.clip(corner, 0, jnp.array([ny - size[0], nx - size[1]]))
    place, within = _places(cube, first, size)
    inside = _cut(cube.inside, first, size).reshape(len(cube.inside), -1)
    scale = pixels_per_degree(cube, pixel)

    def along(axis: int, width: Array) -> tuple[Array, Array]:
        return spread(first[1 - axis], size[1 - axis], pixel[axis], width * scale[axis], reach - 1.0)

    def point(here: Scalar, weight: Array, gauss: Array) -> Array:
        (down, _), (right, _) = along(1, gauss), along(0, gauss)
        return ((here * weight)[:, None] * down).T @ right

    def extended(sigma: Scalar, here: Scalar, weight: Array, gauss: Array, exposure: Array) -> Array:
        width = jnp.sqrt(jnp.square(gauss) + jnp.square(sigma))
        (down, above), (right, beside) = along(1, width), along(0, width)
        # A point has one in all inside the radius of its PSF; of an extended source nothing is lost beyond.
        weight = safe_divide(weight, jnp.sum(weight * above * beside))
        share = jnp.square(sigma / width)
        plain, exposed = (((x * weight)[:, None] * down).T @ right for x in (here * (1.0 - share), share))
        return plain + exposure * exposed

    def bins(kernel: Array, *energy: Array) -> Array:
        counts = (point(*energy) if sigma is None else extended(sigma, *energy)).ravel()
        occupied = jnp.take(counts, place, mode="clip") * jnp.take(kernel, cube.place[:, 0], mode="clip")
        occupied = occupied if within is None else jnp.where(within, occupied, 0.0)
        return jnp.concatenate([occupied, jnp.take(inside @ counts, cube.plane, mode="clip") * kernel])

    energies = [kernel, _bilinear(cube.exposure, pixel), cube.psf.at(pixel), cube.psf.sigma]
    if sigma is not None:
        energies.append(_cut(cube.exposure, first, size))
    return each(bins, *energies)


def _cut(maps: Float[Array, "n lat lon"], first: Int[Array, "2"], size: tuple[int, ...]) -> Array:
    if size == maps.shape[1:]:
        return maps
    return lax.dynamic_slice(maps, (0, *first), (len(maps), *size))


def _places(
    cube: CubeGroup, first: Int[Array, "2"], size: tuple[int, ...]
) -> tuple[Int[Array, "occupied"], Bool[Array, "occupied"] | None]:
    """Index of the occupied bins in a cutout, row by row, and which of them lie in it; None: all."""
    place = cube.place[:, 1:]
    if size == cube.exposure.shape[-2:]:
        return place[:, 0] * size[1] + place[:, 1], None
    place = place - first[None]
    within = jnp.all((place >= 0) & (place < jnp.array([size])), axis=1)
    return jnp.where(within, place[:, 0] * size[1] + place[:, 1], 0), within


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
