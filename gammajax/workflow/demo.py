"""`gammajax demo`: the whole way from DL3 files to a posterior, on simulated or on real data."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
from astropy.coordinates import SkyCoord
from rich.console import Console

from gammajax.data import DataStore
from gammajax.datasets.collection import Datasets
from gammajax.errors import EmptyRun
from gammajax.geom.axes import energy_edges
from gammajax.geom.regions import circle
from gammajax.infer.fit import Fit, fit
from gammajax.infer.posterior import Posterior
from gammajax.infer.profile import Profile, profile
from gammajax.infer.sample import sample
from gammajax.io.json import write_json
from gammajax.models.collection import Models
from gammajax.reduce.pipeline import reduce_spectra
from gammajax.reduce.reflected import ReflectedRegions, WobbleRegions
from gammajax.simulate import simulate_dl3
from gammajax.tables import as_text, make_table
from gammajax.workflow.analyse import write_fit, write_fit_plots, write_posterior
from gammajax.workflow.joint_crab import crab_datasets, crab_models

POSITION = SkyCoord(83.63, 22.01, unit="deg")
INSTRUMENTS = ("hess", "magic", "lst")


def truth() -> Models:
    """The source that the demo simulates: a log parabola as bright as the Crab nebula."""
    return crab_models().set("crab.spectral.beta", 0.1)


@dataclass(frozen=True)
class Demo:
    """What a demo leaves behind."""

    datasets: Datasets
    fit: Fit
    posterior: Posterior
    seconds: dict[str, float]


class _Steps:
    """Announces steps and keeps how long each took."""

    def __init__(self, console: Console):
        self.console, self.seconds = console, {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        begin = time.perf_counter()
        with self.console.status(name):
            yield
        self.seconds[name] = time.perf_counter() - begin
        self.console.print(f"{name:<40} {self.seconds[name]:6.1f} s", highlight=False)


def simulated_demo(out: str | Path, *, seed: int = 1, runs: int = 4, console: Console | None = None) -> Demo:
    """Simulate three telescopes with known truth, read back, reduce, fit, sample; write and print everything."""
    out, steps, models = Path(out), _Steps(console or Console()), truth()
    with steps.step("simulate three telescopes as DL3 files"):
        simulate_dl3(out / "dl3", INSTRUMENTS, models["crab"], POSITION, key=seed, runs=runs)
    with steps.step("read and reduce the runs"):
        datasets = simulated_datasets(out / "dl3")
    return _analyse(datasets, models.set("crab.spectral.alpha", 2.0), out, steps, seed, models)


def simulated_datasets(folder: Path) -> Datasets:
    """On-off spectra of the demo's archive: one per run of each telescope, in their safe energy range."""
    edges = energy_edges("30 GeV", "100 TeV", per_decade=12)
    found: list = []
    for name in INSTRUMENTS:
        observations = DataStore.from_dir(folder / name).observations()
        first = observations[0]
        full, table = not first.is_pointlike, first.rad_max is not None and not first.rad_max.is_fixed
        reduction = reduce_spectra(
            observations,
            circle(POSITION, "0.11 deg" if full else None),
            energy=edges,
            energy_true=edges,
            containment_correction=full,
            # A cut that depends on energy leaves no region of fixed size to turn around the pointing.
            background=WobbleRegions(n_off_regions=3) if table else ReflectedRegions(),
            safe_mask=["aeff-default", "aeff-max"],
            name=name,
            progress=False,
        )
        if reduction.failures:
            raise EmptyRun("; ".join(reduction.failures.values()))
        found += reduction.datasets
    return Datasets(found)


def real_demo(data: str | Path, out: str | Path, *, seed: int = 1, console: Console | None = None) -> Demo:
    """The joint Crab analysis on the real data under `data`: H.E.S.S., MAGIC, VERITAS, FACT and Fermi-LAT."""
    steps = _Steps(console or Console())
    with steps.step("read and reduce 133 runs"):
        datasets = crab_datasets(data)
    return _analyse(datasets, crab_models(), Path(out), steps, seed, None)


def _analyse(datasets: Datasets, start: Models, out: Path, steps: _Steps, seed: int, known: Models | None) -> Demo:
    out.mkdir(parents=True, exist_ok=True)
    datasets.write(out / "datasets")
    with steps.step("joint fit with exact gradients"):
        result = fit(datasets, start)
    with steps.step("profile of the curvature, 41 points"):
        scan = profile(datasets, result, "crab.spectral.beta")
    with steps.step("posterior, 4 chains of 1000 draws"):
        posterior = sample(datasets, result, key=jax.random.key(seed))
    with steps.step("tables and plots"):
        write_fit(result, out)
        write_posterior(posterior, out)
        scan.write(out / "profile_beta.json")
        _plots(datasets, result, posterior, scan, out, known)
    write_json(steps.seconds, out / "timings.json")
    steps.console.print(repr(datasets), markup=False, highlight=False, soft_wrap=True)
    steps.console.print(repr(result), markup=False, highlight=False, soft_wrap=True)
    steps.console.print(_comparison(result, posterior, known), markup=False, highlight=False, soft_wrap=True)
    steps.console.print(posterior.message, highlight=False)
    written = ", ".join(sorted(path.name for path in out.iterdir()))
    steps.console.print(f"written to {out}: {written}", markup=False, highlight=False, soft_wrap=True)
    return Demo(datasets, result, posterior, steps.seconds)


def _plots(
    datasets: Datasets, result: Fit, posterior: Posterior, scan: Profile, out: Path, known: Models | None
) -> None:
    from gammajax.plot import plot_corner, plot_profile, save

    write_fit_plots(datasets, result, out, posterior)
    save(plot_profile(scan), out / "profile_beta.png")
    save(plot_corner(posterior, fit=result, truth=known), out / "corner.png")


def _comparison(result: Fit, posterior: Posterior, known: Models | None) -> str:
    """Fit and posterior of each parameter, beside the truth and the pull where the truth is known."""
    columns = {
        "fit": [result.models.value(path) for path in posterior.paths],
        "error": [result.models.error(path) for path in posterior.paths],
        "posterior": posterior.mean,
        "width": posterior.std,
    }
    if known is not None:
        truth = np.array([known.value(path) for path in posterior.paths])
        columns = {"truth": truth, **columns, "pull": (posterior.mean - truth) / posterior.std}
    formats = {"r_hat": ".4f", **({} if known is None else {"pull": "+.2f"})}
    head = "Posterior" if known is None else "Truth against posterior"
    table = make_table({"path": posterior.paths, **columns, "r_hat": posterior.r_hat}, columns, **formats)
    return f"{head}\n{as_text(table)}"
