"""How often intervals hold the truth at few counts: errors of the Hessian, profile intervals and limits over toys.

    python benchmarks/coverage.py [--toys 2000] [--out benchmarks/results/coverage.json]
    python benchmarks/coverage.py --page        # the page again, from the numbers that are there

Writes the numbers as JSON and the table as docs/coverage.md. Needs no data: the response is made here.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm, poisson

import gammajax as gj

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "coverage.md"
LEVELS = (0.68, 0.95)

HEAD = """# Coverage at few counts

Made by `python benchmarks/coverage.py`: {toys} toys a row, a power law with a free amplitude, 3 to 30 expected on
events. "hessian" is `best +- sigma error`, "profile" the interval of the profile likelihood, "limit" its one-sided
upper limit. Numbers in bold miss the level by more than three binomial errors ({e68:.3f} at 68 %, {e95:.4f} at 95 %).

Counts are whole numbers, so the coverage at one truth jumps around the level; in the rows "3 to 30" the truth of each
toy is drawn evenly from the range, which averages the jumps out. For a known background the coverage of profile
intervals and limits is a sum over Poisson probabilities; the rows "exact" show it, and the toys agree with it.

"""

TAIL = """
The last column is the mean of best minus true amplitude in standard deviations of the best values. Toys whose fit did
not converge count as misses, and not in the last column: {lost} of {toys} in the worst row, none in most.

## What to read from it

- With a known background, profile intervals cover as often as they say once the jumps are averaged out ("3 to 30").
  At one truth they are off by what whole numbers cost, and by as much as the exact sum says.
- Errors of the Hessian cover too rarely at 95 % in most rows, down to 80 % at three on events: they are symmetric, and
  shrink with a downward fluctuation. Take profile intervals at few counts.
- On-off data in one bin cover as well, with three expected off counts. Spread over 8 or 40 bins, so that most bins
  have no off count at all, WStat's background of each bin is poorly known: the amplitude is biased low at three on
  events (by 0.3 standard deviations in 40 bins), 68 % intervals hold the truth in 65 % of the toys on average, and
  one-sided limits fall short of their level most. Group the bins, or take a known background and Cash.
- This is a property of the statistic, not of the engine: with a known background in 40 bins, or with 3000 off counts
  (one in the emptiest of 40 bins, seven in that of 8), profile intervals and limits for the same on events are within
  binomial error of 68 and 95 % once the jumps are averaged out. Few on counts in many bins are safe; few off counts in
  many bins are not.
"""


def exact(low: float, high: float) -> dict[str, float]:
    """Coverage of the profile of a Poisson mean, averaged over true means from `low` to `high`."""
    n = np.arange(int(high + 20 * np.sqrt(high) + 20))
    mean = np.linspace(low, high, 1 if low == high else 2001)[:, None]
    deviance = 2.0 * (mean - n + n * np.log(np.maximum(n, 1) / mean))
    probability = poisson.pmf(n, mean)
    out = {}
    for level in LEVELS:
        central, single = norm.isf(0.5 * (1.0 - level)) ** 2, norm.isf(1.0 - level) ** 2
        out[f"profile_{level:g}"] = float(np.sum(probability * (deviance <= central), axis=1).mean())
        out[f"limit_{level:g}"] = float(np.sum(probability * ((deviance <= single) | (n > mean)), axis=1).mean())
    return out


def spectrum(kind: str, bins: int, off_per_on: float, events: float, background: float) -> tuple[Any, gj.Models]:
    """A dataset of `bins` bins and a source that make `events` on events, of which `background` are background."""
    edges = np.geomspace(0.5, 20.0, bins + 1)
    shape = edges[:-1] ** -1.7 - edges[1:] ** -1.7
    mean = background * shape / shape.sum()
    common = {"name": "few", "energy": edges, "energy_true": edges, "exposure": np.full(bins, 1e13)}
    if kind == "cash":
        data = gj.SpectrumDataset(background=mean, **common)
    else:
        data = gj.SpectrumDatasetOnOff(acceptance=1.0, acceptance_off=off_per_on, **common)
    models = gj.Models(s=gj.SkyModel(gj.PowerLaw(amplitude=1e-12, index=2.5))).freeze("*.index")
    signal = gj.predict_counts(data, models)[0]
    factor = (events - background) / signal.sum()
    if kind == "wstat":
        # With these counts the most likely off counts are the true ones.
        counts = {"counts": factor * signal + mean, "counts_off": off_per_on * mean}
        data = gj.SpectrumDatasetOnOff(acceptance=1.0, acceptance_off=off_per_on, **common, **counts)
    return data, models.set("*.amplitude", 1e-12 * factor)


SETTINGS = {
    "known background, 1 bin": ("cash", 1, 0.0),
    "known background, 8 bins": ("cash", 8, 0.0),
    "on-off, 1 bin": ("wstat", 1, 10.0),
    "on-off, 8 bins": ("wstat", 8, 10.0),
    "on-off, 40 bins": ("wstat", 40, 10.0),
    "known background, 40 bins": ("cash", 40, 0.0),
    "on-off, 8 bins, 3000 off counts": ("wstat", 8, 1e4),
    "on-off, 40 bins, 3000 off counts": ("wstat", 40, 1e4),
}
"""Kind, bins, and the off acceptance for one of the on region; with 10 there are three off counts in all."""
SHARE = 0.1
"""Background as a share of the least number of on events."""


def measure(toys: int) -> list[dict[str, Any]]:
    """Coverage of every setting at 3, 10, 30 on events, and averaged over 3 to 30."""
    rows = []
    for seed, (name, (kind, bins, off_per_on)) in enumerate(SETTINGS.items()):
        background = 3.0 * SHARE
        for events in (3.0, 10.0, 30.0, None):
            data, models = spectrum(kind, bins, off_per_on, events or 30.0, background)
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
        if row["setting"] == "known background, 1 bin":
            ends = [float(x) for x in row["events"].split(" to ")]
            sums = exact(ends[0], ends[-1])
            cells = [f"{100 * sums[key]:.1f}" if (key := f"{m}_{x:g}") in sums else "" for m, x in columns]
            out.append(f"| the same, exact | {row['events']} | {' | '.join(cells)} | |\n")
    return "".join([*out, TAIL.format(lost=max(row["toys"] - row["converged"] for row in rows), toys=toys)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toys", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "coverage.json")
    parser.add_argument("--page", action="store_true", help="only write docs/coverage.md from the numbers in --out")
    options = parser.parse_args()
    if not options.page:
        rows = measure(options.toys)
        options.out.write_text(json.dumps({"toys": options.toys, "rows": rows}, indent=2) + "\n")
    found = json.loads(options.out.read_text())
    PAGE.write_text(page(found["rows"], found["toys"]))


if __name__ == "__main__":
    main()
