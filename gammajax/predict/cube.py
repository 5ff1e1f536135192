"""Predicted counts of cubes: flux times exposure, spread by the PSF, taken to reconstructed energies.

Points and round Gaussians are folded with the PSF in closed form (`predict.closed`), other shapes are convolved on the
grid. A source whose shape and place are fixed is folded once (`fold`): what is left is linear in its flux.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.fft
from jax import lax

from gammajax._typing import Array, Bool, Float, Scalar
from gammajax.datasets.cube_groups import CubeGroup
from gammajax.irf.mixture import spread, unspread
from gammajax.models.counts_template import TemplateNPred
from gammajax.models.nuisance import Nuisance
from gammajax.models.sky import AppliedIRF, SkyModel
from gammajax.models.spatial import GaussianSpatial, SpatialModel, evaluate
from gammajax.models.spectral.base import evaluate as evaluate_spectrum
from gammajax.numeric.each import each
from gammajax.numeric.pixel import directions
from gammajax.numeric.safe import safe_divide
from gammajax.numeric.tower import tower, tower_near
from gammajax.params.field import ParamSpec, spec_of
from gammajax.params.tree import fill, has_weights, slots
from gammajax.predict.after import closed_after, dispersed, per_unit
from gammajax.predict.bend import bent
from gammajax.predict.closed import counts_closed, cutout, dispersion, pixels_per_degree
from gammajax.predict.template import template_counts
from gammajax.predict.weigh import weighted_near


class Fold(eqx.Module):
    """Response of a source at rest: counts in every bin per unit of flux at each true energy (and node)."""

    response: Float[Array, "dataset energy_true node bin"]


class Scaled(eqx.Module):
    """A source at rest of whose spectrum nothing moves but a factor: its counts, and the flux that belongs to them."""

    counts: Float[Array, "dataset bin"]
    energy: Scalar
    flux: Scalar
    """`dnde` at `energy`."""


class Live(eqx.Module):
    """A source whose shape or place moves."""

    reach: int = eqx.field(static=True)
    """Pixels to each side of its centre that it and the PSF fill."""
    factor: int = eqx.field(static=True)
    """How many times each pixel is sampled along both axes; 0: not at all, there is a closed form."""


def predict_cubes(
    models: Sequence[SkyModel | Nuisance], acts: Bool[Array, "model dataset"], group: CubeGroup
) -> Float[Array, "dataset bin"]:
    """Counts of sources and templates in every bin: the occupied ones, then the sums over the mask."""
    quadrature = bent(models, acts, group)
    signal = jnp.zeros_like(group.background)
    for model, seen, plan in zip(models, acts, group.plans, strict=True):
        if isinstance(model, SkyModel) and plan is not None:
            exposed = model.apply_irf.exposure
            rule = quadrature if exposed else bent(models, acts, group, exposed=False)
            signal += jnp.where(seen[:, None], _signal(model, plan, *rule, group), 0.0)
        elif isinstance(model, TemplateNPred) and plan is not None:
            signal += jnp.where(seen[:, None], template_counts(model, plan, group), 0.0)
    return signal


def weighted_cubes(
    models: Sequence[SkyModel | Nuisance],
    acts: Bool[Array, "model dataset"],
    group: CubeGroup,
    weights: Float[Array, "dataset bin"],
) -> Scalar:
    """Sum over all bins of weights times `predict_cubes`.

    The weighted sums per true energy are all that derivatives need: none is taken bin by bin.
    """
    quadrature = bent(models, acts, group)
    total = jnp.zeros(())
    for model, seen, plan in zip(models, acts, group.plans, strict=True):
        own = jnp.where(seen[:, None], weights, 0.0)
        if isinstance(model, SkyModel) and plan is not None:
            rule = quadrature if model.apply_irf.exposure else bent(models, acts, group, exposed=False)
            if isinstance(plan, Scaled) or (isinstance(plan, Live) and group.reco):
                total += jnp.vdot(own, _signal(model, plan, *rule, group))
            else:
                total += jnp.vdot(_weighted(model, plan, group, own), _flux(model, *rule, group))
        elif isinstance(model, TemplateNPred) and plan is not None:
            total += jnp.vdot(own, template_counts(model, plan, group))
    return total


def _signal(model: SkyModel, plan: Fold | Scaled | Live, nodes: Array, weights: Array, group: CubeGroup) -> Array:
    if isinstance(plan, Scaled):
        return plan.counts * (evaluate_spectrum(model.spectral, plan.energy) / plan.flux)
    flux = _flux(model, nodes, weights, group)
    if isinstance(plan, Fold):
        return jax.vmap(_folded)(flux, plan.response)
    seen = cubes(as_seen(group, model.apply_irf))
    return each(lambda c, f, n: _moving(model.spatial, plan, c, f, n), seen, flux, group.nodes[group.axis])


def _weighted(
    model: SkyModel, plan: Fold | Live, group: CubeGroup, weights: Float[Array, "dataset bin"]
) -> Float[Array, "dataset energy_true node"]:
    """Weighted sums over the bins of the counts per unit of flux at each true energy and node."""
    if isinstance(plan, Fold):
        return jnp.einsum("dtnb,db->dtn", plan.response, weights)
    seen = cubes(as_seen(group, model.apply_irf))
    return each(lambda c, n, w: _moving_weighted(model.spatial, plan, c, n, w), seen, group.nodes[group.axis], weights)


def _flux(model: SkyModel, nodes: Array, weights: Array, group: CubeGroup) -> Float[Array, "dataset energy_true node"]:
    """Flux in each true-energy bin: the share of each node if the shape depends on the energy, else in all."""
    varies = model.spatial is not None and model.spatial.energy_dependent
    flux = evaluate_spectrum(model.spectral, nodes) * weights if varies else model.spectral.integrate(nodes, weights)
    return (flux if varies else flux[..., None])[group.axis]


def _folded(
    flux: Float[Array, "energy_true node"], response: Float[Array, "energy_true node bin"]
) -> Float[Array, "bin"]:
    return jnp.einsum("tn,tnb->b", flux, response)


@eqx.filter_jit
def fold(spatial: SpatialModel, group: CubeGroup, plan: Live) -> Fold:
    """The response of a source at rest in each cube of a group."""

    def one(cube: CubeGroup, nodes: Array) -> Array:
        x, counts, data = _movable(spatial, plan, cube, nodes)
        return counts(x, None, data)

    return Fold(each(one, cubes(group), group.nodes[group.axis]))


@eqx.filter_jit
def _at_rest(model: SkyModel, fold: Fold, group: CubeGroup) -> Array:
    return _signal(model, fold, group.nodes, group.node_weights, group)


@eqx.filter_jit
def _fluxes(spectral: Any, nodes: Array, values: Float[Array, "case slot"]) -> Float[Array, "case *node"]:
    return jax.vmap(lambda row: evaluate_spectrum(fill(spectral, row), nodes))(values)


def as_template(model: SkyModel, response: Fold, group: CubeGroup, moves: Sequence[str]) -> Fold | Scaled:
    """The counts of a source at rest, if its spectrum is proportional to the one parameter that moves, or none does.

    `moves` are the paths of the parameters of the spectrum that do. Otherwise the response as it is.
    """
    names, _, values = zip(*slots(model.spectral), strict=True)
    if len(moves) > 1 or has_weights(model.spectral):
        return response
    cases = np.tile(np.array(values), (3, 1))
    if moves:
        i = names.index(moves[0])
        cases[:, i] = (cases[0, i] or 1.0) * np.array([1.0, 2.0, 3.0])
    one, two, three = np.asarray(_fluxes(model.spectral, group.nodes, jnp.asarray(cases)))
    proportional = all(np.allclose(x, k * one, rtol=1e-12, atol=0.0) for x, k in ((two, 2.0), (three, 3.0)))
    at = np.unravel_index(np.argmax(np.abs(one)), one.shape)
    if (moves and not proportional) or not np.isfinite(one[at]) or one[at] == 0.0:
        return response
    known = eqx.tree_at(lambda m: m.spectral, model, fill(model.spectral, cases[0]))
    return Scaled(_at_rest(known, response, group), group.nodes[at], jnp.asarray(one[at]))


def _moving(
    spatial: Any, plan: Live, cube: CubeGroup, flux: Array, nodes: Float[Array, "energy_true node"]
) -> Float[Array, "bin"]:
    """Counts of a source as a function of its parameters, with derivatives that cost once for all directions."""
    x, counts, data = _movable(spatial, plan, cube, nodes)
    return tower(counts)(x, flux, data)


def _moving_weighted(
    spatial: Any, plan: Live, cube: CubeGroup, nodes: Float[Array, "energy_true node"], weights: Float[Array, "bin"]
) -> Float[Array, "energy_true node"]:
    """Sums over the bins of weights times the counts per unit of flux, in the same way."""
    x, counts, data = _movable(spatial, plan, cube, nodes)
    if plan.factor == 0:
        return tower_near(functools.partial(weighted_near, plan.reach))(x, weights, cube)[:, None]
    return tower(lambda x, w, data: counts(x, None, data) @ w)(x, weights, data)


def _movable(
    spatial: Any, plan: Live, cube: CubeGroup, nodes: Array
) -> tuple[tuple[Scalar, ...], Callable[..., Array], tuple[Any, ...]]:
    """The numbers through which the counts of a source depend on its shape and place, its counts, and their data.

    They are a function of these numbers, the flux at each true energy and node, and the data; without flux they are
    those per unit of it, (energy_true, node, bin).
    """
    if plan.factor == 0:
        x, y = cube.projection.pixel(spatial.lon_0, spatial.lat_0, spatial.frame)
        size = (spatial.sigma,) if isinstance(spatial, GaussianSpatial) else ()
        return (x, y, *size), functools.partial(_counts_closed, plan.reach), (cube, nodes)
    declared = [field.name for field in dataclasses.fields(spatial) if isinstance(spec_of(field), ParamSpec)]

    # What else the model holds, as the weights of a network, may move too: it must come in as an argument.
    numbers = lambda s: [getattr(s, name) for name in declared]  # noqa: E731
    held, kind = eqx.partition(eqx.tree_at(numbers, spatial, replace=[None] * len(declared)), eqx.is_array)

    def counts(x: tuple[Scalar, ...], flux: Array | None, data: tuple[CubeGroup, Array, Any]) -> Array:
        cube, nodes, held = data
        here = eqx.tree_at(numbers, eqx.combine(held, kind), list(x), is_leaf=lambda leaf: leaf is None)
        if cube.reco:
            at_once = functools.partial(_counts_after, here, cube, plan.factor, nodes)
            shape = len(nodes), nodes.shape[1] if here.energy_dependent else 1
            return per_unit(at_once, shape) if flux is None else at_once(flux)
        response = _response_convolved(here, cube, plan.factor, nodes)
        return response if flux is None else _folded(flux, response)

    return tuple(numbers(spatial)), counts, (cube, nodes, held)


def _counts_closed(
    reach: int, x: tuple[Scalar, ...], flux: Array | None, data: tuple[CubeGroup, Array]
) -> Float[Array, "bin"] | Float[Array, "energy_true 1 bin"]:
    """Counts of a point or round Gaussian at pixel (x, y)."""
    pixel, (cube, _) = jnp.stack(x[:2]), data
    sigma = x[2] if len(x) > 2 else None
    kernel = dispersion(pixel, cube)
    if cube.reco:
        at_once = functools.partial(closed_after, pixel, sigma, kernel, cube, reach)
        return per_unit(at_once, (len(kernel), 1)) if flux is None else at_once(flux)
    flux = None if flux is None else flux[:, 0]
    counts = counts_closed(pixel, sigma, kernel, flux, cube, reach)
    return counts[:, None] if flux is None else counts


def as_seen(group: CubeGroup, irf: AppliedIRF) -> CubeGroup:
    """The cubes with perfect responses in place of those that are not applied to a source."""
    n, energies = group.exposure.shape[0], group.psf.sigma.shape[1]
    if not irf.exposure:
        group = dataclasses.replace(group, exposure=jnp.ones_like(group.exposure))
    if not irf.psf:
        psf = jax.tree.map(lambda x: jnp.broadcast_to(x, (n, *x.shape)), unspread(energies))
        group = dataclasses.replace(group, psf=psf, reach=0)
    if not irf.edisp:
        here = jnp.zeros((n, 1))
        kernel = group.overlap[..., None, None]
        group = dataclasses.replace(group, kernel=kernel, kernel_x=here, kernel_y=here)
    return group


def cubes(group: CubeGroup) -> Any:
    """What each cube of a group has for itself, for `vmap`."""
    return dataclasses.replace(group, nodes=None, node_weights=None, is_sum=None, plans=())


def _response_convolved(
    spatial: SpatialModel, cube: CubeGroup, factor: int, nodes: Array
) -> Float[Array, "energy_true node bin"]:
    """Counts in the bins of one cube per unit of flux at each true energy and node, of any shape."""
    lit, pixel = _lit(spatial, cube, factor, nodes)
    counts = convolved(lit, _kernel_of_psf(cube, pixel, factor)[:, None]) if cube.reach else lit
    energy, row, column = jnp.moveaxis(cube.place, -1, 0)
    kernel = dispersion(pixel, cube)[:, None]
    box = cutout(counts, cube.corner, cube.inside.shape[-2:])
    sums = jnp.einsum("myx,tnyx->tnm", cube.inside, box)[..., cube.plane]
    return jnp.concatenate([counts[..., row, column] * kernel[..., energy], sums * kernel], axis=-1)


def _counts_after(
    spatial: SpatialModel, cube: CubeGroup, factor: int, nodes: Array, flux: Float[Array, "energy_true node"]
) -> Float[Array, "bin"]:
    """Counts of any shape in the bins of a cube whose PSF acts after the dispersion."""
    lit, pixel = _lit(spatial, cube, factor, nodes)
    images = dispersed(flux, dispersion(pixel, cube), lit)
    counts = convolved(images, _kernel_of_psf(cube, pixel, factor)) if cube.reach else images
    box = cutout(counts, cube.corner, cube.inside.shape[-2:])
    return jnp.concatenate([counts[tuple(cube.place.T)], jnp.sum(cube.inside[cube.plane] * box, axis=(1, 2))])


def _lit(
    spatial: SpatialModel, cube: CubeGroup, factor: int, nodes: Array
) -> tuple[Float[Array, "energy_true node lat lon"], Float[Array, "2"]]:
    """Brightness times solid angle times exposure on the whole map, and the centre of the source in pixels."""
    ny, nx = cube.exposure.shape[-2:]
    middle = (cube.lon[ny // 2, nx // 2], cube.lat[ny // 2, nx // 2]), cube.frame
    (lon, lat), frame = middle if spatial.centre is None else (spatial.centre, spatial.frame)
    pixel = cube.projection.pixel(lon, lat, frame)
    sky = _brightness(spatial, cube, factor, nodes)
    sky *= cube.solid_angle.reshape(*(1,) * (sky.ndim - 2), ny, nx)
    return (sky if spatial.energy_dependent else sky[None, None]) * cube.exposure[:, None], pixel


def _kernel_of_psf(cube: CubeGroup, pixel: Array, factor: int) -> Float[Array, "psf_energy row column"]:
    """The PSF at a place in pixels around it, for images that are means of `factor`^2 samples per pixel."""
    # A mean over sub-pixels has the box of the pixel in it once already: its variance is taken from the kernel.
    box = 0.0 if factor == 1 else (1.0 - 1.0 / factor**2) / 12.0
    scale = pixels_per_degree(cube, pixel)[::-1]
    widths = [jnp.sqrt(jnp.maximum(jnp.square(cube.psf.sigma * d) - box, 1e-6)) for d in scale]
    down, right = (spread(-cube.reach, 2 * cube.reach + 1, 0.0, width, cube.reach + 1.0) for width in widths)
    psf = jnp.einsum("tg,tgy,tgx->tyx", cube.psf.at(pixel), down, right)
    return safe_divide(psf, jnp.sum(psf, axis=(1, 2), keepdims=True))


def convolved(images: Float[Array, "*n lat lon"], kernels: Float[Array, "*n row column"]) -> Float[Array, "*n lat lon"]:
    """Images convolved with centred kernels; nothing comes in from beyond the edges."""
    (ny, nx), (ky, kx) = images.shape[-2:], kernels.shape[-2:]
    size: Any = [scipy.fft.next_fast_len(n + k - 1, real=True) for n, k in ((ny, ky), (nx, kx))]
    product = jnp.fft.rfft2(images, size) * jnp.fft.rfft2(kernels, size)
    both = jnp.fft.irfft2(product, size)
    return lax.slice_in_dim(lax.slice_in_dim(both, ky // 2, ky // 2 + ny, axis=-2), kx // 2, kx // 2 + nx, axis=-1)


def _brightness(spatial: SpatialModel, cube: CubeGroup, factor: int, nodes: Array) -> Array:
    """Mean brightness in each pixel [sr-1], at each node of each true-energy bin if it depends on the energy."""
    lon, lat = directions(cube.lon, cube.lat, cube.frame, spatial.frame, factor)
    if not spatial.energy_dependent:
        middle = cube.solid_angle[tuple(n // 2 for n in cube.solid_angle.shape)]
        apart = jnp.rad2deg(jnp.sqrt(middle)) / factor
        return jnp.mean(evaluate(spatial, lon, lat, apart=apart), axis=0)

    def at(energy: Scalar) -> Array:
        return jnp.mean(jax.vmap(lambda x, y: evaluate(spatial, x, y, energy))(lon, lat), axis=0)

    return each(at, nodes.ravel()).reshape(*nodes.shape, *cube.lon.shape)
