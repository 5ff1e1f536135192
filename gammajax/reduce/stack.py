"""Many spectra of one region added up to one."""

from collections.abc import Sequence

import numpy as np

from gammajax.datasets.spectrum import Provenance, SpectrumDatasetOnOff, check_same_axes
from gammajax.errors import DatasetError


def stack_spectra(datasets: Sequence[SpectrumDatasetOnOff], name: str = "stacked") -> SpectrumDatasetOnOff:
    """The sum of on-off spectra with equal axes, as Gammapy's `Datasets.stack_reduce`.

    With e_k the safe mask of run k: counts = sum e_k n_k; acceptance = sum e_k a_k; the off acceptance is
    scaled so that `alpha * counts_off` is the sum of the runs' backgrounds, `acceptance * sum e_k off_k / sum
    e_k alpha_k off_k`; in bins without off counts the mean alpha over all bins is used (without any off
    counts at all, the off acceptances are summed). Exposure and livetime are summed over runs with any safe
    bin, and the dispersion is weighted, `sum x_k R_k e_k / sum x_k`, so that the predicted counts of the
    stack are the sum of those of the runs. A bin is safe, or in the fit, if it is so in any run.

    Raises `DatasetError` if there is nothing to stack, or if axes or kinds differ.
    Source: Gammapy 2.1 `MapDatasetOnOff.stack` (closed form of its sequence of additions).

    >>> total = stack_spectra([run_1, run_2], name="crab")  # doctest: +SKIP
    """
    if not datasets:
        raise DatasetError("there is no dataset to stack")
    check_same_axes(datasets)
    if not isinstance(datasets[0], SpectrumDatasetOnOff):
        raise DatasetError(f"{datasets[0].name} is a {type(datasets[0]).__name__}: only on-off spectra can be stacked")
    first = datasets[0]
    safe = _column(datasets, "mask_safe").astype(float)
    used = np.any(safe > 0, axis=1).astype(float)

    off = np.sum(safe * _column(datasets, "counts_off"), axis=0)
    background = np.sum(safe * _column(datasets, "background"), axis=0)
    acceptance = np.sum(safe * _column(datasets, "acceptance"), axis=0)
    acceptance_off = np.sum(safe * _column(datasets, "acceptance_off"), axis=0)
    exposures = used[:, None] * _column(datasets, "exposure")
    exposure = np.sum(exposures, axis=0)
    folded = np.einsum("ki,kij,kj->ij", exposures, _column(datasets, "edisp"), safe)
    return SpectrumDatasetOnOff(
        name=name,
        energy=np.asarray(first.energy),
        energy_true=np.asarray(first.energy_true),
        counts=np.sum(safe * _column(datasets, "counts"), axis=0),
        counts_off=off,
        acceptance=acceptance,
        acceptance_off=_acceptance_off(acceptance, acceptance_off, off, background),
        exposure=exposure,
        edisp=np.divide(folded, exposure[:, None], out=np.zeros_like(folded), where=exposure[:, None] > 0),
        mask_safe=np.any(safe > 0, axis=0),
        mask_fit=np.any(_column(datasets, "mask_fit"), axis=0),
        livetime=float(np.sum(used * _column(datasets, "livetime"))),
        provenance=Provenance(
            telescope="+".join(sorted({d.provenance.telescope for d in datasets} - {""})),
            obs_ids=tuple(obs_id for d in datasets for obs_id in d.provenance.obs_ids),
        ),
    )


def _acceptance_off(
    acceptance: np.ndarray, acceptance_off: np.ndarray, off: np.ndarray, background: np.ndarray
) -> np.ndarray:
    """Off acceptance for which alpha times the off counts is the background."""
    if not np.sum(background) > 0:
        return acceptance_off
    mean_alpha = np.sum(background) / np.sum(off)
    counted = background > 0
    return np.where(counted, acceptance * off / np.where(counted, background, 1.0), acceptance / mean_alpha)


def _column(datasets: Sequence[SpectrumDatasetOnOff], field: str) -> np.ndarray:
    return np.stack([np.asarray(getattr(dataset, field)) for dataset in datasets])
