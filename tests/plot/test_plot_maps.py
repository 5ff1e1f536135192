"""Figures of maps, shapes and cubes: what is drawn are the numbers of the object, in the projection of its pixels."""

import jax
import numpy as np
import pytest
from astropy.wcs import WCS
from made_cubes import CENTRE, cube, models, on_off
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter
from scipy.stats import norm

import gammajax as gj
from gammajax.errors import ConfigError, DatasetError
from gammajax.geom.map_axis import MapAxis
from gammajax.geom.maps import HealpixMap, SkyMap
from gammajax.likelihood.expected import compare_known
from gammajax.models.spatial import evaluate
from gammajax.plot import plot_cube, plot_map, plot_radial_profile, plot_residual_map, plot_residuals, plot_spatial
from gammajax.plot.bins import garwood
from gammajax.plot.residuals import residuals
from gammajax.plot.style import to_png
from gammajax.plot.wcs import smoothed

EXTENDED = gj.GaussianSpatial(lon_0=CENTRE[0] + 0.03, lat_0=CENTRE[1] - 0.02, sigma=0.15)


@pytest.fixture(scope="module")
def truth():
    return models(EXTENDED, amplitude=2e-11)


@pytest.fixture(scope="module")
def data(truth):
    return gj.fake([cube(level=3.0)], truth, key=jax.random.key(1))[0]


def picture(ax):
    (drawn,) = ax.images
    return np.ma.filled(drawn.get_array().astype(float), np.nan)


def bar_of(figure, ax):
    """The label of the bar of an image."""
    return ax.images[0].colorbar.ax.get_ylabel()


def energies():
    return MapAxis.from_edges("energy", cube().energy, "TeV", "log")


# -- maps --------------------------------------------------------------------------------------------


def test_counts_are_summed(data):
    content = SkyMap(np.asarray(data.counts), (energies(),), data.grid)
    figure = plot_map(content)
    ax = figure.axes[0]
    np.testing.assert_array_equal(picture(ax), np.asarray(data.counts).sum(axis=0))
    assert ax.wcs is data.grid.wcs
    assert ax.coords[0].get_axislabel() == r"Right ascension [$\mathrm{deg}$]"
    assert ax.coords[1].get_axislabel() == r"Declination [$\mathrm{deg}$]"
    assert ax.get_title() == "energy: sum of 3, 1 .. 10 TeV"


def test_planes_are_chosen(data):
    content = SkyMap(np.asarray(data.counts), (energies(),), data.grid)
    ax = plot_map(content, energy="3 TeV", stretch="sqrt").axes[0]
    np.testing.assert_array_equal(picture(ax), np.asarray(data.counts)[1])
    assert ax.get_title() == "energy: 2.15 .. 4.64 TeV"
    ax = plot_map(content, energy=("2 TeV", "11 TeV")).axes[0]
    np.testing.assert_array_equal(picture(ax), np.asarray(data.counts)[1:].sum(axis=0))
    for energy, message in (
        ("20 TeV", "20 TeV is in no bin of energy"),
        ((5.0, 6.0), "no bin of energy lies in 5 .. 6"),
    ):
        with pytest.raises(ConfigError, match=message):
            plot_map(content, energy=energy)


def test_units_stand_on_the_bar(data):
    axis = MapAxis.from_edges("energy_true", data.energy_true, "TeV", "log")
    figure = plot_map(SkyMap(np.asarray(data.exposure), (axis,), data.grid, "cm2 s"))
    ax = figure.axes[0]
    np.testing.assert_allclose(picture(ax) * 1e14, np.asarray(data.exposure)[2], rtol=1e-12)
    assert bar_of(figure, ax) == r"Value [$10^{14}\,\mathrm{cm}^{2}\,\mathrm{s}$]"


def test_values_below_zero_have_colours_around_it(data):
    values = np.asarray(data.counts - data.background)[0]
    drawn = plot_map(SkyMap(values, (), data.grid), stretch="log").axes[0].images[0]
    assert drawn.norm.vmin == -drawn.norm.vmax == -np.abs(values).max()


def test_maps_that_cannot_be_drawn(data):
    with pytest.raises(ConfigError, match="the map of a region has no pixels"):
        plot_map(SkyMap(np.ones((1, 1)), (), None))
    image = SkyMap(np.ones(data.grid.shape), (), data.grid)
    with pytest.raises(ConfigError, match="the map has no energies, its axes are"):
        plot_map(image, energy=1.0)
    with pytest.raises(ConfigError, match="stretch is one of"):
        plot_map(image, stretch="cube")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="axes with a projection"):
        plot_map(image, Figure().subplots())


