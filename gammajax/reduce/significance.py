"""Significance and errors of an excess of counts: closed forms and roots on the host, for tables."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import brentq

from gammajax._typing import Float

Counts = Float[np.ndarray, "*n"]


def li_ma(counts: Any, counts_off: Any, alpha: Any) -> Counts:
    """Significance of on counts above `alpha * counts_off`, negative for a deficit.

    sqrt(2) [n ln((1 + a)/a n/(n + m)) + m ln((1 + a) m/(n + m))]^1/2, Li & Ma 1983, ApJ 272, 317, eq. 17; 0 without
    counts and where alpha is 0.

    >>> round(float(li_ma(25.0, 40.0, 0.25)), 3)
    3.422
    """
    n, m, a = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (counts, counts_off, alpha)))
    ok = a > 0
    a = np.where(ok, a, 1.0)
    total = np.where(n + m > 0, n + m, 1.0)
    ts = 2 * (_xlogy(n, (1 + a) / a * n / total) + _xlogy(m, (1 + a) * m / total))
    return np.where(ok, np.sign(n - a * m) * np.sqrt(np.maximum(ts, 0.0)), 0.0)


def significance_of_counts(counts: Any, background: Any) -> Counts:
    """Significance of counts above a known background: sign (2 [n ln(n/b) - (n - b)])^1/2; infinite for n > b = 0.

    >>> round(float(significance_of_counts(16.0, 9.0)), 3)
    2.1
    """
    n, b = np.broadcast_arrays(np.asarray(counts, dtype=float), np.asarray(background, dtype=float))
    ratio = np.divide(n, b, out=np.full(n.shape, np.inf), where=b > 0)
    ts = np.where(n > 0, 2 * (_xlogy(n, np.where(n > 0, ratio, 1.0)) - (n - b)), 2 * b)
    return np.sign(n - b) * np.sqrt(np.maximum(ts, 0.0))


def excess_errors(counts: Any, counts_off: Any, alpha: Any, n_sigma: float = 1.0) -> tuple[Counts, Counts]:
    """Errors of the excess downwards and upwards: where WStat, the background profiled, has risen by `n_sigma^2`.

    Downwards the error is the number of counts where WStat never rises so far. Definitions of Gammapy's
    `WStatCountsStatistic`.

    >>> low, high = excess_errors([25.0], [40.0], 0.25)
    >>> low.round(2).tolist(), high.round(2).tolist()
    ([4.96], [5.55])
    """
    arrays = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (counts, counts_off, alpha)))
    n, m, a = (x.ravel().tolist() for x in arrays)
    pairs = [_errors(*one, n_sigma) for one in zip(n, m, a, strict=True)]
    low, high = np.reshape(pairs, (-1, 2)).T
    return low.reshape(arrays[0].shape), high.reshape(arrays[0].shape)


def _errors(n: float, m: float, a: float, n_sigma: float) -> tuple[float, float]:
    excess = n - a * m
    step = 2 * n_sigma * (np.sqrt(n + a**2 * m) + 1)

    def above(mu: float) -> float:
        return _wstat(n, m, a, mu) - n_sigma**2

    low = excess - _root(above, excess - step, excess) if above(excess - step) > 0 else n
    high = excess + step
    while not above(high) > 0:
        high += step
    return low, _root(above, excess, high) - excess


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    found: Any = brentq(function, low, high, xtol=1e-9)
    return float(found)


def _wstat(n: float, m: float, a: float, mu: float) -> float:
    """WStat at the signal `mu` with the background profiled (off counts expected: b); 0 at the best fit."""
    c = a * (n + m) - (1 + a) * mu
    root = np.sqrt(c**2 + 4 * a * (a + 1) * m * mu) if m > 0 else abs(c)
    b = max((c + root) / (2 * a * (a + 1)), 0.0)
    if m == 0 and mu < 0:
        # nothing off: b is free down to where the on region expects nothing
        b = max(b, -mu / a)
    on = mu + a * b
    if (n > 0 and not on > 0) or (m > 0 and not b > 0):
        return np.inf
    return 2 * (on - n + b - m + _log_ratio(n, on) + _log_ratio(m, b))


def _log_ratio(n: float, expected: float) -> float:
    return n * np.log(n / expected) if n > 0 else 0.0


def _xlogy(x: Counts, y: Counts) -> Counts:
    return np.where(x > 0, x * np.log(np.where(x > 0, y, 1.0)), 0.0)
