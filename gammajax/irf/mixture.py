"""A point spread function as a sum of Gaussians: folded with a Gaussian source, and integrated over pixels, exactly.

`PSF(r) = sum_g w_g exp(-r^2 / (2 s_g^2)) / (2 pi s_g^2)` with widths s_g that are fixed for each energy and weights
w_g >= 0 that sum to one. Between the points where the PSF is known the weights are linear, and so is the PSF.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import scipy
from jax.scipy.special import erf

from gammajax._typing import Array, Float
from gammajax.numeric.interp import shares

COMPONENTS = 12
"""Most Gaussians per energy."""
_STEP = 0.05
"""Of the logarithm of the width on the ladder."""
_SEEN = 3e-5
"""Share of the PSF times the square of the logarithm of widths."""
_PLACES, _REFINEMENTS = 16, 20


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
    rad: Float[np.ndarray, "rad"], density: Float[np.ndarray, "place rad"], components: int = COMPONENTS
) -> tuple[Float[np.ndarray, "component"], Float[np.ndarray, "place component"]]:
    """Widths [deg] and weights of Gaussians that have the density of a PSF at radii [deg], at several places.

    Radii count by the area of the ring around them. Places without PSF get weights of zero; of the others one in all
    lies inside the last radius.
    """
    edges = np.concatenate([[0.0], 0.5 * (rad[1:] + rad[:-1]), rad[-1:]])
    area = np.pi * np.diff(edges**2)
    total = density @ area
    known = total > 0
    if not np.any(known):
        return np.ones(1), np.zeros((len(density), 1))
    table = _Table(rad, area, edges, density[known] / total[known, None])
    sigma = table.widths(components)
    weights = np.zeros((len(density), len(sigma)))
    weights[known] = table.weights(sigma)
    inside = weights @ -np.expm1(-0.5 * (rad[-1] / sigma) ** 2)
    return sigma, weights / np.where(known, inside, 1.0)[:, None]


@dataclass(frozen=True)
class _Table:
    """A PSF at several places, one in all inside the last radius."""

    rad: Float[np.ndarray, "rad"]
    area: Float[np.ndarray, "rad"]
    """Of the ring around each radius."""
    edges: Float[np.ndarray, "rad+1"]
    density: Float[np.ndarray, "place rad"]

    def widths(self, most: int) -> np.ndarray:
        """At most so many widths, of which Gaussians describe the PSF at every place: found at a few places."""
        few = dataclasses.replace(self, density=self.density[thinned(len(self.density), _PLACES)])
        # A Gaussian inside the first radius is seen by no point of the table: its weight would be arbitrary.
        smallest = max(self._containment(0.68).min() / 8.0, self.rad[self.rad > 0][0])
        ladder = np.arange(np.log(smallest), np.log(max(0.7 * self.rad[-1], 1.01 * smallest)), _STEP)
        x = few._merged(ladder, most)
        slope, curvature, best = few._normal(x)
        damping = 1e-2
        for _ in range(_REFINEMENTS):
            size = np.sqrt(np.diag(curvature) + 1e-300)
            scaled = curvature / np.outer(size, size) + damping * np.eye(len(x))
            move = np.clip(np.linalg.solve(scaled, slope / size) / size, -0.3, 0.3)
            trial = np.sort(np.clip(x + move, ladder[0], ladder[-1]))
            found = few._normal(trial)
            better = found[2] < best
            damping *= 0.2 if better else 5.0
            if better:
                x, (slope, curvature, best) = trial, found
        return np.exp(x)

    def _merged(self, ladder: np.ndarray, most: int) -> np.ndarray:
        """Of the logarithms of widths of a fine ladder those that are used.

        The nearest are merged, the least seen ones first, as long as there are too many or the merger is not seen.
        """
        weights = self.weights(np.exp(ladder)).max(axis=0)
        used = weights > 1e-6 * weights.max()
        x, weights = ladder[used], weights[used]
        while len(x) > 1:
            # Two Gaussians differ from the one between them by the variance of their logarithms.
            cost = weights[1:] * weights[:-1] / (weights[1:] + weights[:-1]) * np.diff(x) ** 2
            i = int(np.argmin(cost))
            if len(x) <= most and cost[i] > _SEEN:
                break
            both = weights[i] + weights[i + 1]
            x[i] = (weights[i] * x[i] + weights[i + 1] * x[i + 1]) / both
            weights[i] = both
            x, weights = np.delete(x, i + 1), np.delete(weights, i + 1)
        return x

    def _normal(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Normal equations of the logarithms of all widths, the weights following (variable projection), and the
        square of what is left. Reference: L. Kaufman, BIT 15, 49 (1975).
        """
        sigma, scale = np.exp(x), np.sqrt(self.area)
        gauss = self._gauss(sigma) * scale[:, None]
        change = gauss * ((self.rad[:, None] / sigma) ** 2 - 2.0)
        slope, curvature, error = np.zeros(len(x)), np.zeros((len(x), len(x))), 0.0
        for weight, row in zip(self.weights(sigma), self.density, strict=True):
            basis, _ = np.linalg.qr(gauss[:, weight > 0])
            moves, left = change * weight, row * scale - gauss @ weight
            moves -= basis @ (basis.T @ moves)
            slope, curvature, error = slope + moves.T @ left, curvature + moves.T @ moves, error + float(left @ left)
        return slope, curvature, error

    def _gauss(self, sigma: np.ndarray) -> np.ndarray:
        return np.exp(-0.5 * (self.rad[:, None] / sigma) ** 2) / (2.0 * np.pi * sigma**2)

    def weights(self, sigma: np.ndarray) -> np.ndarray:
        """Weights of Gaussians, none below zero, that come nearest to the density."""
        scale = np.sqrt(self.area)
        gauss = self._gauss(sigma) * scale[:, None]
        return np.array([scipy.optimize.nnls(gauss, row * scale, maxiter=100 * len(sigma))[0] for row in self.density])

    def _containment(self, level: float) -> np.ndarray:
        inside = np.cumsum(self.density * self.area, axis=1)
        return np.array([np.interp(level, row, self.edges[1:]) for row in inside])


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
    fits = [fit_gaussians(rad, np.maximum(plane.reshape(len(rad), -1).T, 0.0)) for plane in density]
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
) -> Float[Array, "*component pixel"]:
    """Share of a Gaussian (centre and width in pixels) in each of `size` pixels from `start` on.

    Its window reaches `half` pixels to both sides of the centre. It moves with the centre, not with the pixels:
    shares are continuous in the centre.
    """
    edges = jnp.clip(start + jnp.arange(size + 1) - 0.5 - centre, -half, half)
    apart = edges.reshape(*(1,) * width.ndim, -1) / width[..., None]
    return 0.5 * jnp.diff(erf(apart * np.sqrt(0.5)), axis=-1)


def contained(half: Any, width: Float[Array, "*component"]) -> Float[Array, "*component"]:
    """Share of a Gaussian within `half` pixels to both sides of its centre."""
    return erf(half * np.sqrt(0.5) / width)
