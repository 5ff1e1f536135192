"""Points and round Gaussians folded with the PSF, integrated over pixels, in closed form.

A Gaussian mixture over pixels is a product of differences of the error function in x and in y, so a cutout is a matrix
product, smooth in position and width, with no kernel, no grid in between and no edge where it jumps.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from gammajax._typing import Array, Bool, Float, Int, Scalar
from gammajax.datasets.cube_groups import CubeGroup
from gammajax.irf.mixture import at_pixel, contained, spread
from gammajax.numeric.each import each, each_sum
from gammajax.numeric.safe import safe_divide


def counts_closed(
    pixel: Float[Array, "2"],
    sigma: Scalar | None,
    kernel: Float[Array, "energy_true energy"],
    flux: Float[Array, "energy_true"] | None,
    cube: CubeGroup,
    reach: int,
) -> Float[Array, "bin"] | Float[Array, "energy_true bin"]:
    """Counts in the bins of a round Gaussian of width `sigma` [deg], or a point; without `flux` per unit of it.

    `pixel` is its place (x, y), `kernel` the energy dispersion there. Of the counts that a Gaussian of the source
    (width s) and of the PSF (width g) put at a place, those at the mean of where they came from,
    `centre + f (place - centre)` with `f = s^2 / (s^2 + g^2)`, stand for all: exact for an exposure that is linear in
    the place.
    """
    first, size = window(pixel, cube, reach)
    place, within = places(cube, first, size)
    inside = cutout(cube.inside, first - cube.corner, size)
    images = _images(pixel, sigma, cube, reach, first, size)

    def bins(kernel: Array, *image: Array) -> tuple[Array, Array]:
        right, down, *more = image
        counts = down.T @ right
        if more:
            exposed, exposure = more
            counts = counts + exposure * (exposed.T @ right)
        occupied = jnp.take(counts, place, mode="clip") * jnp.take(kernel, cube.place[:, 0], mode="clip")
        occupied = occupied if within is None else jnp.where(within, occupied, 0.0)
        # A sum, not a matrix product, which would have the image written and read once more.
        return occupied, jnp.take(jnp.sum(inside * counts[None], axis=(1, 2)), cube.plane, mode="clip") * kernel

    if flux is None:
        return jnp.concatenate(each(bins, kernel, *images), axis=1)
    return jnp.concatenate(each_sum(bins, flux[:, None] * kernel, *images))


class Parts(NamedTuple):
    """Of the image of a source, per true energy and component of the PSF (energy_true, component)."""

    widths: tuple[Array, Array]
    """Along x and along y, in pixels."""
    amounts: tuple[Array, ...]
    """Counts per unit of flux [cm2 s]; of extended sources then the share that each pixel's exposure multiplies."""


def parts(pixel: Float[Array, "2"], sigma: Scalar | None, cube: CubeGroup, reach: int) -> Parts:
    """Widths and amounts of a point, or a round Gaussian of width `sigma` [deg], at a place in pixels."""
    scale = pixels_per_degree(cube, pixel)
    here, weight, gauss = _bilinear(cube.exposure, pixel)[:, None], cube.psf.at(pixel), jnp.asarray(cube.psf.sigma)
    width = gauss if sigma is None else jnp.sqrt(jnp.square(gauss) + jnp.square(sigma))
    widths = width * scale[0], width * scale[1]
    if sigma is None:
        return Parts(widths, (here * weight,))
    # A point has one in all inside the radius of its PSF; of an extended source nothing is lost beyond its window.
    if np.isfinite(half := half_window(cube, reach, point=False)):
        beside, above = (contained(half, w) for w in widths)
        seen = weight * above * beside
    else:
        seen = weight
    weight = safe_divide(weight, jnp.sum(seen, axis=1, keepdims=True))
    share = jnp.square(sigma / width)
    return Parts(widths, (here * (1.0 - share) * weight, share * weight))


