"""Cubes from simulated DL3: sums, masks, stacking, failing runs, executors, resuming."""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import equinox as eqx
import numpy as np
import pytest
from dl3_files import (
    aeff_hdu,
    bkg_2d_hdu,
    bkg_3d_hdu,
    edisp_hdu,
    events_hdu,
    gauss_migration,
    gti_hdu,
    psf_gauss_hdu,
    psf_king_hdu,
    psf_table_hdu,
    write,
)
from made_cubes import cube as made_cube

import gammajax as gj
from gammajax.data import DataStore, Observations
from gammajax.data.background import background_counts
from gammajax.datasets.cube_files import read_cube, write_cube
from gammajax.errors import ConfigError, DatasetError, EmptyRun
from gammajax.geom.axes import centers, count
from gammajax.irf import Background2D, Background3D
from gammajax.irf.background_map import rates_in_bins
from gammajax.numeric.sphere import separation
from gammajax.reduce.cube_resume import fingerprint
from gammajax.reduce.fov_scale import fitted_scale

EDGES = np.geomspace(0.2, 50.0, 7)
TRUE = np.geomspace(0.15, 60.0, 9)
GRID = gj.SkyGrid.create((83.6, 22.5), (5.0, 4.0), 0.1, proj="TAN")
SITE = {"GEOLON": 16.5, "GEOLAT": -23.3, "ALTITUDE": 1835.0}


def made(folder, obs_id, *changed, events=3000, ra=83.6, dec=22.5, seconds=50.0, **header):
    """A run with many events around its pointing, written to a file."""
    rng = np.random.default_rng(obs_id)
    listed = events_hdu(obs_id, n=events, RA_PNT=ra, DEC_PNT=dec, **header)
    listed.data["RA"] = ra + rng.normal(0.0, 1.0, events) / np.cos(np.radians(dec))
    listed.data["DEC"] = dec + rng.normal(0.0, 1.0, events)
    listed.data["ENERGY"] = 100.0 * (1.0 + rng.pareto(1.2, events))
    hdus = {hdu.name: hdu for hdu in (aeff_hdu(LO_THRES=0.5), edisp_hdu(), psf_table_hdu(), bkg_2d_hdu())}
    hdus |= {hdu.name: hdu for hdu in changed}
    return write(folder / f"{obs_id}.fits", listed, gti_hdu((0.0,), (seconds,)), *hdus.values())


def opened(*paths):
    return DataStore.from_files(list(paths)).observations()


