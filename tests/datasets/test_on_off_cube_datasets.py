"""On-off cubes: what the constructor takes, alpha, and other counts."""

import numpy as np
import pytest
from astropy.io import fits
from made_cubes import cube, on_off

import gammajax as gj
from gammajax.datasets.cube_files import read_cube, write_cube
from gammajax.errors import DatasetError

FIELDS = [
    "grid",
    "energy",
    "energy_true",
    "exposure",
    "counts",
    "counts_off",
    "acceptance",
    "acceptance_off",
    "psf",
    "edisp",
]


def made(**changes):
    return gj.MapDatasetOnOff(name="run", **({f: getattr(on_off(), f) for f in FIELDS} | changes))


def test_alpha_is_the_ratio_of_acceptances_and_zero_without_off_acceptance():
    dataset = on_off()
    off = np.asarray(dataset.acceptance_off)
    assert (off == 0).any()
    np.testing.assert_allclose(dataset.alpha, np.where(off > 0, 1.0 / np.where(off > 0, off, 1.0), 0.0), rtol=1e-14)
    np.testing.assert_allclose(dataset.background, dataset.alpha * dataset.counts_off, rtol=1e-14)
    np.testing.assert_allclose(dataset.excess, dataset.counts - dataset.background, rtol=1e-14)


def test_an_acceptance_may_be_one_number():
    np.testing.assert_allclose(made(acceptance=2.0, acceptance_off=8.0).alpha, 0.25)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"acceptance": -1.0}, "run: acceptance holds 2160 negative values"),
        (
            {"acceptance_off": np.ones((3, 2))},
            r"run: acceptance_off has shape \(3, 2\), its axes ask for \(3, 24, 30\)",
        ),
        ({"counts_off": np.full((3, 24, 30), np.nan)}, "run: counts_off holds 2160 values that are not finite"),
        ({"counts_off": np.ones((2, 24, 30))}, r"run: counts_off has shape \(2, 24, 30\)"),
        ({"edisp": None}, "run: edisp may be left out only if"),
    ],
)
def test_what_cannot_be_on_off_data_is_refused(changes, message):
    with pytest.raises(DatasetError, match=message):
        made(**changes)


def test_masks_energies_and_other_counts():
    dataset = on_off()
    assert np.asarray(dataset.whole.mask).all()
    selected = np.asarray(dataset.select_energy("2 TeV", "20 TeV").mask)
    assert not selected[0].any()
    assert (selected[1:] == np.asarray(dataset.mask)[1:]).all()
    other = dataset.with_observed(np.ones(dataset.counts.shape), 2.0 * np.ones(dataset.counts.shape))
    assert float(other.counts.sum()) == 2160
    assert float(other.counts_off.sum()) == 4320
    assert np.array_equal(other.acceptance_off, dataset.acceptance_off)


def test_what_it_says_about_itself():
    text = repr(on_off())
    assert text.startswith("MapDatasetOnOff ring")
    assert ", off " in text
    assert ", alpha " in text


def test_files_and_a_datasets_yaml_keep_them(tmp_path):
    path = gj.Datasets([on_off(), cube()]).write(tmp_path)
    assert "type: MapDatasetOnOff" in path.read_text()
    one, other = gj.Datasets.read(path)
    assert [type(one), type(other)] == [gj.MapDatasetOnOff, gj.MapDataset]
    for field in ("energy", "energy_true", "exposure", "counts", "counts_off", "acceptance", "acceptance_off", "mask"):
        np.testing.assert_allclose(getattr(one, field), getattr(on_off(), field), rtol=1e-12, err_msg=field)
    assert one.name == "ring"
    row = gj.Datasets([one]).table[0]
    assert row["type"] == "MapDatasetOnOff"
    used = np.asarray(one.mask)
    np.testing.assert_allclose(row["background"], np.asarray(one.background)[used].sum(), atol=0.01)


def test_a_yaml_that_contradicts_the_file_is_an_error(tmp_path):
    path = gj.Datasets([on_off(), cube()]).write(tmp_path)
    text = path.read_text()
    path.write_text(text.replace("MapDatasetOnOff", "MapDataset"))
    with pytest.raises(DatasetError, match="holds a MapDatasetOnOff: list ring as MapDatasetOnOff, not as MapDataset"):
        gj.Datasets.read(path)
    path.write_text(text.replace("type: MapDataset\n", "type: MapDatasetOnOff\n"))
    with pytest.raises(DatasetError, match="holds a MapDataset: list cube as MapDataset, not as MapDatasetOnOff"):
        gj.Datasets.read(path)


@pytest.mark.parametrize("part", ["COUNTS_OFF", "ACCEPTANCE", "ACCEPTANCE_OFF"])
def test_a_file_without_a_part_of_the_off_measurement(tmp_path, part):
    path = write_cube(on_off(), tmp_path / "ring.fits")
    with fits.open(path, memmap=False) as hdus:
        fits.HDUList([h for h in hdus if h.name != part]).writeto(path, overwrite=True)
    with pytest.raises(DatasetError, match=f"but no {part}: an on-off cube needs all three"):
        read_cube(path)
