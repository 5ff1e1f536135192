"""Small on-off and counting spectra with a gaussian dispersion; equal shapes let tests share programs."""

import jax
import numpy as np
from scipy.stats import norm

import gammajax as gj

EDGES = np.geomspace(0.1, 100.0, 13)
TRUE = np.geomspace(0.05, 200.0, 21)

value_and_slope = jax.jit(jax.value_and_grad(gj.nll, argnums=1))
value = jax.jit(gj.stat)


def kernel(energy=EDGES, energy_true=TRUE, width=0.15):
    """Gaussian dispersion in ln E, cut off at the edges of the reconstructed axis."""
    centre = np.log(np.sqrt(energy_true[1:] * energy_true[:-1]))[:, None]
    below = norm.cdf((np.log(energy)[None, :] - centre) / width)
    return np.diff(below, axis=1)


def responses(i, energy=EDGES, energy_true=TRUE):
    """Axes, exposure [cm2 s] and dispersion of the i-th dataset."""
    centre = np.log(np.sqrt(energy_true[1:] * energy_true[:-1]))
    exposure = 3e13 * (1 + i) * np.sqrt(centre - centre[0] + 0.3)
    edisp = kernel(energy, energy_true)
    return {
        "energy": energy,
        "energy_true": energy_true,
        "exposure": exposure,
        "edisp": edisp,
        "livetime": 3600.0,
    }


def on_off(seed=1, n=3, energy=EDGES, energy_true=TRUE, prefix="d"):
    """`n` on-off spectra with random counts; the first two bins of the second one are masked."""
    rng = np.random.default_rng(seed)
    bins = len(energy) - 1
    made = []
    for i in range(n):
        off = rng.poisson(200.0 / (1 + np.arange(bins)) ** 1.5)
        on = rng.poisson(0.1 * off + 900.0 * (1 + i) / (1 + np.arange(bins)) ** 3)
        mask = np.arange(bins) >= (2 if i == 1 else 0)
        common = responses(i, energy, energy_true)
        made.append(
            gj.SpectrumDatasetOnOff(
                name=f"{prefix}{i}",
                counts=on,
                counts_off=off,
                acceptance=1.0,
                acceptance_off=10.0 + i,
                mask_safe=mask,
                **common,
            )
        )
    return gj.Datasets(made)


def counting(seed=1, n=2, background=3.0, energy=EDGES, energy_true=TRUE):
    """`n` spectra with a known background."""
    rng = np.random.default_rng(seed)
    bins = len(energy) - 1
    return gj.Datasets(
        gj.SpectrumDataset(
            name=f"c{i}",
            counts=rng.poisson(20.0, bins),
            background=np.full(bins, background),
            **responses(i, energy, energy_true),
        )
        for i in range(n)
    )


def log_parabola(**changed):
    """The source that all tests share."""
    values = {"amplitude": 3e-11, "reference": 1.0, "alpha": 2.4, "beta": 0.1} | changed
    return gj.Models(crab=gj.SkyModel(gj.LogParabola(**values)))
