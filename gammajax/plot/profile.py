"""Likelihood profiles: how the statistic rises along one parameter."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gammajax.infer.profile import Profile
from gammajax.plot.style import (
    BACKGROUND,
    DATA,
    FAINT,
    MODEL,
    exponent_of,
    figure_of,
    label,
    new_figure,
    short_names,
    style,
)


def plot_profile(profile: Profile, ax: Axes | None = None) -> Figure:
    """Rise of the statistic along one parameter, the parabola of the covariance, and lines at 1, 2, 3 sigma.

    Points whose fit did not converge are crosses.

    >>> plot_profile(gj.profile(datasets, fit, "crab.spectral.alpha"))                  # doctest: +SKIP
    """
    with style():
        if ax is None:
            ax = new_figure().subplots()
        exponent = exponent_of(profile.values)
        x, unit = profile.values / 10.0**exponent, 10.0**exponent
        top = max(10.0, 1.08 * float(np.max(profile.delta[profile.converged], initial=0.0)))
        _levels(ax, top)
        good = profile.converged
        ax.axvline(profile.best / unit, color=FAINT, linewidth=1.0, zorder=1.0)
        ax.plot(x[good], profile.delta[good], "o-", color=MODEL, markersize=2.8, linewidth=1.2, label="Profile")
        if profile.error > 0:
            fine = np.linspace(profile.values.min(), profile.values.max(), 200)
            parabola = ((fine - profile.best) / profile.error) ** 2
            dashes = (0, (4, 1.5))
            ax.plot(fine / unit, parabola, color=BACKGROUND, linestyle=dashes, label="Parabola of the covariance")
        if not good.all():
            ax.plot(x[~good], profile.delta[~good], "x", color=DATA, markersize=5.0, label="Not converged")
        (name,) = short_names([profile.path])
        ax.set_xlabel(label(name, profile.unit, exponent))
        ax.set_ylabel(r"$\Delta$ statistic ($-2\,\Delta\ln L$)")
        ax.margins(x=0.02)
        ax.set_ylim(min(0.0, float(np.min(profile.delta[good], initial=0.0))), top)
        ax.legend(
            loc="upper center",
            title=profile.path,
            title_fontsize=9.5,
            alignment="left",
            frameon=True,
            framealpha=1.0,
            edgecolor="none",
        )
    return figure_of(ax)


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
