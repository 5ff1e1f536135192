"""Background rates at many places of a field of view, on the host: energies and places are interpolated one by one.

The numbers are those of `Background2D.integrate` and `Background3D.integrate`. ln B is linear in energy and place: the
table is brought to the wanted energies first, once for all places.
"""

import itertools
from functools import reduce

import numpy as np

from gammajax._typing import Edges, Float
from gammajax.irf.axis import Axis
from gammajax.irf.background import FLOOR, Background2D, Background3D
from gammajax.numeric.sphere import separation

_LOG_FLOOR = float(np.log(FLOOR))


def rates_in_bins(
    bkg: Background2D | Background3D,
    energy_edges: Edges,
    fov_lon: Float[np.ndarray, "place"],
    fov_lat: Float[np.ndarray, "place"],
    exact: bool = True,
) -> Float[np.ndarray, "energy place"]:
    """Rate [s-1 sr-1] in each bin of reconstructed energy (edges [TeV]) at places [deg] of the field of view.

    `exact`: see `Background2D.integrate`.
    """
    axes, place = _place(bkg, fov_lon, fov_lat)
    nodes, bins = np.asarray(energy_edges, dtype=float), np.arange(len(energy_edges) - 1)
    if exact:
        edges, points = np.asarray(bkg.energy.edges), np.asarray(bkg.energy.points)
        cuts = np.concatenate([edges[:1], points, edges[-1:]])
        nodes = np.unique(np.concatenate([nodes, cuts[(cuts > nodes[0]) & (cuts < nodes[-1])]]))
        bins = np.searchsorted(energy_edges, nodes[:-1], side="right") - 1
    log_rate = _log_rates(bkg, axes, np.log(nodes), place)
    steps = _stretches(np.log(nodes), log_rate)
    if not exact:
        return steps
    return np.add.reduceat(steps, np.searchsorted(bins, np.arange(len(energy_edges) - 1)), axis=0)


def _place(bkg: Background2D | Background3D, lon: np.ndarray, lat: np.ndarray) -> tuple[list[Axis], list[np.ndarray]]:
    if isinstance(bkg, Background2D):
        return [bkg.offset], [separation(0.0, 0.0, lon, lat)]
    return [bkg.fov_lon, bkg.fov_lat], [lon, lat]


def _cells(points: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cell of each `x` and the way through it, below 0 or above 1 outside of the points."""
    if len(points) == 1:
        return np.zeros(x.shape, int), np.zeros(x.shape)
    index = np.clip(np.searchsorted(points, x, side="right") - 1, 0, len(points) - 2)
    return index, (x - points[index]) / (points[index + 1] - points[index])


def _log_rates(
    bkg: Background2D | Background3D, axes: list[Axis], log_energy: np.ndarray, place: list[np.ndarray]
) -> Float[np.ndarray, "node place"]:
    """ln B at each energy and place; minus infinity where there is none."""
    values = np.asarray(bkg.values)
    table, filled = np.log(np.maximum(values, FLOOR)), values > FLOOR
    edges = np.log(np.maximum(np.asarray(bkg.energy.edges), 1e-300))
    cell, part = _cells(np.log(np.asarray(bkg.energy.points)), log_energy)
    last = np.minimum(cell + 1, len(values) - 1)
    between = np.clip(part, 0.0, 1.0)

    def at_energies(part: np.ndarray) -> np.ndarray:
        share = part.reshape(-1, *(1,) * len(axes))
        return (1.0 - share) * table[cell] + share * table[last]

    cells = [_cells(np.asarray(axis.points), x) for axis, x in zip(axes, place, strict=True)]
    out = _spread(at_energies(between), [(i, np.clip(f, 0.0, 1.0)) for i, f in cells])
    # in the outer half cells the table goes on linearly, but not from empty neighbours
    on_point = (part < 1e-9) & (cell > 0)
    wide = at_energies(part)
    both = filled[cell] & (filled[last] | on_point.reshape(-1, *(1,) * len(axes)))
    beyond = reduce(np.logical_or, [(f < 0) | (f > 1) for _, f in cells])
    outer = (part < 0) | (part > 1)
    for nodes, places in ((slice(None), np.flatnonzero(beyond)), (np.flatnonzero(outer), np.arange(len(beyond)))):
        some = [(i[places], f[places]) for i, f in cells]
        if len(places) and len(wide[nodes]):
            at = np.ix_(np.arange(len(out))[nodes], places)
            out[at] = np.where(_corners(both[nodes], [i for i, _ in some]), _spread(wide[nodes], some), out[at])
    sees = reduce(np.logical_and, [_within(np.asarray(a.edges), x) for a, x in zip(axes, place, strict=True)])
    kept = sees & _within(edges, log_energy)[:, None] & (out > _LOG_FLOOR + np.log(2.0))
    return np.where(kept, out, -np.inf)


def _within(edges: np.ndarray, x: np.ndarray) -> np.ndarray:
    return (x >= edges[0]) & (x <= edges[-1])


def _sides(shape: tuple[int, ...]) -> itertools.product:
    return itertools.product(*[(0,) if n == 1 else (0, 1) for n in shape])


def _spread(table: np.ndarray, cells: list[tuple[np.ndarray, np.ndarray]]) -> Float[np.ndarray, "node place"]:
    """Multilinear interpolation of a table (node, *place axes) at places."""
    shape = table.shape[1:]
    # one row of all energies per point of the grid: a place then reads whole rows
    rows = np.ascontiguousarray(table.reshape(len(table), -1).T)
    total = np.zeros((len(cells[0][0]), len(table)))
    for side in _sides(shape):
        index = np.ravel_multi_index([i + s for (i, _), s in zip(cells, side, strict=True)], shape)
        weight = np.prod([f if s else 1.0 - f for (_, f), s in zip(cells, side, strict=True)], axis=0)
        total += weight[:, None] * rows[index]
    return total.T


def _corners(filled: np.ndarray, cells: list[np.ndarray]) -> np.ndarray:
    """True where all corners of the cell of a place are filled, (node, place)."""
    sides = _sides(filled.shape[1:])
    return np.all([filled[(slice(None), *(i + s for i, s in zip(cells, side, strict=True)))] for side in sides], axis=0)


def _stretches(log_x: np.ndarray, log_y: Float[np.ndarray, "node place"]) -> Float[np.ndarray, "stretch place"]:
    """Integral of the power law through each pair of neighbours; a stretch that ends at zero counts nothing."""
    product = log_y + log_x[:, None]
    low, high = product[:-1], product[1:]
    ok = np.isfinite(low) & np.isfinite(high)
    low, ratio = np.where(ok, low, 0.0), np.where(ok, high, 0.0) - np.where(ok, low, 0.0)
    small = np.abs(ratio) < 1e-6
    mean = np.exp(low) * np.where(small, 1.0 + 0.5 * ratio, np.expm1(ratio) / np.where(small, 1.0, ratio))
    return np.where(ok, mean * np.diff(log_x)[:, None], 0.0)
