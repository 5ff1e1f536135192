"""Spectral energy distributions: best fit, its error band, posterior bands, the truth."""

from typing import Any

import numpy as np
from astropy import units as u
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gammajax.errors import ConfigError
from gammajax.infer.band import flux_band, posterior_band
from gammajax.infer.fit import Fit
from gammajax.infer.place import values_of
from gammajax.infer.posterior import Posterior
from gammajax.models.collection import Models
from gammajax.plot.style import (
    MODEL,
    POSTERIOR,
    TRUTH,
    energy_axis,
    figure_of,
    log_axis,
    new_figure,
    style,
)
from gammajax.plot.style import label as axis_label
from gammajax.units import DNDE, conversion, to_value, unit_of

_POINTS = 120


def plot_sed(
    fit: Fit | Models,
    name: str,
    energy_bounds: tuple[Any, Any],
    *,
    posterior: Posterior | None = None,
    truth: Models | None = None,
    ax: Axes | None = None,
    energy_power: float = 2,
    unit: str | None = None,
    color: str = MODEL,
    label: str | None = None,
) -> Figure:
    """`E^p dN/dE` of one model: best fit, 1 sigma band of the covariance, 68 and 95 % bands of the posterior.

    `energy_bounds`: two energies [TeV, or with unit]; `energy_power` is p; `unit` of the result, for example
    "erg cm-2 s-1" (default: TeV powers). The covariance is propagated in ln dN/dE; without one, the curve
    alone is drawn. To draw several results, pass the same `ax`, a `color` and a `label`; bands then have no
    entry of their own in the legend. `name` may be the path of a spectrum inside that of a source, such as
    "pks.spectral.model1". Raises `ModelError` for an unknown name, `UnitMismatch` for wrong units.

    >>> plot_sed(fit, "crab", ("50 GeV", "20 TeV"), posterior=posterior)                # doctest: +SKIP
    """
    low, high = (float(to_value(x, "TeV", "energy_bounds")) for x in energy_bounds)
    if not 0.0 < low < high:
        raise ConfigError(
            f"energy_bounds must be two increasing energies, got {energy_bounds[0]} and {energy_bounds[1]}"
        )
    energy = np.geomspace(low, high, _POINTS)
    native = unit_of(DNDE) * u.TeV**energy_power
    shown = native if unit is None else unit_of(unit)
    scale = energy**energy_power * conversion(native, shown, "unit of the spectrum")
    models = fit.models if isinstance(fit, Fit) else fit
    best = values_of(models, name, energy)
    with style():
        if ax is None:
            ax = new_figure().subplots()
        ax.plot(energy, scale * best, color=color, zorder=3.0, label=label or f"{name}, best fit")
        if models.covariance is not None:
            look: dict[str, Any] = {"color": color, "label": r"Covariance, 1 $\sigma$" if label is None else "_"}
            _covariance(ax, energy, scale, flux_band(models, name, energy), look, filled=posterior is None)
        if posterior is not None:
            _posterior(ax, energy, scale * posterior_band(posterior, name, energy))
        if truth is not None and name.split(".")[0] in truth:
            look = {"color": TRUTH, "linestyle": (0, (1, 1.2)), "linewidth": 2.0, "zorder": 3.5}
            ax.plot(energy, scale * values_of(truth, name, energy), label="Truth", **look)
        _axes(ax, low, high, energy_power, shown)
        ax.legend(loc="best")
    return figure_of(ax)


def _covariance(
    ax: Axes,
    energy: np.ndarray,
    scale: np.ndarray,
    band: tuple[np.ndarray, np.ndarray],
    look: dict[str, Any],
    filled: bool,
) -> None:
    best, error = band
    # exp(+-): the band of ln dN/dE stays positive, and is symmetric on this axis.
    factor = np.exp(np.divide(error, best, out=np.zeros_like(best), where=best > 0))
    low, high = scale * best / factor, scale * best * factor
    if filled:
        ax.fill_between(energy, low, high, alpha=0.30, linewidth=0, zorder=2.5, **look)
        return
    # Lines on top of the posterior's bands: two fills would mix to a third colour.
    look |= {"linewidth": 1.0, "linestyle": (0, (4, 1.5)), "zorder": 2.8}
    ax.plot(energy, low, **look)
    look["label"] = "_"
    ax.plot(energy, high, **look)


def _posterior(ax: Axes, energy: np.ndarray, band: np.ndarray) -> None:
    for low, high, alpha, text in ((1, 3, 0.55, "68 %"), (0, 4, 0.28, "95 %")):
        look: dict[str, Any] = {"color": POSTERIOR, "alpha": alpha, "linewidth": 0, "zorder": 2.0 + alpha}
        ax.fill_between(energy, band[low], band[high], label=f"Posterior, {text}", **look)


def _axes(ax: Axes, low: float, high: float, power: float, unit: u.UnitBase) -> None:
    lowest, highest = ax.dataLim.minposy, ax.dataLim.ymax
    if np.isfinite(lowest) and highest > 0:
        # A cut-off falls by any number of decades: four below the peak are enough to see it.
        log_axis(ax, max(lowest / 1.6, highest * 1e-4), highest * 1.6)
    energy_axis(ax, low, high)
    factor = "" if power == 0 else r"E\," if power == 1 else rf"E^{{{power:g}}}\,"
    ax.set_ylabel(axis_label(rf"${factor}\mathrm{{d}}N/\mathrm{{d}}E$", unit))
