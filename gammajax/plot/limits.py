"""Intervals and limits of parameters: asymmetric errors beside those of the Hessian, limits as arrows."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gammajax.errors import ConfigError
from gammajax.infer.limits import AsymmetricErrors, Limit
from gammajax.plot.style import BACKGROUND, DATA, FAINT, MODEL, exponent_of, label, new_figure, short_names, style

_ROW, _PANEL, _NAMES = 0.34, 2.4, 1.5


def plot_limits(limits: AsymmetricErrors | Limit | Sequence[Limit] | Mapping[str, Limit]) -> Figure:
    """One panel per parameter: intervals of the profile and of the Hessian, or limits as arrows from the best value.

    Limits are rows, with the names of a mapping, else with their level. An end that the data leave open is an arrow.
    Raises `ConfigError` without a limit, or if none was found.

    >>> plot_limits(gj.asymmetric_errors(datasets, fit))                                # doctest: +SKIP
    >>> plot_limits({"A": upper_limit(a, fit_a, "*.norm"), "B": upper_limit(b, fit_b, "*.norm")})  # doctest: +SKIP
    """
    with style():
        return _intervals(limits) if isinstance(limits, AsymmetricErrors) else _limits(_named(limits))


def _named(limits: Limit | Sequence[Limit] | Mapping[str, Limit]) -> dict[str, Limit]:
    if isinstance(limits, Mapping):
        found = dict(limits)
    else:
        many = [limits] if isinstance(limits, Limit) else list(limits)
        texts = [f"{one.side.capitalize()}, {100 * one.confidence_level:.4g} %" for one in many]
        several = len(set(texts)) < len(texts)
        found = {
            f"{i}. {text}" if several else text: one for i, (text, one) in enumerate(zip(texts, many, strict=True), 1)
        }
    if not any(np.isfinite(one.value) for one in found.values()):
        said = "; ".join(one.message for one in found.values())
        raise ConfigError(f"there is no limit to plot{': ' + said if said else ''}")
    return found


def _panels(paths: Sequence[str], rows: Sequence[str]) -> list[Axes]:
    figure = new_figure((_NAMES + _PANEL * len(paths), 0.95 + _ROW * len(rows)))
    axes = list(figure.subplots(1, len(paths), squeeze=False, sharey=True)[0])
    axes[0].set_ylim(len(rows) - 0.4, -0.6)
    axes[0].set_yticks(range(len(rows)), rows)
    for ax in axes:
        ax.tick_params(axis="y", length=0)
        ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.margins(x=0.12)
    return axes


def _intervals(limits: AsymmetricErrors) -> Figure:
    level = f"Profile, {100 * limits.confidence_level:.3g} %"
    axes = _panels(limits.paths, [level, "Hessian"])
    columns = (limits.best, limits.lower, limits.upper, limits.sigma * limits.error, limits.units)
    for ax, name, best, low, high, error, unit in zip(axes, short_names(limits.paths), *columns, strict=True):
        numbers = [x for x in (best, low, high, best - error, best + error) if np.isfinite(x)]
        exponent = exponent_of(numbers)
        scale = 10.0**exponent
        ax.axvline(best / scale, color=FAINT, linewidth=1.0, zorder=1.0)
        reach = error if np.isfinite(error) and error > 0 else 0.2 * abs(best) or 1.0
        for row, color, ends in ((0, MODEL, (low, high)), (1, BACKGROUND, (best - error, best + error))):
            _bar(ax, row, color, best / scale, [x / scale for x in ends], reach / scale)
        ax.set_xlabel(label(name, unit, exponent))
    return axes[0].figure  # type: ignore[return-value]


def _bar(ax: Axes, row: int, color: str, best: float, ends: Sequence[float], reach: float) -> None:
    """A value with its two ends; an end that is not finite is an arrow of the length `reach`."""
    away = [best - ends[0], ends[1] - best]
    known = [np.isfinite(x) for x in away]
    look: dict[str, Any] = {"color": color, "elinewidth": 1.6}
    length = [[x if ok else 0.0] for x, ok in zip(away, known, strict=True)]
    ax.errorbar(best, row, xerr=length, fmt="o", markersize=4.0, capsize=2.5, **look)
    for side, ok, arrow in zip((-1.0, 1.0), known, ("xuplims", "xlolims"), strict=True):
        if not ok:
            ax.errorbar(best, row, xerr=reach, fmt="none", **{arrow: True}, **look)
            ax.plot(best + side * 1.05 * reach, row, alpha=0.0)


def _limits(limits: Mapping[str, Limit]) -> Figure:
    units = {one.path: one.unit for one in limits.values()}
    axes = _panels(list(units), list(limits))
    for ax, path, name in zip(axes, units, short_names(units), strict=True):
        mine = [(row, one) for row, one in enumerate(limits.values()) if one.path == path]
        numbers = np.array([x for _, one in mine for x in (one.best, one.value) if np.isfinite(x)])
        exponent = exponent_of(numbers)
        scale = 10.0**exponent
        span = float(np.ptp(numbers)) or abs(float(numbers[0])) or 1.0
        for row, one in mine:
            look: dict[str, Any] = {"color": MODEL if one.side == "upper" else BACKGROUND, "elinewidth": 1.6}
            ax.plot(
                one.best / scale, row, "o", color=DATA, markersize=4.0, label="Best fit" if row == mine[0][0] else "_"
            )
            if np.isfinite(one.value):
                arrow = "xuplims" if one.side == "upper" else "xlolims"
                ax.errorbar(
                    one.value / scale, row, xerr=0.25 * span / scale, fmt="|", markersize=9.0, **{arrow: True}, **look
                )
            else:
                ax.annotate(
                    "not found", (one.best / scale, row), xytext=(7, 0), textcoords="offset points", va="center"
                )
        ax.set_xlabel(label(name, units[path], exponent))
    axes[0].legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.1, handlelength=1.0)
    return axes[0].figure  # type: ignore[return-value]
