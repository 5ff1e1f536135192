"""Cubes as the likelihood takes them: occupied bins one by one, everything else as one sum per energy.

With `-2 ln L = sum_i 2 mu_i - sum_{n_i > 0} 2 n_i ln mu_i`, logarithms are needed only where there are counts. So the
bins of a cube are its occupied bins, with the statistic `-2 n ln mu`, followed by one bin per reconstructed energy that
holds the sum of the prediction over the mask, with the statistic `2 mu`.

On-off cubes have the same bins: without on counts WStat is `2 s + 2 n_off ln(1 + alpha)`, linear in the signal s.
"""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np

from gammajax._typing import Array, Bool, Float, Int
from gammajax.datasets.cube import Cube, MapDatasetOnOff
from gammajax.datasets.cube_responses import kernel_on, psf_on
from gammajax.geom.grid import SkyGrid
from gammajax.geom.projected import projection_of, scales
from gammajax.irf.mixture import MixturePSF, thinned
from gammajax.numeric.pixel import Projection
from gammajax.numeric.quadrature import gauss_of_sum, log_nodes
from gammajax.remembered import Remembered

_SCALES = 64
"""Rows and columns at which the scale of a map is known."""

_ALPHAS = 8
"""Nodes in alpha that stand for the bins without on counts."""


class CubeGroup(eqx.Module):
    """Cubes of one shape."""

    nodes: Float[Array, "axis energy_true node"]
    node_weights: Float[Array, "axis energy_true node"]
    axis: Int[Array, "dataset"]
    index: Int[Array, "dataset"]
    mask: Bool[Array, "dataset bin"]
    counts: Float[Array, "dataset bin"]
    """Counts of the occupied bins; for the sums all counts of that energy."""
    background: Float[Array, "dataset bin"]
    energy: Float[Array, "dataset bin"]
    is_sum: Bool[Array, "bin"]
    field: Float[Array, "dataset bin 2"]
    """Place of each bin on the map [deg from its centre]; of a sum the mean over its background."""
    place: Int[Array, "dataset occupied 3"]
    """Energy, row and column of each occupied bin."""
    exposure: Float[Array, "dataset energy_true lat lon"]
    corner: Int[Array, "dataset 2"]
    """First row and column of the box that holds all bins that take part."""
    inside: Float[Array, "dataset plane lat_box lon_box"]
    """One where a bin takes part, else zero: the distinct planes of the masks, in that box."""
    plane: Int[Array, "dataset energy"]
    """Which of them belongs to each energy."""
    solid_angle: Float[Array, "dataset lat lon"]
    lon: Float[Array, "dataset lat lon"]
    lat: Float[Array, "dataset lat lon"]
    kernel: Float[Array, "dataset energy_true energy lat_irf lon_irf"]
    kernel_x: Float[Array, "dataset lon_irf"]
    kernel_y: Float[Array, "dataset lat_irf"]
    overlap: Float[Array, "dataset energy_true energy"]
    """Share of each true-energy bin that lies in each bin of energy: `kernel` where energies are as measured."""
    psf: MixturePSF
    projection: Projection
    scale: Float[Array, "dataset 2 lat_scale lon_scale"]
    """Pixels per degree on the sky, along x and along y."""
    scale_x: Float[Array, "dataset lon_scale"]
    scale_y: Float[Array, "dataset lat_scale"]
    plans: tuple[Any, ...]
    """Per model how it is evaluated (`predict.plan`)."""
    frame: str = eqx.field(static=True)
    """Frame of `lon` and `lat`."""
    reach: int = eqx.field(static=True)
    """Pixels that a PSF reaches to each side of a source; 0: nothing is spread."""
    reco: bool = eqx.field(static=True)
    """The PSF is over reconstructed energy, and acts after the dispersion."""


class OnOffCubeGroup(CubeGroup):
    """On-off cubes of one shape; `background` is `alpha * counts_off` of the data."""

    counts_off: Float[Array, "dataset bin"]
    """Off counts of the occupied bins; for the sums all of that energy."""
    alpha: Float[Array, "dataset bin"]
    """For the sums 0."""
    empty_off: Float[Array, "dataset energy node"]
    """Off counts of the bins that are not among the occupied ones, shared out over nodes in alpha."""
    empty_alpha: Float[Array, "dataset energy node"]


def group_cubes(datasets: Sequence[Cube], members: Sequence[int], nodes: int, dense: bool) -> list[CubeGroup]:
    """Cubes sorted by shape and stacked; `dense` takes every bin of the mask as occupied, for counts that change."""
    plans = {i: _PLANS(datasets[i], dense) for i in members}
    shapes: dict[Any, list[int]] = {}
    for i, plan in plans.items():
        shapes.setdefault(plan.shape, []).append(i)
    return [_stacked([datasets[i] for i in some], [plans[i] for i in some], some, nodes) for some in shapes.values()]


