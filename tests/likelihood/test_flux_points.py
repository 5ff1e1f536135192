"""Flux points in the likelihood: their statistics, derivatives, fits, toys and files."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_spectra import log_parabola, on_off
from scipy.stats import norm

import gammajax as gj
from gammajax.datasets.grouping import group
from gammajax.errors import DatasetError, FileFormatError
from gammajax.infer.expansion import exact_hessian, expand
from gammajax.infer.stopwatch import Stopwatch
from gammajax.io.sed import read_sed, write_sed
from gammajax.likelihood.points import points_derivatives, points_stat
from gammajax.likelihood.problem import stat

ENERGY = np.geomspace(0.2, 50.0, 8)
TRUTH = log_parabola()
DNDE = np.asarray(TRUTH["crab"].spectral(ENERGY).value)


def made(stat_type="chi2", seed=3, name="sed", **changed):
    """Eight points with errors of ten per cent, the last one an upper limit, and Poisson-like profiles."""
    rng = np.random.default_rng(seed)
    value = DNDE * (1 + 0.1 * rng.normal(size=8))
    is_ul = np.arange(8) == 7
    norms = np.linspace(0.2, 5.0, 13)
    mean = 40.0
    best = value / DNDE
    # -2 ln L of n = mean * best counts when mean * norm are expected
    scan = 2 * (mean * norms - mean * best[:, None] * np.log(norms)) - 2 * mean * (best - best * np.log(best))[:, None]
    fields = {
        "dnde_errn": 0.08 * DNDE,
        "dnde_errp": 0.12 * DNDE,
        "dnde_ul": 1.3 * DNDE,
        "is_ul": is_ul,
        "norm_scan": np.tile(norms, (8, 1)),
        "stat_scan": scan,
        "dnde_ref": DNDE,
        "energy_min": ENERGY / 1.4,
        "energy_max": ENERGY * 1.4,
    }
    return gj.FluxPointsDataset(name=name, energy_ref=ENERGY, dnde=value, stat_type=stat_type, **{**fields, **changed})


def stat_at(dataset, scale=1.0):
    problem = gj.Problem(dataset, TRUTH.set("crab.spectral.amplitude", 3e-11 * scale))
    return float(stat(problem, problem.start))


def test_chi2_by_hand():
    d = made()
    wanted = np.sum(((DNDE - np.asarray(d.dnde)) / (0.1 * DNDE))[:7] ** 2)
    assert stat_at(d) == pytest.approx(wanted, rel=1e-10)


def test_errors_of_each_side_and_limits_by_hand():
    d = made("distrib")
    for scale in (0.7, 1.0, 1.6):
        shift = scale * DNDE - np.asarray(d.dnde)
        points = np.sum((shift / np.where(shift > 0, 0.12, 0.08) / DNDE)[:7] ** 2)
        width = 1.3 / norm.ppf(0.95)
        limit = -2 * (norm.logcdf((1.3 - scale) / width) - norm.logcdf(1.3 / width))
        assert stat_at(d, scale) == pytest.approx(points + limit, rel=1e-9)


def test_a_violated_limit_costs_without_end():
    d = made("distrib", mask_safe=np.arange(8) == 7)
    cost = [stat_at(d, scale) for scale in (0.0 + 1e-9, 1.0, 5.0, 50.0)]
    assert cost[0] == pytest.approx(0.0, abs=1e-6)
    assert np.all(np.diff(cost) > 0)
    assert cost[3] > 1000


def test_profiles_are_met_at_their_knots_and_between():
    d = made("profile")
    best = np.asarray(d.dnde) / DNDE
    for scale in (0.6, 1.0, 1.4, 1.8):
        exact = 2 * 40.0 * (scale - best - best * np.log(scale / best))
        assert stat_at(d, scale) == pytest.approx(exact.sum(), rel=2e-2)
    assert stat_at(made("profile", mask_safe=np.arange(8) == 2), 1.0) == pytest.approx(
        2 * 40.0 * (1.0 - best[2] - best[2] * np.log(1.0 / best[2])), abs=2e-3
    )


@pytest.mark.parametrize("kind", ["chi2", "distrib", "profile"])
def test_derivatives_in_closed_form(kind):
    (g,) = group([made(kind)])
    for scale in (-0.3, 0.4, 1.01, 1.9, 30.0):
        s = jnp.full(g.mask.shape, scale)
        slope, curvature, information = points_derivatives(g, s)
        total = jax.grad(lambda s: jnp.sum(points_stat(g, s)))
        np.testing.assert_allclose(slope, total(s), rtol=1e-8, atol=1e-10)
        second = jax.jvp(total, (s,), (jnp.ones_like(s),))[1]
        np.testing.assert_allclose(curvature, second, rtol=1e-7, atol=1e-8)
        assert np.all(np.asarray(information) >= 0)


@pytest.mark.parametrize("kind", ["chi2", "distrib", "profile"])
def test_hessian_beside_spectra_and_nuisances(kind):
    models = TRUTH.add(scale=gj.EnergyScale(datasets_names="sed")).prior("scale.delta", gj.Normal(0.0, 0.1))
    problem = gj.Problem([*on_off(n=1), made(kind)], models)
    z = problem.start * 1.02
    np.testing.assert_allclose(jax.jit(expand)(problem, z).gradient, jax.jit(jax.grad(stat, 1))(problem, z), rtol=1e-8)
    wanted = jax.jit(jax.hessian(stat, 1))(problem, z)
    np.testing.assert_allclose(jax.jit(exact_hessian)(problem, z), wanted, rtol=1e-7, atol=1e-6 * np.abs(wanted).max())


def test_a_joint_fit_knows_more():
    spectra = gj.asimov(on_off(n=2), TRUTH)
    points = gj.asimov(made("distrib"), TRUTH)
    alone = gj.fit(spectra, TRUTH)
    joint = gj.fit([*spectra, *points], TRUTH.set("crab.spectral.alpha", 2.6))
    assert joint.success
    assert list(joint.stat_per_dataset) == ["d0", "d1", "sed"]
    for path in joint.models.free_paths:
        assert joint.models.value(path) == pytest.approx(TRUTH.value(path), abs=0.1 * joint.models.error(path))
        assert joint.models.error(path) < alone.models.error(path)
    assert joint.n_bins == alone.n_bins + 8


@pytest.mark.parametrize("kind", ["chi2", "profile"])
def test_pulls_of_toys(kind):
    models = TRUTH.freeze("*.beta")
    asimov = gj.asimov(made(kind), models)
    fit = gj.fit(asimov, models)
    toys = gj.refit_toys(asimov, models, key=5, n=256)
    assert toys.converged.all()
    truth = [models.value(p) for p in models.free_paths]
    pulls = (toys.values - truth) / [fit.models.error(p) for p in models.free_paths]
    np.testing.assert_allclose(pulls.mean(axis=0), 0.0, atol=0.35)
    np.testing.assert_allclose(pulls.std(axis=0), 1.0, atol=0.25)


def test_fakes_scatter_and_limits_stay():
    d = made("chi2")
    (drawn,) = gj.fake(d, TRUTH, key=1)
    pulls = (np.asarray(drawn.dnde) / DNDE - 1)[:7] / 0.1
    assert 0.2 < np.std(pulls) < 2.5
    assert np.asarray(drawn.dnde)[7] == np.asarray(d.dnde)[7]


def test_other_values_compile_nothing():
    gj.fit(made("distrib", seed=3), TRUTH)
    with Stopwatch() as watch:
        gj.fit(made("distrib", seed=4), TRUTH)
    assert watch.programs == 0


@pytest.mark.parametrize("file", ["sed.fits", "sed.ecsv"])
@pytest.mark.parametrize("kind", ["distrib", "profile"])
def test_files(tmp_path, file, kind):
    d = made(kind).select_energy(0.3, 40.0)
    again = gj.FluxPointsDataset.read(d.write(tmp_path / file), stat_type=kind)
    assert again.name == "sed"
    assert stat_at(again) == pytest.approx(stat_at(d), rel=1e-10)
    np.testing.assert_array_equal(again.mask, d.mask)


@pytest.mark.parametrize("file", ["", "all.h5"])
def test_in_a_collection(tmp_path, file):
    datasets = gj.Datasets([*on_off(n=1), made("profile").select_energy(0.3, 40.0)])
    again = gj.Datasets.read(datasets.write(tmp_path / file))
    assert again.names == datasets.names
    assert again["sed"].stat_type == "profile"
    assert "FluxPointsDataset" in repr(again)
    assert stat_at(again["sed"]) == pytest.approx(stat_at(datasets["sed"]), rel=1e-10)


@pytest.mark.parametrize("kind", ["dnde", "e2dnde", "flux", "eflux"])
def test_types_of_tables_agree(tmp_path, kind):
    """A power law of index 2 written as each type is read as one and the same."""
    from astropy.table import Table

    low, high = np.array([1.0, 2.0, 5.0]), np.array([2.0, 5.0, 20.0])
    energy = np.sqrt(low * high)
    amplitude = 1e-12
    values = {
        "dnde": amplitude * energy**-2.0,
        "e2dnde": amplitude * np.ones(3),
        "flux": amplitude * (1 / low - 1 / high),
        "eflux": amplitude * np.log(high / low),
    }
    units = {"dnde": "ph / (MeV s m2)", "e2dnde": "GeV / (s cm2)", "flux": "ph / (s cm2)", "eflux": "erg / (s cm2)"}
    factors = {"dnde": 1e-2, "e2dnde": 1e3, "flux": 1.0, "eflux": 1.602176634}
    table = Table({"e_ref": energy * 1e3, "e_min": low * 1e3, "e_max": high * 1e3})
    for name in table.colnames:
        table[name].unit = "GeV"
    table[kind] = values[kind] * factors[kind]
    table[f"{kind}_err"] = 0.1 * table[kind]
    table[kind].unit = table[f"{kind}_err"].unit = units[kind]
    table.write(tmp_path / "sed.fits")
    sed = read_sed(tmp_path / "sed.fits")
    np.testing.assert_allclose(sed.dnde, values["dnde"], rtol=1e-9)
    np.testing.assert_allclose(sed.dnde_err, 0.1 * values["dnde"], rtol=1e-9)
    np.testing.assert_allclose(sed.energy_ref, energy)


def test_a_light_curve_wants_a_row(tmp_path):
    from astropy.table import Table

    table = Table({"time_min": [1.0, 2.0], "time_max": [2.0, 3.0], "e_ref": [[1.0], [1.0]], "dnde": [[1.0], [3.0]]})
    table["e_ref"].unit, table["dnde"].unit = "TeV", "cm-2 s-1 TeV-1"
    table.write(tmp_path / "lc.fits")
    with pytest.raises(FileFormatError, match=r"lc.fits is a light curve of 2 time bins: choose one with row="):
        read_sed(tmp_path / "lc.fits")
    assert read_sed(tmp_path / "lc.fits", row=1).dnde == [3.0]


def broken(tmp_path, change):
    from astropy.table import Table

    path = write_sed(read_sed(made("profile").write(tmp_path / "sed.fits")), tmp_path / "sed.fits")
    table = Table.read(path, hdu=1)
    change(table)
    table.write(path, overwrite=True)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.remove_column("e_ref"), "sed.fits lacks the columns e_ref"),
        (lambda t: t.remove_column("norm_scan"), "sed.fits lacks the columns norm_scan"),
        (lambda t: t.meta.update(SED_TYPE="sed"), "SED_TYPE is 'sed'; types are dnde, e2dnde, flux, eflux, likelihood"),
        (lambda t: t.meta.update(UL_CONF=95.0), "UL_CONF is 95.0, which is no confidence level"),
        (lambda t: t.remove_rows(slice(None)), "its table of flux points has no rows"),
    ],
)
def test_malformed_tables(tmp_path, change, message):
    with pytest.raises(FileFormatError, match=message):
        read_sed(broken(tmp_path, change))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"energy_ref": ENERGY[::-1]}, "sed: energy_ref must be positive and increase: sort the points"),
        ({"dnde_errn": None, "dnde_errp": None}, "sed: dnde_err is missing or not positive at 0.2, "),
        ({"stat_type": "cash"}, "sed: stat_type 'cash' is not one of chi2, distrib, profile"),
        ({"norm_scan": None, "stat_type": "profile"}, "stat_type 'profile' needs norm_scan and stat_scan"),
        ({"dnde_ul": -DNDE, "stat_type": "distrib"}, "upper limits must be positive for stat_type 'distrib'"),
        ({"dnde": DNDE[:3]}, r"sed: dnde has shape \(3,\), expected \(8,\)"),
        ({"ul_conf": 95}, "ul_conf must lie between 0 and 1, got 95"),
    ],
)
def test_malformed_points(fields, message):
    given = {"energy_ref": ENERGY, "dnde": DNDE, "dnde_errn": 0.1 * DNDE, "dnde_errp": 0.1 * DNDE, "dnde_ul": DNDE}
    given |= {"is_ul": np.arange(8) == 7}
    with pytest.raises(DatasetError, match=message):
        gj.FluxPointsDataset(name="sed", **{**given, **fields})


def test_counts_are_not_predicted():
    with pytest.raises(DatasetError, match="sed holds flux points, which have no counts"):
        gj.predict_counts(made(), TRUTH)
