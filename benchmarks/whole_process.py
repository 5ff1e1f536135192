"""One whole analysis in a new process: import, read ten OGIP spectra, fit with covariance, print.

python benchmarks/whole_process.py gammajax|gammajax-nuts|gammapy DATA
"""

import sys
from pathlib import Path


def files(data: Path) -> dict[str, Path]:
    """Dataset name -> PHA file of the ten ready spectra of the joint Crab analysis."""
    runs = {
        "fermi": ["obs0"],
        "magic": ["obs5029747", "obs5029748"],
        "veritas": ["obs54809", "obs57993"],
        "fact": ["stacked"],
        "hess": ["obs23523", "obs23526", "obs23559", "obs23592"],
    }
    base = data / "joint-crab" / "spectra"
    return {f"{name}-{run}": base / name / f"pha_{run}.fits" for name, ids in runs.items() for run in ids}


def main(side: str, data: Path) -> None:
    """Run one side."""
    if side == "gammapy":
        import peer
        from gammapy.modeling import Fit

        from gammajax.workflow.joint_crab import FERMI_RANGE, SETUPS

        ranges = {name: setup.fit_range for name, setup in SETUPS.items()} | {"fermi": FERMI_RANGE}
        datasets = peer.read_ogip(files(data), ranges)
        datasets.models = [peer.model()]
        Fit().run(datasets)
        print(datasets.parameters.to_table())
        return
    import jax

    import gammajax as gj
    from gammajax.datasets.files import read_dataset
    from gammajax.workflow.joint_crab import FERMI_RANGE, SETUPS, crab_models

    gj.enable_compilation_cache()
    ranges = {name: setup.fit_range for name, setup in SETUPS.items()} | {"fermi": FERMI_RANGE}
    datasets = gj.Datasets(
        read_dataset(path, name=name).select_energy(*ranges[name.split("-")[0]]) for name, path in files(data).items()
    )
    fit = gj.fit(datasets, crab_models())
    print(fit)
    if side == "gammajax-nuts":
        posterior = gj.sample(datasets, fit, key=jax.random.key(0))
        print(posterior, posterior.timings)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
