"""First fit of one dataset with every spectral model, each in a new process with an empty compile cache.

python benchmarks/spectral_models.py [--models PowerLaw LogParabola] [--repeat 3]

Writes benchmarks/results/spectral_models.json and docs/benchmarks_models.md. The dataset is an on-off spectrum of 24
bins with Asimov counts, the free parameters are those that are free by default.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULT = HERE / "results" / "spectral_models.json"
PAGE = HERE.parent / "docs" / "benchmarks_models.md"
BUDGET = 4.0

HEAD = f"""# Compile times of the spectral models

Made by `python benchmarks/spectral_models.py`. Each line is one new process with an empty compile cache: the first
`gj.fit` of one on-off spectrum of 24 bins, with its covariance. "First fit" has all that happens in it; "of which
compilation" is tracing, lowering and XLA; "processor" is the time on all cores; "again" is the same fit a second time.
The budget is {BUDGET:.0f} s on two cores.

| model | free parameters | first fit | of which compilation | processor | again | programs |
|---|---|---|---|---|---|---|
"""


def cases() -> dict[str, Any]:
    """One source for each model; factors multiply a power law."""
    import numpy as np

    import gammajax as gj
    from gammajax.geom.map_axis import MapAxis
    from gammajax.geom.maps import SkyMap

    line: Any = gj.PowerLaw
    energy = np.geomspace(0.01, 100.0, 50)
    axes = (
        MapAxis.from_nodes("index", np.linspace(1.0, 4.0, 13)),
        MapAxis.from_nodes("amplitude", [0.1, 1.0, 10.0], "", "log"),
        MapAxis.from_edges("energy_true", np.geomspace(0.01, 100.0, 41), "TeV", "log"),
    )
    grid = 1e-11 * axes[1].points[:, None] * axes[2].centers ** -axes[0].points[:, None, None]
    redshift = np.linspace(0.01, 1.0, 100)
    transmission = np.exp(-redshift[:, None] * energy)
    strong = {"amplitude": 1e-11}
    made: dict[str, Any] = {
        "ConstantSpectralModel": {"const": 1e-12},
        "PowerLaw": strong,
        "PowerLaw2": {"amplitude": 1e-10},
        "PowerLawNorm": {},
        "BrokenPowerLaw": {**strong, "index2": 3.0},
        "SmoothBrokenPowerLaw": {**strong, "index2": 3.0},
        "ExpCutoffPowerLaw": strong,
        "ExpCutoffPowerLawNorm": {},
        "ExpCutoffPowerLaw3FGL": strong,
        "SuperExpCutoffPowerLaw3FGL": {**strong, "index_2": 0.7},
        "SuperExpCutoffPowerLaw4FGL": {**strong, "expfactor": 1e-5, "index_2": 0.7},
        "SuperExpCutoffPowerLaw4FGLDR3": {**strong, "expfactor": 0.2, "index_2": 0.7},
        "LogParabola": {**strong, "reference": 1.0, "beta": 0.1},
        "LogParabola2": {**strong, "reference": 1.0, "beta": 0.1},
        "LogParabolaNorm": {"reference": 1.0},
        "GaussianSpectralModel": {"amplitude": 1e-11, "sigma": 0.5},
        "LogGaussianSpectralModel": {"L": 1e-11, "Ep": 1.0},
        "TemplateSpectralModel": {"energy": energy, "values": 1e-11 * energy**-2},
        "TemplateNDSpectralModel": {
            "content": SkyMap(grid[..., None, None], axes, None, "cm-2 s-1 TeV-1"),
            "coordinates": [1.1, 2.2],
        },
        "PiecewiseNormSpectralModel": {"energy": [0.1, 1.0, 10.0]},
        "ScaleSpectralModel": {"model": line(**strong)},
        "MeyerCrabSpectralModel": {},
        "EBLAbsorptionNorm": {"energy": energy, "param": redshift, "data": transmission},
    }
    sources: dict[str, Any] = {}
    for name, arguments in made.items():
        model = getattr(gj, name)(**arguments)
        sources[name] = model if model.unit else line(**strong) * model
    # Which has no parameters: a norm to fit.
    sources["TemplateSpectralModel"] *= gj.PowerLawNorm()
    sources["CompoundSpectralModel"] = line(**strong) + gj.LogParabola(**made["LogParabola"])
    return sources


# What a model has no need to fit besides another, or cannot be told from it.
FROZEN = {
    "PowerLawNorm": ["*.model1.amplitude"],
    "ExpCutoffPowerLawNorm": ["*.model1.*"],
    "LogParabolaNorm": ["*.model1.*"],
    "PiecewiseNormSpectralModel": ["*.model1.*"],
    "ScaleSpectralModel": ["*.amplitude"],
    "SuperExpCutoffPowerLaw3FGL": ["*.index_2"],
    "SuperExpCutoffPowerLaw4FGL": ["*.index_2"],
    "SuperExpCutoffPowerLaw4FGLDR3": ["*.index_2"],
    "LogGaussianSpectralModel": [],
    "CompoundSpectralModel": ["*.model1.*"],
}


def one(name: str) -> dict[str, Any]:
    """The first fit with one model, in this process."""
    import numpy as np
    from scipy.stats import norm

    import gammajax as gj
    from gammajax.infer.stopwatch import Stopwatch

    energy, energy_true = np.geomspace(0.1, 50.0, 25), np.geomspace(0.05, 100.0, 67)
    centre = np.log(np.sqrt(energy_true[1:] * energy_true[:-1]))
    kernel = np.diff(norm.cdf((np.log(energy) - centre[:, None]) / 0.15), axis=1)
    models = gj.Models(source=gj.SkyModel(cases()[name])).freeze(*FROZEN.get(name, []))
    if not models.free_paths:
        models = models.free("*.norm") if name == "MeyerCrabSpectralModel" else models
    blank = gj.SpectrumDatasetOnOff(
        name="run",
        energy=energy,
        energy_true=energy_true,
        counts=np.zeros(24),
        counts_off=np.round(400.0 / np.arange(1, 25)),
        acceptance=1.0,
        acceptance_off=10.0,
        exposure=np.full(66, 1e13),
        edisp=kernel,
        livetime=3600.0,
    )
    spectrum = models["source"].spectral
    # Counts of the model without a program of its own: the flux in each bin by the interactive integral, on the host.
    flux = np.nan_to_num(spectrum.integral(energy_true[:-1], energy_true[1:]).value)
    counts = np.round(np.maximum((flux * 1e13) @ kernel, 0.0) + 40.0 / np.arange(1, 25))
    data = gj.Datasets([gj.SpectrumDatasetOnOff(**{**_fields(blank), "counts": counts})])
    if not models.free_paths:
        return {"free": 0}
    import jax

    jax.clear_caches()
    busy = time.process_time()
    with Stopwatch() as first:
        fit = gj.fit(data, models)
    busy = time.process_time() - busy
    begin = time.perf_counter()
    gj.fit(data, models)
    again = time.perf_counter() - begin
    return {
        "free": len(models.free_paths),
        "first_s": first.total,
        "compile_s": first.compile,
        "processor_s": busy,
        "again_s": again,
        "programs": first.programs,
        "success": bool(fit.success),
    }


def _fields(dataset: Any) -> dict[str, Any]:
    names = "name energy energy_true counts_off acceptance acceptance_off exposure edisp livetime"
    return {name: getattr(dataset, name) for name in names.split()}


def measure(names: list[str], repeat: int) -> dict[str, Any]:
    """Each model in processes of its own; the median of their first fits counts."""
    found: dict[str, Any] = {}
    for name in names:
        runs = []
        for _ in range(repeat):
            command = [sys.executable, str(Path(__file__)), "--one", name]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            runs.append(json.loads(done.stdout.splitlines()[-1]))
        found[name] = sorted(runs, key=lambda run: run.get("first_s", 0.0))[len(runs) // 2]
        print(name, found[name], flush=True)
    return found


def page(results: dict[str, Any]) -> str:
    """The table in Markdown."""
    rows = []
    for name, r in results["models"].items():
        if r["free"] == 0:
            rows.append(f"| {name} | 0 | nothing to fit | | | | |")
            continue
        over = " (over budget)" if r["first_s"] > BUDGET else ""
        first = f"{r['first_s']:.2f} s{over} | {r['compile_s']:.2f} s | {r['processor_s']:.2f} s"
        times = f"{first} | {1e3 * r['again_s']:.1f} ms"
        rows.append(f"| {name} | {r['free']} | {times} | {r['programs']} |")
    where = results["environment"]
    versions = ", ".join(
        f"{name} {where['versions'][name]}" for name in ("gammajax", "jax", "jaxlib", "equinox", "numpy")
    )
    foot = (
        f"Measured on {where['date']}: {where['cpu_count']} cores, {where['machine']}, {where['device']}; {versions}."
    )
    return HEAD + "\n".join(rows) + f"\n\n{foot}\n"


def main() -> None:
    """Measure, write JSON, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.one)))
        return
    from timing import environment

    names = options.models or list(cases())
    results = {"environment": environment(), "models": measure(names, options.repeat)}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results, indent=2) + "\n")
    options.page.write_text(page(results))


if __name__ == "__main__":
    main()
