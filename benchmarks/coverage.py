"""How often intervals hold the truth at few counts: errors of the Hessian, profile intervals and limits over toys.

    python benchmarks/coverage.py [--toys 2000] [--out benchmarks/results/coverage.json]

Writes the numbers as JSON and the table as docs/coverage.md. Needs no data: the response is made here.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

import gammajax as gj

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "coverage.md"
LEVELS = (0.68, 0.95)
OFF_PER_ON = 10.0

HEAD = """# Coverage at few counts

Made by `python benchmarks/coverage.py`: {toys} toys a row, a power law with a free amplitude, 3 to 30 expected on
events. "hessian" is `best +- sigma error`, "profile" the interval of the profile likelihood, "limit" its one-sided
upper limit. Numbers in bold miss the level by more than three binomial errors ({e68:.3f} at 68 %, {e95:.4f} at 95 %).

Counts are whole numbers, so the coverage at one truth jumps around the level; in the rows "3 to 30" the truth of each
toy is drawn evenly from the range, which averages the jumps out.

"""


def spectrum(kind: str, bins: int, events: float, background: float) -> tuple[Any, gj.Models]:
    """A dataset of `bins` bins and a source that make `events` on events, of which `background` are background."""
    edges = np.geomspace(0.5, 20.0, bins + 1)
    shape = edges[:-1] ** -1.7 - edges[1:] ** -1.7
    mean = background * shape / shape.sum()
    common = {"name": "few", "energy": edges, "energy_true": edges, "exposure": np.full(bins, 1e13)}
    if kind == "cash":
        data = gj.SpectrumDataset(background=mean, **common)
    else:
        data = gj.SpectrumDatasetOnOff(acceptance=1.0, acceptance_off=OFF_PER_ON, **common)
    models = gj.Models(s=gj.SkyModel(gj.PowerLaw(amplitude=1e-12, index=2.5))).freeze("*.index")
    signal = gj.predict_counts(data, models)[0]
    factor = (events - background) / signal.sum()
    if kind == "wstat":
        # With these counts the most likely off counts are the true ones.
        counts = {"counts": factor * signal + mean, "counts_off": OFF_PER_ON * mean}
        data = gj.SpectrumDatasetOnOff(acceptance=1.0, acceptance_off=OFF_PER_ON, **common, **counts)
    return data, models.set("*.amplitude", 1e-12 * factor)


SETTINGS = {
    "known background, 1 bin": ("cash", 1),
    "known background, 8 bins": ("cash", 8),
    "on-off, 1 bin": ("wstat", 1),
    "on-off, 8 bins": ("wstat", 8),
    "on-off, 40 bins": ("wstat", 40),
}
SHARE = 0.1
"""Background as a share of the least number of on events."""


def measure(toys: int) -> list[dict[str, Any]]:
    """Coverage of every setting at 3, 10, 30 on events, and averaged over 3 to 30."""
    rows = []
    for seed, (name, (kind, bins)) in enumerate(SETTINGS.items()):
        background = 3.0 * SHARE
        for events in (3.0, 10.0, 30.0, None):
            data, models = spectrum(kind, bins, events or 30.0, background)
            top = models.value("*.amplitude")
            low = top * (3.0 - background) / (30.0 - background)
            spread = {} if events else {"*.amplitude": (low, top)}
            found = gj.coverage(data, models, key=seed, n=toys, levels=LEVELS, spread=spread)
            pull = (found.best - found.truth)[found.converged].mean() / found.best[found.converged].std()
            row = {"setting": name, "events": "3 to 30" if events is None else f"{events:g}", "bias": float(pull)}
            row |= {"converged": int(found.converged.sum()), "toys": toys, "run_s": found.timings["run"]}
            for method in ("hessian", "profile", "limit"):
                row |= {
                    f"{method}_{level:g}": float(x) for level, x in zip(LEVELS, found.share(method)[:, 0], strict=True)
                }
            rows.append(row)
            print(json.dumps(row), flush=True)
    return rows


def page(rows: list[dict[str, Any]], toys: int) -> str:
    """The table as Markdown."""
    errors = [float(np.sqrt(x * (1 - x) / toys)) for x in LEVELS]
    columns = [(method, level) for method in ("hessian", "profile", "limit") for level in LEVELS]
    out = [HEAD.format(toys=toys, e68=errors[0], e95=errors[1])]
    out.append("| setting | on events | " + " | ".join(f"{m} {100 * x:g} %" for m, x in columns) + " | bias |\n")
    out.append("|---" * (len(columns) + 3) + "|\n")
    for row in rows:
        cells = []
        for method, level in columns:
            share = row[f"{method}_{level:g}"]
            text = f"{100 * share:.1f}"
            cells.append(f"**{text}**" if abs(share - level) > 3 * errors[LEVELS.index(level)] else text)
        out.append(f"| {row['setting']} | {row['events']} | {' | '.join(cells)} | {row['bias']:+.2f} |\n")
    out.append(
        "\nThe last column is the mean of best minus true amplitude in standard deviations of the best values.\n"
    )
    return "".join(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toys", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "coverage.json")
    options = parser.parse_args()
    rows = measure(options.toys)
    options.out.write_text(json.dumps({"toys": options.toys, "rows": rows}, indent=2) + "\n")
    PAGE.write_text(page(rows, options.toys))


if __name__ == "__main__":
    main()
