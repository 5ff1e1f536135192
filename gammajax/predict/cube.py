"""Predicted counts of cubes: flux times exposure, spread by the PSF, taken to reconstructed energies.

Points and round Gaussians are folded with the PSF in closed form: a Gaussian mixture over pixels is a product of
differences of the error function in x and in y, so a cutout is a matrix product, smooth in position and width, with
no kernel, no grid in between and no edge where it jumps. Other shapes are convolved on the grid. A source whose
shape and place are fixed is folded once (`fold`): what is left is linear in its flux.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import scipy.fft
from jax import lax

from gammajax._typing import Array, Bool, Float, Int, Scalar
from gammajax.datasets.cube_groups import CubeGroup
from gammajax.irf.mixture import at_pixel, spread
from gammajax.models.nuisance import Nuisance
from gammajax.models.sky import SkyModel
from gammajax.models.spatial import GaussianSpatial, SpatialModel, evaluate
from gammajax.models.spectral.base import evaluate as evaluate_spectrum
from gammajax.numeric.pixel import TO_ICRS, direction
from gammajax.numeric.safe import safe_divide
from gammajax.numeric.tower import tower
from gammajax.params.field import ParamSpec, spec_of
from gammajax.predict.bend import bent


class Spread(NamedTuple):
    """Counts on a part of the map per unit of flux at each true energy (and node), and how they are dispersed."""

    counts: Float[Array, "*energy_true row column"]
    start: Int[Array, "2"]
    kernel: Float[Array, "energy_true energy"]


class Fold(eqx.Module):
    """Response of a source at rest: counts in every bin per unit of flux at each true energy (and node)."""

    response: Float[Array, "dataset energy_true node bin"]


class Live(eqx.Module):
    """A source whose shape or place moves."""

    reach: int = eqx.field(static=True)
    """Pixels to each side of its centre that it and the PSF fill."""
    factor: int = eqx.field(static=True)
    """How many times each pixel is sampled along both axes; 0: not at all, there is a closed form."""


def predict_cubes(
    models: Sequence[SkyModel | Nuisance], acts: Bool[Array, "model dataset"], group: CubeGroup
) -> Float[Array, "dataset bin"]:
    """Counts of the sources in every bin: the occupied ones, then the sums over the mask."""
    nodes, weights = bent(models, acts, group)
    signal = jnp.zeros_like(group.background)
    for model, seen, plan in zip(models, acts, group.plans, strict=True):
        if isinstance(model, SkyModel) and plan is not None:
            signal += jnp.where(seen[:, None], _signal(model, plan, nodes, weights, group), 0.0)
    return signal


def _signal(model: SkyModel, plan: Fold | Live, nodes: Array, weights: Array, group: CubeGroup) -> Array:
    varies = model.spatial is not None and model.spatial.energy_dependent
    flux = evaluate_spectrum(model.spectral, nodes) * weights if varies else model.spectral.integrate(nodes, weights)
    response = plan.response if isinstance(plan, Fold) else _moving(model.spatial, group, plan)
    return jnp.einsum("dtn,dtnb->db", (flux if varies else flux[..., None])[group.axis], response)


@eqx.filter_jit
def fold(spatial: SpatialModel, group: CubeGroup, plan: Live) -> Fold:
    """The response of a source at rest in each cube of a group."""
    return Fold(jax.vmap(lambda c, n: _response(spatial, c, n, plan))(cubes(group), group.nodes[group.axis]))


def _moving(spatial: Any, group: CubeGroup, plan: Live) -> Float[Array, "dataset energy_true node bin"]:
    """The response of a source as a function of its parameters, with derivatives that cost once for all directions."""
    declared = [field.name for field in dataclasses.fields(spatial) if isinstance(spec_of(field), ParamSpec)]
    chosen = [name for name in declared if plan.factor or name in ("lon_0", "lat_0", "sigma")]

    def at(x: tuple[Scalar, ...], data: tuple[SpatialModel, CubeGroup]) -> Array:
        here = eqx.tree_at(lambda s: [getattr(s, name) for name in chosen], data[0], list(x))
        return jax.vmap(lambda c, n: _response(here, c, n, plan))(cubes(data[1]), data[1].nodes[data[1].axis])

    return tower(at)(tuple(getattr(spatial, name) for name in chosen), (spatial, group))


def cubes(group: CubeGroup) -> Any:
    """What each cube of a group has for itself, for `vmap`."""
    return dataclasses.replace(group, nodes=None, node_weights=None, is_sum=None, plans=())


def _response(spatial: SpatialModel, cube: CubeGroup, nodes: Array, plan: Live) -> Float[Array, "energy_true node bin"]:
    """Counts in the bins of one cube per unit of flux at each true energy and node."""
    found = _closed(spatial, cube, plan.reach) if plan.factor == 0 else _convolved(spatial, cube, plan.factor, nodes)
    parts = found.counts if found.counts.ndim == 4 else found.counts[:, None]
    ny, nx = parts.shape[-2:]
    energy, row, column = jnp.moveaxis(cube.place, -1, 0)
    row, column = row - found.start[0], column - found.start[1]
    within = (row >= 0) & (row < ny) & (column >= 0) & (column < nx)
    each = parts[..., jnp.clip(row, 0, ny - 1), jnp.clip(column, 0, nx - 1)]
    each *= jnp.where(within, found.kernel[:, energy], 0.0)[:, None]
    inside = lax.dynamic_slice(cube.inside, (0, *found.start), (cube.inside.shape[0], ny, nx))
    sums = jnp.einsum("myx,tnyx->tnm", inside, parts)[..., cube.plane] * found.kernel[:, None]
    return jnp.concatenate([each, sums], axis=-1)


def _closed(spatial: Any, cube: CubeGroup, reach: int) -> Spread:
    """Point or round Gaussian: exact integrals of Gaussians over pixels.

    Of the counts that a Gaussian of the source (width s) and of the PSF (width g) put at a place, those at the mean of
    where they came from, `centre + f (place - centre)` with `f = s^2 / (s^2 + g^2)`, stand for all: exact for an
    exposure that is linear in the place.
    """
    ny, nx = cube.exposure.shape[-2:]
    size = min(2 * reach + 1, ny), min(2 * reach + 1, nx)
    at = spatial.lon_0, spatial.lat_0, spatial.frame
    pixel = cube.projection.pixel(*at)
    per_degree = jnp.sqrt(jnp.sum(jnp.square(cube.projection.scale(*at)), axis=1))
    corner = jnp.round(lax.stop_gradient(pixel[::-1])).astype(int) - reach
    start = jnp.clip(corner, 0, jnp.array([ny - size[0], nx - size[1]]))
    at_centre = _bilinear(cube.exposure, pixel)[:, None]
    weight, width = cube.psf.at(pixel), cube.psf.sigma
    share = None
    if isinstance(spatial, GaussianSpatial):
        width = jnp.sqrt(jnp.square(width) + jnp.square(spatial.sigma))
        share = jnp.square(spatial.sigma / width)
    axes = zip(start, size, pixel[::-1], per_degree[::-1], strict=True)
    along, within = zip(*(spread(s, n, c, width * d, reach - 1.0) for s, n, c, d in axes), strict=True)
    if share is not None:
        # A point has one in all inside the radius of its PSF; of an extended source nothing is lost beyond.
        weight = safe_divide(weight, jnp.sum(weight * within[0] * within[1], axis=1, keepdims=True))
    if share is None:
        counts = _outer(at_centre * weight, *along)
    else:
        exposure = lax.dynamic_slice(cube.exposure, (0, *start), (cube.exposure.shape[0], *size))
        counts = _outer(at_centre * weight * (1.0 - share), *along) + exposure * _outer(weight * share, *along)
    return Spread(counts, start, _kernel(pixel, cube))


def _outer(weight: Array, down: Array, right: Array) -> Float[Array, "energy_true row column"]:
    """Sum over Gaussians of their products in both directions, as a matrix product."""
    return jnp.einsum("tgy,tgx->tyx", weight[..., None] * down, right)


def _convolved(spatial: SpatialModel, cube: CubeGroup, factor: int, nodes: Array) -> Spread:
    """Any shape: brightness times solid angle times exposure on the whole map, convolved with the PSF at its centre."""
    ny, nx = cube.exposure.shape[-2:]
    middle = (cube.lon[ny // 2, nx // 2], cube.lat[ny // 2, nx // 2]), cube.frame
    (lon, lat), frame = middle if spatial.centre is None else (spatial.centre, spatial.frame)
    pixel = cube.projection.pixel(lon, lat, frame)
    sky = _brightness(spatial, cube, factor, nodes)
    sky *= cube.solid_angle.reshape(*(1,) * (sky.ndim - 2), ny, nx)
    lit = (sky if spatial.energy_dependent else sky[None, None]) * cube.exposure[:, None]
    per_degree = jnp.sqrt(jnp.sum(jnp.square(cube.projection.scale(lon, lat, frame)), axis=1))
    # A mean over sub-pixels has the box of the pixel in it once already: its variance is taken from the kernel.
    box = 0.0 if factor == 1 else (1.0 - 1.0 / factor**2) / 12.0
    widths = [jnp.sqrt(jnp.maximum(jnp.square(cube.psf.sigma * d) - box, 1e-6)) for d in per_degree[::-1]]
    along = [spread(-cube.reach, 2 * cube.reach + 1, 0.0, width, cube.reach + 1.0)[0] for width in widths]
    kernel = _outer(cube.psf.at(pixel), *along)
    kernel = safe_divide(kernel, jnp.sum(kernel, axis=(1, 2), keepdims=True))
    counts = convolved(lit, kernel[:, None])
    return Spread(counts, jnp.zeros(2, int), _kernel(pixel, cube))


def convolved(images: Float[Array, "*n lat lon"], kernels: Float[Array, "*n row column"]) -> Float[Array, "*n lat lon"]:
    """Images convolved with centred kernels; nothing comes in from beyond the edges."""
    (ny, nx), (ky, kx) = images.shape[-2:], kernels.shape[-2:]
    size: Any = [scipy.fft.next_fast_len(n + k - 1, real=True) for n, k in ((ny, ky), (nx, kx))]
    product = jnp.fft.rfft2(images, size) * jnp.fft.rfft2(kernels, size)
    both = jnp.fft.irfft2(product, size)
    return lax.slice_in_dim(lax.slice_in_dim(both, ky // 2, ky // 2 + ny, axis=-2), kx // 2, kx // 2 + nx, axis=-1)


def _brightness(spatial: SpatialModel, cube: CubeGroup, factor: int, nodes: Array) -> Array:
    """Mean brightness in each pixel [sr-1], at each node of each true-energy bin if it depends on the energy."""
    lon, lat = _directions(cube, spatial.frame, factor)
    if not spatial.energy_dependent:
        return jnp.mean(evaluate(spatial, lon, lat), axis=0)
    at = nodes[..., None, None]
    return jnp.mean(jax.vmap(lambda x, y: evaluate(spatial, x, y, at))(lon, lat), axis=0)


def _directions(cube: CubeGroup, frame: str, factor: int) -> tuple[Array, Array]:
    """Longitude and latitude [deg] of `factor`^2 points in each pixel, in a frame."""
    turn = jnp.asarray(TO_ICRS[frame].T @ TO_ICRS[cube.frame])
    vector = jnp.einsum("ij,jyx->iyx", turn, direction(cube.lon, cube.lat))
    if factor == 1:
        points = vector[None]
    else:
        shift = (jnp.arange(factor) + 0.5) / factor - 0.5
        down, right = jnp.gradient(vector, axis=(1, 2))
        dy, dx = (x.reshape(-1, 1, 1, 1) for x in jnp.meshgrid(shift, shift))
        points = vector[None] + dy * down[None] + dx * right[None]
    x, y, z = jnp.moveaxis(points, 1, 0)
    return jnp.rad2deg(jnp.arctan2(y, x)) % 360.0, jnp.rad2deg(jnp.arctan2(z, jnp.hypot(x, y)))


def _kernel(pixel: Array, cube: CubeGroup) -> Float[Array, "energy_true energy"]:
    return at_pixel(cube.kernel, cube.kernel_x, cube.kernel_y, pixel)


def _bilinear(values: Float[Array, "energy_true lat lon"], pixel: Float[Array, "2"]) -> Float[Array, "energy_true"]:
    """Values at a place of the map, constant beyond its edges."""
    ny, nx = values.shape[-2:]
    return at_pixel(values, jnp.arange(nx, dtype=pixel.dtype), jnp.arange(ny, dtype=pixel.dtype), pixel)
