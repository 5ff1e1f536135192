"""Datasets in one HDF5 file: everything comes back; what is malformed is named."""

import dataclasses

import equinox as eqx
import h5py
import jax
import numpy as np
import pytest
from made_cubes import CENTRE, cube
from made_cubes import on_off as on_off_cube
from made_spectra import counting, on_off

import gammajax as gj
from gammajax.datasets.binned import Provenance
from gammajax.errors import DatasetError, FileFormatError, GammajaxError, MissingFile
from gammajax.geom.grid import SkyGrid


def all_kinds():
    """Both kinds, names of any text, fit ranges with gaps, expected counts that are not whole."""
    one, two, three = on_off()
    gaps = np.array([True, False, True, True, False, True, True, True, False, True, True, True])
    one = eqx.tree_at(lambda d: d.mask_fit, one, gaps)
    one = gj.SpectrumDatasetOnOff(
        name="hess/23523 ä", provenance=Provenance("H.E.S.S.", (23523, 20131103103)),
        **{k: getattr(one, k) for k in vars(one) if k not in ("name", "provenance")},
    )  # fmt: skip
    two = eqx.tree_at(lambda d: (d.counts, d.livetime), two, (two.counts + 0.25, np.float64(np.nan)))
    return gj.Datasets([one, two, three]) + counting(n=1, background=3.0)


def test_several_files(tmp_path):
    spectra, counted = on_off(n=2), counting(n=1)
    files = [spectra.write(tmp_path / "d.h5"), counted.write(tmp_path / "folder")]
    assert gj.Datasets.read(files).names == [*spectra.names, *counted.names]


def test_everything_comes_back(tmp_path):
    made = all_kinds()
    back = gj.Datasets.read(made.write(tmp_path / "d.h5"))
    assert back.names == made.names
    for one, two in zip(made, back, strict=True):
        assert type(one) is type(two)
        assert one.provenance == two.provenance
        jax.tree.map(np.testing.assert_array_equal, one, two)
    assert jax.tree.structure(list(made)) == jax.tree.structure(list(back))


def test_cubes_come_back_with_their_responses(tmp_path):
    spread = cube("spread", counts=False)
    bare = vars(spread) | {"psf": None, "edisp": None, "energy_true": spread.energy, "exposure": spread.exposure[:3]}
    plain = gj.MapDataset(**bare | {"name": "plain"})
    coarse = SkyGrid.create(CENTRE, npix=2, binsz=0.5)
    psf = dataclasses.replace(
        spread.psf, grid=coarse, values=np.tile(spread.psf.values, (1, 1, 2, 2)), exposure=np.ones((5, 2, 2))
    )
    spread = gj.MapDataset(**vars(spread) | {"psf": psf})
    made = gj.Datasets([plain, spread, on_off_cube(), *on_off(n=1)])
    back = gj.Datasets.read(made.write(tmp_path / "d.h5"))
    assert back.names == made.names
    for one, two in zip(made, back, strict=True):
        jax.tree.map(np.testing.assert_array_equal, jax.tree.leaves(one), jax.tree.leaves(two))
    assert back[0].psf is None
    assert back[1].grid == spread.grid
    assert back[1].psf.grid == coarse
    for one, two in ((psf, back[1].psf), (spread.edisp, back[1].edisp)):
        for name in set(vars(one)) - {"grid"}:
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    source = gj.SkyModel(gj.PowerLaw(amplitude=1e-10), gj.PointSpatial(*CENTRE))
    expected, found = (gj.predict_counts(d, gj.Models(source=source))[0] for d in (spread, back[1]))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_broken_cubes_name_the_group(tmp_path):
    path = gj.Datasets([cube(counts=False)]).write(tmp_path / "d.h5")
    with h5py.File(path, "a") as file:
        file["00000/grid"][()] = "SIMPLE  =                    T"
    with pytest.raises(FileFormatError, match=r"d\.h5\[/00000\]: grid"):
        gj.Datasets.read(path)
    with h5py.File(path, "a") as file:
        del file["00000/psf/rad"]
        file["00000/grid"][()] = cube(counts=False).grid.to_text()
    with pytest.raises(FileFormatError, match=r"d\.h5\[/00000/psf\] has no 'rad'"):
        gj.Datasets.read(path)


def test_one_file_alone(tmp_path):
    """FITS files are known by what is in them, whatever their kind."""
    made = gj.Datasets([cube(), on_off_cube(), *on_off()[:1], *counting(n=1, background=3.0)])
    made.write(tmp_path)
    files = ("cube.fits.gz", "ring.fits.gz", "pha_d0.fits", f"{made.names[3]}.fits")
    for one, file in zip(made, files, strict=True):
        (back,) = gj.Datasets.read(tmp_path / file)
        assert (type(back), back.name) == (type(one), one.name)
        np.testing.assert_array_equal(back.counts, one.counts)


def test_another_background():
    for dataset in (cube(), *counting(n=1, background=3.0)):
        twice = dataset.with_background(2.0 * np.asarray(dataset.background))
        np.testing.assert_array_equal(twice.background, 2.0 * dataset.background)
        assert np.sum(dataset.background) > 0
        assert np.sum(dataset.with_background(None).background) == 0
        with pytest.raises(DatasetError, match=f"{dataset.name}: background has shape .* its axes ask for"):
            dataset.with_background(np.ones(2))
        with pytest.raises(DatasetError, match=f"{dataset.name}: background holds .* negative values"):
            dataset.with_background(-1.0 * np.ones(dataset.counts.shape))


