"""Groups of flux points: numbers in units of the reference flux, and likelihood profiles as cubics."""

from collections.abc import Callable, Sequence

import jax
import numpy as np
import scipy
from jaxtyping import ArrayLike

from gammajax.datasets.flux_points import FluxPointsDataset
from gammajax.datasets.groups import GaussGroup, ProfileGroup
from gammajax.errors import DatasetError


def stack_points(datasets: Sequence[FluxPointsDataset], members: list[int]) -> GaussGroup | ProfileGroup:
    """Stack flux points that are compared by the same kind of statistic."""
    n = max(d.energy_ref.size for d in datasets)

    def stacked(values: Callable[[FluxPointsDataset], ArrayLike], empty: float = 0.0) -> np.ndarray:
        """Numbers of each dataset, those that are missing or padded replaced."""
        out = np.full((len(datasets), n), empty)
        for row, d in zip(out, datasets, strict=True):
            own = np.asarray(values(d), dtype=float)
            row[: len(own)] = np.where(np.isfinite(own), own, empty)
        return out

    energy = stacked(lambda d: d.energy_ref, 1.0)
    size = stacked(lambda d: d.dnde_ref, 1.0)
    common = {
        "nodes": energy[..., None],
        "node_weights": np.ones((*energy.shape, 1)),
        "axis": np.arange(len(datasets), dtype=np.int32),
        "exposure": np.where(stacked(lambda d: np.ones(d.energy_ref.size)) > 0, 1.0 / size, 0.0),
        "edisp": np.broadcast_to(np.eye(n), (len(datasets), n, n)),
        "mask": stacked(lambda d: d.mask) > 0,
        "energy": energy,
        "index": np.array(members, dtype=np.int32),
        "value": stacked(lambda d: d.dnde) / size,
    }
    if datasets[0].stat_type == "profile":
        knots, cubic = _profiles(datasets, n)
        return ProfileGroup(**jax.device_put({**common, "knots": knots, "cubic": cubic}))
    # Gammapy's chi2 knows one error for both sides.
    errors = {
        side: stacked(lambda d, c=column: getattr(d, "dnde_err" if d.stat_type == "chi2" else c), 1.0) / size
        for side, column in (("below", "dnde_errn"), ("above", "dnde_errp"))
    }
    limit = stacked(lambda d: d.dnde_ul, 1.0) / size
    deviates = scipy.special.ndtri([d.ul_conf for d in datasets])[:, None]
    limits = {"limit": limit, "width": np.abs(limit) / deviates, "is_ul": stacked(lambda d: d.is_ul) > 0}
    return GaussGroup(**jax.device_put({**common, **errors, **limits}))


def _profiles(datasets: Sequence[FluxPointsDataset], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Knots and coefficients of the signed roots of all profiles, padded with a straight line."""
    k = 1 + max(np.asarray(d.norm_scan).shape[1] for d in datasets)
    knots = np.broadcast_to(np.arange(k, dtype=float), (len(datasets), n, k)).copy()
    cubic = np.zeros((len(datasets), n, k - 1, 4))
    for i, d in enumerate(datasets):
        norms, stats = np.asarray(d.norm_scan), np.asarray(d.stat_scan)
        for j in np.flatnonzero(d.mask):
            best = float(d.dnde_best[j] / d.dnde_ref[j])
            x, c = _signed_root(norms[j] - best, stats[j], f"{d.name}: profile at {float(d.energy_ref[j]):.4g} TeV")
            m = len(x)
            knots[i, j, :m], cubic[i, j, : m - 1] = x, c
            if m < k:
                step = np.arange(1, k - m + 1)
                end, slope = np.polyval(c[-1], x[-1] - x[-2]), np.polyval(np.polyder(c[-1]), x[-1] - x[-2])
                knots[i, j, m:] = x[-1] + step
                cubic[i, j, m - 1 :, 2], cubic[i, j, m - 1 :, 3] = slope, end + slope * (step - 1)
    return knots, cubic


def _signed_root(x: np.ndarray, stat: np.ndarray, what: str) -> tuple[np.ndarray, np.ndarray]:
    """A monotone cubic through the signed roots of a profile with its minimum at x = 0, with (0, 0) as a knot."""
    keep = np.abs(x) > 1e-9 * np.ptp(x)
    knots = np.concatenate([x[keep], [0.0]])
    roots = np.concatenate([np.sign(x[keep]) * np.sqrt(np.maximum(stat[keep], 0.0)), [0.0]])
    order = np.argsort(knots)
    if np.any(np.diff(roots[order]) <= 0):
        raise DatasetError(
            f"{what} does not rise on both sides of its minimum: mask that point, or use stat_type='distrib'"
        )
    found = scipy.interpolate.PchipInterpolator(knots[order], roots[order])
    return knots[order], np.moveaxis(found.c, 0, -1)
