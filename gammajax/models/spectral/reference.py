"""Reference spectra: the Crab nebula, and cosmic rays at Earth."""

import math
from typing import Any

import jax.numpy as jnp

from gammajax._typing import Scalar
from gammajax.errors import ModelError, nearest
from gammajax.models.spectral.base import SpectralModel
from gammajax.models.spectral.cutoff import ExpCutoffPowerLaw
from gammajax.models.spectral.line import LogGaussianSpectralModel
from gammajax.models.spectral.parabola import LogParabola
from gammajax.models.spectral.powerlaw import PowerLaw
from gammajax.params.field import param
from gammajax.units import conversion

_MEYER = (-0.00449161, 0.0, 0.0473174, -0.179475, -0.53616, -10.2708)
_ERG = conversion("erg", "TeV")


class MeyerCrabSpectralModel(SpectralModel):
    """Crab nebula over all energies, `E^2 dnde = norm 10^p(log10(E / TeV)) erg cm-2 s-1` with a polynomial p.

    Reference: M. Meyer et al., A&A 523, A2 (2010), appendix D.
    """

    norm: Scalar = param(1.0, frozen=True)

    def dnde(self, energy: Scalar) -> Scalar:
        x = jnp.log10(energy)
        exponent = jnp.zeros_like(x)
        for coefficient in _MEYER:
            exponent = exponent * x + coefficient
        return self.norm * _ERG * jnp.exp(math.log(10.0) * exponent) / energy**2


def create_crab_spectral_model(reference: str = "meyer") -> SpectralModel:
    """Spectrum of the Crab nebula: "meyer", "hegra", "hess_pl", "hess_ecpl", "magic_lp" or "magic_ecpl".

    References: A&A 523, A2 (2010) for meyer; ApJ 539, 317 (2000) for hegra; A&A 457, 899 (2006) for hess_pl and
    hess_ecpl; JHEAp 5, 30 (2015) for magic_lp and magic_ecpl. Raises `ModelError` for another name.

    >>> float(create_crab_spectral_model("hegra").index)
    2.62
    """
    # Any: numbers become arrays at the door of each field.
    power_law: Any = PowerLaw
    cut_off: Any = ExpCutoffPowerLaw
    makers: dict[str, Any] = {
        "meyer": MeyerCrabSpectralModel,
        "hegra": lambda: power_law(amplitude=2.83e-11, index=2.62),
        "hess_pl": lambda: power_law(amplitude=3.45e-11, index=2.63),
        "hess_ecpl": lambda: cut_off(amplitude=3.76e-11, index=2.39, lambda_=1 / 14.3),
        "magic_lp": lambda: LogParabola.from_log10(amplitude=3.23e-11, alpha=2.47, beta=0.24, reference=1.0),
        "magic_ecpl": lambda: cut_off(amplitude=3.80e-11, index=2.21, lambda_=1 / 6.0),
    }
    return _chosen(makers, reference, "Crab spectrum")()


_SPHERE = 4 * math.pi * 1e-4
"""From m-2 sr-1 to cm-2 over the whole sky."""


def create_cosmic_ray_spectral_model(particle: str = "proton") -> SpectralModel:
    """Flux of cosmic rays over the whole sky: "proton", "N", "Si", "Fe" or "electron".

    Reference: K. Bernloehr et al., Astropart. Phys. 43, 171 (2013), table 3. Raises `ModelError` for another name.

    >>> create_cosmic_ray_spectral_model("electron").operator
    'add'
    """
    numbers = {
        "proton": (0.096, 2.70),
        "N": (0.0719, 2.64),
        "Si": (0.0284, 2.66),
        "Fe": (0.0134, 2.63),
        "electron": (6.85e-5, 3.21),
    }
    amplitude, index = _chosen(numbers, particle, "particle")
    power_law: Any = PowerLaw
    bump: Any = LogGaussianSpectralModel
    spectrum = power_law(amplitude=amplitude * _SPHERE, index=index)
    return spectrum + bump(L=3.19e-3 * _SPHERE) if particle == "electron" else spectrum


def _chosen(choices, name, what):
    if name not in choices:
        close = nearest(str(name), choices)
        hint = f"; nearest: {close}" if close else ""
        raise ModelError(f"no {what} {name!r}; there are {', '.join(choices)}{hint}")
    return choices[name]
