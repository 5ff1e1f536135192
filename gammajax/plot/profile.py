"""Likelihood profiles: how the statistic rises along one parameter."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gammajax.errors import ConfigError
from gammajax.infer.limits import AsymmetricErrors, Limit
from gammajax.infer.profile import Profile
from gammajax.plot.style import (
    BACKGROUND,
    CYCLE,
    DATA,
    FAINT,
    MODEL,
    RANGE,
    exponent_of,
    figure_of,
    label,
    new_figure,
    short_names,
    style,
)


def plot_profile(
    profile: Profile | Mapping[str, Profile],
    ax: Axes | None = None,
    *,
    limits: AsymmetricErrors | Limit | None = None,
) -> Figure:
    """Rise of the statistic along one parameter, the parabola of the covariance, and lines at 1, 2, 3 sigma.

    Several profiles of one parameter, by name, are drawn for comparison, without their parabolas. `limits` adds what
    `asymmetric_errors` (shaded interval) or `upper_limit`, `lower_limit` (dotted lines) found. Points whose fit did not
    converge are crosses. Raises `ConfigError` for profiles of different parameters.

    >>> plot_profile(gj.profile(datasets, fit, "crab.spectral.alpha"))                  # doctest: +SKIP
    >>> plot_profile(scan, limits=gj.upper_limit(datasets, fit, scan.path))             # doctest: +SKIP
    """
    many = profile if isinstance(profile, Mapping) else {"Profile": profile}
    first = next(iter(many.values()))
    if len({one.path for one in many.values()}) > 1:
        raise ConfigError(f"profiles of one parameter are needed, got {', '.join(p.path for p in many.values())}")
    with style():
        if ax is None:
            ax = new_figure().subplots()
        exponent = exponent_of(np.concatenate([one.values for one in many.values()]))
        unit = 10.0**exponent
        top = max(10.0, *(1.08 * float(np.max(one.delta[one.converged], initial=0.0)) for one in many.values()))
        _levels(ax, top)
        for color, (name, one) in zip(CYCLE * len(many), many.items(), strict=False):
            _one(ax, one, unit, color, name)
        if len(many) == 1:
            ax.axvline(first.best / unit, color=FAINT, linewidth=1.0, zorder=1.0)
            _parabola(ax, first, unit)
        _limits(ax, limits, first.path, unit)
        (name,) = short_names([first.path])
        ax.set_xlabel(label(name, first.unit, exponent))
        ax.set_ylabel(r"$\Delta$ statistic ($-2\,\Delta\ln L$)")
        ax.margins(x=0.02)
        ax.set_ylim(min(0.0, *(float(np.min(one.delta[one.converged], initial=0.0)) for one in many.values())), top)
        ax.legend(
            loc="upper center",
            title=first.path,
            title_fontsize=9.5,
            alignment="left",
            frameon=True,
            framealpha=1.0,
            edgecolor="none",
        )
    return figure_of(ax)


def _one(ax: Axes, profile: Profile, unit: float, color: str, name: str) -> None:
    good, x = profile.converged, profile.values / unit
    ax.plot(x[good], profile.delta[good], "o-", color=color, markersize=2.8, linewidth=1.2, label=name)
    if not good.all():
        color = DATA if color == MODEL else color
        ax.plot(x[~good], profile.delta[~good], "x", color=color, markersize=5.0, label="Not converged")


def _parabola(ax: Axes, profile: Profile, unit: float) -> None:
    if not profile.error > 0:
        return
    fine = np.linspace(profile.values.min(), profile.values.max(), 200)
    parabola = ((fine - profile.best) / profile.error) ** 2
    dashes = (0, (4, 1.5))
    ax.plot(fine / unit, parabola, color=BACKGROUND, linestyle=dashes, label="Parabola of the covariance")


def _limits(ax: Axes, limits: AsymmetricErrors | Limit | None, path: str, unit: float) -> None:
    if limits is None:
        return
    level = f"{100 * limits.confidence_level:.3g} %"
    if isinstance(limits, Limit):
        if limits.path != path:
            raise ConfigError(f"the limit is one of {limits.path}, the profile one of {path}")
        look: dict[str, Any] = {"color": BACKGROUND, "linestyle": (0, (1, 1.2)), "linewidth": 1.6, "zorder": 1.5}
        ax.axvline(limits.value / unit, label=f"{limits.side.capitalize()} limit, {level}", **look)
        ax.axhline(limits.sigma**2, **look)
        return
    low, high = (end / unit for end in limits[path])
    ax.axvspan(low, high, color=RANGE, alpha=0.18, linewidth=0, zorder=0.5, label=f"Interval, {level}")


def _levels(ax: Axes, top: float) -> None:
    for sigma in (1, 2, 3):
        if sigma**2 < top:
            ax.axhline(sigma**2, color=FAINT, linewidth=0.8, linestyle=(0, (1, 1.5)), zorder=1.0)
            ax.annotate(
                rf"{sigma}$\sigma$",
                (1.0, sigma**2),
                xycoords=("axes fraction", "data"),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                color=FAINT,
            )
