"""The command line: `gammajax demo | info | stat | fit | sample | reduce`."""

import json
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from gammajax.cache import enable_compilation_cache
from gammajax.errors import ConfigError, GammajaxError

app = typer.Typer(
    help="A differentiable, JAX-accelerated likelihood engine for gamma-ray astronomy.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console()
errors = Console(stderr=True)

UNTRUSTED = 3
"""Exit code of a fit without success or of chains that disagree; 2 is that of wrong usage."""

DatasetsFile = Annotated[Path, typer.Option("--datasets", help="datasets YAML, in Gammapy's format")]
ModelsFile = Annotated[Path, typer.Option("--models", help="models YAML, in Gammapy's format")]
Out = Annotated[Path, typer.Option("--out", help="folder for the results; made if needed")]
Plots = Annotated[bool, typer.Option("--plots/--no-plots", help="draw figures")]


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Register a subcommand that ends with a message instead of a traceback, and keeps compiled programs on disk."""

    @app.command()
    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            enable_compilation_cache()
        except ConfigError as error:
            # A cache only saves time.
            _say(f"note: {error}; going on without")
        try:
            function(*args, **kwargs)
        except (GammajaxError, OSError) as error:
            _say(f"{type(error).__name__}: {error}", style="red")
            raise typer.Exit(1) from error

    return run


def _say(message: str, style: str | None = None) -> None:
    errors.print(message, style=style, markup=False, highlight=False, soft_wrap=True)


@app.callback(invoke_without_command=True)
def main(version: Annotated[bool, typer.Option("--version", help="print the version")] = False) -> None:
    """Options of the command itself."""
    if version:
        from gammajax import __version__

        typer.echo(__version__)
        raise typer.Exit


@command
def demo(
    out: Out = Path("gammajax-demo"),
    data: Annotated[
        Path | None,
        typer.Option("--data", envvar="GAMMAJAX_DATA", help="run the real joint Crab under this data folder instead"),
    ] = None,
    seed: Annotated[int, typer.Option(help="seed of simulation and sampling")] = 1,
) -> None:
    """Simulate three telescopes, reduce, fit jointly, sample, plot; or do so on the real joint Crab data."""
    from gammajax.workflow.demo import real_demo, simulated_demo

    if data is None:
        simulated_demo(out, seed=seed, console=console)
    else:
        real_demo(data, out, seed=seed, console=console)


@command
def info(path: Annotated[Path, typer.Argument(help="DL3 folder, datasets or models YAML, or a PHA file")]) -> None:
    """Say what is in a folder or file."""
    from gammajax.workflow.info import describe

    console.print(describe(path), markup=False, highlight=False, soft_wrap=True)


@command
def stat(
    datasets: DatasetsFile,
    models: ModelsFile,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Print the fit statistic at the models' values: minus twice the log likelihood, with priors."""
    from gammajax.io.json import plain
    from gammajax.workflow.analyse import read_inputs, statistic

    result = statistic(read_inputs(datasets, models))
    if as_json:
        typer.echo(json.dumps(plain(result), indent=2))
        return
    table = Table("dataset", "type", "stat", "bins", "counts", "npred", title=f"statistic {result['stat']:.6f}")
    for row in result["datasets"]:
        # Flux points have no counts.
        counts = (f"{row['counts']:g}", f"{row['npred']:.2f}") if "counts" in row else ()
        table.add_row(row["name"], row["type"], f"{row['stat']:.4f}", str(row["n_bins"]), *counts)
    console.print(table)
    console.print(f"priors: {result['prior_stat']:.6f}")


@command
def fit(datasets: DatasetsFile, models: ModelsFile, out: Out, plots: Plots = True) -> None:
    """Fit; write result.json, models.yaml with its covariance, and plots."""
    from gammajax.workflow.analyse import read_inputs, run_fit

    result = run_fit(read_inputs(datasets, models), out, plots=plots)
    console.print(repr(result), markup=False, highlight=False, soft_wrap=True)
    console.print(f"written to {out}", markup=False, highlight=False)
    if not result.success:
        raise typer.Exit(UNTRUSTED)


@command
def sample(
    datasets: DatasetsFile,
    models: ModelsFile,
    out: Out,
    draws: Annotated[int, typer.Option(min=4, help="draws per chain")] = 1000,
    chains: Annotated[int, typer.Option(min=1, help="number of chains")] = 4,
    warmup: Annotated[int, typer.Option(min=1, help="warm-up steps per chain")] = 300,
    seed: Annotated[int, typer.Option(help="seed of the sampler")] = 0,
    plots: Plots = True,
) -> None:
    """Fit and sample; write what `fit` writes, posterior.h5, posterior.json and a corner plot."""
    from gammajax.workflow.analyse import read_inputs, run_sample

    result, posterior = run_sample(
        read_inputs(datasets, models),
        out,
        seed=seed,
        draws=draws,
        chains=chains,
        warmup=warmup,
        progress=sys.stderr.isatty(),
        plots=plots,
    )
    console.print(repr(posterior), markup=False, highlight=False, soft_wrap=True)
    console.print(f"written to {out}", markup=False, highlight=False)
    if not (result.success and posterior.trusted):
        raise typer.Exit(UNTRUSTED)


@command
def reduce(
    config: Annotated[Path, typer.Argument(help="YAML with the keys of Gammapy's analysis configuration")],
    out: Out,
    resume: Annotated[bool, typer.Option("--resume", help="go on where an interrupted call stopped")] = False,
) -> None:
    """Reduce DL3 runs to spectra (1d) or cubes (3d); write datasets.yaml, its files and reduction.json."""
    from gammajax.workflow.config import read_config
    from gammajax.workflow.reduce import run_reduction

    parsed = read_config(config)
    for key in parsed.not_used:
        _say(f"note: {key!r} is not used by reduce")
    reduction = run_reduction(parsed, out, resume=resume)
    console.print(repr(reduction), markup=False, highlight=False, soft_wrap=True)
    console.print(f"written to {out / 'datasets.yaml'}", markup=False, highlight=False)