class _Plan:
    """What one cube, whatever the models, has for its group as host arrays; without a reference to the cube."""

    def __init__(self, dataset: Cube, dense: bool):
        mask, counts, background = (np.asarray(x) for x in (dataset.mask, dataset.counts, dataset.background))
        place = np.argwhere(mask if dense else mask & (counts > 0))
        # Pixel by pixel, so that what is looked up lies close together.
        place = place[np.lexsort((place[:, 0], place[:, 2], place[:, 1]))]
        self.inside, self.plane = _distinct(mask)
        at = tuple(place.T)
        centre = 0.5 * (np.array(dataset.grid.shape[::-1]) - 1.0)
        pixel = np.linalg.inv(dataset.grid.wcs.pixel_scale_matrix)
        rows, columns = (np.arange(n) for n in dataset.grid.shape)
        kept = np.where(mask, background, 0.0)
        total = kept.sum(axis=(1, 2))
        weight = np.where(total > 0, total, 1.0)
        mean = np.stack([kept.sum(axis=1) @ columns / weight, kept.sum(axis=2) @ rows / weight], axis=-1)
        where = np.concatenate([place[:, :0:-1], np.where(total[:, None] > 0, mean, centre)])
        edges = np.asarray(dataset.energy)
        energies = np.sqrt(edges[1:] * edges[:-1])
        self.place = place.astype(np.int32)
        self.counts = np.concatenate([counts[at], np.where(mask, counts, 0.0).sum(axis=(1, 2))])
        self.background = np.concatenate([background[at], total])
        self.energy = np.concatenate([energies[place[:, 0]], energies])
        self.field = (where - centre) @ np.linalg.inv(pixel).T
        self.projection = projection_of(dataset.grid)
        self.scale_y, self.scale_x = (thinned(n, _SCALES).astype(float) for n in dataset.grid.shape)
        self.scale = scales(dataset.grid, self.scale_x, self.scale_y)
        reco = dataset.psf is not None and dataset.psf.reco
        edges = np.asarray(dataset.energy if reco else dataset.energy_true)
        self.psf, self.reach = psf_on(dataset.grid, edges, dataset.psf, float(self.scale.max()))
        self.overlap = overlap(dataset)
        self.kernel, self.kernel_x, self.kernel_y = kernel_on(dataset.grid, dataset.edisp, self.overlap)
        psf = self.psf.weight.shape[2:], self.reach
        frame, exposure = dataset.grid.frame, dataset.exposure.shape
        on_off = isinstance(dataset, MapDatasetOnOff)
        self.reco = reco
        kind = self.projection.kind, frame, self.reco, on_off
        self.shape = counts.shape, exposure, psf, self.kernel.shape, *kind
        if on_off:
            self._take_off(dataset, mask, at)

    def _take_off(self, dataset: MapDatasetOnOff, mask: np.ndarray, at: tuple[np.ndarray, ...]) -> None:
        off, alpha = np.where(mask, dataset.counts_off, 0.0), np.asarray(dataset.alpha)
        empty = mask.copy()
        empty[at] = False
        self.counts_off = np.concatenate([off[at], off.sum(axis=(1, 2))])
        self.alpha = np.concatenate([alpha[at], np.zeros(len(mask))])
        # In ln(1 + alpha), in which the statistic itself is linear: exact while no model acts on alpha.
        rules = [gauss_of_sum(np.log1p(alpha[i][use]), off[i][use], _ALPHAS) for i, use in enumerate(empty)]
        self.empty_alpha = np.expm1([nodes for nodes, _ in rules])
        self.empty_off = np.array([weights for _, weights in rules])


_PLANS = Remembered(_Plan)


def _distinct(mask: Bool[np.ndarray, "energy lat lon"]) -> tuple[Float[np.ndarray, "plane lat lon"], np.ndarray]:
    """The different planes of a mask, and which of them belongs to each energy."""
    seen: dict[bytes, int] = {}
    plane = np.array([seen.setdefault(np.packbits(image).tobytes(), len(seen)) for image in mask])
    _, first = np.unique(plane, return_index=True)
    return mask[first].astype(float), plane


def overlap(dataset: Cube) -> Float[np.ndarray, "energy_true energy"]:
    """Share of the width of each true-energy bin that lies in each bin of energy."""
    energy, energy_true = np.asarray(dataset.energy), np.asarray(dataset.energy_true)
    low, high = energy_true[:-1, None], energy_true[1:, None]
    share = np.clip(np.minimum(high, energy[1:]) - np.maximum(low, energy[:-1]), 0.0, None) / (high - low)
    # Edges that differ in their last digits are the same edge.
    return np.where(np.abs(share - np.round(share)) < 1e-6, np.round(share), share)


