"""Intervals of draws: central ones and the narrowest ones. numpy in, numpy out."""

import numpy as np

from gammajax.checks import probability

LEVEL = 0.6826894921370859
"""Probability within one standard deviation of a Gaussian."""


def central_interval(draws: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles that leave half of `1 - level` on either side; draws run along the first axis."""
    probability(level, "level", 0.68)
    low, high = np.quantile(draws, [0.5 * (1 - level), 0.5 * (1 + level)], axis=0)
    return low, high


def narrowest_interval(draws: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """The narrowest interval that holds the share `level` of the draws (first axis): highest posterior density.

    For a density with one peak. Reference: M.-H. Chen & Q.-M. Shao, J. Comput. Graph. Stat. 8, 69 (1999).
    """
    probability(level, "level", 0.68)
    ordered = np.sort(draws, axis=0)
    inside = min(int(np.ceil(level * len(ordered))), len(ordered) - 1)
    width = ordered[inside:] - ordered[: len(ordered) - inside]
    first = np.argmin(width, axis=0)[None]
    return np.take_along_axis(ordered, first, 0)[0], np.take_along_axis(ordered, first + inside, 0)[0]
