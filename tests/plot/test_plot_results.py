"""Figures of toys, checks, coverage and limits: what is drawn are the numbers of the result."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table
from made_cubes import cube, models
from scipy.stats import chi2, norm

import gammajax as gj
from gammajax.errors import ConfigError, DatasetError, NothingToFit, UnknownDataset
from gammajax.infer.coverage import Coverage
from gammajax.infer.crossing import End
from gammajax.infer.goodness import Goodness
from gammajax.infer.refit import Toys
from gammajax.plot import (
    peek,
    plot_comparison,
    plot_coverage,
    plot_goodness,
    plot_limits,
    plot_livetime,
    plot_predictive,
    plot_pulls,
)
from gammajax.plot.style import new_figure, to_png


def stairs(ax):
    """Outlines by label; of several without a label the last."""
    return {p.get_label(): p.get_data() for p in ax.patches if hasattr(p, "get_data")}


def lines(ax):
    return {line.get_label(): line.get_xydata().T for line in ax.lines}


def texts(legend):
    return [text.get_text() for text in legend.get_texts()]


# -- goodness ----------------------------------------------------------------------------------------


def made_goodness(**more):
    rng = np.random.default_rng(1)
    converged = np.arange(400) % 40 != 0
    toys = {"toys_deviance": rng.chisquare(20, 400), "toys_largest": rng.uniform(1.0, 3.0, 400)}
    return Goodness(
        **{"deviance": 30.0, "largest": 2.5, **toys, "converged": converged, "n_bins": 22, "n_free": 2, **more}
    )


def test_goodness_draws_toys_and_data():
    goodness = made_goodness()
    total, largest = plot_goodness(goodness).axes
    for ax, toys, measured, p in (
        (total, goodness.toys_deviance, 30.0, goodness.p_value),
        (largest, goodness.toys_largest, 2.5, goodness.p_value_largest),
    ):
        held = stairs(ax)["390 toys"]
        assert held.values.sum() == 390
        # the measured value parts the bins: those beyond are the p-value
        beyond = held.edges[:-1] >= measured - 1e-9
        assert held.values[beyond].sum() == np.sum(toys[goodness.converged] >= measured)
        (name,) = [name for name in lines(ax) if name.startswith("Data")]
        np.testing.assert_allclose(lines(ax)[name][0], measured)
        assert f"p = {p[0]:.2g}" in name
    x, y = lines(total)[r"$\chi^2$, 20 d.o.f."]
    width = np.diff(stairs(total)["390 toys"].edges)[0]
    np.testing.assert_allclose(y, 390 * width * chi2.pdf(x, 20))
    assert (total.get_xlabel(), total.get_ylabel()) == ("Deviance", "Toys per bin")
    assert largest.get_xlabel().endswith(r"[$\sigma$]")


def test_goodness_of_data_far_out_and_of_equal_toys():
    assert to_png(plot_goodness(made_goodness(deviance=3000.0)))
    assert to_png(plot_goodness(made_goodness(toys_largest=np.ones(400), largest=1.0, n_free=22)))
    with pytest.raises(ConfigError, match="no toy to plot: 400 of 400 refits did not converge"):
        plot_goodness(made_goodness(converged=np.zeros(400, bool)))


# -- comparison --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def comparison(spectra, fitted):
    null = fitted.models.set({"crab.spectral.beta": 0.098}).freeze("*.beta")
    return gj.likelihood_ratio(spectra, null, fitted)


def test_comparison_draws_laws_and_toys(comparison):
    toys = np.random.default_rng(2).chisquare(1, 200)
    (ax,) = plot_comparison(replace(comparison, toys=toys)).axes
    name = rf"$\chi^2$, 1 d.o.f.: p = {comparison.p_value:.2g}"
    x, y = lines(ax)[name]
    np.testing.assert_allclose(y, chi2.sf(x, 1))
    (share,) = [data for label, data in stairs(ax).items() if label.startswith("200 toys of the null")]
    middle = 0.5 * (share.edges[1:] + share.edges[:-1])
    np.testing.assert_allclose(share.values, [(toys > x).mean() for x in middle])
    (name,) = [name for name in lines(ax) if name.startswith("Data: TS")]
    np.testing.assert_allclose(lines(ax)[name][0], comparison.ts)
    assert ax.get_ylabel() == "Probability of a larger TS"


def test_comparison_on_a_bound_has_the_mixture(comparison):
    (ax,) = plot_comparison(replace(comparison, boundary=("crab.spectral.beta",))).axes
    (name,) = [name for name in lines(ax) if name.startswith("Mixture")]
    x, y = lines(ax)[name]
    np.testing.assert_allclose(y, 0.5 * chi2.sf(x, 1))


def test_comparison_far_out_keeps_its_curves_in_view(comparison, spectra, fitted):
    null = fitted.models.set({"crab.spectral.beta": 0.0}).freeze("*.beta")
    far = gj.likelihood_ratio(spectra, null, fitted)
    (ax,) = plot_comparison(far).axes
    assert ax.get_xlim()[1] < 0.3 * far.ts
    assert f"TS = {far.ts:.4g}" in " ".join(texts(ax.get_legend()))


# -- pulls -------------------------------------------------------------------------------------------


def made_toys(models, n=300, **more):
    rng = np.random.default_rng(3)
    paths = tuple(models.free_paths)
    truth = np.array([models.value(path) for path in paths])
    values = truth * (1.0 + 0.01 * rng.normal(size=(n, len(paths))))
    return Toys(**{
        "truth": models, "paths": paths, "values": values, "stat": np.zeros(n), "converged": np.arange(n) > 9,
        "timings": {}, **more,
    })  # fmt: skip


def test_pulls_are_those_of_the_errors_of_the_fit(fitted):
    toys = made_toys(fitted.models)
    axes = plot_pulls(toys).axes
    assert [ax.get_title() for ax in axes] == ["amplitude", r"$\alpha$", r"$\beta$"]
    for i, ax in enumerate(axes):
        path = toys.paths[i]
        pulls = (toys.values[10:, i] - fitted.models.value(path)) / fitted.models.error(path)
        held = next(iter(stairs(ax).values()))
        assert held.values.sum() == 290
        reach = held.edges[-1]
        np.testing.assert_array_equal(held.values, np.histogram(np.clip(pulls, -reach, reach), held.edges)[0])
        x, y = lines(ax)["Unit Gaussian"]
        np.testing.assert_allclose(y, 290 * np.diff(held.edges)[0] * norm.pdf(x))
        assert ax.get_xlabel() == "(best - truth) / error"
        assert f"mean {pulls.mean():.2f}" in ax.get_legend().get_title().get_text()


def test_pulls_without_errors_are_those_of_the_spread(source):
    (ax,) = plot_pulls(made_toys(source), "*.alpha").axes
    assert ax.get_xlabel() == "(best - truth) / spread of the toys"
    assert "width 1.00" in ax.get_legend().get_title().get_text()


def test_pulls_that_cannot_be_drawn(source):
    with pytest.raises(NothingToFit, match=r"none of \*.index was free in the toys; there are crab"):
        plot_pulls(made_toys(source), "*.index")
    with pytest.raises(ConfigError, match="1 of 300 refits converged: pulls need two"):
        plot_pulls(made_toys(source, converged=np.arange(300) == 0))


# -- coverage ----------------------------------------------------------------------------------------


def made_coverage(n=200, **more):
    rng = np.random.default_rng(4)
    best, levels = rng.normal(size=(n, 2)), (0.68, 0.95)
    sigma = norm.isf(0.5 * (1 - np.array(levels)))[:, None, None]
    one = norm.isf(1 - np.array(levels))[:, None, None]
    arrays = {"truth": np.zeros((n, 2)), "best": best, "error": np.ones((n, 2)), "counts": np.ones(n)}
    ends = {"lower": best - sigma, "upper": best + sigma, "limit": best + one}
    known = {"paths": ("a.spectral.index", "a.spectral.norm"), "levels": levels, "timings": {}}
    return Coverage(**{**known, **arrays, **ends, "converged": np.ones(n, bool), **more})


def test_coverage_draws_shares_and_levels():
    coverage = made_coverage()
    figure = plot_coverage(coverage)
    for i, (ax, level) in enumerate(zip(figure.axes, coverage.levels, strict=True)):
        assert len(ax.containers) == 3
        for container, method in zip(ax.containers, ("hessian", "profile", "limit"), strict=True):
            np.testing.assert_allclose(container.lines[0].get_xdata(), 100 * coverage.share(method)[i])
        np.testing.assert_allclose(lines(ax)["Nominal"][0], 100 * level)
        outer = ax.patches[0].get_extents().transformed(ax.transData.inverted())
        error = coverage.binomial_error(level)
        np.testing.assert_allclose([outer.x0, outer.x1], [100 * (level - 2 * error), 100 * (level + 2 * error)])
        assert ax.get_xlabel() == "Coverage [%]"
        assert ax.get_title() == f"Level {100 * level:g} %"
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["index", "norm"]
    assert texts(figure.legends[0]) == ["Nominal", "Hessian", "Profile", "Upper limit"]
    with pytest.raises(ConfigError, match="no coverage to plot: 0 of 200"):
        plot_coverage(made_coverage(converged=np.zeros(200, bool)))


# -- predictive --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def check(spectra, fitted):
    return gj.predictive(spectra, fitted, key=1, draws=64)


def test_predictive_draws_bands_and_counts(check, spectra):
    figure = plot_predictive(check, spectra.names[1])
    upper, lower = figure.axes
    dataset = spectra[1]
    used = np.asarray(dataset.mask)
    low_2, low, median, high, high_2 = check.quantiles(dataset.name)
    drawn = stairs(upper)
    for name, bottom, top in (("95 %", low_2, high_2), ("68 %", low, high)):
        np.testing.assert_allclose(drawn[name].values[used], top[used])
        np.testing.assert_allclose(drawn[name].baseline[used], bottom[used])
    np.testing.assert_allclose(drawn["Median"].values[used], median[used])
    np.testing.assert_allclose(upper.containers[0].lines[0].get_ydata(), np.asarray(dataset.counts)[used])
    scale = np.sqrt(check.counts[dataset.name].mean(axis=0))
    wanted = (np.asarray(dataset.counts) - median) / scale
    np.testing.assert_allclose(lower.containers[0].lines[0].get_ydata(), wanted[used])
    assert (upper.get_ylabel(), lower.get_xlabel()) == ("Counts per bin", r"Energy [$\mathrm{TeV}$]")
    assert f"p(deviance) = {check.p_values['deviance'][0]:.2g}" in figure.legends[0].get_title().get_text()


def test_predictive_of_all_datasets(check, spectra):
    figure = plot_predictive(check)
    titles = [ax.get_title() for ax in figure.axes if ax.axison and ax.get_title()]
    assert titles == spectra.names
    assert to_png(figure).startswith(b"\x89PNG")
    axes = new_figure().subplots(2, 1)
    assert plot_predictive(check, spectra.names[0], axes=axes) is axes[0].figure
    with pytest.raises(UnknownDataset, match="nearest"):
        plot_predictive(check, spectra.names[0] + "x")
    with pytest.raises(DatasetError, match="no bin to plot"):
        plot_predictive(check, ())


def test_predictive_of_a_cube():
    data = gj.fake([cube()], models(), key=2)
    fixed = gj.fit(data, models().freeze("*.lon_0", "*.lat_0"))
    figure = plot_predictive(gj.predictive(data, fixed, key=1, draws=64))
    assert [ax.get_title() for ax in figure.axes if ax.get_title()] == ["cube"]
    assert to_png(figure).startswith(b"\x89PNG")


# -- limits ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def errors(spectra, fitted):
    return gj.asymmetric_errors(spectra, fitted)


def test_errors_draw_both_intervals(errors, fitted):
    axes = plot_limits(errors).axes
    assert [text.get_text() for text in axes[0].get_yticklabels()] == ["Profile, 68.3 %", "Hessian"]
    for i, ax in enumerate(axes):
        scale = 1e11 if i == 0 else 1.0
        for container, low, high in (
            (ax.containers[0], errors.lower[i], errors.upper[i]),
            (ax.containers[1], errors.best[i] - errors.error[i], errors.best[i] + errors.error[i]),
        ):
            (segment,) = container.lines[2][0].get_segments()
            np.testing.assert_allclose(segment[:, 0], [scale * low, scale * high], rtol=1e-6)
    assert axes[0].get_xlabel().startswith(r"amplitude [$10^{-11}\,\mathrm{cm}^{-2}")


def test_open_ends_are_arrows(errors):
    lower = errors.lower.copy()
    lower[1] = -np.inf
    closed, opened = (plot_limits(one).axes[1] for one in (errors, replace(errors, lower=lower)))
    assert len(opened.containers) == len(closed.containers) + 1
    unknown = replace(errors, lower=lower * np.nan, upper=lower * np.nan, error=lower * np.nan)
    assert to_png(plot_limits(unknown)).startswith(b"\x89PNG")


def test_limits_draw_their_values(spectra, fitted):
    upper = gj.upper_limit(spectra, fitted, "*.beta")
    lower = gj.lower_limit(spectra, fitted, "*.alpha")
    figure = plot_limits({"here": upper, "there": lower})
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["here", "there"]
    for ax, limit, row in zip(figure.axes, (upper, lower), (0, 1), strict=True):
        np.testing.assert_allclose(ax.lines[0].get_xydata(), [[limit.best, row]])
        np.testing.assert_allclose(ax.containers[0].lines[0].get_xydata(), [[limit.value, row]])
    (ax,) = plot_limits(upper).axes
    assert [text.get_text() for text in ax.get_yticklabels()] == ["Upper, 95 %"]
    (ax,) = plot_limits([upper, upper]).axes
    assert [text.get_text() for text in ax.get_yticklabels()] == ["1. Upper, 95 %", "2. Upper, 95 %"]


def test_limits_that_were_not_found(spectra, fitted):
    found = gj.upper_limit(spectra, fitted, "*.beta")
    lost = replace(found, value=np.nan, end=End.REFIT_FAILED)
    (ax,) = plot_limits([found, lost]).axes
    assert [text.get_text() for text in ax.texts] == ["not found"]
    with pytest.raises(ConfigError, match="no limit to plot: crab.spectral.beta, upper limit"):
        plot_limits(lost)
    with pytest.raises(ConfigError, match="no limit to plot"):
        plot_limits([])


# -- livetime ----------------------------------------------------------------------------------------


def test_livetime_draws_the_table(archive):
    runs = gj.DataStore.from_dir(archive.folder / "hess").observations()
    table = gj.livetime_table(runs, archive.position, np.linspace(0.0, 2.0, 9))
    (ax,) = plot_livetime(table).axes
    drawn = stairs(ax)
    names = ("Runs that point there", "Sky at this distance", "Sky, weighted with the effective area")
    assert tuple(drawn) == names
    for name, column in zip(names, ("livetime_runs", "livetime", "effective_livetime"), strict=True):
        np.testing.assert_allclose(drawn[name].values, table[column])
        np.testing.assert_allclose(drawn[name].edges, np.linspace(0.0, 2.0, 9))
    assert sum(int(text.get_text()) for text in ax.texts) == len(runs)
    assert ax.get_ylabel() == r"Livetime [$\mathrm{h}$]"
    with pytest.raises(ConfigError, match=r"no table of livetime_table\(\): it lacks offset_min"):
        plot_livetime(Table({"a": [1.0]}))


def test_peek_finds_the_figure_of_each_result(fitted, comparison, check, errors):
    for result in (made_goodness(), comparison, made_toys(fitted.models), made_coverage(), check, errors):
        assert len(peek(result).axes) > 0
    with pytest.raises(ConfigError, match=r"plot_goodness\(\) has no option bins; it has axes"):
        peek(made_goodness(), bins=3)


def test_parameters_of_one_result_and_of_several(truth_fit, source):
    """A panel for each free parameter, a row for each result; the truth is a line in each panel."""
    one = gj.plot.plot_parameters(truth_fit)
    assert len(one.axes) == len(truth_fit.models.free_paths)
    assert [label.get_text() for label in one.axes[0].get_yticklabels()] == ["fit"]
    both = gj.plot.plot_parameters({"first": truth_fit, "second": truth_fit}, ["*.alpha"], truth=source)
    assert len(both.axes) == 1
    assert [label.get_text() for label in both.axes[0].get_yticklabels()] == ["first", "second"]
