import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

import gammajax as gj
from gammajax.errors import ModelError, NothingToFit, UnitMismatch
from gammajax.infer.band import flux_band, posterior_band
from gammajax.plot import plot_corner, plot_profile, plot_sed, save
from gammajax.plot.style import exponent_of, label, short_names, to_png, unit_text

BOUNDS = ("100 GeV", 30.0)


@pytest.fixture(scope="session")
def scan(spectra, fitted):
    return gj.profile(spectra, fitted, "crab.spectral.alpha", points=9)


def lines(ax):
    return {line.get_label(): line.get_xydata().T for line in ax.lines}


def is_png(figure):
    return to_png(figure).startswith(b"\x89PNG")


# -- SED ---------------------------------------------------------------------------------------------


def test_sed_draws_the_band(fitted):
    (ax,) = plot_sed(fitted, "crab", BOUNDS).axes
    energy, drawn = lines(ax)["crab, best fit"]
    best, error = flux_band(fitted, "crab", energy)
    np.testing.assert_allclose(drawn, energy**2 * best, rtol=1e-10)
    edges = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert edges.max() == pytest.approx((energy**2 * best * np.exp(error / best)).max())
    assert energy[[0, -1]] == pytest.approx([0.1, 30.0])


def test_sed_with_posterior_and_truth(fitted, drawn, source):
    figure = plot_sed(fitted, "crab", BOUNDS, posterior=drawn, truth=source)
    (ax,) = figure.axes
    energy, low = lines(ax)[r"Covariance, 1 $\sigma$"]
    best, error = flux_band(fitted, "crab", energy)
    np.testing.assert_allclose(low, energy**2 * best * np.exp(-error / best))
    np.testing.assert_allclose(lines(ax)["Truth"][1], energy**2 * source["crab"].spectral(energy).value)
    band = energy**2 * posterior_band(drawn, "crab", energy, (0.025, 0.975))
    wide = ax.collections[1].get_paths()[0].vertices[:, 1]
    assert wide.max() == pytest.approx(band.max())
    assert is_png(figure)


def test_sed_in_other_units_and_powers(fitted):
    (tev,) = plot_sed(fitted, "crab", BOUNDS).axes
    (erg,) = plot_sed(fitted, "crab", BOUNDS, unit="erg cm-2 s-1").axes
    ratio = lines(erg)["crab, best fit"][1] / lines(tev)["crab, best fit"][1]
    np.testing.assert_allclose(ratio, 1.602176634, rtol=1e-9)
    assert r"\mathrm{erg}\,\mathrm{cm}^{-2}\,\mathrm{s}^{-1}" in erg.get_ylabel()
    (flat,) = plot_sed(fitted, "crab", BOUNDS, energy_power=0).axes
    assert flat.get_ylabel().startswith(r"$\mathrm{d}N/\mathrm{d}E$ [$\mathrm{cm}^{-2}")
    with pytest.raises(UnitMismatch):
        plot_sed(fitted, "crab", BOUNDS, unit="cm-2 s-1")


def test_sed_without_covariance_is_the_curve(source):
    figure = plot_sed(source, "crab", BOUNDS)
    assert list(lines(figure.axes[0])) == ["crab, best fit"]
    assert is_png(figure)


def test_sed_of_a_deep_cutoff_keeps_its_peak_in_view():
    cut = gj.Models(a=gj.SkyModel(gj.ExpCutoffPowerLaw(lambda_=1.0)))
    low, high = plot_sed(cut, "a", (0.1, 1000.0)).axes[0].get_ylim()
    assert high / low < 1e5


def test_sed_of_an_unknown_model(fitted):
    with pytest.raises(ModelError, match="no model 'crb'"):
        plot_sed(fitted, "crb", BOUNDS)


# -- profile -----------------------------------------------------------------------------------------


def test_profile_draws_points_and_parabola(scan):
    figure = plot_profile(scan)
    (ax,) = figure.axes
    np.testing.assert_allclose(lines(ax)["Profile"], [scan.values, scan.delta])
    x, y = lines(ax)["Parabola of the covariance"]
    np.testing.assert_allclose(y, ((x - scan.best) / scan.error) ** 2, atol=1e-12)
    assert [text.get_text() for text in ax.texts] == [r"1$\sigma$", r"2$\sigma$", r"3$\sigma$"]
    assert is_png(figure)


def test_profile_of_a_small_number_takes_out_its_power_of_ten(spectra, fitted):
    scan = gj.profile(spectra, fitted, "crab.spectral.amplitude", points=9)
    (ax,) = plot_profile(scan).axes
    assert ax.get_xlabel().startswith(r"amplitude [$10^{-11}\,\mathrm{cm}^{-2}")
    np.testing.assert_allclose(lines(ax)["Profile"][0], 1e11 * scan.values)


