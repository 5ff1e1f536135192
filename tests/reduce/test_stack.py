import numpy as np
import pytest

from gammajax.datasets.binned import Provenance
from gammajax.datasets.spectrum import SpectrumDatasetOnOff
from gammajax.errors import DatasetError
from gammajax.reduce.stack import stack_spectra

ENERGY, TRUE = np.geomspace(1, 10, 5), np.geomspace(0.5, 20, 7)


def made(seed, **changes):
    rng = np.random.default_rng(seed)
    fields = {
        "counts": rng.poisson(5, 4),
        "counts_off": rng.poisson(20, 4),
        "acceptance_off": rng.integers(5, 12),
        "exposure": rng.uniform(1, 3, 6),
        "edisp": rng.dirichlet(np.ones(4), 6),
        "mask_safe": rng.uniform(size=4) > 0.3,
        "livetime": 100.0 * seed,
        "provenance": Provenance("MADE", (seed,)),
    }
    return SpectrumDatasetOnOff(name=str(seed), energy=ENERGY, energy_true=TRUE, **(fields | changes))


RUNS = [made(seed) for seed in (1, 2, 3, 4)]


def total(field, runs=RUNS):
    return sum(np.asarray(r.mask_safe) * np.asarray(getattr(r, field)) for r in runs)


def test_counts_and_background_are_sums_over_safe_bins():
    one = stack_spectra(RUNS, "all")
    for field in ("counts", "counts_off", "acceptance", "background"):
        np.testing.assert_allclose(getattr(one, field), total(field), rtol=1e-13)
    np.testing.assert_array_equal(one.mask_safe, np.any([r.mask_safe for r in RUNS], axis=0))
    assert one.name == "all"
    assert one.provenance == Provenance("MADE", (1, 2, 3, 4))
    assert float(one.livetime) == 1000.0


def test_predicted_counts_are_the_sum_of_those_of_the_runs():
    flux = np.random.default_rng(0).uniform(size=6)
    runs = sum(np.asarray(r.mask_safe) * ((flux * np.asarray(r.exposure)) @ np.asarray(r.edisp)) for r in RUNS)
    one = stack_spectra(RUNS)
    np.testing.assert_allclose((flux * np.asarray(one.exposure)) @ np.asarray(one.edisp), runs, rtol=1e-13)


def test_order_and_grouping_do_not_matter():
    safe = [made(seed, mask_safe=np.ones(4)) for seed in (1, 2, 3, 4)]
    one, other = stack_spectra(safe), stack_spectra([stack_spectra(safe[2:]), stack_spectra(safe[:2])])
    for field in ("counts", "counts_off", "acceptance", "acceptance_off", "exposure", "edisp", "livetime"):
        np.testing.assert_allclose(getattr(one, field), getattr(other, field), rtol=1e-13)


def test_one_run_alone():
    run = made(1, mask_safe=np.ones(4))
    one = stack_spectra([run])
    for field in ("counts", "counts_off", "acceptance", "acceptance_off", "exposure", "edisp"):
        np.testing.assert_allclose(getattr(one, field), getattr(run, field), rtol=1e-13)


def test_run_without_a_safe_bin_does_not_count():
    one = stack_spectra([RUNS[0], made(9, mask_safe=np.zeros(4))])
    np.testing.assert_array_equal(one.exposure, RUNS[0].exposure)
    assert float(one.livetime) == 100.0


def test_bins_without_off_counts_take_the_mean_alpha():
    on = np.ones(4)
    runs = [made(s, counts_off=np.array([4, 0, 6, 0]), acceptance_off=a, mask_safe=on) for s, a in ((1, 5), (2, 10))]
    one = stack_spectra(runs)
    alpha = (10 / 5 + 10 / 10) / 20
    np.testing.assert_allclose(one.acceptance_off, [2 * 8 / 1.2, 2 / alpha, 2 * 12 / 1.8, 2 / alpha])


def test_no_off_counts_at_all():
    runs = [made(s, counts_off=np.zeros(4), acceptance_off=s, mask_safe=np.ones(4)) for s in (3, 5)]
    np.testing.assert_array_equal(stack_spectra(runs).acceptance_off, 8)


def test_what_cannot_be_stacked():
    with pytest.raises(DatasetError, match="no dataset"):
        stack_spectra([])
    other = SpectrumDatasetOnOff(
        name="x", energy=ENERGY * 2, energy_true=TRUE, exposure=np.ones(6), edisp=np.ones((6, 4))
    )
    with pytest.raises(DatasetError, match="energy axis"):
        stack_spectra([RUNS[0], other])
