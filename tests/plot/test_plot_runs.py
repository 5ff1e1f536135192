"""Figures of runs, events and responses: what is drawn are the numbers of the object."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from matplotlib.figure import Figure

import gammajax as gj
from gammajax.errors import ConfigError
from gammajax.io.irf import GridAxis, Response
from gammajax.irf import Background2D, Background3D, PSF3Gauss, PSFKing, PSFTable, RadMax
from gammajax.plot import (
    plot_background,
    plot_effective_area,
    plot_energy_dispersion,
    plot_events,
    plot_gti,
    plot_livetime_map,
    plot_observation,
    plot_pointing,
    plot_psf,
    plot_rad_max,
)
from gammajax.plot.responses import bias_and_resolution
from gammajax.plot.style import to_png

ENERGY = GridAxis.from_edges(np.geomspace(0.1, 100.0, 7), log=True)
OFFSET = GridAxis.from_edges(np.array([0.0, 1.0, 2.0]))


@pytest.fixture(scope="module")
def runs(archive):
    return gj.DataStore.from_dir(archive.folder / "hess").observations()


@pytest.fixture(scope="module")
def run(runs):
    return runs[0]


def stairs(ax):
    return next(patch.get_data() for patch in ax.patches if hasattr(patch, "get_data"))


def mesh(ax):
    return next(c for c in ax.collections if hasattr(c, "get_coordinates"))


def test_effective_area_draws_the_table(run):
    curves, picture, bar = plot_effective_area(run.aeff, offset=run.aeff.offset.points).axes
    values = 1e-4 * np.asarray(run.aeff.values)
    for line, column in zip(curves.lines, values.T, strict=True):
        np.testing.assert_allclose(np.nan_to_num(line.get_ydata()), column, rtol=1e-9)
    exponent = np.floor(np.log10(values.max()))
    np.testing.assert_allclose(mesh(picture).get_array() * 10**exponent, values.T, rtol=1e-9)
    assert curves.get_xlabel() == r"True energy [$\mathrm{TeV}$]"
    assert curves.get_ylabel() == r"Effective area [$\mathrm{m}^{2}$]"
    assert rf"10^{{{exponent:.0f}}}" in bar.get_ylabel()


def test_one_offset_has_no_image(archive):
    pointlike = gj.DataStore.from_dir(archive.folder / "magic").observations()[0]
    figure = plot_effective_area(pointlike.aeff)
    assert len(figure.axes) == (1 if pointlike.aeff.offset.points.size == 1 else 3)
    assert to_png(figure).startswith(b"\x89PNG")


def test_axes_of_the_user(run):
    figure = Figure()
    axes = figure.subplots(1, 2)
    assert plot_effective_area(run.aeff, axes=axes) is figure
    with pytest.raises(ConfigError, match="has 2 panels, got axes for 1"):
        plot_effective_area(run.aeff, axes=axes[0])


def test_dispersion_draws_the_density(run):
    picture, curves, _ = plot_energy_dispersion(run.edisp, offset="0.5 deg").axes
    edisp = run.edisp
    wanted = edisp.evaluate(np.asarray(edisp.energy.points)[:, None], np.asarray(edisp.migra.points), 0.5)
    np.testing.assert_allclose(mesh(picture).get_array(), np.asarray(wanted).T, rtol=1e-9)
    assert picture.get_title() == "Offset 0.5 deg"
    bias, resolution = bias_and_resolution(edisp, 0.5)
    drawn = {line.get_label(): line.get_ydata() for line in curves.lines}
    np.testing.assert_array_equal(drawn["Bias"], bias)
    np.testing.assert_array_equal(drawn["Resolution"], resolution)


def test_bias_and_resolution_of_a_gaussian():
    migra = GridAxis.from_edges(np.linspace(0.0, 3.0, 301))
    row = np.exp(-0.5 * ((migra.points - 1.1) / 0.2) ** 2)
    values = np.broadcast_to(row, (6, 2, 300)).copy()
    values[0] = 0.0
    axes = {"energy": ENERGY, "offset": OFFSET, "migra": migra}
    edisp = gj.data.observation.EnergyDispersion.from_response(Response("edisp_2d", axes, {"MATRIX": values}))
    bias, resolution = bias_and_resolution(edisp, 0.5)
    assert np.isnan([bias[0], resolution[0]]).all()
    np.testing.assert_allclose(bias[1:], 0.1, atol=1e-3)
    np.testing.assert_allclose(resolution[1:], 0.2 * 0.9945, atol=1e-3)
    assert to_png(plot_energy_dispersion(edisp)).startswith(b"\x89PNG")


def psfs():
    axes = {"energy": ENERGY, "offset": OFFSET}
    ones = np.ones((6, 2))
    gauss = {"SIGMA_1": 0.1 * ones, "SIGMA_2": 0 * ones, "SIGMA_3": 0 * ones, "AMPL_2": 0 * ones, "AMPL_3": 0 * ones}
    gauss["SIGMA_1"][0] = 0.0
    rad = GridAxis.from_edges(np.linspace(0.0, 0.5, 51))
    table = np.broadcast_to(np.exp(-0.5 * (rad.points / 0.1) ** 2), (6, 2, 50)).copy()
    return {
        "gauss": PSF3Gauss.from_response(Response("psf_3gauss", axes, gauss)),
        "king": PSFKing.from_response(Response("psf_king", axes, {"GAMMA": 2.0 * ones, "SIGMA": 0.1 * ones})),
        "table": PSFTable.from_response(Response("psf_table", {**axes, "rad": rad}, {"RPSF": table})),
    }


@pytest.mark.parametrize("name", ["gauss", "king", "table"])
def test_psf_draws_radii_and_density(name):
    psf = psfs()[name]
    radii, density = plot_psf(psf, offset=[0.5], energy=["1 TeV"], fractions=(0.5, 0.9)).axes
    for line, fraction in zip(radii.lines, (0.5, 0.9), strict=True):
        wanted = psf.containment_radius(fraction, psf.energy.points, 0.5)
        np.testing.assert_allclose(line.get_ydata(), wanted, rtol=1e-9)
    rad, drawn = density.lines[0].get_xydata().T
    wanted = np.asarray(psf.evaluate(rad, 1.0, 0.5)) * np.radians(1.0) ** 2
    np.testing.assert_allclose(drawn[wanted > 0], wanted[wanted > 0], rtol=1e-9)
    assert density.get_ylabel().endswith(r"[$\mathrm{deg}^{-2}$]")


def test_an_empty_psf_is_drawn():
    ones = np.zeros((6, 2))
    axes = {"energy": ENERGY, "offset": OFFSET}
    empty = PSFKing.from_response(Response("psf_king", axes, {"GAMMA": ones, "SIGMA": ones}))
    assert to_png(plot_psf(empty)).startswith(b"\x89PNG")


def test_background_draws_the_table():
    rate = np.asarray(ENERGY.points)[:, None] ** -2.7 * np.array([2.0, 1.0])
    flat = Background2D.from_response(Response("bkg_2d", {"energy": ENERGY, "offset": OFFSET}, {"BKG": rate}))
    curves, picture, bar = plot_background(flat, energy=("1 TeV", "10 TeV")).axes
    for line, column in zip(curves.lines, rate.T, strict=True):
        np.testing.assert_allclose(line.get_ydata(), column * np.radians(1.0) ** 2, rtol=1e-6)
    assert picture.get_title() == "1 .. 10 TeV, RADEC"
    assert r"\mathrm{deg}^{-2}" in bar.get_ylabel()

    place = GridAxis.from_edges(np.linspace(-2.0, 2.0, 5))
    cube = np.broadcast_to(rate[:, :1, None], (6, 4, 4)).copy()
    axes = {"energy": ENERGY, "fov_lon": place, "fov_lat": place}
    cube[:, 0, :] *= 3.0
    deep = Background3D.from_response(Response("bkg_3d", axes, {"BKG": cube}))
    _, picture, _ = plot_background(deep).axes
    drawn = np.asarray(mesh(picture).get_array())
    np.testing.assert_allclose(drawn[:, 0] / drawn[:, 1], 3.0, rtol=1e-6)


def test_cuts_are_drawn(archive):
    cut = gj.DataStore.from_dir(archive.folder / "magic").observations()[0].rad_max
    (ax,) = plot_rad_max(cut).axes
    at = np.asarray(cut.offset.points)[0]
    wanted = cut.evaluate(cut.energy.points, at)
    np.testing.assert_allclose(stairs(ax).values, wanted)
    (ax,) = plot_rad_max(RadMax.fixed(0.1)).axes
    assert stairs(ax).values.tolist() == [0.1]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["all offsets"]


def test_events_are_all_counted(run):
    where, energy, time, offset = plot_events(run).axes[:4]
    n = len(run.events)
    assert stairs(energy).values.sum() == n
    rate, edges, _ = stairs(time)
    assert (rate * np.diff(edges) * 60.0).sum() == pytest.approx(n)
    density, edges, _ = stairs(offset)
    seen = (density * np.pi * np.diff(edges**2)).sum()
    assert seen == pytest.approx(np.sum(run.offsets <= edges[-1]))
    assert where.get_xlabel() == r"Right ascension [$\mathrm{deg}$]"
    left, right = where.get_xlim()
    assert left > right
    assert where.lines[-1].get_label() == "Pointing"


def test_few_events_are_dots_many_are_pixels(run):
    few = run.events.select(slice(0, 50))
    where = plot_events(few).axes[0]
    np.testing.assert_allclose(where.lines[0].get_ydata(), few.dec)
    ten = np.tile(np.arange(len(run.events)), 1 + 4000 // len(run.events))
    figure = plot_events(run.events.select(ten))
    assert mesh(figure.axes[0]).get_array().sum() > 3000


def test_events_across_the_zero_of_right_ascension(run):
    ra = (run.events.ra - run.events.centre[0]) % 360.0
    where = plot_events(replace(run.events, ra=ra).select(slice(0, 100))).axes[0]
    low, high = sorted(where.get_xlim())
    assert high - low < 90.0


def test_one_event_is_drawn(run):
    assert to_png(plot_events(run.events.select(slice(0, 1)))).startswith(b"\x89PNG")


def test_a_run_at_a_glance(run, archive):
    figure = plot_observation(run)
    assert f"{len(run.events)} events" in figure.get_suptitle()
    pointlike = gj.DataStore.from_dir(archive.folder / "magic").observations()[0]
    labels = [ax.get_ylabel() for ax in plot_observation(pointlike).axes]
    assert any(text.startswith("Radius of the cut") for text in labels)
    with pytest.raises(ConfigError, match="has no events"):
        plot_observation(run.select_events(lambda events: events.select(slice(0, 0))))


def test_what_a_run_lacks_is_said_in_its_panel(run):
    lacking = gj.data.Observation(run.obs_id, {k: v for k, v in run.locations.items() if k not in ("edisp", "bkg")})
    texts = [text.get_text() for ax in plot_observation(lacking).axes for text in ax.texts]
    assert any("has no 'edisp'" in text for text in texts)
    assert "this run has no bkg" in texts


def test_good_time_is_drawn(runs):
    gti = gj.GTI.from_intervals([("2010-01-01T00:00", "2010-01-01T00:10"), ("2010-01-01T00:05", "2010-01-01T00:20")])
    (ax,) = plot_gti(gti).axes
    spans = [c.get_paths()[0].get_extents() for c in ax.collections]
    assert [(round(s.x0, 6), round(s.x1, 6)) for s in spans] == [(0.0, 10.0), (5.0, 20.0)]
    assert ax.get_xlabel() == r"Time since 2010-01-01T00:00:00 UTC [$\mathrm{min}$]"
    (ax,) = plot_gti(runs).axes
    assert [tick.get_text() for tick in ax.get_yticklabels()] == [str(i) for i in runs.ids]


def test_pointings_are_drawn(runs, archive):
    store = gj.DataStore.from_dir(archive.folder / "hess")
    for thing in (store, runs):
        (ax,) = plot_pointing(thing).axes
        drawn = np.array([line.get_xydata()[0] for line in ax.lines])
        wanted = np.array([run.pointing_radec for run in runs])
        np.testing.assert_allclose(drawn, wanted, atol=1e-6)
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["Crab (2)"]


def test_livetime_is_drawn(runs, archive):
    position = SkyCoord(archive.position)
    figure = plot_livetime_map(runs, position, "2 deg", offset_max="1.5 deg")
    hours = sum(run.livetime for run in runs) / 3600
    assert mesh(figure.axes[0]).get_array().max() == pytest.approx(hours)
    assert figure.axes[1].get_ylabel() == r"Livetime [$\mathrm{h}$]"
    drawn = np.asarray(mesh(figure.axes[0]).get_coordinates())
    middle = drawn.reshape(-1, 2).mean(axis=0)
    np.testing.assert_allclose(middle, [position.ra.deg, position.dec.deg], atol=0.01)
    alone = plot_livetime_map(runs[0], offset_max="1 deg")
    assert to_png(alone).startswith(b"\x89PNG")
    with pytest.raises(ConfigError, match="no run"):
        plot_livetime_map([])
    with pytest.raises(ConfigError, match="does not fit"):
        plot_livetime_map(runs, width="170 deg")