def test_many_datasets_keep_their_order(tmp_path):
    made = on_off(n=12)
    assert gj.Datasets.read(made.write(tmp_path / "d.hdf5")).names == made.names


def test_yaml_refuses_a_range_with_gaps(tmp_path):
    with pytest.raises(DatasetError, match=r"hess/23523 ä: only a contiguous fit range.*a name that ends in \.h5"):
        gj.Datasets(all_kinds()[:1]).write(tmp_path / "folder")


def test_names_of_any_characters(tmp_path):
    names = ["hess/1 ä", "hess_1__", "../up", "c$HOME"]
    made = [gj.SpectrumDatasetOnOff(**(vars(d) | {"name": n})) for d, n in zip(on_off(n=3), names, strict=False)]
    other = vars(counting(n=1)[0]) | {"name": names[3]}
    made = gj.Datasets([*made, gj.SpectrumDataset(**other)])
    back = gj.Datasets.read(made.write(tmp_path / "folder"))
    assert back.names == names
    for one, two in zip(made, back, strict=True):
        np.testing.assert_array_equal(one.counts, two.counts)
    assert not list(tmp_path.glob("*.fits"))


def put(name, value):
    def change(file):
        del file[name]
        file[name] = value

    return change


DAMAGES = [
    (lambda f: f["00001"].attrs.__delitem__("type"), FileFormatError, r"\[/00001\] has no 'type'"),
    (lambda f: f["00001"].attrs.__setitem__("type", "Cube"), FileFormatError, "datasets of type 'Cube"),
    (lambda f: f["00001"].__delitem__("edisp"), FileFormatError, r"\[/00001\] has no 'edisp'"),
    (put("00001/counts", np.ones(3)), DatasetError, r"\[/00001\]: d1: counts has shape \(3,\)"),
    (put("00001/counts", np.full(12, -1.0)), DatasetError, "d1: counts holds 12 negative values"),
    (put("00001/exposure", np.full(20, np.nan)), DatasetError, "d1: exposure holds 20 values that are not finite"),
    (put("00001/energy", np.ones(13)), DatasetError, "d1: energy needs at least two increasing"),
    (put("00001/mask_fit", np.ones(12)), FileFormatError, "'mask_fit' must be an array of flags"),
    (put("00001/counts", "many"), FileFormatError, "'counts' must be an array of numbers"),
    (lambda f: f["00001"].attrs.__setitem__("name", "d2"), DatasetError, "given more than once: d2"),
    (lambda f: f["00001/provenance"].__delitem__("obs_ids"), FileFormatError, "has no 'obs_ids'"),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "error", "message"), DAMAGES)
def test_damages_are_named(tmp_path, damage, error, message):
    path = on_off().write(tmp_path / "d.h5")
    with h5py.File(path, "a") as file:
        damage(file)
    with pytest.raises(error, match=message):
        gj.Datasets.read(path)


LISTS = [
    ("datasets: []", "has no list 'datasets' with at least one entry"),
    ("components: []", "it holds models, which Models.read reads"),
    ("datasets: [5]", "datasets entry 0 lacks name, type, filename"),
    ("datasets: [{name: a, type: SpectrumDataset}]", "datasets entry 0 lacks filename"),
    ("datasets: [{name: a, type: MapDatasets, filename: a.fits}]", "a is of type 'MapDatasets', which cannot be read"),
    ("datasets: [{name: a, type: SpectrumDataset, filename: 5}]", "filename of a must be a text, got 5"),
    ("datasets: [{name: a, type: SpectrumDataset, filename: $NO_SUCH_FOLDER/a.fits}]", "variable NO_SUCH_FOLDER"),
    ("datasets: [{name: a, type: SpectrumDataset, filename: a.fits}]", r"a\.fits does not exist"),
    ("datasets: [{name: a, type: SpectrumDataset, filename: a.fits, fit_range: {min: 1}}]", "keys min and max"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "message"), LISTS)
def test_lists_of_datasets(tmp_path, content, message):
    path = tmp_path / "datasets.yaml"
    path.write_text(content)
    with pytest.raises(GammajaxError, match=message) as caught:
        gj.Datasets.read(path)
    assert str(tmp_path) in str(caught.value)


def test_variables_in_names_of_files(tmp_path, monkeypatch):
    on_off(n=1).write(tmp_path / "data")
    listed = (tmp_path / "data" / "datasets.yaml").read_text().replace("pha_d0.fits", "$MY_DATA/data/pha_d0.fits")
    (tmp_path / "datasets.yaml").write_text(listed)
    monkeypatch.setenv("MY_DATA", str(tmp_path))
    assert gj.Datasets.read(tmp_path / "datasets.yaml").names == ["d0"]
    monkeypatch.delenv("MY_DATA")
    with pytest.raises(MissingFile, match="MY_DATA"):
        gj.Datasets.read(tmp_path / "datasets.yaml")
