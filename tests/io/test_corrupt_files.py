"""Damaged bytes: whatever stands in a file, reading it gives numbers or a `GammajaxError`."""

import numpy as np
import pytest
from astropy.io import fits
from cube_files import dataset
from dl3_files import write_run
from made_spectra import on_off

from gammajax.data import DataStore
from gammajax.datasets.files import read_dataset
from gammajax.errors import GammajaxError
from gammajax.io.map_dataset import read_map_dataset
from gammajax.io.map_dataset_write import write_map_dataset
from gammajax.io.maps import read_healpix, read_map

# Damaged headers make astropy and numpy complain; only exceptions are of interest here.
pytestmark = pytest.mark.filterwarnings("ignore")

DAMAGES = range(60)


def damaged(content: bytes, seed: int) -> bytes:
    """`content` with a few bytes changed (two thirds of them in headers), a piece cut out, or its end lost."""
    rng = np.random.default_rng(seed)
    data = bytearray(content)
    if seed % 10 == 8:
        return bytes(data[: rng.integers(len(data))])
    if seed % 10 == 9:
        start = int(rng.integers(len(data)))
        del data[start : start + int(rng.integers(1, 500))]
        return bytes(data)
    text = np.flatnonzero(np.isin(np.frombuffer(content, np.uint8), list(b"=0123456789'TF")))
    places = rng.choice(text, 8) if seed % 3 else rng.integers(len(data), size=200)
    for place in places:
        data[place] = rng.integers(32, 127) if seed % 2 else rng.integers(256)
    return bytes(data)


def read_all(path):
    """Everything that a reduction reads of a run."""
    store = DataStore.from_files([path])
    run = store.observation(store.obs_ids[0])
    attributes = ("events", "gti", "livetime", "pointing", "tstart", "aeff", "edisp", "psf", "rad_max")
    for name in attributes:
        try:
            getattr(run, name)
        except GammajaxError:
            continue
    store.observations().info()


def survives(read, path, content, seed) -> bool:
    path.write_bytes(damaged(content, seed))
    try:
        read(path)
    except GammajaxError as error:
        return bool(str(error))
    return True


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = write_run(tmp_path_factory.mktemp("dl3") / "run.fits")
    return path, path.read_bytes()


@pytest.fixture(scope="module")
def spectrum(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ogip")
    on_off(n=1).write(folder)
    return folder


@pytest.mark.parametrize("seed", DAMAGES)
def test_run(run, seed):
    assert survives(read_all, *run, seed)


@pytest.mark.parametrize("file", ["pha_d0.fits", "pha_d0_bkg.fits", "pha_d0_arf.fits", "pha_d0_rmf.fits"])
def test_spectrum(spectrum, file):
    content = (spectrum / file).read_bytes()
    for seed in DAMAGES:
        assert survives(lambda _: read_dataset(spectrum / "pha_d0.fits"), spectrum / file, content, seed)
    (spectrum / file).write_bytes(content)


@pytest.mark.parametrize("seed", DAMAGES)
@pytest.mark.parametrize("on_off", [False, True])
def test_cube(tmp_path, seed, on_off):
    path = write_map_dataset(tmp_path / "cube.fits", dataset(on_off=on_off))
    content = path.read_bytes()
    for i in range(4):
        assert survives(read_map_dataset, path, content, seed + 1000 * i)
        assert survives(lambda p: read_map(p, "PSF"), path, content, seed + 1000 * i)


def test_healpix(tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("CHANNEL1", "D", array=np.ones(12))], name="SKY")
    table.header.update({"PIXTYPE": "HEALPIX", "ORDERING": "RING", "NSIDE": 1, "COORDSYS": "GAL"})
    path = tmp_path / "sky.fits"
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
    content = path.read_bytes()
    for seed in range(300):
        assert survives(read_healpix, path, content, seed)
