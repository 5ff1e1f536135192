"""On-off cubes: files in both directions, and WStat with a source that no response spreads."""

import numpy as np
import pytest
from made_cubes import CENTRE, NESTED, on_off

import gammajax as gj
from gammajax.datasets.cube_files import read_cube, write_cube
from gammajax.likelihood import stats
from gammajax.likelihood.problem import Problem, stat

peer_datasets = pytest.importorskip("gammapy.datasets")
peer_models = pytest.importorskip("gammapy.modeling.models")
peer_stats = pytest.importorskip("gammapy.stats")
pytestmark = pytest.mark.filterwarnings("ignore")

FIELDS = ("counts", "counts_off", "acceptance", "acceptance_off", "exposure", "mask_safe")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """One cube, here and there."""
    data = on_off(size=(40, 44), nested=True)
    path = write_cube(data, tmp_path_factory.mktemp("cubes") / "ring.fits")
    return data, peer_datasets.MapDatasetOnOff.read(path, name="ring")


def test_gammapy_reads_what_is_written(pair):
    data, peer = pair
    for field in FIELDS:
        np.testing.assert_allclose(getattr(data, field), getattr(peer, field).data, rtol=1e-7, err_msg=field)
    # Without off acceptance Gammapy's alpha is the largest number there is.
    has_off = np.asarray(data.acceptance_off) > 0
    for field in ("alpha", "background"):
        ours, theirs = np.asarray(getattr(data, field)), getattr(peer, field).data
        np.testing.assert_allclose(ours[has_off], theirs[has_off], rtol=1e-7, err_msg=field)


def test_what_gammapy_writes_is_read(pair, tmp_path):
    data, peer = pair
    # Gammapy keeps masks as it has read them, and writes only those of type bool.
    for mask in (peer.mask_safe, peer.mask_fit):
        mask.data = mask.data.astype(bool)
    collection = peer_datasets.Datasets([peer])
    collection.write(tmp_path / "datasets.yaml", overwrite=True)
    back = gj.Datasets.read(tmp_path / "datasets.yaml")["ring"]
    assert isinstance(back, gj.MapDatasetOnOff)
    for field in FIELDS:
        np.testing.assert_allclose(getattr(back, field), getattr(data, field), rtol=1e-6, err_msg=field)


def test_the_statistic_is_gammapys_at_the_same_prediction(pair):
    """Bins without off acceptance apart: Gammapy has no number for them."""
    data, _ = pair
    models = gj.Models(src=gj.SkyModel(gj.PowerLaw(amplitude=3e-12), gj.PointSpatial(lon_0=CENTRE[0], lat_0=CENTRE[1])))
    signal, background = gj.predict_counts(data, models)
    use = np.asarray(data.mask) & (np.asarray(data.alpha) > 0)
    on, off, alpha = (np.asarray(x)[use] for x in (data.counts, data.counts_off, data.alpha))
    expected = peer_stats.wstat(on, off, alpha, signal[use]).sum()
    kept = gj.MapDatasetOnOff(
        **{f: getattr(data, f) for f in (*FIELDS[:-1], "name", "grid", "energy", "energy_true", "psf", "edisp")},
        mask_safe=use,
    )
    problem = Problem([kept], models)
    np.testing.assert_allclose(float(stat(problem, problem.start)), expected, rtol=1e-9)
    theirs = alpha * peer_stats.get_wstat_mu_bkg(on, off, alpha, signal[use])
    np.testing.assert_allclose(background[use], theirs, rtol=1e-9, atol=1e-12)


def test_the_statistic_of_a_source_that_nothing_spreads(pair, tmp_path):
    """At Gammapy's prediction the statistic is Gammapy's; its own differs by how it integrates pixels and spectra."""
    data, peer = pair
    shape = gj.GaussianSpatial(lon_0=CENTRE[0] + 0.02, lat_0=CENTRE[1], sigma=0.3)
    models = gj.Models(src=gj.SkyModel(gj.PowerLaw(amplitude=3e-12, index=2.3), shape, apply_irf={"psf": False}))
    use = np.asarray(data.mask) & (np.asarray(data.alpha) > 0)
    peer = peer.copy(name="ring")
    peer.mask_safe.data = use
    models.write(tmp_path / "models.yaml", gammapy=True)
    peer.models = peer_models.Models.read(tmp_path / "models.yaml")
    ours = read_cube(write_cube(data, tmp_path / "ring.fits"), "ring")
    ours = gj.MapDatasetOnOff(
        **{f: getattr(ours, f) for f in (*FIELDS[:-1], "name", "grid", "energy", "energy_true", "psf", "edisp")},
        mask_safe=use,
    )
    assert len(NESTED) == len(ours.energy_true)
    problem = Problem([ours], models)
    signal = peer.npred_signal().data[use]
    at_theirs = stats.wstat(*(np.asarray(x)[use] for x in (data.counts, data.counts_off, data.alpha)), signal)
    np.testing.assert_allclose(float(at_theirs.sum()), peer.stat_sum(), rtol=1e-6)
    np.testing.assert_allclose(float(stat(problem, problem.start)), peer.stat_sum(), rtol=1e-4)