def test_nothing_to_see_is_drawn(data):
    for value in (0.0, np.nan, 1.0):
        for stretch in ("linear", "sqrt", "log"):
            assert to_png(plot_map(SkyMap(np.full(data.grid.shape, value), (), data.grid), stretch=stretch))


def test_healpix_is_drawn_over_the_sky():
    pytest.importorskip("astropy_healpix")
    ax = plot_map(HealpixMap(np.full(48, 3.0), (), 2, False, "galactic", "sr-1")).axes[0]
    assert ax.coords[0].get_axislabel() == r"Galactic longitude [$\mathrm{deg}$]"
    assert ax.images[0].get_array().shape == (45, 90)


# -- shapes ------------------------------------------------------------------------------------------


def test_brightness_is_drawn_around_the_centre():
    figure = plot_spatial(EXTENDED, width="1 deg")
    ax = figure.axes[0]
    drawn = picture(ax)
    x, y = np.indices(drawn.shape)[::-1]
    lon, lat = ax.wcs.wcs_pix2world(x.ravel(), y.ravel(), 0)
    wanted = np.asarray(evaluate(EXTENDED, lon, lat)).reshape(drawn.shape) * np.radians(1.0) ** 2
    np.testing.assert_allclose(drawn, wanted, rtol=1e-9)
    assert bar_of(figure, ax) == r"Brightness [$\mathrm{deg}^{-2}$]"
    assert drawn.sum() * (1.0 / 160) ** 2 == pytest.approx(1.0, abs=0.01)


def test_shapes_without_a_centre_or_brightness():
    whole = plot_spatial(gj.ConstantSpatial()).axes[0]
    assert whole.images[0].get_array().shape == (90, 180)
    point = plot_spatial(gj.PointSpatial(lon_0=0.0, lat_0=0.0, frame="galactic")).axes[0]
    assert not point.images
    assert point.lines[0].get_label() == "Point source"
    assert point.coords[1].get_axislabel() == r"Galactic latitude [$\mathrm{deg}$]"
    with pytest.raises(ConfigError, match="width of a picture"):
        plot_spatial(EXTENDED, width=0)


def test_shapes_that_depend_on_the_energy(data):
    axis = MapAxis.from_nodes("energy_true", [1.0, 10.0], "TeV", "log")
    values = np.ones((2, *data.grid.shape)) * np.array([1.0, 3.0])[:, None, None]
    model = gj.TemplateSpatial(SkyMap(values, (axis,), data.grid, "sr-1"), normalize=False)
    low, high = (plot_spatial(model, width="0.5 deg", energy=e).axes[0] for e in ("1 TeV", "10 TeV"))
    np.testing.assert_allclose(np.nanmax(low.images[0].norm.vmax) > 0, True)
    assert high.get_title() == "TemplateSpatial, 10 TeV"


# -- cubes -------------------------------------------------------------------------------------------


def test_a_cube_at_a_glance(data):
    figure = plot_cube(data, smooth=0)
    counts, background, excess, exposure = figure.axes[:4]
    mask = np.asarray(data.mask)
    n, b = (np.where(mask, x, 0.0).sum(axis=0) for x in (data.counts, data.background))
    seen = mask.any(axis=0)
    for ax, image in ((counts, n), (background, b), (excess, n - b)):
        np.testing.assert_allclose(picture(ax)[seen], image[seen])
        assert np.isnan(picture(ax)[~seen]).all()
    np.testing.assert_allclose(picture(exposure) * 1e10, np.asarray(data.exposure)[2] * 1e-4)
    assert bar_of(figure, exposure) == r"Exposure [$10^{10}\,\mathrm{m}^{2}\,\mathrm{s}$]"
    assert [ax.get_title() for ax in figure.axes[:3]] == ["Counts", "Background", "Excess"]
    assert figure.get_suptitle() == f"cube, 1 .. 10 TeV, {n.sum():.0f} counts"
    # coordinates stand on the outer panels only
    assert [bool(ax.coords[1].get_axislabel()) for ax in figure.axes[:4]] == [True, False, True, False]


