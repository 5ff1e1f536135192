"""Good time in dataset files: Gammapy reads ours, we read Gammapy's."""

import dataclasses

import numpy as np
import pytest
from made_cubes import cube, on_off
from made_spectra import counting
from made_spectra import on_off as on_off_spectra

import gammajax as gj
from gammajax.datasets.binned import Provenance
from gammajax.io.dl3 import TimeReference

gammapy = pytest.importorskip("gammapy.datasets")

GOOD = gj.GTI(np.array([1000.0, 5000.0]), np.array([2800.5, 6800.0]), TimeReference(51910, 0.00074287, "tt"))
MADE = {
    "pha_on-off.fits": lambda: on_off_spectra(n=1)[0],
    "counting.fits": lambda: counting(n=1)[0],
    "cube.fits.gz": cube,
    "on-off-cube.fits.gz": on_off,
}


def same(theirs) -> None:
    for here, there in ((GOOD.start_time, theirs.time_start), (GOOD.stop_time, theirs.time_stop)):
        assert np.abs((here - there).to_value("s")).max() < 1e-4


@pytest.mark.parametrize(("file", "made"), MADE.items(), ids=MADE)
def test_both_ways(file, made, tmp_path):
    dataset = made()
    name = file.split(".")[0].removeprefix("pha_")
    dated = dataclasses.replace(dataset, name=name, provenance=Provenance("HESS", (5,), GOOD))
    gj.Datasets([dated]).write(tmp_path)
    kind = getattr(gammapy, type(dataset).__name__)
    theirs = kind.read(tmp_path / file)
    same(theirs.gti)
    theirs.write(tmp_path / f"back_{file}", overwrite=True)
    back = gj.Datasets.read(tmp_path / f"back_{file}")[0].provenance.gti
    assert np.abs((back.start_time - GOOD.start_time).to_value("s")).max() < 1e-4


@pytest.mark.parametrize(
    ("kind", "file"),
    [
        ("SpectrumDatasetOnOff", "PKS2155-steady/pks2155-304_steady.fits.gz"),
        ("MapDataset", "tests/models/gc_example_data_gc.fits"),
    ],
)
def test_real_files(kind, file, gammajax_data):
    ours = gj.Datasets.read(gammajax_data / file)[0].provenance.gti
    theirs = getattr(gammapy, kind).read(gammajax_data / file).gti
    assert len(ours) == len(theirs.table)
    assert ours.time_sum == pytest.approx(theirs.time_sum.to_value("s"))
