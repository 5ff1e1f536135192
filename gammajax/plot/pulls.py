"""Pulls: deviations in units of their errors, against the unit Gaussian that they should follow."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import norm

from gammajax.checks import names
from gammajax.errors import ConfigError, NothingToFit
from gammajax.infer.refit import Toys
from gammajax.plot.panels import Many, panels
from gammajax.plot.style import BACKGROUND, FAINT, MODEL, RANGE, figure_of, short_names, style

_DASHES = (0, (4, 1.5))
_COLUMNS = 3


def plot_pulls(toys: Toys, paths: str | Sequence[str] = ("*",), *, axes: Many | None = None) -> Figure:
    """Pulls (best - truth) / error of the refits of each parameter as histograms, with a unit Gaussian.

    The error is that of the parameter in the models that the toys were drawn from, such as those of a fit; where they
    have none the spread of the toys, which tells of biases and tails only. `paths` picks parameters by name or pattern;
    `axes`: one for each. Raises `NothingToFit` if none matches, `ConfigError` if fewer than two refits converged.

    >>> plot_pulls(gj.refit_toys(datasets, fit, key=1), "crab.*")                       # doctest: +SKIP
    """
    patterns = names(paths, "paths")
    chosen = [i for i, path in enumerate(toys.paths) if any(fnmatchcase(path, pattern) for pattern in patterns)]
    if not chosen:
        raise NothingToFit(f"none of {', '.join(patterns)} was free in the toys; there are {', '.join(toys.paths)}")
    good = toys.values[toys.converged]
    if len(good) < 2:
        raise ConfigError(f"{len(good)} of {len(toys.values)} refits converged: pulls need two")
    columns = min(len(chosen), _COLUMNS)
    rows = -(-len(chosen) // columns)
    with style():
        drawn = panels(axes, 1, len(chosen)) if axes is not None else panels(None, rows, columns)
        shown = [toys.paths[i] for i in chosen]
        for ax, i, path, name in zip(drawn, chosen, shown, short_names(shown), strict=False):
            error = toys.truth.error(path)
            known = bool(np.isfinite(error) and error > 0)
            spread = float(good[:, i].std()) or 1.0
            draw_pulls(ax, (good[:, i] - toys.truth.value(path)) / (error if known else spread))
            ax.set_title(name)
            ax.set_xlabel(f"(best - truth) / {'error' if known else 'spread of the toys'}")
            ax.set_ylabel("Toys per bin")
        for ax in drawn[len(chosen) :]:
            ax.set_axis_off()
        if axes is None:
            figure_of(drawn[0]).suptitle(f"{len(good)} of {len(toys.values)} refits converged", fontsize=10.0)
    return figure_of(drawn[0])


def draw_pulls(ax: Axes, pulls: np.ndarray, weight: float = 1.0) -> None:
    """A histogram of pulls, the unit Gaussian of their number, their mean and width with standard errors.

    Errors are those of independent pulls; `weight` is the share of them that is (of smoothed ones, say).
    """
    mean, width = float(pulls.mean()), float(pulls.std())
    n = max(len(pulls) * weight, 1.0)
    # An outlier may not take the picture: what lies beyond is in the outermost bins.
    reach = max(4.0, min(8.0, float(np.abs(pulls).max(initial=0.0))))
    bins = int(np.clip(np.sqrt(len(pulls)), 12, 60))
    edges = np.linspace(-reach, reach, bins + 1)
    held, _ = np.histogram(np.clip(pulls, -reach, reach), edges)
    ax.stairs(held, edges, fill=True, color=RANGE, alpha=0.35, linewidth=0)
    ax.stairs(held, edges, color=MODEL, linewidth=1.0)
    x = np.linspace(-reach, reach, 300)
    expected = len(pulls) * (edges[1] - edges[0]) * norm.pdf(x)
    ax.plot(x, expected, color=BACKGROUND, linestyle=_DASHES, label="Unit Gaussian")
    ax.axvline(0.0, color=FAINT, linewidth=0.8, zorder=1.0)
    ax.set_xlim(-reach, reach)
    ax.set_ylim(0.0, 1.5 * max(float(held.max()), float(expected.max())))
    told = rf"mean {mean:.2f} $\pm$ {width / np.sqrt(n):.2f}, width {width:.2f} $\pm$ {width / np.sqrt(2 * n):.2f}"
    ax.legend(loc="upper center", title=told, title_fontsize=8.5)
