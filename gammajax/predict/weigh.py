"""Weighted sums of the counts of points and round Gaussians, as functions of place and width that are fast to derive.

With the weights carried back to an image per true energy, `V = D W`, the sum of the bins of a component of the PSF is
`down . V right`: the factors are expanded around a place, and only their products with V cost.
"""

from collections.abc import Callable
from math import comb

import jax
import jax.numpy as jnp

from gammajax._typing import Array, Float, Scalar
from gammajax.datasets.cube_groups import CubeGroup
from gammajax.irf.mixture import spread
from gammajax.numeric.each import each
from gammajax.numeric.taylor import coefficients, monomials
from gammajax.predict.closed import cutout, dispersion, half_window, parts, places, window


def weighted_near(
    reach: int, order: int, x: tuple[Scalar, ...], weights: Float[Array, "bin"], cube: CubeGroup
) -> Callable[..., Float[Array, "energy_true"]]:
    """Weighted sums of counts per unit of flux [cm2 s] in each bin of true energy, as a function of a source near `x`.

    `x` is its place (x, y) in pixels, and its width [deg] unless it is a point; up to `reach` pixels from there are
    summed. All derivatives up to `order` are right at `x`.
    """
    pixel, sigma = _split(x)
    first, size = window(pixel, cube, reach)
    back = _carried_back(weights, cube, first, size)
    widths = parts(pixel, sigma, cube, reach).widths

    half = half_window(cube, reach, point=sigma is None)

    def along(axis: int) -> Float[Array, "energy_true term component pixel"]:
        shares = lambda c, w: spread(first[1 - axis], size[1 - axis], c, w, half)  # noqa: E731
        return jax.vmap(lambda w: coefficients(shares, (pixel[axis], w), order))(widths[axis])

    bends = order if cube.kernel_x.size * cube.kernel_y.size > 1 else 0
    kernel = jnp.moveaxis(coefficients(lambda *x: dispersion(jnp.stack(x), cube), tuple(pixel), bends), 1, 0)

    def moments(kernel: Array, right: Array, down: Array, *exposure: Array) -> list[list[Array]]:
        """For each order of the dispersion, products of all that is left for the factors."""
        out = []
        for k in range(bends + 1):
            few = slice(_terms(order - k))
            plain = jax.vmap(back)(kernel[_terms(k - 1) : _terms(k)])
            images = [plain, *(plain * e[None] for e in exposure)]
            out.append([jnp.einsum("bjy,vyx,ajx->vabj", down[few], v, right[few]) for v in images])
        return out

    exposure = () if sigma is None else (cutout(cube.exposure, first, size),)
    known = each(moments, kernel, along(0), along(1), *exposure)

    def near(*x: Scalar) -> Float[Array, "energy_true"]:
        there, moved = parts(*_split(x), cube, reach), jnp.stack(x[:2]) - pixel
        right, down = (monomials((moved[i], there.widths[i] - widths[i]), order) for i in (0, 1))
        both = right[:, None] * down[None]
        total = jnp.zeros(len(widths[0]))
        for k, products in enumerate(known):
            shift, n = monomials(tuple(moved), k)[_terms(k - 1) :], _terms(order - k)
            for amount, moment in zip(there.amounts, products, strict=True):
                here = jnp.einsum("v,tvabj->abtj", shift, moment)
                total += jnp.sum(amount * jnp.sum(both[:n, :n] * here, axis=(0, 1)), axis=1)
        return total

    return near


def _split(x: tuple[Scalar, ...]) -> tuple[Float[Array, "2"], Scalar | None]:
    return jnp.stack(x[:2]), x[2] if len(x) > 2 else None


def _terms(order: int) -> int:
    """How many monomials of two steps there are up to an order."""
    return comb(order + 2, 2)


def _carried_back(
    weights: Float[Array, "bin"], cube: CubeGroup, first: Array, size: tuple[int, int]
) -> Callable[[Float[Array, "energy"]], Float[Array, "row column"]]:
    """The weights of all bins, times the dispersion of one true energy, on the part of the map that a source fills."""
    place, within = places(cube, first, size)
    occupied, sums = jnp.split(weights, [len(place)])
    occupied = occupied if within is None else jnp.where(within, occupied, 0.0)
    inside = cutout(cube.inside, first - cube.corner, size)
    mask = (cube.plane[None] == jnp.arange(len(inside))[:, None]).astype(weights.dtype)

    def back(kernel: Float[Array, "energy"]) -> Float[Array, "row column"]:
        image = jnp.tensordot(mask @ (kernel * sums), inside, 1)
        return image.ravel().at[place].add(occupied * kernel[cube.place[:, 0]]).reshape(size)

    return back
