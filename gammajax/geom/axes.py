"""Energy axes: bin edges [TeV], their centres and widths, and the bin of an energy."""

from typing import Any

import numpy as np

from gammajax._typing import Bool, Edges, Float, Int
from gammajax.errors import ConfigError
from gammajax.units import to_value


def energy_edges(energy_min: Any, energy_max: Any, *, per_decade: int | None = None, bins: int | None = None) -> Edges:
    """Logarithmic bin edges [TeV] from `energy_min` to `energy_max`, both met exactly.

    Say either the number of `bins`, or how many bins `per_decade` there are at least (the number of bins is
    rounded up). Limits are quantities, text with a unit, or bare numbers in TeV. Returns shape (bins + 1,).
    Raises `ConfigError` for limits or numbers that make no axis, `UnitMismatch` for limits that are no
    energies.

    >>> energy_edges("10 GeV", "100 TeV", per_decade=20).shape
    (81,)
    """
    low, high = (
        float(to_value(energy_min, "TeV", "energy_min")),
        float(to_value(energy_max, "TeV", "energy_max")),
    )
    if not 0 < low < high < np.inf:
        raise ConfigError(f"an energy axis needs 0 < energy_min < energy_max, got {low:g} and {high:g} TeV")
    if (bins is None) == (per_decade is None):
        raise ConfigError("an energy axis needs either bins=... or per_decade=...")
    if bins is None:
        # Without the slack, ten bins per decade over four decades become 41 by rounding of the logarithm.
        bins = int(np.ceil(np.log10(high / low) * per_decade - 1e-9))
    if bins < 1:
        raise ConfigError(f"an energy axis needs at least one bin, got {bins}")
    return np.geomspace(low, high, bins + 1)


def enclosing_edges(energy: Any, energy_true: Any) -> tuple[Edges, Edges]:
    """Edges [TeV] of energy and of true energy, as a person gives them, checked.

    Raises `ConfigError` for edges that are no axis, and for true energies that do not enclose the energies: of what
    migrates in from beyond, nothing would be predicted.

    >>> enclosing_edges([1.0, 10.0], ["500 GeV", "20 TeV"])[1]
    array([ 0.5, 20. ])
    """
    measured, true = _edges(energy, "energy"), _edges(energy_true, "energy_true")
    if true[0] > measured[0] * (1 + 1e-6) or true[-1] < measured[-1] * (1 - 1e-6):
        raise ConfigError(
            f"energy_true ({true[0]:g} to {true[-1]:g} TeV) must enclose energy ({measured[0]:g} to {measured[-1]:g} "
            "TeV), with a margin of a few times the energy resolution"
        )
    return measured, true


def _edges(edges: Any, what: str) -> Edges:
    values = np.asarray(to_value(edges, "TeV", what), dtype=float)
    if values.ndim != 1 or values.size < 2 or not np.all(np.diff(values) > 0) or not values[0] > 0:
        raise ConfigError(f"{what} needs at least two increasing positive bin edges [TeV]")
    return values


def centers(edges: Edges) -> Float[np.ndarray, "bin"]:
    """Geometric centres of the bins, `sqrt(E_i E_i+1)` [TeV].

    >>> centers(np.array([1.0, 4.0, 16.0]))
    array([2., 8.])
    """
    edges = np.asarray(edges)
    return np.sqrt(edges[:-1] * edges[1:])


def widths(edges: Edges) -> Float[np.ndarray, "bin"]:
    """Widths of the bins, `E_i+1 - E_i` [TeV].

    >>> widths(np.array([1.0, 4.0, 16.0]))
    array([ 3., 12.])
    """
    return np.diff(np.asarray(edges))


def inside(edges: Edges, low: float, high: float) -> Bool[np.ndarray, "bin"]:
    """True for bins that lie wholly in [low, high] [TeV].

    >>> inside(np.array([1.0, 2.0, 4.0, 8.0]), 1.5, 8.0)
    array([False,  True,  True])
    """
    edges = np.asarray(edges)
    return (edges[:-1] >= low) & (edges[1:] <= high)


def bin_of(energy: Float[np.ndarray, "event"], edges: Edges) -> Int[np.ndarray, "event"]:
    """Index of the bin `E_i <= E < E_i+1` that holds each energy; -1 outside the axis and for NaN.

    >>> bin_of(np.array([0.5, 1.0, 3.9, 4.0, np.nan]), np.array([1.0, 2.0, 4.0]))
    array([-1,  0,  1, -1, -1])
    """
    index = np.searchsorted(edges, energy, side="right") - 1
    return np.where((index >= 0) & (index < len(edges) - 1), index, -1)


def count(energy: Float[np.ndarray, "event"], edges: Edges) -> Float[np.ndarray, "bin"]:
    """Number of events per bin; events outside the axis are not counted.

    >>> count(np.array([0.5, 1.0, 3.9, 3.0]), np.array([1.0, 2.0, 4.0]))
    array([1., 2.])
    """
    # Slot 0 collects the index -1: what lies outside.
    return np.bincount(bin_of(energy, edges) + 1, minlength=len(edges))[1:].astype(float)