def test_energies_of_a_cube(data):
    counts = plot_cube(data, energy=("2 TeV", "5 TeV")).axes[0]
    mask = np.asarray(data.mask)[1]
    np.testing.assert_allclose(picture(counts)[mask], np.asarray(data.counts)[1][mask])
    with pytest.raises(ConfigError, match="cube: no energy bin lies in 3 .. 4 TeV; its edges are 1, 2.154"):
        plot_cube(data, energy=(3.0, 4.0))
    with pytest.raises(ConfigError, match="smooth is a width"):
        plot_cube(data, smooth=-1.0)
    with pytest.raises(DatasetError, match="its mask is empty"):
        plot_cube(data.select_energy(5.0, 6.0))
    with pytest.raises(DatasetError, match="takes one MapDataset or MapDatasetOnOff, got Datasets"):
        plot_cube(gj.Datasets([data]))  # type: ignore[arg-type]


def test_axes_of_the_user(data, truth):
    figure = Figure()
    axes = [figure.add_subplot(1, 3, i, projection=data.grid.wcs) for i in (1, 2, 3)]
    assert plot_residual_map(data, truth, axes=axes) is figure
    with pytest.raises(ConfigError, match="has 4 panels, got axes for 3"):
        plot_cube(data, axes=axes)
    assert isinstance(axes[0].wcs, WCS)


def test_smoothing_is_a_gaussian(data):
    image = np.asarray(data.counts).sum(axis=0)
    wanted = gaussian_filter(image, 2.0, mode="constant")
    np.testing.assert_allclose(smoothed(image, data.grid, 0.1), wanted, rtol=1e-3, atol=1e-3 * image.max())
    np.testing.assert_array_equal(smoothed(image, data.grid, 0.0), image)
    point = np.zeros(data.grid.shape)
    point[12, 15] = 1.0
    np.testing.assert_allclose(smoothed(point, data.grid, 0.1) ** 2, smoothed(point, data.grid, 0.1, power=2))


# -- cubes against a model ---------------------------------------------------------------------------


def test_residual_map_draws_counts_model_and_residual(data, truth):
    figure = plot_residual_map(data, truth, smooth=0)
    counts, model, residual = figure.axes[:3]
    mask = np.asarray(data.mask)
    seen = mask.any(axis=0)
    signal, background = gj.predict_counts(data, truth)
    n, m = (np.where(mask, x, 0.0).sum(axis=0) for x in (data.counts, signal + background))
    np.testing.assert_allclose(picture(counts)[seen], n[seen])
    np.testing.assert_allclose(picture(model)[seen], m[seen])
    np.testing.assert_allclose(picture(residual)[seen], (n - m)[seen] / np.sqrt(m[seen]))
    assert np.isnan(picture(residual)[~seen]).all()
    assert counts.images[0].norm.vmax == model.images[0].norm.vmax
    assert (residual.images[0].norm.vmin, residual.images[0].norm.vmax) == (-5.0, 5.0)
    assert bar_of(figure, residual) == r"Residual [$\sigma$]"
    (cross,) = counts.lines
    x, y = data.grid.pixel(float(EXTENDED.lon_0), float(EXTENDED.lat_0))
    np.testing.assert_allclose(cross.get_xydata(), [[x, y]])
    assert [text.get_text() for text in counts.texts] == ["src"]


def test_residuals_scatter_by_one_at_any_width(truth):
    level = cube(level=200.0)
    many = [gj.fake([level], truth, key=jax.random.key(i))[0] for i in range(4)]
    for width in (0.0, 0.05, 0.1):
        found = [residuals(d, truth, smooth=width) for d in many]
        values = np.stack([one.significance for one in found])
        error = 1.0 / np.sqrt(2 * np.isfinite(values).sum() * found[0].independent)
        assert np.nanstd(values) == pytest.approx(1.0, abs=3.5 * error)
        assert np.nanmean(values) == pytest.approx(0.0, abs=3.5 * np.sqrt(2) * error)


def test_on_off_cubes(truth):
    sources = truth.drop("bkg")
    many = [gj.fake([on_off(level=30.0)], sources, key=i)[0] for i in range(2)]
    one = many[0]
    assert to_png(plot_cube(one)).startswith(b"\x89PNG")
    assert plot_radial_profile(one, sources).axes[0].get_legend() is not None
    found = residuals(one, sources, smooth=0.0)
    signal, _ = gj.predict_counts(one, sources)
    mask, alpha = np.asarray(one.mask), np.asarray(one.alpha)
    n, s, b = (np.where(mask, x, 0.0).sum(axis=0) for x in (one.counts, signal, one.background))
    error = np.sqrt(s + b + np.where(mask, alpha**2 * np.asarray(one.counts_off), 0.0).sum(axis=0))
    use = mask.any(axis=0) & (alpha > 0).all(axis=0)
    np.testing.assert_allclose(found.significance[use], ((n - s - b)[use] / error[use]), rtol=1e-6)
    values = np.stack([residuals(d, sources, smooth=0.0).significance for d in many])[:, use]
    assert np.std(values) == pytest.approx(1.0, abs=4 / np.sqrt(2 * values.size))
    assert np.mean(values) == pytest.approx(0.0, abs=4 / np.sqrt(values.size))


