"""gammajax and Gammapy side by side on a cube: RX J1713.7-3946 from H.E.S.S. DL3 DR1, stacked from 15 runs.

    python benchmarks/cubes.py --data DATA [--out benchmarks/results/cubes.json]

gammajax reduces the runs; both sides fit the same file in one process and take turns. The first fit in a new process
with an empty compile cache is a process of its own. Times are medians [s]. Needs the extra gammajax[gammapy].
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import astropy.units as u
import jax
import numpy as np
from gammapy.datasets import MapDataset as PeerDataset
from gammapy.modeling import Fit as PeerFit
from gammapy.modeling.models import FoVBackgroundModel, GaussianSpatialModel, PowerLawSpectralModel
from gammapy.modeling.models import SkyModel as PeerModel
from timing import environment, interleaved, seconds, summary

import gammajax as gj
from gammajax.infer.stopwatch import Stopwatch

jax.config.update("jax_enable_x64", True)
CENTRE = (258.39, -39.76)
NAME = "rxj1713"
START = {"index": 2.3, "amplitude": 1.5e-11, "lon_0": CENTRE[0], "lat_0": CENTRE[1], "sigma": 0.4}


def reduce(data: Path) -> gj.Datasets:
    """The stacked cube of all runs within 2.5 deg."""
    store = gj.DataStore.from_dir(data / "hess-dl3-dr1")
    return gj.Datasets(
        gj.reduce_maps(
            store.observations(store.select(cone=(CENTRE, "2.5 deg"))),
            gj.SkyGrid.create(CENTRE, binsz=0.02, width="6 deg", proj="TAN"),
            energy=np.geomspace(0.5, 20.0, 9),
            energy_true=np.geomspace(0.3, 40.0, 21),
            background=gj.FoVBackgroundScale(f"icrs;circle({CENTRE[0]}, {CENTRE[1]}, 0.9)"),
            safe_mask=["offset-max", "aeff-default"],
            offset_max="2.5 deg",
            stack=True,
            name=NAME,
            progress=False,
        )
    )


def our_models() -> gj.Models:
    """A power law from a round Gaussian, and the background with norm and tilt."""
    start = {name: START[name] for name in ("lon_0", "lat_0", "sigma")}
    spectrum = gj.PowerLaw(index=START["index"], amplitude=START["amplitude"], reference=1.0)
    models = gj.Models(
        rxj=gj.SkyModel(spectrum, gj.GaussianSpatial(**start)), bkg=gj.FoVBackground(datasets_names=NAME)
    )
    return models.free("bkg.spectral.tilt", "bkg.spectral.norm").bound("rxj.spatial.sigma", 0.1, 1.0)


def their_models() -> list[Any]:
    """The same in Gammapy, with the limits on the position that its fit needs."""
    spatial = GaussianSpatialModel(
        lon_0=CENTRE[0] * u.deg, lat_0=CENTRE[1] * u.deg, sigma=START["sigma"] * u.deg, frame="icrs"
    )
    spatial.lon_0.min, spatial.lon_0.max = CENTRE[0] - 1, CENTRE[0] + 1
    spatial.lat_0.min, spatial.lat_0.max = CENTRE[1] - 1, CENTRE[1] + 1
    spatial.sigma.min, spatial.sigma.max = 0.1, 1.0
    spectral = PowerLawSpectralModel(
        index=START["index"], amplitude=START["amplitude"] * u.Unit("cm-2 s-1 TeV-1"), reference=1 * u.TeV
    )
    background = FoVBackgroundModel(dataset_name=NAME)
    background.spectral_model.tilt.frozen = False
    return [PeerModel(spectral, spatial, name="rxj"), background]


def statistics(data: gj.Datasets, peer: PeerDataset) -> dict[str, Any]:
    """One statistic with a changed position, and value with gradient of all parameters (Gammapy: value alone)."""
    problem = gj.Problem(data, our_models())
    value, both = jax.jit(gj.nll), jax.jit(jax.value_and_grad(gj.nll, argnums=1))
    lon, i = peer.models["rxj"].parameters["lon_0"], iter(range(10**9))
    with Stopwatch() as first:
        jax.block_until_ready((value(problem, problem.start), both(problem, problem.start)))
    points = [problem.start + 1e-4 * k for k in range(100)]

    def their_stat() -> float:
        lon.value = CENTRE[0] + 1e-4 * (next(i) % 100)
        return peer.stat_sum()

    calls = {
        "value": lambda: value(problem, points[next(i) % 100]),
        "both": lambda: both(problem, points[next(i) % 100]),
        "gammapy": their_stat,
    }
    times = interleaved(calls, dict.fromkeys(calls, 15))
    return {
        "statistic_moved": {"gammajax": times["value"], "gammapy": times["gammapy"], "compile_s": first.compile},
        "value_and_gradient": {"gammajax": times["both"], "gammapy": times["gammapy"], "compile_s": first.compile},
    }


def fits(data: gj.Datasets, peer: PeerDataset) -> dict[str, Any]:
    """Fit with covariance, repeated, and a profile of seven points."""
    with Stopwatch() as first:
        fit = gj.fit(data, our_models())
    mine = interleaved({"gammajax": lambda: gj.fit(data, our_models())}, {"gammajax": 7})["gammajax"]
    peer.models = their_models()
    theirs = seconds(lambda: PeerFit().run([peer]))
    names = {p.name: p for p in peer.models["rxj"].parameters.free_parameters}
    apart = {
        name: (fit.models.value(path) - names[name].value) / fit.models.error(path)
        for path in fit.models.free_paths
        if (name := path.rsplit(".", 1)[-1]) in names and path.startswith("rxj")
    }
    out = {
        "fit_and_covariance": {
            "gammajax": mine,
            "gammapy": summary([theirs]),
            "compile_s": first.compile,
            "agreement_sigma": apart,
            "stat": {"gammajax": fit.stat, "gammapy": float(peer.stat_sum())},
        }
    }
    with Stopwatch() as first:
        scan = gj.profile(data, fit, "rxj.spatial.sigma", points=7)
    again = lambda: gj.profile(data, fit, "rxj.spatial.sigma", points=7)  # noqa: E731
    mine = interleaved({"gammajax": again}, {"gammajax": 5})["gammajax"]
    sigma = peer.models["rxj"].parameters["sigma"]
    sigma.scan_values = scan.values
    theirs = seconds(lambda: PeerFit().stat_profile([peer], sigma, reoptimize=True))
    out["profile_7_points"] = {"gammajax": mine, "gammapy": summary([theirs]), "compile_s": first.compile}
    return out


def cold(folder: Path) -> dict[str, float]:
    """Read, fit and covariance in a new process with an empty compile cache."""
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, __file__, "--cold", str(folder)], check=True, capture_output=True, text=True)
    return {"process_s": time.perf_counter() - begin, **json.loads(done.stdout.splitlines()[-1])}


def _cold(folder: Path) -> None:
    begin = time.perf_counter()
    gj.fit(gj.Datasets.read(folder / "datasets.yaml"), our_models())
    used = time.perf_counter() - begin
    print(json.dumps({"read_and_fit_s": used, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def main() -> None:
    """Measure and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "cubes.json")
    parser.add_argument("--cold", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.cold:
        _cold(options.cold)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        begin = time.perf_counter()
        data = reduce(options.data)
        reduction = time.perf_counter() - begin
        data.write(folder)
        peer = PeerDataset.read(next(folder.glob("*.fits*")), name=NAME)
        peer.models = their_models()
        results = {
            "environment": environment(),
            "reduction_s": reduction,
            "first_fit_in_a_new_process": cold(folder),
            **statistics(data, peer),
            **fits(data, peer),
        }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
