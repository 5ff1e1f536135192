"""Datasets and flux points without a model: what is drawn are their numbers."""

import numpy as np
import pytest
from made_spectra import counting, on_off

import gammajax as gj
from gammajax.errors import DatasetError, UnitMismatch
from gammajax.plot import plot_dataset, plot_flux_points, plot_nuisance
from gammajax.plot.style import to_png


def stairs(ax):
    return {p.get_label(): p.get_data() for p in ax.patches if hasattr(p, "get_data")}


def drawn(ax):
    return np.sort(np.concatenate([c.lines[0].get_ydata() for c in ax.containers]))


def test_all_four_panels_show_the_arrays():
    d = on_off()[1]
    counts, excess, exposure, dispersion = plot_dataset(d).axes[:4]
    np.testing.assert_array_equal(drawn(counts), np.sort(np.asarray(d.counts)))
    np.testing.assert_allclose(drawn(excess), np.sort(np.asarray(d.excess)))
    background = stairs(counts)[r"Off $\times\ \alpha$"]
    np.testing.assert_allclose(background.values, d.background)
    np.testing.assert_array_equal(background.edges, d.energy)
    (area,) = stairs(exposure).values()
    np.testing.assert_allclose(area.values, 1e-4 * np.asarray(d.exposure))
    (matrix,) = [c for c in dispersion.collections if hasattr(c, "get_coordinates")]
    np.testing.assert_allclose(matrix.get_array(), np.asarray(d.edisp).T)
    assert exposure.get_ylabel() == r"Exposure [$\mathrm{m}^{2}\,\mathrm{s}$]"
    assert dispersion.get_xlabel() == r"True energy [$\mathrm{TeV}$]"


def test_bins_outside_the_fit_are_told_apart():
    counts = plot_dataset(on_off()[1]).axes[0]
    sizes = {c.get_label(): len(c.lines[0].get_ydata()) for c in counts.containers}
    assert sizes == {"Counts": 10, "Counts, not fitted": 2}


def test_errors_of_the_excess_are_those_of_the_statistic():
    from gammajax.reduce.significance import excess_errors

    d = on_off()[0]
    bars = plot_dataset(d).axes[1].containers[0].lines[2][1]
    segments = np.array(bars.get_segments())
    low, high = excess_errors(d.counts, d.counts_off, d.alpha)
    excess = np.asarray(d.excess)
    np.testing.assert_allclose(segments[:, 0, 1], excess - low)
    np.testing.assert_allclose(segments[:, 1, 1], excess + high)


def test_a_known_background_is_drawn():
    d = counting()[0]
    counts, excess = plot_dataset(d).axes[:2]
    np.testing.assert_allclose(stairs(counts)["Background"].values, d.background)
    np.testing.assert_allclose(drawn(excess), np.sort(np.asarray(d.counts) - np.asarray(d.background)))


@pytest.mark.parametrize("change", ["empty", "masked", "no_off", "no_exposure"])
def test_extreme_datasets_are_drawn(change):
    (d,) = on_off(n=1)
    names = ("energy", "energy_true", "exposure", "edisp", "counts", "counts_off")
    fields = {name: np.asarray(getattr(d, name)) for name in names} | {"acceptance_off": 10.0}
    if change == "empty":
        fields |= {"counts": None, "counts_off": None}
    elif change == "masked":
        fields["mask_fit"] = np.zeros(12)
    elif change == "no_off":
        fields |= {"counts_off": None, "acceptance_off": 0.0}
    else:
        fields["exposure"] = np.zeros(20)
    assert to_png(plot_dataset(gj.SpectrumDatasetOnOff(name="odd", **fields))).startswith(b"\x89PNG")


def flux_points(**options):
    energy = np.array([0.5, 1.0, 2.0, 5.0])
    flux = {"dnde": [4e-11, 1e-11, 2e-12, np.nan], "dnde_err": [4e-12, 1e-12, 3e-13, np.nan]}
    limits = {"dnde_ul": [np.nan, np.nan, np.nan, 3e-13], "mask_fit": [False, True, True, True]}
    return gj.FluxPointsDataset(name="points", energy_ref=energy, **flux, **limits, stat_type="distrib", **options)


def test_flux_points_and_limits():
    points = flux_points()
    (ax,) = plot_flux_points(points, unit="erg cm-2 s-1").axes
    used, hollow, limit = ax.containers
    energy = np.asarray(points.energy_ref)
    wanted = energy**2 * np.asarray(points.dnde) * 1.602176634
    np.testing.assert_allclose(used.lines[0].get_ydata(), wanted[1:3], rtol=1e-9)
    np.testing.assert_allclose(hollow.lines[0].get_ydata(), wanted[:1], rtol=1e-9)
    assert hollow.lines[0].get_markerfacecolor() == "white"
    ends = np.array(limit.lines[2][1].get_segments())[0, :, 1]
    assert ends.max() == pytest.approx(25.0 * 3e-13 * 1.602176634)
    with pytest.raises(UnitMismatch):
        plot_flux_points(points, unit="cm2")


def test_flux_points_without_any():
    empty = gj.FluxPointsDataset(name="none", energy_ref=[1.0], dnde=[np.nan])
    with pytest.raises(DatasetError, match="no flux point"):
        plot_flux_points(empty)
    with pytest.raises(DatasetError, match="no flux point"):
        plot_flux_points([])


def test_nuisances_are_drawn():
    (ax,) = plot_nuisance(gj.ExposureTilt(tilt=0.5), ("0.1 TeV", "10 TeV")).axes
    (line,) = [one for one in ax.lines if one.get_label() == "Exposure"]
    energy, factor = line.get_xydata().T
    np.testing.assert_allclose(factor, energy**0.5)
    (ax,) = plot_nuisance(gj.EnergyScale(delta=0.25)).axes
    (line,) = [one for one in ax.lines if one.get_label() == "Energy"]
    np.testing.assert_allclose(line.get_ydata(), 0.8)
