"""Fits, profiles and posteriors that single and double precision must agree on; runs in either."""

import dataclasses
import json
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from made_spectra import counting, log_parabola, on_off

import gammajax as gj

RANGES = {"fermi": (0.03, 2), "magic": (0.08, 30), "veritas": (0.15, 30), "fact": (0.4, 30), "hess": (0.66, 30)}


class Dated(gj.SpectralModel):
    """A parameter far from zero and known to a millionth of its value."""

    amplitude: gj.Scalar = gj.param(3e-11, unit="cm-2 s-1 TeV-1")
    day: gj.Scalar = gj.param(55000.0)

    def dnde(self, energy):
        return self.amplitude * jnp.exp(-2.4 * jnp.log(energy) - 30.0 * (self.day - 55000.0) * energy)


def run(data):
    return _joint_crab(data) if data else _simulated()


def _simulated():
    spectra, models = on_off(n=3), log_parabola()
    names = {f"s{i}": gj.EnergyScale(datasets_names=f"d{i}") for i in range(3)}
    correlated = gj.MultiNormal(0.0, 0.1, 0.5 * np.eye(3) + 0.5)
    many = [dataclasses.replace(d, exposure=np.asarray(d.exposure) * 1e5) for d in counting()]
    poor = models.set({"crab.spectral.amplitude": 1e-14, "crab.spectral.alpha": 4.0})
    return {
        "spectra": _summary(spectra, models),
        "poor start": _summary(spectra, poor),
        "scales": _summary(spectra, models.add(names).prior("s?.delta", correlated)),
        "background": _summary(counting(), models.add(b=gj.BackgroundNorm()).prior("b.norm", gj.Normal(1, 0.1))),
        "million counts": _summary(gj.asimov(many, models), models.set("crab.spectral.alpha", 2.5)),
        "coarse": _summary(spectra, gj.Models(crab=gj.SkyModel(Dated())).set("crab.spectral.day", 55000.0078125)),
    }


def _joint_crab(data):
    datasets = []
    for file in sorted(Path(data).glob("joint-crab/spectra/*/pha_*.fits")):
        (dataset,) = gj.Datasets.read_ogip([file])
        object.__setattr__(dataset, "name", f"{file.parent.name}-{file.stem}")
        datasets.append(dataset.select_energy(*RANGES[file.parent.name]))
    models = log_parabola(amplitude=3.8e-11, alpha=2.5)
    scales = {
        f"scale_{name}": gj.EnergyScale(datasets_names=[d.name for d in datasets if d.name.startswith(name)])
        for name in RANGES
    }
    wide = models.add(scales).prior("scale_*.delta", gj.Normal(0.0, 0.15))
    return {"joint Crab": _summary(datasets, models), "with energy scales": _summary(datasets, wide)}


def _summary(datasets, models):
    fit = gj.fit(datasets, models)
    paths = fit.models.free_paths
    usable = fit.success and fit.models.covariance is not None
    scan = gj.profile(datasets, fit, paths[-1], points=5, sigma=2.0) if usable else None
    return {
        "success": fit.success,
        "message": fit.message,
        "values": [fit.models.value(path) for path in paths],
        "errors": [fit.models.error(path) for path in paths],
        "delta": [] if scan is None else scan.delta.tolist(),
    }


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1] if len(sys.argv) > 1 else None)))
