"""Tables of counts, excess and significance per run, one by one or added up."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from astropy.table import Table

from gammajax.checks import one_or_many
from gammajax.data import Observation
from gammajax.data.observations import as_runs
from gammajax.datasets.spectrum import Spectrum, SpectrumDatasetOnOff, check_same_axes
from gammajax.errors import DatasetError
from gammajax.reduce.significance import li_ma, significance_of_counts
from gammajax.reduce.stack import background_of_off, stack_off

_UNITS = {
    "exposure_min": "cm2 s",
    "exposure_max": "cm2 s",
    "livetime": "s",
    "counts_rate": "s-1",
    "background_rate": "s-1",
    "excess_rate": "s-1",
}


def info_table(
    datasets: Iterable[Spectrum], cumulative: bool = False, observations: Iterable[Observation] | None = None
) -> Table:
    """One row per dataset: counts, excess, significance, rates, in the safe energies.

    Columns: name, [tstart, tstop,] counts, excess, sqrt_ts (Li & Ma for on-off spectra, else against the known
    background), background, exposure_min, exposure_max [cm2 s], livetime [s], counts_rate, background_rate,
    excess_rate [s-1], n_bins, n_fit_bins, and for on-off spectra counts_off, acceptance, acceptance_off, alpha. With
    `cumulative`, row k is the stack of the datasets up to k. With the `observations`, rows have start and stop as text
    and are ordered by time. Names and definitions as in Gammapy's `Datasets.info_table`.

    Raises `DatasetError` for datasets of several kinds, of different axes if they are to be added up, or without
    observation.

    >>> info_table(reduction.datasets, cumulative=True)["sqrt_ts"]  # doctest: +SKIP
    """
    found = one_or_many(datasets)
    if len({type(one) for one in found}) > 1:
        raise DatasetError("an info table needs datasets of one kind, on-off or not")
    if not found:
        return Table()
    times: list[dict[str, Any]] = [{} for _ in found]
    if observations is not None:
        found, times = _in_time(found, {run.obs_id: run for run in as_runs(observations)})
    rows = [_row(**row) for row in (_added(found) if cumulative else map(_single, found))]
    rows = [{"name": row.pop("name"), **time, **row} for row, time in zip(rows, times, strict=True)]
    return Table(rows, units={key: unit for key, unit in _UNITS.items() if key in rows[0]})


def _in_time(datasets: list[Spectrum], runs: Mapping[int, Observation]) -> tuple[list[Spectrum], list[dict[str, Any]]]:
    """Datasets in the order of their first run, and start and stop of each."""
    spans = []
    for dataset in datasets:
        own = [runs[i] for i in dataset.provenance.obs_ids if i in runs]
        if not own:
            raise DatasetError(f"{dataset.name} (runs {dataset.provenance.obs_ids}) has none of the observations given")
        spans.append((min(run.tstart for run in own), max(run.tstop for run in own)))
    order = sorted(range(len(spans)), key=lambda k: spans[k][0].mjd)
    times = [{"tstart": spans[k][0].utc.isot, "tstop": spans[k][1].utc.isot} for k in order]
    return [datasets[k] for k in order], times


def _single(dataset: Spectrum) -> dict[str, Any]:
    """What a row is made of, for one dataset."""
    fields = ("counts", "background", "counts_off", "acceptance", "mask_safe", "exposure")
    numbers = {key: np.asarray(getattr(dataset, key)) for key in fields if hasattr(dataset, key)}
    return {"name": dataset.name, **numbers, "mask": np.asarray(dataset.mask), "livetime": float(dataset.livetime)}


def _added(datasets: list[Spectrum]) -> Iterable[dict[str, Any]]:
    """The same for the stacks of the first, the first two, ... datasets."""
    check_same_axes(datasets)
    safe = np.stack([np.asarray(d.mask_safe) for d in datasets]).astype(float)
    used = np.any(safe > 0, axis=1)
    on_off = isinstance(datasets[0], SpectrumDatasetOnOff)
    names = (
        ("counts", "background", "counts_off", "acceptance", "acceptance_off") if on_off else ("counts", "background")
    )
    sums = {n: np.cumsum(safe * np.stack([np.asarray(getattr(d, n)) for d in datasets]), axis=0) for n in names}
    exposure = np.cumsum(used[:, None] * np.stack([np.asarray(d.exposure) for d in datasets]), axis=0)
    livetime = np.cumsum(used * np.array([float(d.livetime) for d in datasets]))
    safe_of_stack = np.logical_or.accumulate(safe > 0, axis=0)
    fit_of_stack = np.logical_or.accumulate(np.stack([np.asarray(d.mask_fit) for d in datasets]), axis=0)
    for k in range(len(datasets)):
        row = {name: sums[name][k] for name in names}
        if on_off:
            off = stack_off(row["acceptance"], row.pop("acceptance_off"), row["counts_off"], row["background"])
            row["background"] = background_of_off(row["acceptance"], off, row["counts_off"])
        yield {
            "name": "stacked",
            **row,
            "mask_safe": safe_of_stack[k],
            "mask": safe_of_stack[k] & fit_of_stack[k],
            "exposure": exposure[k],
            "livetime": livetime[k],
        }


def _row(
    *,
    name: str,
    counts: np.ndarray,
    background: np.ndarray,
    mask_safe: np.ndarray,
    mask: np.ndarray,
    exposure: np.ndarray,
    livetime: float,
    counts_off: np.ndarray | None = None,
    acceptance: np.ndarray | None = None,
) -> dict[str, Any]:
    n, b = float(np.sum(counts[mask_safe])), float(np.sum(background[mask_safe]))
    seen = exposure[exposure > 0] if np.any(exposure > 0) and mask_safe.any() else exposure
    row: dict[str, Any] = {"name": name, "counts": int(n), "excess": n - b}
    extra: dict[str, Any] = {}
    if counts_off is None or acceptance is None:
        row["sqrt_ts"] = float(significance_of_counts(n, b))
    else:
        off, accepted = float(np.sum(counts_off[mask_safe])), float(np.sum(acceptance[mask_safe]))
        alpha = b / off if off > 0 else np.nan
        row["sqrt_ts"] = float(li_ma(n, off, alpha)) if off > 0 else np.nan
        extra = {
            "counts_off": int(off),
            "acceptance": accepted,
            "acceptance_off": accepted / alpha if alpha else np.nan,
        }
        extra["alpha"] = alpha
    row |= {"background": b, "exposure_min": float(np.min(seen)), "exposure_max": float(np.max(seen))}
    row |= {"livetime": livetime}
    row |= {f"{key}_rate": x / livetime for key, x in (("counts", n), ("background", b), ("excess", n - b))}
    return row | {"n_bins": counts.size, "n_fit_bins": int(np.sum(mask))} | extra