def test_profile_marks_what_did_not_converge(scan):
    from dataclasses import replace

    failed = replace(scan, converged=np.arange(len(scan.values)) != 2, error=np.nan)
    (ax,) = plot_profile(failed).axes
    assert lines(ax)["Not converged"][0] == pytest.approx(scan.values[2])
    assert "Parabola of the covariance" not in lines(ax)


# -- corner ------------------------------------------------------------------------------------------


def test_corner_has_a_panel_for_each_pair(fitted, drawn, source):
    figure = plot_corner(drawn, fitted, source)
    axes = np.array(figure.axes).reshape(3, 3)
    assert [[ax.axison for ax in row] for row in axes.tolist()] == np.tri(3, dtype=bool).tolist()
    assert axes[2, 0].get_xlabel().startswith("amplitude\n[$10^{-11}")
    assert is_png(figure)


def test_corner_ellipse_is_that_of_the_covariance(fitted, drawn):
    paths = ["crab.spectral.alpha", "crab.spectral.beta"]
    axes = np.array(plot_corner(drawn, fitted, paths=paths).axes).reshape(2, 2)
    ellipse = next(line.get_xydata() for line in axes[1, 0].lines if len(line.get_xdata()) == 121)
    index = [fitted.covariance.paths.index(path) for path in paths]
    inverse = np.linalg.inv(fitted.covariance.matrix[np.ix_(index, index)])
    away = ellipse - [fitted.models.value(path) for path in paths]
    np.testing.assert_allclose(np.einsum("ni,ij,nj->n", away, inverse, away), 1.0, rtol=1e-6)


def test_corner_contours_hold_their_share_of_a_gaussian(fitted, drawn):
    from matplotlib.contour import QuadContourSet

    paths = ["crab.spectral.alpha", "crab.spectral.beta"]
    ax = np.array(plot_corner(drawn, paths=paths).axes).reshape(2, 2)[1, 0]
    lines = [c for c in ax.collections if isinstance(c, QuadContourSet) and not c.filled]
    draws = np.stack([drawn[path].ravel() for path in paths], axis=1)
    # The outermost contour comes first.
    shares = [np.mean(path.contains_points(draws)) for path in lines[0].get_paths()]
    np.testing.assert_allclose(shares, [1 - np.exp(-2), 1 - np.exp(-0.5)], atol=0.015)


def test_corner_titles_tell_the_quantiles(drawn):
    figure = plot_corner(drawn, paths=["*.alpha"])
    low, middle, high = np.quantile(drawn["crab.spectral.alpha"], (0.16, 0.5, 0.84))
    title = figure.axes[0].get_title()
    assert title == r"$\alpha$" + f"\n${middle:.4f}^{{+{high - middle:.4f}}}_{{-{middle - low:.4f}}}$"
    assert len(figure.axes) == 1
    assert is_png(figure)


def test_corner_of_frozen_parameters(drawn):
    with pytest.raises(NothingToFit, match="frozen or linked"):
        plot_corner(drawn, paths=["*.reference"])


# -- style -------------------------------------------------------------------------------------------


def test_settings_of_the_user_stay(fitted):
    before = dict(mpl.rcParams)
    plot_sed(fitted, "crab", BOUNDS)
    assert dict(mpl.rcParams) == before


def test_figures_of_the_user_are_used(fitted, scan):
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert plot_sed(fitted, "crab", BOUNDS, ax=left) is figure
    assert plot_profile(scan, ax=right) is figure
    assert left.lines
    assert right.lines


def test_save_by_ending(scan, tmp_path):
    for ending, start in (("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")):
        assert save(plot_profile(scan), tmp_path / "new" / f"a.{ending}").read_bytes().startswith(start)


def test_notebooks_show_a_picture(scan):
    assert plot_profile(scan)._repr_png_().startswith(b"\x89PNG")


def test_texts():
    assert label("Energy", "TeV") == r"Energy [$\mathrm{TeV}$]"
    assert label("index", "") == "index"
    assert unit_text("", -3) == "$10^{-3}$"
    assert unit_text("cm-2 s-1 TeV-1") == r"$\mathrm{cm}^{-2}\,\mathrm{s}^{-1}\,\mathrm{TeV}^{-1}$"
    assert short_names(["crab.spectral.alpha", "crab.spectral.lambda_"]) == [r"$\alpha$", r"$\lambda$"]
    assert short_names(["a.spectral.index", "b.spectral.index"]) == ["a index", "b index"]
    assert [exponent_of(x) for x in (3e-11, 0.5, 2e5, 0.0)] == [-11, 0, 5, 0]


def test_no_pyplot_and_no_matplotlib_before_a_plot():
    code = (
        "import sys, gammajax, gammajax.plot; assert 'matplotlib' not in sys.modules; "
        "from gammajax.plot import plot_profile; assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
