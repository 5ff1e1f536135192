"""gammajax and Gammapy side by side on a cube: RX J1713.7-3946 from H.E.S.S. DL3 DR1, stacked from 15 runs.

    python benchmarks/cubes.py --data DATA [--out benchmarks/results/cubes.json]

Both sides reduce the runs, and fit the file that gammajax made, in one process. Import, reading and the first fit, with
an empty compile cache, are a process of its own for each side. NUTS, which Gammapy has not, samples the Galactic centre
of Fermi-LAT. Times are medians [s]. Needs the extra gammajax[gammapy].
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from astropy.coordinates import SkyCoord
from gammapy.data import DataStore as PeerStore
from gammapy.datasets import MapDataset as PeerDataset
from gammapy.makers import DatasetsMaker, FoVBackgroundMaker, MapDatasetMaker, SafeMaskMaker
from gammapy.maps import MapAxis, WcsGeom
from gammapy.modeling import Fit as PeerFit
from timing import environment, interleaved, seconds, summary
from whole_cube import CENTRE, NAME, our_models, their_models

import gammajax as gj
from gammajax.infer.stopwatch import Stopwatch

jax.config.update("jax_enable_x64", True)
HERE = Path(__file__).parent
OUTSIDE = f"icrs;circle({CENTRE[0]}, {CENTRE[1]}, 0.9)"


def runs(data: Path) -> gj.Observations:
    """All runs within 2.5 deg."""
    store = gj.DataStore.from_dir(data / "hess-dl3-dr1")
    return store.observations(store.select(cone=(CENTRE, "2.5 deg")))


def reduce(data: Path) -> gj.Datasets:
    """The stacked cube of all runs."""
    return gj.Datasets(
        gj.reduce_maps(
            runs(data),
            gj.SkyGrid.create(CENTRE, binsz=0.02, width="6 deg", proj="TAN"),
            energy=np.geomspace(0.5, 20.0, 9),
            energy_true=np.geomspace(0.3, 40.0, 21),
            background=gj.FoVBackgroundScale(OUTSIDE),
            safe_mask=["offset-max", "aeff-default"],
            offset_max="2.5 deg",
            stack=True,
            name=NAME,
            progress=False,
        )
    )


def reduce_peer(data: Path) -> PeerDataset:
    """The same in Gammapy."""
    axis = MapAxis.from_energy_bounds("0.5 TeV", "20 TeV", nbin=8)
    true = MapAxis.from_energy_bounds("0.3 TeV", "40 TeV", nbin=20, name="energy_true")
    centre = SkyCoord(*CENTRE, unit="deg")
    geom = WcsGeom.create(skydir=centre, width="6 deg", binsz=0.02, proj="TAN", frame="icrs", axes=[axis])
    makers = [
        MapDatasetMaker(),
        SafeMaskMaker(methods=["offset-max", "aeff-default"], offset_max="2.5 deg"),
        FoVBackgroundMaker(method="scale", exclusion_mask=~geom.to_image().region_mask(OUTSIDE)),
    ]
    found = PeerStore.from_dir(data / "hess-dl3-dr1").get_observations([run.obs_id for run in runs(data)])
    empty = PeerDataset.create(geom, energy_axis_true=true, name=NAME)
    return DatasetsMaker(makers, stack_datasets=True).run(empty, found)[0]


def reductions(data: Path) -> tuple[gj.Datasets, dict[str, Any]]:
    """Both in turns; the first one of gammajax compiles."""
    with Stopwatch() as first:
        made = reduce(data)
    times = interleaved(
        {"gammajax": lambda: reduce(data), "gammapy": lambda: reduce_peer(data)}, {"gammajax": 3, "gammapy": 1}
    )
    return made, {**times, "compile_s": first.compile}


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


def nuts(data: Path) -> dict[str, Any]:
    """Fit and posterior of the source at the Galactic centre, with the diffuse emission's norm, the first time."""
    folder = data / "fermi-3fhl-gc"
    (cube,) = gj.Datasets.read(folder / "fermi-3fhl-gc.fits.gz")
    cube = cube.with_background(None)
    models = gj.Models(
        gc=gj.SkyModel(
            gj.PowerLaw(index=2.7, amplitude="5.8e-10 cm-2 s-1 TeV-1", reference="100 GeV"),
            gj.PointSpatial(lon_0=0.0, lat_0=0.0, frame="galactic"),
        ),
        iem=gj.SkyModel(gj.PowerLawNorm(), gj.TemplateSpatial.read(folder / "gll_iem_v06_gc.fits.gz", normalize=False)),
        iso=gj.SkyModel(
            gj.PowerLaw(index=2.3, amplitude="1.46e-13 cm-2 s-1 MeV-1", reference="50 GeV"), gj.ConstantSpatial()
        ),
    ).freeze("iso.*")
    begin = time.perf_counter()
    fit = gj.fit(cube, models)
    fit_s = time.perf_counter() - begin
    begin = time.perf_counter()
    posterior = gj.sample(cube, fit, draws=500, chains=4, key=1, progress=False)
    return {
        "fit_s": fit_s,
        "sample_s": time.perf_counter() - begin,
        "r_hat": float(np.max(posterior.r_hat)),
        "least_ess": float(np.min(posterior.ess)),
        "divergences": posterior.divergences,
    }


def processes(folder: Path) -> dict[str, Any]:
    """New processes of both sides, of gammajax without a compile cache and with a filled one."""
    with tempfile.TemporaryDirectory() as cache:
        filled = {"JAX_COMPILATION_CACHE_DIR": cache, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1"}
        process(folder, "gammajax", filled, 1)
        return {
            "gammajax": process(folder, "gammajax", {}),
            "gammajax warm": process(folder, "gammajax", filled),
            "gammapy": process(folder, "gammapy", {}),
        }


def process(folder: Path, side: str, environ: dict[str, str], n: int = 3) -> dict[str, Any]:
    """Import, read, fit and covariance: times, and peak memory [MB]."""
    command = [sys.executable, str(HERE / "whole_cube.py"), side, str(folder)]
    times, said = [], []
    for _ in range(n):
        begin = time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **environ})
        times.append(time.perf_counter() - begin)
        said.append(json.loads(done.stdout.splitlines()[-1]))
    return {**summary(times), "each": said, "peak_mb": float(np.median([one["peak_mb"] for one in said]))}


def main() -> None:
    """Measure and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "cubes.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data, reduction = reductions(options.data)
        data.write(folder)
        peer = PeerDataset.read(next(folder.glob("*.fits*")), name=NAME)
        peer.models = their_models()
        results = {
            "environment": environment(),
            "reduction": reduction,
            "whole_process": processes(folder),
            **statistics(data, peer),
            **fits(data, peer),
            "nuts_galactic_centre": nuts(options.data),
        }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
