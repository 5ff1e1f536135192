import numpy as np
import pytest
from made_spectra import counting, on_off
from matplotlib.figure import Figure
from scipy.stats import chi2

import gammajax as gj
from gammajax.errors import DatasetError
from gammajax.likelihood.expected import ExpectedCounts, predict_all, predict_counts
from gammajax.plot import plot_counts
from gammajax.plot.bins import count_bins, garwood
from gammajax.plot.style import to_png


def steps(ax):
    """Heights of the drawn steps, by label."""
    return {patch.get_label(): patch.get_data().values for patch in ax.patches if hasattr(patch, "get_data")}


def points(ax):
    """Heights of the drawn points, by label."""
    return {c.get_label(): c.lines[0].get_ydata() for c in ax.containers}


def test_what_is_drawn_are_counts_and_expectations(spectra, fitted):
    upper, lower = plot_counts(spectra[0], fitted, min_expected=0).axes
    signal, background = predict_counts(spectra[0], fitted.models)
    np.testing.assert_allclose(steps(upper)["Signal + background"], signal + background, rtol=1e-9)
    np.testing.assert_allclose(steps(upper)["Background"], background, rtol=1e-9)
    np.testing.assert_array_equal(points(upper)["Counts"], spectra[0].counts)
    residual = lower.containers[0].lines[0].get_ydata()
    assert np.sum(residual**2) == pytest.approx(fitted.stat_per_dataset["d0"], rel=1e-6)


def test_bins_outside_the_fit_are_told_apart(spectra, fitted):
    upper, _ = plot_counts(spectra["d1"], fitted, min_expected=0).axes
    shown = points(upper)
    assert [len(shown[name]) for name in ("Counts", "Counts, not fitted")] == [10, 2]


def test_nothing_outside_the_fit_no_grey_points(spectra, fitted):
    assert set(points(plot_counts(spectra[0], fitted).axes[0])) == {"Counts"}


@pytest.mark.parametrize("least", [0.0, 5.0, 50.0])
def test_merging_keeps_the_sums(spectra, fitted, least):
    d = spectra["d1"]
    signals = predict_all([d], fitted.models)
    bins = count_bins([d], signals, least)
    for used, mask in ((bins.used, np.asarray(d.mask)), (~bins.used, ~np.asarray(d.mask))):
        assert bins.counts[used].sum() == np.asarray(d.counts)[mask].sum()
        assert bins.signal[used].sum() == pytest.approx(signals[0].signal[mask].sum())
    np.testing.assert_array_equal(bins.edges[1:, 0], bins.edges[:-1, 1])
    assert bins.merged.sum() == 12


def test_merged_bins_hold_enough_or_are_wide():
    fine = np.geomspace(0.1, 100.0, 61)
    (d,) = on_off(n=1, energy=fine)
    expected = ExpectedCounts(np.full(60, 2.0), np.asarray(d.background), np.ones(60))
    bins = count_bins([d], [expected], 5.0)
    assert np.all(bins.merged[:-1] <= 6)
    assert np.all((bins.expected[:-1] > 4.9) | (bins.merged[:-1] == 6))
    assert np.all(np.log10(bins.edges[:, 1] / bins.edges[:, 0]) < 0.3 + 1e-9)


def test_a_stack_is_the_sum_over_what_is_used(spectra, fitted):
    upper, _ = plot_counts(spectra, fitted, stacked=True, min_expected=0).axes
    total = sum(np.asarray(d.counts) * np.asarray(d.mask) for d in spectra)
    np.testing.assert_array_equal(points(upper)["Counts"], total)
    signals = predict_all(spectra, fitted.models)
    bins = count_bins(spectra, signals)
    wanted = sum(s.signal * np.asarray(d.mask) for s, d in zip(signals, spectra, strict=True))
    np.testing.assert_allclose(bins.signal, wanted)


def test_stacks_need_one_axis(fitted):
    mixed = [*on_off(n=1), *on_off(n=1, energy=np.geomspace(0.2, 20.0, 8), prefix="e")]
    with pytest.raises(DatasetError, match="differ in their energy axis"):
        plot_counts(mixed, fitted, stacked=True)


def test_grid_of_different_datasets(spectra, fitted):
    figure = plot_counts([*spectra, *counting()], fitted)
    drawn = [ax for ax in figure.axes if ax.axison]
    assert len(drawn) == 10
    assert [ax.get_title() for ax in drawn if ax.get_title()] == ["d0", "d1", "d2", "c0", "c1"]
    assert to_png(figure).startswith(b"\x89PNG")


def test_axes_of_the_user(spectra, fitted):
    figure = Figure()
    axes = tuple(figure.subplots(2, 1))
    assert plot_counts(spectra[0], fitted, axes=axes) is figure
    with pytest.raises(DatasetError, match="holds one dataset, got 3"):
        plot_counts(spectra, fitted, axes=axes)


def test_nothing_to_plot(fitted):
    with pytest.raises(DatasetError, match="no dataset"):
        plot_counts([], fitted)


@pytest.mark.parametrize("change", ["empty", "masked", "no_off", "no_models"])
def test_extreme_datasets_are_drawn(source, change):
    (d,) = on_off(n=1)
    names = ("energy", "energy_true", "exposure", "edisp", "counts", "counts_off")
    fields = {name: np.asarray(getattr(d, name)) for name in names} | {"acceptance_off": 10.0}
    if change == "empty":
        fields |= {"counts": None, "counts_off": None}
    elif change == "masked":
        fields["mask_fit"] = np.zeros(12)
    elif change == "no_off":
        fields |= {"counts_off": None, "acceptance_off": 0.0}
    models = gj.Models() if change == "no_models" else source
    figure = plot_counts(gj.SpectrumDatasetOnOff(name="odd", **fields), models)
    assert to_png(figure).startswith(b"\x89PNG")


def test_poisson_intervals_are_those_of_garwood():
    n = np.array([0.0, 1.0, 4.0, 100.0])
    low, high = garwood(n)
    tail = 0.15865525393145707
    np.testing.assert_allclose(low[1:], chi2.ppf(tail, 2 * n[1:]) / 2, rtol=1e-10)
    np.testing.assert_allclose(high, chi2.ppf(1 - tail, 2 * n + 2) / 2, rtol=1e-10)
    assert low[0] == 0
