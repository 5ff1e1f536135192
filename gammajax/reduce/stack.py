"""Many spectra of one region added up to one."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from gammajax.checks import one_or_many
from gammajax.datasets.binned import Provenance
from gammajax.datasets.spectrum import Spectrum, SpectrumDataset, SpectrumDatasetOnOff, check_same_axes
from gammajax.errors import DatasetError

S = TypeVar("S", SpectrumDataset, SpectrumDatasetOnOff)


def stack_spectra(datasets: Sequence[S], name: str = "stacked") -> S:
    """The sum of spectra of one kind with equal axes, as Gammapy's `Datasets.stack_reduce`.

    With e_k the safe mask of run k: counts = sum e_k n_k, background = sum e_k b_k. Exposure and livetime are summed
    over runs with any safe bin, and the dispersion is weighted, `sum x_k R_k e_k / sum x_k`, so that the predicted
    counts of the stack are the sum of those of the runs. A bin is safe, or in the fit, if it is so in any run.

    On-off spectra: acceptance = sum e_k a_k; the off acceptance is scaled so that `alpha * counts_off` is the sum of
    the runs' backgrounds, `acceptance * sum e_k off_k / sum e_k alpha_k off_k`; in bins without off counts the mean
    alpha over all bins is used (without any off counts at all, the off acceptances are summed).

    Raises `DatasetError` if there is nothing to stack, or if axes or kinds differ.
    Source: Gammapy 2.1 `MapDataset.stack`, `MapDatasetOnOff.stack` (closed form of its sequence of additions).

    >>> total = stack_spectra([run_1, run_2], name="crab")  # doctest: +SKIP
    """
    found: list[S] = one_or_many(datasets)
    if not found:
        raise DatasetError("there is no dataset to stack")
    datasets = found
    check_same_axes(datasets)
    first = datasets[0]
    safe = _column(datasets, "mask_safe").astype(float)
    used = np.any(safe > 0, axis=1).astype(float)
    exposures = used[:, None] * _column(datasets, "exposure")
    exposure = np.sum(exposures, axis=0)
    folded = np.einsum("ki,kij,kj->ij", exposures, _column(datasets, "edisp"), safe)
    common: dict[str, Any] = {
        "name": name,
        "energy": np.asarray(first.energy),
        "energy_true": np.asarray(first.energy_true),
        "counts": np.sum(safe * _column(datasets, "counts"), axis=0),
        "exposure": exposure,
        "edisp": np.divide(folded, exposure[:, None], out=np.zeros_like(folded), where=exposure[:, None] > 0),
        "mask_safe": np.any(safe > 0, axis=0),
        "mask_fit": np.any(_column(datasets, "mask_fit"), axis=0),
        "livetime": float(np.sum(used * _column(datasets, "livetime"))),
        "provenance": Provenance.merged(d.provenance for d in datasets),
    }
    background = np.sum(safe * _column(datasets, "background"), axis=0)
    if not isinstance(first, SpectrumDatasetOnOff):
        return type(first)(**common, background=background)
    off = np.sum(safe * _column(datasets, "counts_off"), axis=0)
    acceptance = np.sum(safe * _column(datasets, "acceptance"), axis=0)
    acceptance_off = np.sum(safe * _column(datasets, "acceptance_off"), axis=0)
    return type(first)(
        **common,
        counts_off=off,
        acceptance=acceptance,
        acceptance_off=stack_off(acceptance, acceptance_off, off, background),
    )


def stack_by(datasets: Iterable[S], label: Mapping[int, Any] | Callable[[S], Any], prefix: str = "") -> list[S]:
    """One stack per label, called `<prefix><label>`, in the order in which the labels first occur.

    `label` is a function of the dataset, or maps the observation ids of the runs to labels. Raises `DatasetError` for
    a run without a label.

    >>> by_year = stack_by(datasets, {23523: "2004", 33787: "2006"})  # doctest: +SKIP
    """
    groups: dict[str, list[S]] = {}
    for dataset in one_or_many(datasets):
        found = label(dataset) if callable(label) else _label(dataset, label)
        groups.setdefault(f"{prefix}{found}", []).append(dataset)
    return [stack_spectra(members, name) for name, members in groups.items()]


def _label(dataset: Spectrum, labels: Mapping[int, Any]) -> Any:
    found = {labels[obs_id] for obs_id in dataset.provenance.obs_ids if obs_id in labels}
    if len(found) != 1:
        what = "no label" if not found else f"labels {sorted(map(str, found))}"
        raise DatasetError(
            f"{dataset.name} (runs {dataset.provenance.obs_ids}) has {what}: each needs one to be stacked"
        )
    return found.pop()


def stack_off(
    acceptance: np.ndarray, acceptance_off: np.ndarray, off: np.ndarray, background: np.ndarray
) -> np.ndarray:
    """Off acceptance of a stack, for which alpha times the off counts is the sum of the backgrounds.

    All are sums over runs, per bin. Bins without off counts have the mean alpha; without any, the sum of the off
    acceptances stays.
    """
    if not np.sum(background) > 0:
        return acceptance_off
    mean_alpha = np.sum(background) / np.sum(off)
    counted = background > 0
    return np.where(counted, acceptance * off / np.where(counted, background, 1.0), acceptance / mean_alpha)


def background_of_off(acceptance: np.ndarray, acceptance_off: np.ndarray, off: np.ndarray) -> np.ndarray:
    """Background of the on region, `acceptance / acceptance_off * off`; 0 without off acceptance."""
    has_off = acceptance_off > 0
    return np.where(has_off, acceptance / np.where(has_off, acceptance_off, 1.0), 0.0) * off


def _column(datasets: Sequence[Spectrum], field: str) -> np.ndarray:
    return np.stack([np.asarray(getattr(dataset, field)) for dataset in datasets])
