"""gammajax and Gammapy side by side on the joint Crab analysis, from OGIP spectra and from DL3.

    python benchmarks/joint_crab.py --data DATA [--out benchmarks/results/joint_crab.json] [--quick]

Both sides run in one process and take turns; whole processes are started one after the other. Every number is a
median [s]. `--quick` leaves out the slowest of Gammapy's parts (41-point profile on DL3, reduction repeated).
Needs the extra gammajax[gammapy].
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import peer
from gammapy.modeling import Fit as PeerFit
from timing import environment, interleaved, seconds, summary
from whole_process import files

import gammajax as gj
from gammajax.datasets.files import read_dataset
from gammajax.infer.stopwatch import Stopwatch
from gammajax.workflow.joint_crab import FERMI_RANGE, SETUPS, crab_datasets, crab_models

HERE = Path(__file__).parent
RANGES = {name: setup.fit_range for name, setup in SETUPS.items()} | {"fermi": FERMI_RANGE}
TOYS = 500


def compare(ours: Any, theirs: Any, *, toys: int, profile: bool) -> dict[str, Any]:
    """All measurements on one set of datasets: `ours` of gammajax, `theirs` of Gammapy."""
    models = crab_models()
    theirs.models = [peer.model()]
    out: dict[str, Any] = {}
    out["value_and_gradient"] = _value_and_gradient(ours, models, theirs)
    with Stopwatch() as first:
        fit = gj.fit(ours, models)
    alpha = theirs.parameters["alpha"]

    def their_fit() -> None:
        for name, value in (("amplitude", 3.8e-11), ("alpha", 2.5), ("beta", 0.24)):
            theirs.parameters[name].value = value
        PeerFit().run(theirs)

    times = interleaved(
        {"gammajax": lambda: gj.fit(ours, models), "gammapy": their_fit}, {"gammajax": 50, "gammapy": 5}
    )
    out["fit_and_covariance"] = {**times, "compile_s": first.compile, "agreement_sigma": _agreement(fit, theirs)}
    if profile:
        with Stopwatch() as first:
            scan = gj.profile(ours, fit, "crab.spectral.alpha", points=41)
        mine = interleaved({"gammajax": lambda: gj.profile(ours, fit, "crab.spectral.alpha")}, {"gammajax": 20})
        alpha.scan_values = scan.values
        peer_time = seconds(lambda: PeerFit().stat_profile(theirs, alpha, reoptimize=True))
        out["profile_41_points"] = {**mine, "gammapy": summary([peer_time]), "compile_s": first.compile}
    out["toy_refit"] = _toys(ours, fit.models, theirs, their_fit, toys)
    return out


def _value_and_gradient(ours: Any, models: Any, theirs: Any) -> dict[str, Any]:
    problem = gj.Problem(ours, models)
    function = jax.jit(jax.value_and_grad(gj.nll, argnums=1))
    alone = jax.jit(gj.nll)
    alpha, z, i = theirs.parameters["alpha"], problem.start, iter(range(10**9))
    with Stopwatch() as first:
        jax.block_until_ready((function(problem, z), alone(problem, z)))
    # Inputs are made beforehand: adding to an array on the device is a program of its own.
    points = [z + 1e-4 * k for k in range(100)]

    def their_stat() -> float:
        alpha.value = 2.5 + 1e-4 * (next(i) % 100)
        return theirs.stat_sum()

    sides = {
        "gammajax": lambda: function(problem, points[next(i) % 100]),
        "gammajax_value": lambda: alone(problem, points[next(i) % 100]),
        "gammapy": their_stat,
    }
    repeat = {"gammajax": 1000, "gammajax_value": 1000, "gammapy": 100}
    return {**interleaved(sides, repeat), "compile_s": first.compile}


def _toys(ours: Any, models: Any, theirs: Any, their_fit: Any, n: int) -> dict[str, Any]:
    with Stopwatch() as first:
        gj.refit_toys(ours, models, key=jax.random.key(0), n=TOYS)
    times = [seconds(lambda: gj.refit_toys(ours, models, key=jax.random.key(1), n=TOYS)) / TOYS for _ in range(3)]
    rng = np.random.default_rng(0)
    kept = [(d.counts.data.copy(), d.counts_off.data.copy()) for d in theirs]
    peer_times = []
    for _ in range(n):
        for dataset, (_, off) in zip(theirs, kept, strict=True):
            dataset.counts.data = rng.poisson(np.maximum(dataset.npred().data, 0.0)).astype(float)
            dataset.counts_off.data = rng.poisson(off).astype(float)
        peer_times.append(seconds(their_fit))
    for dataset, (on, off) in zip(theirs, kept, strict=True):
        dataset.counts.data, dataset.counts_off.data = on, off
    return {"gammajax": summary(times), "gammapy": summary(peer_times), "compile_s": first.compile, "toys": TOYS}


def _agreement(fit: Any, theirs: Any) -> dict[str, float]:
    names = ("amplitude", "alpha", "beta")
    pairs = {n: (fit.models.value(f"crab.spectral.{n}"), theirs.parameters[n]) for n in names}
    return {n: float((mine - other.value) / other.error) for n, (mine, other) in pairs.items()}


def sampling(ours: Any) -> dict[str, Any]:
    """NUTS with 4 chains of 1000 draws after 300 warm-up steps, in this process: first and repeated."""
    fit = gj.fit(ours, crab_models())
    with Stopwatch() as first:
        posterior = gj.sample(ours, fit, key=jax.random.key(0))
    keys = jax.random.split(jax.random.key(1), 3)
    times = [seconds(partial(gj.sample, ours, fit, key=key)) for key in keys]
    return {
        "gammajax": summary(times),
        "first_s": first.total,
        "compile_s": first.compile,
        "r_hat": float(posterior.r_hat.max()),
        "least_ess": float(posterior.ess.min()),
        "divergences": posterior.divergences,
        "steps_per_draw": float(np.mean(posterior.stats["num_steps"])),
    }


def processes(data: Path, repeat: int) -> dict[str, Any]:
    """Whole processes: Gammapy, gammajax with an empty and with a filled compile cache, and with sampling."""
    out: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as warm:
        _process("gammajax-nuts", data, warm)
        for _ in range(repeat):
            out.setdefault("gammapy", []).append(_process("gammapy", data, warm))
            for side in ("gammajax", "gammajax-nuts"):
                with tempfile.TemporaryDirectory() as cold:
                    out.setdefault(f"{side} cold", []).append(_process(side, data, cold))
                out.setdefault(f"{side} warm", []).append(_process(side, data, warm))
    return {name: summary(values) for name, values in out.items()}


def _process(side: str, data: Path, cache: str) -> float:
    command = [sys.executable, str(HERE / "whole_process.py"), side, str(data)]
    env = {**os.environ, "GAMMAJAX_CACHE": cache}
    return seconds(lambda: subprocess.run(command, env=env, check=True, capture_output=True).returncode)


def reduction(data: Path, repeat: int) -> dict[str, Any]:
    """133 runs of four telescopes to spectra: gammajax first (with compilation) and repeated, Gammapy."""
    first = seconds(lambda: crab_datasets(data))
    mine = [seconds(lambda: crab_datasets(data)) for _ in range(3 * repeat)]
    theirs = [seconds(lambda: peer.reduce_all(data)) for _ in range(repeat)]
    return {"gammajax": summary(mine), "gammajax_first_s": first, "gammapy": summary(theirs)}


def main() -> None:
    """Measure everything and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "joint_crab.json")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    data, quick = options.data, options.quick
    ready = files(data)
    ours = gj.Datasets(read_dataset(p, name=n).select_energy(*RANGES[n.split("-")[0]]) for n, p in ready.items())
    results: dict[str, Any] = {"environment": environment()}
    results["whole_process"] = processes(data, 1 if quick else 3)
    results["reduction_133_runs"] = reduction(data, 1)
    results["ogip"] = compare(ours, peer.read_ogip(ready, RANGES), toys=3 if quick else 10, profile=True)
    results["dl3"] = compare(crab_datasets(data), peer.reduce_all(data), toys=3 if quick else 10, profile=not quick)
    results["nuts_4x1000"] = sampling(ours)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
