"""Make docs/benchmarks.md from the JSON that the benchmarks wrote.

python benchmarks/table.py
"""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "results", HERE.parent / "docs" / "benchmarks.md"

HEAD = """# Benchmarks

Made by `python benchmarks/table.py` from `benchmarks/results/*.json`; measure again with

    python benchmarks/joint_crab.py --data $GAMMAPY_DATA

Both sides ran in turns, in one process where that is possible, on the same files and models: the joint Crab analysis
of Nigro et al. 2019 (A&A 625, A10) with ten spectra (Fermi-LAT, MAGIC, VERITAS, FACT, H.E.S.S.; 133 runs from DL3).
Times are medians; "first" adds tracing and compilation, paid once per shape and process (less with the compile cache).
"""


def text(seconds: float) -> str:
    """A time with a fitting unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def row(name: str, ours: dict[str, float], theirs: dict[str, float], first: float | None = None) -> str:
    """One line: ours, Gammapy, ratio, and the compile time."""
    mine, other = ours["median_s"], theirs["median_s"]
    return f"| {name} | {text(mine)} | {text(other)} | {other / mine:.3g} | {text(first) if first else '–'} |"


def joint_crab(r: dict[str, Any]) -> list[str]:
    """The tables of the joint Crab benchmark."""
    process, reduction = r["whole_process"], r["reduction_133_runs"]
    lines = [
        "| | gammajax | Gammapy | ratio | compilation |",
        "|---|---|---|---|---|",
        row("whole process, empty cache: import, read OGIP, fit, print", process["gammajax cold"], process["gammapy"]),
        row("whole process, filled cache", process["gammajax warm"], process["gammapy"]),
        row(
            "DL3 reduction of 133 runs, repeated",
            reduction["gammajax"],
            reduction["gammapy"],
            reduction["gammajax_first_s"] - reduction["gammajax"]["median_s"],
        ),
    ]
    names = {
        "value_and_gradient": "value + gradient (Gammapy: value alone)",
        "fit_and_covariance": "fit + covariance, repeated",
        "profile_41_points": "profile, 41 points",
        "toy_refit": "one toy refit of 500",
    }
    for kind, label in (("ogip", "OGIP"), ("dl3", "DL3")):
        for key, name in names.items():
            if key in r[kind]:
                part = r[kind][key]
                lines.append(row(f"{label}: {name}", part["gammajax"], part["gammapy"], part["compile_s"]))
    nuts = r["nuts_4x1000"]
    lines += [
        "",
        "NUTS, 4 chains of 1000 draws after 300 warm-up steps (Gammapy has none): "
        f"{text(nuts['gammajax']['median_s'])} repeated, {text(nuts['first_s'])} the first time in a process; R-hat "
        f"{nuts['r_hat']:.4f}, at least {nuts['least_ess']:.0f} effective draws, {nuts['steps_per_draw']:.1f} leapfrog "
        f"steps a draw, {nuts['divergences']} divergences. Whole process with reading, fit and sampling: "
        f"{text(process['gammajax-nuts cold']['median_s'])} with an empty compile cache, "
        f"{text(process['gammajax-nuts warm']['median_s'])} with a filled one.",
    ]
    return lines


def cubes(r: dict[str, Any]) -> list[str]:
    """The table of the benchmark of cubes."""
    whole, fit, nuts = r["whole_process"], r["fit_and_covariance"], r["nuts_galactic_centre"]
    names = {
        "reduction": "DL3 reduction of 15 runs, repeated",
        "statistic_moved": "statistic, position changed",
        "value_and_gradient": "value + gradient of 7 parameters (Gammapy: value alone)",
        "fit_and_covariance": "fit + covariance, repeated",
        "profile_7_points": "profile, 7 points",
    }
    memory = [whole[side]["peak_mb"] for side in ("gammajax", "gammajax warm", "gammapy")]
    apart = max(abs(x) for x in fit["agreement_sigma"].values())
    return [
        "## A cube: RX J1713.7-3946",
        "",
        "H.E.S.S. DL3 DR1, 15 runs stacked to 8 x 300 x 300 bins with 20 true energies; a power law from",
        "a round Gaussian and a background with norm and tilt, 7 free parameters.",
        "`python benchmarks/cubes.py --data $GAMMAPY_DATA`",
        "",
        "| | gammajax | Gammapy | ratio | compilation |",
        "|---|---|---|---|---|",
        *(row(name, r[key]["gammajax"], r[key]["gammapy"], r[key]["compile_s"]) for key, name in names.items()),
        row("whole process, empty cache: import, read, fit, covariance", whole["gammajax"], whole["gammapy"]),
        row("whole process, filled cache", whole["gammajax warm"], whole["gammapy"]),
        "",
        f"Peak memory of these processes: {memory[0]:.0f} MB, of which XLA's compiler takes "
        f"{memory[0] - memory[1]:.0f} MB that a filled cache saves; Gammapy's {memory[2]:.0f} MB.",
        f"Best values agree to {apart:.2f} standard errors.",
        "",
        "NUTS of the Galactic centre of Fermi-LAT (place, index, amplitude of a point, norm of the diffuse emission;",
        f"4 chains of 500 draws, with compilation): {text(nuts['sample_s'])}, R-hat {nuts['r_hat']:.4f}, at least "
        f"{nuts['least_ess']:.0f} effective draws, {nuts['divergences']} divergences; its fit {text(nuts['fit_s'])}.",
        "",
        foot(r["environment"]),
    ]


def foot(where: dict[str, Any]) -> str:
    """Where something was measured."""
    versions = ", ".join(f"{name} {v}" for name, v in where["versions"].items())
    machine = f"{where['cpu_count']} cores, {where['machine']}, {where['device']}, Python {where['python']}"
    return f"Measured on {where['date']}: {machine}; {versions}."


def main() -> None:
    """Write the page."""
    results = json.loads((RESULTS / "joint_crab.json").read_text())
    lines = [HEAD, *joint_crab(results), "", foot(results["environment"]), ""]
    if (RESULTS / "cubes.json").is_file():
        lines += [*cubes(json.loads((RESULTS / "cubes.json").read_text())), ""]
    PAGE.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
