"""A point spread function as a sum of Gaussians: folded with a Gaussian source, and integrated over pixels, exactly.

`PSF(r) = sum_g w_g exp(-r^2 / (2 s_g^2)) / (2 pi s_g^2)` with widths s_g that are fixed for each energy and weights
w_g >= 0 that sum to one. Between the points where the PSF is known the weights are linear, and so is the PSF.
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf
from scipy.optimize import nnls

from gammajax._typing import Array, Float
from gammajax.numeric.interp import shares

COMPONENTS = 12
"""Gaussians per energy; those that no place needs are dropped."""


class MixturePSF(eqx.Module):
    """PSF of a map: weights of Gaussians at the pixels of a coarse grid, per true energy."""

    sigma: Float[Array | np.ndarray, "energy_true component"]
    """Widths [deg]."""
    weight: Float[Array | np.ndarray, "energy_true component lat lon"]
    x: Float[Array | np.ndarray, "lon"]
    """Pixel coordinates of the columns of `weight` on the map of the counts, increasing."""
    y: Float[Array | np.ndarray, "lat"]

    def at(self, pixel: Float[Array, "2"]) -> Float[Array, "energy_true component"]:
        """Weights of the Gaussians at a place, constant beyond the outermost points."""
        return at_pixel(self.weight, self.x, self.y, pixel)


def unspread(n: int) -> MixturePSF:
    """The PSF at n true energies that leaves all directions as they are."""
    return MixturePSF(np.full((n, 1), 1e-9), np.ones((n, 1, 1, 1)), np.zeros(1), np.zeros(1))


def at_pixel(values: Any, x: Any, y: Any, pixel: Float[Array, "2"]) -> Array:
    """Bilinear interpolation of the last two axes (lat, lon) of `values`, constant beyond the outermost points."""
    return jnp.einsum("...yx,y,x->...", values, shares(y, pixel[1]), shares(x, pixel[0]))


def fit_gaussians(
    rad_edges: Float[np.ndarray, "edge"], content: Float[np.ndarray, "place rad"], components: int = COMPONENTS
) -> tuple[Float[np.ndarray, "component"], Float[np.ndarray, "place component"]]:
    """Widths [deg] and weights of Gaussians that hold the same share of events in each ring as a PSF.

    `rad_edges` are the radii [deg] between rings, `content` the share of events in each ring at several places. Rings
    count by the square root of their area: what matters is the error of the density. Places without PSF get weights
    of zero; of the others one in all lies inside the last radius.
    """
    total = content.sum(axis=1)
    known = total > 0
    if not np.any(known):
        return np.ones(1), np.zeros((len(content), 1))
    share = content / np.where(known, total, 1.0)[:, None]
    radius = _containment(rad_edges, share[known], 0.68)
    sigma = np.geomspace(max(radius.min() / 8.0, 1e-4), 0.7 * rad_edges[-1], components)
    inner, outer = rad_edges[:-1, None], rad_edges[1:, None]
    rings = np.exp(-0.5 * (inner / sigma) ** 2) - np.exp(-0.5 * (outer / sigma) ** 2)
    scale = 1.0 / np.sqrt(outer**2 - inner**2)
    weights = np.zeros((len(content), components))
    for row in np.flatnonzero(known):
        weights[row], _ = nnls(rings * scale, share[row] * scale[:, 0], maxiter=100 * components)
    used = np.any(weights > 1e-6 * weights.sum(axis=1, keepdims=True).max(), axis=0)
    inside = weights @ rings.sum(axis=0)
    return sigma[used], weights[:, used] / np.where(known, inside, 1.0)[:, None]


def _containment(rad_edges: np.ndarray, share: np.ndarray, level: float) -> np.ndarray:
    inside = np.concatenate([np.zeros((len(share), 1)), np.cumsum(share, axis=1)], axis=1)
    return np.array([np.interp(level, row, rad_edges) for row in inside])


def ring_content(
    rad: Float[np.ndarray, "rad"], density: Float[np.ndarray, "place rad"]
) -> tuple[Float[np.ndarray, "edge"], Float[np.ndarray, "place rad-1"]]:
    """Radii and share of events between them, for a density [sr-1] that is linear between its radii [deg].

    The integral of `2 pi r rho(r)` is exact for that rule; the density is constant inside the first radius.
    """
    if rad[0] > 0:
        rad, density = np.concatenate([[0.0], rad]), np.concatenate([density[:, :1], density], axis=1)
    r = np.radians(rad)
    slope = np.diff(density, axis=1) / np.diff(r)
    level = density[:, :-1] - slope * r[:-1]
    return rad, np.pi * level * np.diff(r**2) + 2.0 * np.pi / 3.0 * slope * np.diff(r**3)


def mixture_of(
    rad: Float[np.ndarray, "rad"],
    density: Float[np.ndarray, "energy_true rad lat lon"],
    x: Float[np.ndarray, "lon"],
    y: Float[np.ndarray, "lat"],
    *,
    most: int = 12,
) -> MixturePSF:
    """The PSF of a map, given as density [sr-1] at radii [deg] on the pixels of a coarse grid.

    At most `most` rows and columns are used, the outermost ones among them: the PSF is linear between them.
    """
    rows, columns = thinned(len(y), most), thinned(len(x), most)
    density = density[:, :, rows][..., columns]
    n, _, ny, nx = density.shape
    sigma, weight = np.ones((n, 1)), np.zeros((n, 1, ny, nx))
    fits = []
    for plane in density:
        edges, content = ring_content(rad, plane.reshape(len(rad), -1).T)
        fits.append(fit_gaussians(edges, np.maximum(content, 0.0)))
    size = max(len(s) for s, _ in fits)
    sigma, weight = np.ones((n, size)), np.zeros((n, size, ny, nx))
    for i, (s, w) in enumerate(fits):
        sigma[i, : len(s)], weight[i, : len(s)] = s, w.T.reshape(len(s), ny, nx)
    return MixturePSF(sigma, weight, x[columns], y[rows])


def thinned(n: int, most: int) -> np.ndarray:
    """At most so many of n indices, evenly spread from the first to the last."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))


def spread(
    start: Any, size: int, centre: Any, width: Float[Array, "*component"], half: Any
) -> tuple[Float[Array, "*component pixel"], Float[Array, "*component"]]:
    """Share of a Gaussian (centre and width in pixels) in each of `size` pixels from `start` on, and within its window.

    The window reaches `half` pixels to both sides of the centre. It moves with the centre, not with the pixels:
    shares are continuous in the centre.
    """
    edges = jnp.clip(start + jnp.arange(size + 1) - 0.5 - centre, -half, half)
    apart = edges.reshape(*(1,) * width.ndim, -1) / width[..., None]
    return 0.5 * jnp.diff(erf(apart * np.sqrt(0.5)), axis=-1), erf(half * np.sqrt(0.5) / width)
