"""An archive of fifty runs of which one is spoiled: that one is named, and the others become spectra."""

import shutil

import dl3_files
import good_inputs
import numpy as np
import pytest
from astropy.io import fits

from gammajax.data import DataStore
from gammajax.reduce.pipeline import reduce_spectra

RUNS = range(1001, 1051)
BAD = 1027


@pytest.fixture(scope="module")
def archive_of_fifty(tmp_path_factory):
    """Fifty small runs with index tables; only to be read."""
    folder = tmp_path_factory.mktemp("archive")
    rest = dl3_files.gti_hdu(stop=(2000.0,)), dl3_files.aeff_hdu(), dl3_files.edisp_hdu(), dl3_files.psf_table_hdu()
    for i in RUNS:
        dl3_files.write(folder / f"run{i}.fits", good_inputs.events(i), *rest)
    return dl3_files.write_index(folder, {i: f"run{i}.fits" for i in RUNS})


def without_area(path):
    """NaN in all cells of the effective area."""
    with fits.open(path, memmap=False) as hdus:
        hdus["EFFECTIVE AREA"].data["EFFAREA"][...] = np.nan
        hdus.writeto(path, overwrite=True)


SPOILED = {
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:9000]), "the file is truncated inside 'EVENTS'"),
    "absent": (lambda path: path.unlink(), "is listed in"),
    "effective area of NaN": (without_area, "[EFFECTIVE AREA] column EFFAREA"),
}


@pytest.mark.parametrize("how", SPOILED)
def test_the_others_become_spectra(how, archive_of_fifty, tmp_path):
    spoil, said = SPOILED[how]
    folder = shutil.copytree(archive_of_fifty, tmp_path / "archive")
    spoil(folder / f"run{BAD}.fits")
    edges = good_inputs.EDGES
    runs = DataStore.from_dir(folder).observations()
    found = reduce_spectra(runs, good_inputs.ON, energy=edges, energy_true=edges, progress=False)
    assert [d.name for d in found] == [str(i) for i in RUNS if i != BAD]
    assert list(found.failures) == [BAD]
    message = found.failures[BAD]
    assert message.startswith(f"run {BAD}: ")
    assert f"run{BAD}.fits" in message
    assert said in message
    assert "unexpected" not in message
    assert f"failed: {message}" in repr(found)