def _images(
    pixel: Float[Array, "2"],
    sigma: Scalar | None,
    cube: CubeGroup,
    reach: int,
    first: Int[Array, "2"],
    size: tuple[int, ...],
) -> tuple[Array, ...]:
    """Per true energy the factors along x and along y of the image of a source, (energy_true, component, pixel).

    Of an extended source there are also the factor along y of what is to be multiplied by the exposure of each pixel,
    and that exposure [cm2 s] (energy_true, row, column).
    """
    widths, amounts = parts(pixel, sigma, cube, reach)
    half = half_window(cube, reach, point=sigma is None)
    right, down = (spread(first[1 - k], size[1 - k], pixel[k], widths[k], half) for k in (0, 1))
    scaled = [amount[..., None] * down for amount in amounts]
    return (right, *scaled) if sigma is None else (right, *scaled, cutout(cube.exposure, first, size))


def half_window(cube: CubeGroup, reach: int, *, point: bool) -> float:
    """Pixels to both sides of a source that its image fills: of an extended one no end where the map ends before it."""
    if point:
        return max(cube.reach, 2) - 1.0
    return np.inf if reach >= max(cube.exposure.shape[-2:]) else reach - 1.0


def window(pixel: Float[Array, "2"], cube: CubeGroup, reach: int) -> tuple[Int[Array, "2"], tuple[int, int]]:
    """First row and column of the part of a map that a source fills, and its size."""
    box = cube.inside.shape[-2:]
    size = min(2 * reach + 1, box[0]), min(2 * reach + 1, box[1])
    first = jnp.round(lax.stop_gradient(pixel[::-1])).astype(int) - reach
    return jnp.clip(first, cube.corner, cube.corner + (jnp.array(box) - jnp.array(size))), size


def cutout(maps: Float[Array, "*n lat lon"], first: Int[Array, "2"], size: tuple[int, ...]) -> Array:
    """Part of maps, from a row and a column on."""
    leading = maps.shape[:-2]
    if (*leading, *size) == maps.shape:
        return maps
    start = jnp.append(jnp.zeros(len(leading), first.dtype), first)
    return lax.dynamic_slice(maps, tuple(start), (*leading, *size))


def places(
    cube: CubeGroup, first: Int[Array, "2"], size: tuple[int, ...]
) -> tuple[Int[Array, "occupied"], Bool[Array, "occupied"] | None]:
    """Index of the occupied bins in a cutout, row by row, and which of them lie in it; None: all."""
    place = cube.place[:, 1:] - first[None]
    index = place[:, 0] * size[1] + place[:, 1]
    if size == cube.inside.shape[-2:]:
        return index, None
    within = jnp.all((place >= 0) & (place < jnp.array([size])), axis=1)
    return jnp.where(within, index, 0), within


def pixels_per_degree(cube: CubeGroup, pixel: Float[Array, "2"]) -> Float[Array, "2"]:
    """Along x and along y at a place of the map."""
    return at_pixel(cube.scale, cube.scale_x, cube.scale_y, pixel)


def dispersion(pixel: Float[Array, "2"], cube: CubeGroup) -> Float[Array, "energy_true energy"]:
    """The energy dispersion at a place of the map."""
    return at_pixel(cube.kernel, cube.kernel_x, cube.kernel_y, pixel)


def _bilinear(maps: Float[Array, "energy_true lat lon"], pixel: Float[Array, "2"]) -> Float[Array, "energy_true"]:
    """Maps between the centres of four pixels, constant beyond the outermost ones."""
    size = jnp.array(maps.shape[:0:-1])
    place = jnp.clip(pixel, 0.0, size - 1.0)
    first = jnp.clip(lax.stop_gradient(place).astype(int), 0, jnp.maximum(size - 2, 0))
    right, down = (jnp.stack([1.0 - f, f])[:n] for f, n in zip(place - first, maps.shape[:0:-1], strict=True))
    four = lax.dynamic_slice(maps, (0, first[1], first[0]), (len(maps), len(down), len(right)))
    return jnp.einsum("tyx,y,x->t", four, down, right)
