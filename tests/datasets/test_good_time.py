"""Good time goes with a dataset: from the runs through stacks, and through every kind of file."""

import dataclasses

import numpy as np
import pytest
from astropy.io import fits
from made_cubes import ENERGY, cube
from made_cubes import on_off as on_off_cube
from made_spectra import counting, on_off

import gammajax as gj
from gammajax.datasets.binned import Provenance
from gammajax.geom.regions import circle
from gammajax.io.dl3 import TimeReference

REFERENCE = TimeReference(51910, 0.000742870370370241, "tt")
GOOD = gj.GTI(np.array([1000.0, 5000.0]), np.array([2800.5, 6800.0]), REFERENCE)
LATER = gj.GTI.from_intervals([("2006-07-29T22:00", "2006-07-29T22:28")])
MADE = {
    "on-off spectrum": lambda: on_off(n=1)[0],
    "counting spectrum": lambda: counting(n=1)[0],
    "cube": cube,
    "on-off cube": on_off_cube,
}


def dated(dataset, gti=GOOD, obs_ids=(5,)):
    return dataclasses.replace(dataset, provenance=Provenance("HESS", obs_ids, gti))


@pytest.mark.parametrize("suffix", ["yaml", "h5"])
@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_files_keep_it(made, suffix, tmp_path):
    path = tmp_path / f"datasets.{suffix}"
    gj.Datasets([dated(made())]).write(path if suffix == "h5" else tmp_path)
    assert gj.Datasets.read(path)[0].provenance.gti == GOOD


@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_files_without_it(made, tmp_path):
    gj.Datasets([dated(made(), None)]).write(tmp_path)
    assert gj.Datasets.read(tmp_path / "datasets.yaml")[0].provenance.gti is None


def test_of_a_run(archive):
    run = gj.DataStore.from_dir(archive.folder / "hess").observations()[0]
    edges = gj.energy_edges("0.5 TeV", "50 TeV", per_decade=4)
    found = gj.reduce_spectra([run], circle(archive.position, "0.11 deg"), energy=edges, energy_true=edges)
    assert gj.Datasets(found)[0].provenance.gti == run.gti
    assert repr(run.gti) in repr(gj.Datasets(found)[0])


def test_stacks_hold_all_of_it():
    plain = gj.MapDataset(name="a", grid=cube().grid, energy=ENERGY, energy_true=ENERGY, exposure=cube().exposure[:3])
    found = gj.stack_maps([dated(plain), dated(plain, LATER, (6,))]).provenance
    assert (found.telescope, found.obs_ids) == ("HESS", (5, 6))
    assert found.gti.time_sum == pytest.approx(GOOD.time_sum + LATER.time_sum, abs=1e-5)
    assert found.gti.reference == REFERENCE


def test_unknown_in_a_part_is_unknown_in_the_whole():
    spectra = on_off()
    assert gj.stack_spectra([dated(spectra[0]), dated(spectra[2], None)], "all").provenance.gti is None


def test_equal_by_what_they_hold():
    same = dataclasses.replace(GOOD, start=GOOD.start.copy())
    assert same == GOOD
    assert hash(same) == hash(GOOD)
    assert dataclasses.replace(GOOD, stop=GOOD.stop + 1) != GOOD
    assert GOOD != "GTI"


def test_x_ray_files_without_an_epoch_are_read_all_the_same(tmp_path, caplog):
    gj.Datasets([dated(on_off(n=1)[0])]).write(tmp_path)
    pha = tmp_path / "pha_d0.fits"
    with fits.open(pha, mode="update") as hdus:
        del hdus["GTI"].header["MJDREFI"]
    assert gj.Datasets.read(pha)[0].provenance.gti is None
    assert "pha_d0.fits[GTI]" in caplog.text
    assert "good time is not read" in caplog.text
