"""One door to the figures: every kind of object has one; others are refused with a list."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import Table
from astropy.visualization.wcsaxes import WCSAxes
from made_cubes import CENTRE, cube
from made_spectra import counting, on_off
from matplotlib.figure import Figure

import gammajax as gj
from gammajax.errors import ConfigError, DatasetError, GammajaxError
from gammajax.geom.map_axis import MapAxis
from gammajax.geom.maps import SkyMap
from gammajax.plot import look, peek, plot_counts, plot_spectrum
from gammajax.plot.style import to_png


def points():
    return gj.FluxPointsDataset(name="p", energy_ref=[1.0, 3.0], dnde=[1e-11, 1e-12], dnde_err=[1e-12, 2e-13])


@pytest.fixture(scope="module")
def things(archive, fitted, drawn, spectra):
    store = gj.DataStore.from_dir(archive.folder / "hess")
    runs = store.observations()
    run = runs[0]
    cut = gj.DataStore.from_dir(archive.folder / "magic").observations()[0].rad_max
    table = gj.theta_squared_table(runs, archive.position, np.linspace(0.0, 0.1, 6))
    model = gj.SkyModel(gj.PowerLaw())
    axis = MapAxis.from_edges("energy", cube().energy, "TeV", "log")
    return {
        "store": store,
        "runs": runs,
        "list of runs": list(runs),
        "run": run,
        "events": run.events,
        "gti": run.gti,
        "aeff": run.aeff,
        "edisp": run.edisp,
        "psf": run.psf,
        "rad_max": cut,
        "counting": counting()[0],
        "on_off": on_off()[1],
        "points": points(),
        "datasets": spectra,
        "list of datasets": list(spectra),
        "many": on_off(n=17),
        "spectral": gj.PowerLaw(),
        "factor": gj.PowerLawNorm(),
        "source": model,
        "models": gj.Models(crab=model, other=model),
        "nuisance": gj.ExposureTilt(),
        "fit": fitted,
        "posterior": drawn,
        "profile": gj.profile(spectra, fitted, "crab.spectral.alpha", points=5),
        "table": table,
        "livetime": gj.livetime_table(runs, archive.position, np.linspace(0.0, 2.0, 5)),
        "cube": cube(),
        "one cube": gj.Datasets([cube()]),
        "list of one cube": [cube()],
        "map": SkyMap(np.asarray(cube().counts), (axis,), cube().grid),
        "shape": gj.GaussianSpatial(lon_0=CENTRE[0], lat_0=CENTRE[1], sigma=0.2),
        "point": gj.PointSpatial(lon_0=CENTRE[0], lat_0=CENTRE[1]),
        "errors": gj.asymmetric_errors(spectra, fitted, "*.alpha"),
        "limit": gj.upper_limit(spectra, fitted, "*.alpha"),
        "list of limits": [gj.upper_limit(spectra, fitted, "*.alpha"), gj.lower_limit(spectra, fitted, "*.alpha")],
    }


def test_everything_has_a_figure(things):
    for name, thing in things.items():
        figure = peek(thing)
        assert isinstance(figure, Figure), name
        assert to_png(figure).startswith(b"\x89PNG"), name
        named = [ax for ax in figure.axes if ax.axison and (ax.get_xlabel() or ax.get_ylabel())]
        named += [ax for ax in figure.axes if isinstance(ax, WCSAxes) and ax.coords[0].get_axislabel()]
        assert named, name


def test_options_reach_the_figure(things):
    one = peek(things["aeff"], offset=["0.5 deg"]).axes[0]
    assert [text.get_text() for text in one.get_legend().get_texts()] == ["0.5 deg"]
    (spectrum,) = peek(things["fit"], energy_bounds=("0.2 TeV", "20 TeV")).axes
    assert spectrum.get_xlim() == pytest.approx((0.2, 20.0))
    assert len(peek(things["datasets"], stacked=True).axes) == 2


def test_unknown_kinds_are_told_what_there_is():
    for thing in (3, "run.fits", None, [], {"a": 1}, [gj.PowerLaw(), 3]):
        with pytest.raises(ConfigError, match=r"peek\(\) has no figure of a .*EffectiveArea.*SkyModel.*Posterior"):
            peek(thing)


def test_unknown_options_are_told_what_there_is(things):
    with pytest.raises(ConfigError, match=r"plot_effective_area\(\) has no option ofset; it has offset, axes"):
        peek(things["aeff"], ofset=1.0)


def test_what_cannot_be_drawn_says_so(things, spectra):
    cases = (
        (gj.Datasets([*spectra, points()]), "do not share a figure"),
        (gj.Datasets([]), "no dataset"),
        (gj.Datasets([*spectra, cube()]), "cube: a cube has a figure of its own"),
        (gj.Models(), "no source"),
        (Table({"a": [1.0]}), r"theta_squared_table\(\) or livetime_table\(\) has a figure, not one of the columns a"),
        (things["events"].select(slice(0, 0)), "no events"),
        (gj.GTI.from_intervals([]), "no good time"),
        (things["runs"][:0], "no pointing"),
    )
    for thing, message in cases:
        with pytest.raises(GammajaxError, match=message):
            peek(thing)


def test_every_kind_is_documented_in_the_message():
    with pytest.raises(ConfigError) as caught:
        peek(object())
    for kind in look._KINDS:
        assert kind is Table or kind.__name__ in str(caught.value)


def test_counts_need_no_models(spectra):
    upper, lower = plot_counts(spectra[0], min_expected=0).axes
    steps = {patch.get_label(): patch.get_data().values for patch in upper.patches if hasattr(patch, "get_data")}
    assert list(steps) == ["Background"]
    np.testing.assert_allclose(steps["Background"], spectra[0].background, rtol=1e-9)
    from gammajax.reduce.significance import li_ma

    d = spectra[0]
    drawn = lower.containers[0].lines[0].get_ydata()
    np.testing.assert_allclose(drawn, li_ma(d.counts, d.counts_off, d.alpha), rtol=1e-6)
    assert lower.get_ylabel().startswith("Excess")


def test_bare_spectra_are_drawn():
    spectrum = gj.LogParabola(amplitude=3e-11, alpha=2.4, beta=0.1, reference=1.0)
    for model in (spectrum, gj.SkyModel(spectrum), {"LogParabola": spectrum}):
        (ax,) = plot_spectrum(model, ("0.2 TeV", 20.0), unit="erg cm-2 s-1").axes
        energy, drawn = ax.lines[0].get_xydata().T
        np.testing.assert_allclose(drawn, energy**2 * spectrum(energy).value * 1.602176634, rtol=1e-9)
        assert ax.lines[0].get_label() == "LogParabola"
    (ax,) = plot_spectrum(gj.PowerLawNorm(tilt=0.5)).axes
    energy, drawn = ax.lines[0].get_xydata().T
    np.testing.assert_allclose(drawn, energy**-0.5)
    assert ax.get_ylabel() == "Factor"


def test_fluxes_and_factors_do_not_mix():
    with pytest.raises(GammajaxError, match="do not share an axis"):
        plot_spectrum({"a": gj.PowerLaw(), "b": gj.PowerLawNorm()})
    with pytest.raises(GammajaxError, match="a spectrum is a spectral model"):
        plot_spectrum(3)  # type: ignore[arg-type]


def test_one_spectrum_is_needed(spectra):
    with pytest.raises(DatasetError, match="takes one spectrum, got Datasets"):
        gj.plot.plot_dataset(spectra)


def test_theta_squared_draws_the_table(archive):
    runs = gj.DataStore.from_dir(archive.folder / "hess").observations()
    table = gj.theta_squared_table(runs, SkyCoord(archive.position), np.linspace(0.0, 0.1, 6))
    upper, lower = gj.plot.plot_theta_squared(table).axes
    np.testing.assert_array_equal(upper.containers[0].lines[0].get_ydata(), table["counts"])
    np.testing.assert_allclose(lower.containers[0].lines[0].get_ydata(), table["excess"])
    assert r"\theta^2" in lower.get_xlabel()
    assert f"{table['cumulative_sqrt_ts'][-1]:.1f}" in upper.get_legend().get_title().get_text()
