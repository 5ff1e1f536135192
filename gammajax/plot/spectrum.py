"""Spectral models on their own: a spectrum, a source, or several of them by name; nuisances."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gammajax.errors import ModelError
from gammajax.infer.fit import Fit
from gammajax.models.collection import Models
from gammajax.models.nuisance import Nuisance
from gammajax.models.sky import SkyModel
from gammajax.models.spectral import SpectralModel
from gammajax.plot.sed import plot_sed
from gammajax.plot.style import CYCLE, FAINT, MODEL, energy_axis, figure_of, new_figure, style
from gammajax.units import DNDE, to_value

_POINTS = 200

BOUNDS: tuple[Any, Any] = ("0.1 TeV", "100 TeV")
"""The range of energies that is drawn unless another is given."""

Spectra = SpectralModel | SkyModel | Models | Fit | Mapping[str, SpectralModel | SkyModel]


def plot_spectrum(
    model: Spectra,
    energy_bounds: tuple[Any, Any] = BOUNDS,
    ax: Axes | None = None,
    *,
    energy_power: float = 2,
    unit: str | None = None,
    label: str | None = None,
) -> Figure:
    """`E^p dN/dE` of a bare spectral model or source, or of several by name; a factor without unit as it is.

    `energy_bounds`: two energies [TeV, or with unit]; `unit` of the result (default: TeV powers); `label` names a
    single spectrum. The sources of `Models` or of a `Fit` have their 1 sigma bands, as in `plot_sed`.
    Raises `ModelError` for what holds no spectrum, and where factors and fluxes would share an axis.

    >>> plot_spectrum(gj.LogParabola(amplitude="3.8e-11 cm-2 s-1 TeV-1"), ("50 GeV", "20 TeV"))  # doctest: +SKIP
    >>> plot_spectrum({"Crab": crab, "PKS 2155": pks}, unit="erg cm-2 s-1")             # doctest: +SKIP
    """
    many = _named(model, label)
    units = {spectrum.unit for _, _, spectrum in many}
    if len(units) > 1:
        raise ModelError("fluxes and factors without unit do not share an axis: plot them apart")
    with style():
        ax = new_figure().subplots() if ax is None else ax
        for i, (name, models, spectrum) in enumerate(many):
            color = CYCLE[i % len(CYCLE)]
            if spectrum.unit == DNDE:
                look = {"energy_power": energy_power, "unit": unit, "color": color, "label": name}
                plot_sed(models, next(iter(models)) if name not in models else name, energy_bounds, ax=ax, **look)
            else:
                low, high = _range(energy_bounds)
                energy = np.geomspace(low, high, _POINTS)
                ax.plot(energy, spectrum(energy).value, color=color, label=name)
                energy_axis(ax, low, high)
                ax.set_ylabel("Factor")
                ax.legend(loc="best")
    return figure_of(ax)


def _named(model: Any, label: str | None) -> list[tuple[str, Any, SpectralModel]]:
    """Name, models to draw it from, and spectrum of each that is asked for."""
    models = model.models if isinstance(model, Fit) else model
    if isinstance(models, Models):
        found = [(name, models, source.spectral) for name, source in models.sources.items()]
    elif isinstance(models, Mapping):
        found = [one for name, part in models.items() for one in _named(part, str(name))]
    elif isinstance(models, SkyModel):
        found = _named(models.spectral, label)
    elif isinstance(models, SpectralModel):
        name = label or type(models).__name__
        flux = models.unit == DNDE
        found = [(name, Models({name: SkyModel(models)}) if flux else None, models)]
    else:
        raise ModelError(
            f"a spectrum is a spectral model, a SkyModel, Models, a Fit or several by name, got {type(model).__name__}"
        )
    if not found:
        raise ModelError("there is no source whose spectrum could be plotted")
    return found


def plot_nuisance(nuisance: Nuisance, energy_bounds: tuple[Any, Any] = BOUNDS, ax: Axes | None = None) -> Figure:
    """What a nuisance does at its current values: factors on energy, exposure and background, against energy.

    Only what its class defines is drawn. `energy_bounds`: two energies [TeV, or with unit].

    >>> plot_nuisance(gj.ExposureTilt(tilt=0.1))                                        # doctest: +SKIP
    """
    low, high = _range(energy_bounds)
    energy = np.geomspace(low, high, _POINTS)
    with style():
        ax = new_figure().subplots() if ax is None else ax
        ax.axhline(1.0, color=FAINT, linewidth=0.8)
        names = {"energy": "Energy", "efficiency": "Exposure", "background": "Background"}
        for color, (what, name) in zip((MODEL, *CYCLE[1:]), names.items(), strict=False):
            if type(nuisance).bends(what):
                factor = np.asarray(jax.vmap(getattr(nuisance, what))(energy))
                ax.plot(energy, factor / energy if what == "energy" else factor, color=color, label=name)
        energy_axis(ax, low, high)
        ax.set_ylabel("Factor")
        ax.legend(loc="best", title=type(nuisance).__name__)
    return figure_of(ax)


def _range(energy_bounds: tuple[Any, Any]) -> tuple[float, float]:
    low, high = (float(to_value(x, "TeV", "energy_bounds")) for x in energy_bounds)
    return low, high
