"""Given counts on cubes: in the bins of the mask, scaled, fitted."""

import jax
import numpy as np
import pytest
from made_cubes import CENTRE, ENERGY, cube, models, source

import gammajax as gj
from gammajax.errors import ModelError
from gammajax.geom.grid import SkyGrid
from gammajax.geom.map_axis import MapAxis
from gammajax.geom.maps import SkyMap
from gammajax.likelihood.problem import Problem, predictions, stat

AXIS = MapAxis.from_edges("energy", ENERGY, "TeV", "log")


def content(grid=None, level=1.0):
    """Counts that vary from bin to bin."""
    grid = cube().grid if grid is None else grid
    values = level * np.random.default_rng(8).uniform(0.1, 1.0, (3, *grid.shape))
    return SkyMap(values, (AXIS,), grid)


@jax.jit
def signal_of(problem):
    return predictions(problem, problem.layout.start)[0].signal


def template(grid=None, *, datasets_names=None, **spectral):
    return gj.TemplateNPred(content(grid), gj.PowerLawNorm(**spectral), datasets_names=datasets_names)


def test_counts_and_statistic():
    """The signal of every bin, and Cash over the mask from it."""
    data, model = cube(), template(norm=2.0, tilt=0.5)
    found, background = gj.predict_counts(data, gj.Models(extra=model))
    np.testing.assert_allclose(found, model.expected(), rtol=1e-12)
    mask, n = np.asarray(data.mask), np.asarray(data.counts)
    mu = found + background
    expected = 2 * (mu[mask].sum() - (n * np.log(mu))[mask].sum())
    problem = Problem([data], gj.Models(extra=model))
    np.testing.assert_allclose(float(stat(problem, problem.start)), expected, rtol=1e-10)


@pytest.mark.parametrize(("rows", "columns"), [((4, 12), (3, 20)), ((-3, 30), (-2, 10)), ((40, 44), (0, 5))])
def test_parts_and_more_than_the_pixels_of_the_cube(rows, columns):
    data = cube()
    grid = data.grid.part(slice(*rows), slice(*columns))
    model = template(grid)
    found, _ = gj.predict_counts(data, gj.Models(extra=model))
    expected = np.zeros(found.shape)
    for y in range(*rows):
        for x in range(*columns):
            if 0 <= y < data.grid.shape[0] and 0 <= x < data.grid.shape[1]:
                expected[:, y, x] = model.counts[:, y - rows[0], x - columns[0]]
    np.testing.assert_array_equal(found, expected)


def test_it_acts_on_the_datasets_that_it_names_beside_sources_and_backgrounds():
    pair = [cube("a"), cube("b", level=2.0)]
    one = template(datasets_names="b", norm=1.5)
    for data, share in zip(pair, (0.0, 1.0), strict=True):
        without, background = gj.predict_counts(data, models())
        found, same = gj.predict_counts(data, models().add(extra=one))
        np.testing.assert_allclose(found, without + share * one.expected(), rtol=1e-12)
        np.testing.assert_array_equal(same, background)
    both = Problem(pair, models().add(extra=one))
    assert [g.counts.shape[0] for g in both.groups] == [2]
    signal = signal_of(both)
    plain = Problem(pair, models())
    rest = signal_of(plain)
    assert np.all(signal[0] == rest[0])
    assert np.all(signal[1] > rest[1])


def test_gradients_against_differences():
    free = models().add(extra=template(norm=0.8, tilt=0.1)).free("extra.spectral.tilt")
    problem = Problem([cube()], free)
    value, found = jax.jit(stat), jax.jit(jax.grad(stat, argnums=1))(problem, problem.start)
    for i, path in enumerate(free.free_paths):
        step = 1e-5 * max(1.0, abs(float(problem.start[i])))
        up, down = (float(value(problem, problem.start.at[i].add(s))) for s in (step, -step))
        np.testing.assert_allclose(found[i], (up - down) / (2 * step), rtol=1e-4, atol=1e-3, err_msg=path)


def test_a_fit_finds_the_norm():
    truth = gj.Models(src=source(), extra=template(norm=0.7), bkg=gj.FoVBackground()).freeze("src.spatial.*")
    fit = gj.fit(gj.asimov([cube()], truth), truth.set("extra.spectral.norm", 1.3))
    assert fit.success
    np.testing.assert_allclose(fit.models.rows["extra.spectral.norm"].value, 0.7, rtol=1e-4)


def test_what_does_not_fit_is_said():
    with pytest.raises(ModelError, match=r"extra: the pixels of its map .* are not those of cube .*: reproject"):
        Problem([cube()], gj.Models(extra=template(SkyGrid.create(CENTRE, binsz=0.07, npix=(9, 9), proj="TAN"))))
    other = MapAxis.from_edges("energy", np.geomspace(1.0, 9.0, 4), "TeV", "log")
    wrong = gj.TemplateNPred(SkyMap(content().values, (other,), cube().grid))
    with pytest.raises(ModelError, match=r"extra: its map has 3 bins of energy from 1 to 9 TeV, cube has 3 .* 10 TeV"):
        Problem([cube()], gj.Models(extra=wrong))