def reduced(runs, **options):
    return gj.reduce_maps(runs, GRID, **{"energy": EDGES, "energy_true": TRUE, "offset_max": "2 deg", **options})


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three runs: at two places, and one that knows less: another dispersion, area and threshold."""
    folder = tmp_path_factory.mktemp("runs")
    low = np.full((3, 6), 3e4)
    low[2] = 1e4
    return opened(
        made(folder, 1),
        made(folder, 2, ra=84.2),
        made(folder, 3, aeff_hdu(data=low, LO_THRES=1.5), edisp_hdu(gauss_migration(0.2, 0.3)), dec=22.0, seconds=90.0),
    )


def test_what_a_cube_holds(runs):
    found = reduced(runs[:1])
    (cube,) = found
    run = runs[0]
    assert cube.grid.shape == (40, 40)
    ra, dec = cube.grid.radec
    lon, lat = (np.asarray(x, dtype=float) for x in (run.events.ra, run.events.dec))
    inside = cube.grid.contains(lon, lat)
    np.testing.assert_array_equal(np.sum(cube.counts, axis=(1, 2)), count(run.events.energy[inside], EDGES))
    expected = background_counts(run, ra.ravel(), dec.ravel(), cube.grid.solid_angle.ravel(), EDGES, exact=False)
    np.testing.assert_allclose(np.asarray(cube.background).reshape(6, -1), expected.T, rtol=1e-9)
    offset = cube.grid.separation(*run.pointing_radec)
    area = np.asarray(run.aeff.evaluate(centers(TRUE)[:, None, None], offset))
    np.testing.assert_allclose(cube.exposure, area * run.livetime, rtol=1e-9)
    assert cube.provenance.obs_ids == (1,)
    assert float(cube.livetime) == run.livetime == 45.0
    assert "1 datasets, 0 failed runs" in repr(found)


@pytest.mark.parametrize("psf", [psf_table_hdu(), psf_gauss_hdu(), psf_king_hdu()], ids=["table", "gauss", "king"])
def test_responses_on_the_coarse_grid(tmp_path, psf):
    psf.name = "PSF"
    run = opened(made(tmp_path, 1, psf))[0]
    (cube,) = reduced([run])
    area = np.pi * np.diff(np.radians(cube.psf.rad_edges) ** 2)
    np.testing.assert_allclose(np.einsum("erij,r->eij", cube.psf.values, area), 1.0, rtol=1e-12)
    row, column = 3, 14
    lon, lat = (x[row, column] for x in cube.psf.grid.lonlat)
    offset = float(separation(lon, lat, 83.6, 22.5))
    kernel = np.asarray(run.edisp.kernel(TRUE, EDGES, offset))
    np.testing.assert_allclose(cube.edisp.values[:, :, row, column], kernel, atol=1e-6)
    density = np.asarray(run.psf.evaluate(cube.psf.rad, centers(TRUE)[:, None], offset))
    density = density / (density @ area)[:, None]
    np.testing.assert_allclose(cube.psf.values[:, :, row, column], density, rtol=1e-4, atol=1e-6 * density.max())


@pytest.mark.parametrize("exact", [True, False])
def test_background_at_many_places(tmp_path, exact):
    data = np.random.default_rng(3).exponential(1e-6, (6, 7, 7))
    data[2, 3, 4] = data[0, :, 2] = data[5] = 0.0
    run = opened(made(tmp_path, 1, bkg_3d_hdu(data)))[0]
    flat = opened(made(tmp_path, 2, bkg_2d_hdu(data[:, :3, 0].T)))[0]
    lon, lat = np.random.default_rng(4).uniform(-3.8, 3.8, (2, 500))
    for bkg, kind in ((run.bkg, Background3D), (flat.bkg, Background2D)):
        assert isinstance(bkg, kind)
        for edges in (EDGES, np.geomspace(0.01, 300.0, 30), np.array([1.0, 1.01])):
            expected = np.asarray(bkg.integrate(edges, lon, lat, exact=exact)).T
            found = rates_in_bins(bkg, edges, lon, lat, exact)
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12 * max(expected.max(), 1e-30))


def test_a_field_of_view_that_turns(tmp_path):
    """Horizontal alignment: pixel by pixel what `background_counts` says, which transforms each direction."""
    run = opened(made(tmp_path, 1, bkg_3d_hdu(FOVALIGN="ALTAZ"), seconds=900.0, **SITE))[0]
    grid = gj.SkyGrid.create((83.6, 22.5), 4.0, 0.5, proj="TAN")
    (cube,) = gj.reduce_maps([run], grid, energy=EDGES, energy_true=TRUE)
    ra, dec = grid.radec
    expected = background_counts(run, ra.ravel(), dec.ravel(), grid.solid_angle.ravel(), EDGES, exact=False)
    np.testing.assert_allclose(np.asarray(cube.background).reshape(6, -1), expected.T, rtol=1e-4)


def test_backgrounds(runs):
    plain, exact, none = (reduced(runs[:1], background=kind).datasets[0] for kind in ("irf", gj.IRFBackground(), None))
    assert not np.any(none.background)
    ratio = np.asarray(exact.background).sum() / np.asarray(plain.background).sum()
    assert 0.5 < ratio < 2.0
    with pytest.raises(ConfigError, match="the background of a cube"):
        reduced(runs, background=gj.ReflectedRegions())


def test_safe_masks(runs):
    (cube,) = reduced(runs[:1], safe_mask=["aeff-default", "offset-max"], offset_max=1.5)
    assert cube.grid.shape == (30, 30)
    near = cube.grid.separation(*runs[0].pointing_radec) < 1.5
    above = EDGES[:-1] >= 0.5
    np.testing.assert_array_equal(cube.mask_safe, above[:, None, None] & near & (np.asarray(cube.background) > 0))
    half = np.zeros((6, 40, 40), dtype=bool)
    half[:, :20] = True
    (cube,) = reduced(runs[:1], safe_mask=gj.SafeMask(user=half), background=None)
    np.testing.assert_array_equal(cube.mask_safe, half)
    (cube,) = reduced(runs[:1], safe_mask=gj.SafeMask(user=lambda dataset, run: EDGES[1:] > 2.0), background=None)
    np.testing.assert_array_equal(np.asarray(cube.mask_safe).all(axis=(1, 2)), EDGES[1:] > 2.0)
    (cube,) = reduced(runs[:1], safe_mask=gj.SafeMask("bkg-peak", "edisp-bias", "aeff-max", fixed_offset=0.5))
    assert np.asarray(cube.mask_safe).any(axis=(1, 2)).sum() >= 1
    wrong = reduced(runs[:1], safe_mask=gj.SafeMask(user=half[:, :3]))
    assert "must be bools of shape (6, 40, 40)" in wrong.failures[1]


def test_a_stack_is_the_sum(runs):
    options = {"safe_mask": ["aeff-default", "offset-max"]}
    single = reduced(runs, **options)
    (stack,) = reduced(runs, stack=True, name="made", **options)
    assert stack.name == "made"
    assert stack.grid == GRID
    assert stack.provenance.obs_ids == (1, 2, 3)
    counts = sum(float(np.sum(d.counts * d.mask_safe)) for d in single)
    assert float(stack.counts.sum()) == counts
    assert float(stack.background.sum()) == pytest.approx(
        sum(float(np.sum(d.background * d.mask_safe)) for d in single), rel=1e-12
    )
    used = [np.asarray(d.mask_safe).any(axis=0) for d in single]
    total = sum(float(np.sum(u * np.asarray(d.exposure))) for u, d in zip(used, single, strict=True))
    assert float(stack.exposure.sum()) == pytest.approx(total, rel=1e-12)
    assert float(stack.livetime) == sum(float(d.livetime) for d in single)
    again = gj.stack_maps(single, GRID, "made")
    for field in ("counts", "background", "exposure", "mask_safe"):
        np.testing.assert_array_equal(getattr(again, field), getattr(stack, field))
    np.testing.assert_array_equal(again.psf.values, stack.psf.values)


def test_the_stack_predicts_what_the_runs_predict(runs):
    """Where every pixel of a coarse cell has the mask of its middle: to rounding."""
    options = {"safe_mask": ["aeff-default", "offset-max"]}
    single, (stack,) = reduced(runs, **options), reduced(runs, stack=True, **options)
    place = 83.75, 22.45
    flux = centers(TRUE) ** -2.5

    def predicted(cube):
        """Counts in the safe bins for a source at the middle of a coarse pixel."""
        x, y = (int(np.rint(v)) for v in cube.edisp.grid.pixel(*place))
        lon, lat = (v[y, x] for v in cube.edisp.grid.lonlat)
        column, row = (int(np.rint(v)) for v in cube.grid.pixel(lon, lat))
        folded = (flux * cube.edisp.exposure[:, y, x]) @ cube.edisp.values[:, :, y, x]
        spread = (flux * cube.psf.exposure[:, y, x]) @ cube.psf.values[:, :, y, x]
        return folded * np.asarray(cube.mask_safe)[:, row, column], spread

    found, parts = predicted(stack), [predicted(cube) for cube in single]
    np.testing.assert_allclose(found[0], sum(energies for energies, _ in parts), rtol=1e-9)
    np.testing.assert_allclose(found[1], sum(radii for _, radii in parts), rtol=1e-9)


def test_labels(runs):
    found = reduced(runs, stack={1: "a", 2: "b", 3: "a"}, name="made")
    assert [d.name for d in found] == ["made-a", "made-b"]
    assert found.datasets[0].provenance.obs_ids == (1, 3)
    with pytest.raises(ConfigError, match=r"no label for the runs \[3\]"):
        reduced(runs, stack={1: "a", 2: "b"})


def test_cubes_that_do_not_fit_are_not_stacked(runs):
    first, second, _ = reduced(runs)
    with pytest.raises(DatasetError, match="no part of the pixels"):
        gj.stack_maps([first, second], first.grid)
    with pytest.raises(DatasetError, match="some of the cubes"):
        gj.stack_maps([first, eqx.tree_at(lambda d: d.counts, bare(second), second.counts)], GRID)
    (other,) = reduced(runs[:1], energy=EDGES[:-1])
    with pytest.raises(DatasetError, match="energy has 5 bins"):
        gj.stack_maps([first, other], GRID)
    with pytest.raises(DatasetError, match="there is no dataset"):
        gj.stack_maps([])
    with pytest.raises(DatasetError, match="takes cubes, got SpectrumDataset: stack_spectra"):
        gj.stack_maps([first.to_spectrum_dataset("icrs;circle(83.6, 22.5, 0.3)")])
    with pytest.raises(DatasetError, match="PsfMap is one for the whole map: only responses on a grid"):
        gj.stack_maps([made_cube()])


def bare(cube):
    """A cube without PSF."""
    fields = ("name", "grid", "energy", "energy_true", "exposure", "edisp")
    return type(cube)(**{field: getattr(cube, field) for field in fields})


def test_failing_runs_are_named(tmp_path, runs):
    far = opened(made(tmp_path, 7, ra=120.0))[0]
    blind = opened(made(tmp_path, 8, DEADC=0.0))[0]
    found = reduced(Observations([runs[0], far, blind, runs[1]], {9: "run 9: nine.fits is absent"}))
    assert [d.name for d in found] == ["1", "2"]
    assert found.failures[7].startswith("run 7: the field of view, 4 deg wide")
    assert "run 8: the run has no livetime" in found.failures[8]
    assert found.failures[9] == "run 9: nine.fits is absent"
    with pytest.raises(EmptyRun, match="no run is left to stack: run 7"):
        reduced([far], stack=True)


def same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.name == other.name
        for field in ("counts", "background", "exposure", "mask_safe"):
            np.testing.assert_allclose(getattr(one, field), getattr(other, field), rtol=1e-12)
        np.testing.assert_allclose(one.psf.values, other.psf.values, rtol=1e-12)
        np.testing.assert_allclose(one.edisp.values, other.edisp.values, rtol=1e-12)


def test_executors(runs):
    expected = reduced(runs)
    with ThreadPoolExecutor(2) as pool:
        same(reduced(runs, executor=pool), expected)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        same(reduced(runs, executor=pool), expected)


def test_functions_are_told_apart_by_what_they_do():
    """Two lambdas have one name; what a closure holds counts too."""

    def above(level):
        return lambda energy: energy > level

    one, other, again = (fingerprint(f) for f in (above(1), above(2), above(1)))
    assert one == again
    assert fingerprint(lambda x: x in {"a", "b"}) != fingerprint(lambda x: x in {"a", "c"})
    assert len({one, other, fingerprint(lambda energy: energy > 1), fingerprint(lambda energy: energy > 2)}) == 4


def test_resuming(tmp_path, runs):
    scale = gj.FoVBackgroundScale("icrs;circle(83.6, 22.5, 0.3)")
    options = {"background": scale, "safe_mask": "offset-max", "folder": tmp_path / "kept"}
    seen = []
    first = reduced(runs[:2], each=lambda d: seen.append(d.name), **options)
    whole = reduced(runs, each=lambda d: seen.append(d.name), **options)
    assert seen == ["1", "2", "3"]
    same(whole.datasets[:2], first)
    same(whole, reduced(runs, **{**options, "folder": None}))
    assert whole.scales == reduced(runs, **{**options, "folder": None}).scales
    with pytest.raises(ConfigError, match="was made with other arguments"):
        reduced(runs, **{**options, "safe_mask": "aeff-default"})
    with pytest.raises(ConfigError, match="was made with other arguments"):
        reduced(runs, **{**options, "background": gj.FoVBackgroundScale("icrs;circle(83.6, 22.5, 0.4)")})


def test_files(tmp_path, runs):
    (cube,) = reduced(runs[:1], name="made", safe_mask="offset-max")
    found = read_cube(write_cube(cube, tmp_path / "cube.fits.gz"))
    same([found], [cube])
    assert found.provenance == cube.provenance
    assert float(found.livetime) == float(cube.livetime)


def test_scaled_background(runs):
    excluded = "icrs;circle(83.6, 22.5, 0.5)"
    plain = reduced(runs, safe_mask="offset-max")
    found = reduced(runs, safe_mask="offset-max", background=gj.FoVBackgroundScale(excluded))
    for cube, raw in zip(found, plain, strict=True):
        scale = found.scales[int(cube.name)]
        outside = np.asarray(cube.mask_safe) & ~cube.grid.mask(excluded)
        counts, background = (np.asarray(x)[outside].sum() for x in (cube.counts, cube.background))
        assert background == pytest.approx(counts, rel=1e-12)
        np.testing.assert_allclose(cube.background, np.asarray(raw.background) * scale.norm, rtol=1e-12)
    few = reduced(runs[:1], background=gj.FoVBackgroundScale(min_counts=1e6))
    assert "the background cannot be scaled: " in few.failures[1]


def test_ring_backgrounds(runs):
    """Per run what `on_off` makes of its cube; the stack has the sums of counts and backgrounds."""
    ring = gj.RingBackground("0.5 deg", "0.4 deg", "icrs;circle(83.6, 22.5, 0.3)")
    plain = reduced(runs, safe_mask="offset-max")
    found = reduced(runs, safe_mask="offset-max", background=ring)
    for cube, raw in zip(found, plain, strict=True):
        expected = ring.on_off(raw)
        for field in ("counts", "counts_off", "acceptance", "acceptance_off", "mask_safe", "exposure"):
            np.testing.assert_array_equal(getattr(cube, field), getattr(expected, field))
        assert cube.provenance == raw.provenance
        assert float(cube.livetime) == float(raw.livetime)
    assert not found.scales
    assert f"{float(found.datasets[0].counts_off.sum()):.0f}" in repr(found)
    (stack,) = reduced(runs, safe_mask="offset-max", background=ring, stack=True)
    assert isinstance(stack, gj.MapDatasetOnOff)
    for field in ("counts", "counts_off", "acceptance", "background"):
        parts = [float(np.sum(getattr(d, field) * d.mask_safe)) for d in found]
        assert float(getattr(stack, field).sum()) == pytest.approx(sum(parts), rel=1e-12)
    np.testing.assert_array_equal(stack.mask_safe, gj.stack_maps(found.datasets, GRID).mask_safe)
    with pytest.raises(DatasetError, match="2 is a MapDataset, the stack holds MapDatasetOnOff"):
        gj.stack_maps([found.datasets[0], plain.datasets[1]], GRID)
    none = reduced(runs[:1], background=gj.RingBackground(0.01, 0.02))
    assert none.failures[1] == (
        "run 1: 1: a ring from 0.01 to 0.03 deg holds no centre of a pixel, which are 0.1 x 0.1 deg: choose a wider "
        "ring or smaller pixels"
    )


def test_fitted_background_is_the_fit(runs):
    """Norm and tilt, with their errors, are those of a fit of the cube."""
    (raw,) = reduced(runs[:1], safe_mask="offset-max")
    found = reduced(runs[:1], safe_mask="offset-max", background=gj.FoVBackgroundScale(method="fit"))
    models = gj.Models(bkg=gj.FoVBackground(datasets_names="1")).free("bkg.spectral.tilt")
    fit = gj.fit([raw], models)
    scale = found.scales[1]
    for name in ("norm", "tilt"):
        row = fit.models.rows[f"bkg.spectral.{name}"]
        assert getattr(scale, name) == pytest.approx(row.value, rel=1e-5, abs=1e-6)
        assert getattr(scale, f"{name}_error") == pytest.approx(row.error, rel=1e-3)


def test_scale_without_a_tilt_to_find():
    found = fitted_scale(np.array([5.0, 0.0]), np.array([4.0, 0.0]), np.array([0.0, 1.0]), tilted=True)
    assert found.norm == 1.25
    assert found.tilt == 0.0


def test_of_real_files_nothing_is_lost(archive):
    """The three simulated instruments: those with a PSF give cubes, the others say why not."""
    center = archive.position
    for name in archive.names:
        runs = DataStore.from_dir(archive.folder / name).observations()
        grid = gj.SkyGrid.create(center, 3.0, 0.1)
        found = gj.reduce_maps(runs, grid, energy=EDGES, energy_true=TRUE, background=None)
        assert len(found) + len(found.failures) == 2
        assert all("no PSF" in text or "point-like" in text for text in found.failures.values())