def test_a_fit_and_its_models_are_the_same(data, truth):
    fit = gj.fit([data], truth.freeze("*").free("*.amplitude"))
    one, other = (gj.predict_counts(data, x) for x in (fit, fit.models))
    np.testing.assert_allclose(one[0], other[0], rtol=1e-12)
    assert one[0].shape == data.counts.shape
    assert to_png(plot_residual_map(data, fit)).startswith(b"\x89PNG")


def test_residuals_as_a_histogram(data, truth):
    (ax,) = plot_residuals(data, truth, smooth=0.05).axes
    values = residuals(data, truth, smooth=0.05).significance
    values = values[np.isfinite(values)]
    held = next(patch.get_data() for patch in ax.patches)
    assert held.values.sum() == values.size
    (line,) = [line for line in ax.lines if line.get_label() == "Unit Gaussian"]
    x, y = line.get_xydata().T
    np.testing.assert_allclose(y, values.size * np.diff(held.edges)[0] * norm.pdf(x))
    assert f"mean {values.mean():.2f}" in ax.get_legend().get_title().get_text()
    assert ax.get_xlabel().endswith(r"[$\sigma$]")
    with pytest.raises(DatasetError, match="no counts are expected in its mask"):
        plot_residuals(cube(level=0.0, counts=False), gj.Models())


def test_radial_profile_draws_rings(data, truth):
    edges = np.linspace(0.0, 0.5, 6)
    upper, lower = plot_radial_profile(data, truth, edges=edges, energy=("1 TeV", "5 TeV")).axes
    mask = np.asarray(data.mask) & np.array([True, True, False])[:, None, None]
    signal, background = gj.predict_counts(data, truth)
    from gammajax.numeric.sphere import separation

    away = separation(float(EXTENDED.lon_0), float(EXTENDED.lat_0), *data.grid.radec)
    seen = mask.any(axis=0)
    ring = np.digitize(away, edges) - 1

    def total(values):
        return np.array([values[seen & (ring == i)].sum() for i in range(5)])

    n, s, b = (total(np.where(mask, x, 0.0).sum(axis=0)) for x in (np.asarray(data.counts), signal, background))
    area = total(np.asarray(data.grid.solid_angle)) * np.degrees(1.0) ** 2
    points = upper.containers[0].lines
    np.testing.assert_allclose(points[0].get_ydata(), n / area)
    ends = np.array([segment[:, 1] for segment in points[2][1].get_segments()])
    np.testing.assert_allclose(ends.T, np.stack(garwood(n)) / area)
    drawn = {patch.get_label(): patch.get_data().values for patch in upper.patches}
    np.testing.assert_allclose(drawn["Model"], (s + b) / area)
    np.testing.assert_allclose(drawn["Background"], b / area)
    np.testing.assert_allclose(lower.containers[0].lines[0].get_ydata(), compare_known(n, b, s))
    assert upper.get_ylabel() == r"Counts per solid angle [$\mathrm{deg}^{-2}$]"
    assert lower.get_xlabel() == r"Distance from the position [$\mathrm{deg}$]"


def test_radial_profile_needs_a_place_and_rings(data, truth):
    assert to_png(plot_radial_profile(data, truth, "83.7 22.1")).startswith(b"\x89PNG")
    two = truth.add(other=truth["src"])
    cases = (
        ({"models": two}, "give a position: src, other have one"),
        ({"models": gj.Models()}, "give a position: no source has one"),
        ({"position": "80 22"}, "at the edge of the map, or outside"),
        ({"position": "80 22", "edges": [0.0, 1.0]}, "no pixel in use lies within 1 deg"),
        ({"edges": [0.2, 0.1]}, "increasing radii"),
    )
    for options, message in cases:
        with pytest.raises(ConfigError, match=message):
            plot_radial_profile(data, **{"models": truth, **options})