def _stacked(datasets: list[Cube], plans: list[_Plan], members: list[int], nodes: int) -> CubeGroup:
    n_energy = datasets[0].counts.shape[0]
    most = max(len(p.place) for p in plans)

    def bins(name: str, fill: float) -> np.ndarray:
        """Occupied bins padded to a common number, then the sums."""
        rows = []
        for p in plans:
            x = getattr(p, name)
            split = len(p.place)
            pad = np.full((most - split, *x.shape[1:]), fill)
            rows.append(np.concatenate([x[:split], pad, x[split:]]))
        return np.stack(rows)

    quadrature = [log_nodes(np.asarray(d.energy_true), nodes) for d in datasets]
    is_sum = np.arange(most + n_energy) >= most
    real = np.arange(most) < np.array([len(p.place) for p in plans])[:, None]
    components = max(p.psf.sigma.shape[1] for p in plans)
    lonlat = [_lonlat(d.grid) for d in datasets]
    arrays = {
        "nodes": np.stack([x for x, _ in quadrature]),
        "node_weights": np.stack([w for _, w in quadrature]),
        "axis": np.arange(len(plans), dtype=np.int32),
        "index": np.array(members, dtype=np.int32),
        "mask": np.concatenate([real, np.ones((len(plans), n_energy), bool)], axis=1),
        "counts": bins("counts", 0.0),
        "background": bins("background", 1.0),
        "energy": bins("energy", 1.0),
        "field": bins("field", 0.0),
        "is_sum": is_sum,
        "place": np.stack([np.concatenate([p.place, np.zeros((most - len(p.place), 3), np.int32)]) for p in plans]),
        "exposure": np.stack([np.asarray(d.exposure) for d in datasets]),
        **_boxed([p.inside for p in plans]),
        "plane": np.stack([p.plane for p in plans]),
        "solid_angle": np.stack([x for _, _, x in lonlat]),
        "lon": np.stack([x for x, _, _ in lonlat]),
        "lat": np.stack([x for _, x, _ in lonlat]),
        "kernel": np.stack([p.kernel for p in plans]),
        "kernel_x": np.stack([p.kernel_x for p in plans]),
        "kernel_y": np.stack([p.kernel_y for p in plans]),
        "overlap": np.stack([p.overlap for p in plans]),
        "scale": np.stack([p.scale for p in plans]),
        "scale_x": np.stack([p.scale_x for p in plans]),
        "scale_y": np.stack([p.scale_y for p in plans]),
        "psf": jax.tree.map(lambda *x: np.stack(x), *(_with_components(p.psf, components) for p in plans)),
        "projection": jax.tree.map(lambda *x: np.stack(x), *(p.projection for p in plans)),
    }
    kind: type[CubeGroup] = CubeGroup
    if isinstance(datasets[0], MapDatasetOnOff):
        kind = OnOffCubeGroup
        arrays |= {name: bins(name, 0.0) for name in ("counts_off", "alpha")}
        arrays |= {name: np.stack([getattr(p, name) for p in plans]) for name in ("empty_off", "empty_alpha")}
    frame, reach, reco = datasets[0].grid.frame, plans[0].reach, plans[0].reco
    return kind(**jax.device_put(arrays), plans=(), frame=frame, reach=reach, reco=reco)


def _boxed(masks: list[Float[np.ndarray, "plane lat lon"]]) -> dict[str, np.ndarray]:
    """Masks in boxes of one size that hold what is in them, filled up with empty planes, and where the boxes begin."""
    shape = np.array(masks[0].shape[1:])
    ends = np.array([[_ends(np.any(mask, axis=(0, axis))) for axis in (2, 1)] for mask in masks])
    size = np.max(ends[..., 1] - ends[..., 0], axis=0)
    corner = np.minimum(ends[..., 0], shape - size)
    out = np.zeros((len(masks), max(map(len, masks)), *size))
    for row, mask, (y, x) in zip(out, masks, corner, strict=True):
        row[: len(mask)] = mask[:, y : y + size[0], x : x + size[1]]
    return {"corner": corner.astype(np.int32), "inside": out}


def _ends(used: Bool[np.ndarray, "pixel"]) -> tuple[int, int]:
    """The first that is used, and the one behind the last; of none the first alone."""
    found = np.flatnonzero(used)
    return (int(found[0]), int(found[-1]) + 1) if len(found) else (0, 1)


def _with_components(psf: MixturePSF, n: int) -> MixturePSF:
    more = n - psf.sigma.shape[1]
    sigma = np.pad(psf.sigma, ((0, 0), (0, more)), constant_values=1.0)
    return MixturePSF(sigma, np.pad(psf.weight, ((0, 0), (0, more), (0, 0), (0, 0))), psf.x, psf.y)


def _lonlat(grid: SkyGrid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixel centres [deg] and solid angles [sr]; what lies outside the projection has none."""
    lon, lat = grid.lonlat
    return np.nan_to_num(lon), np.nan_to_num(lat), np.asarray(grid.solid_angle)


def unpacked(group: CubeGroup, row: int, values: np.ndarray) -> np.ndarray:
    """Values of the occupied bins of one cube of a group as a cube (energy, lat, lon), zero elsewhere."""
    real = np.asarray(group.mask)[row, : group.place.shape[1]]
    out = np.zeros((group.plane.shape[1], *group.exposure.shape[2:]))
    out[tuple(np.asarray(group.place)[row][real].T)] = np.asarray(values)[: len(real)][real]
    return out
