"""YAML, JSON and HDF5: what is broken is named."""

import h5py
import numpy as np
import pytest

from gammajax.errors import FileFormatError, MissingFile
from gammajax.io.hdf5 import read_hdf5, write_hdf5
from gammajax.io.json import read_json, write_json
from gammajax.io.yaml import dataset_entries, read_yaml, write_yaml


def test_yaml(tmp_path, monkeypatch):
    monkeypatch.setenv("SPECTRA", "spectra")
    entry = {"name": "a", "type": "SpectrumDatasetOnOff", "filename": "$SPECTRA/pha.fits"}
    path = write_yaml({"datasets": [entry]}, tmp_path / "d.yaml")
    (found,) = dataset_entries(path)
    assert found.filename == tmp_path / "spectra" / "pha.fits"
    assert read_yaml(path) == {"datasets": [entry]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2", r"bad\.yaml is not valid YAML: .*line"),
        ("- 1", r"bad\.yaml must hold keys and values at top level, got list"),
        ("", "got NoneType"),
        ("datasets: []", r"bad\.yaml has no list 'datasets' with at least one entry"),
        ("datasets: [{name: a, type: b}]", "datasets entry 0 lacks filename"),
        ("datasets: [1]", "datasets entry 0 lacks name, type, filename"),
        ("a: !!python/object/apply:os.system ['true']", r"bad\.yaml is not valid YAML"),
    ],
)
def test_bad_yaml(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(FileFormatError, match=f"(?s){message}"):
        dataset_entries(path)


def test_json(tmp_path):
    content = {
        "x": np.float64(1.5),
        "n": np.arange(2),
        "bad": [np.nan, np.inf],
        "flag": np.True_,
        "t": (1, "a"),
    }
    path = write_json(content, tmp_path / "x.json")
    assert read_json(path) == {"x": 1.5, "n": [0, 1], "bad": [None, None], "flag": True, "t": [1, "a"]}
    path.write_text("{")
    with pytest.raises(FileFormatError, match=r"x\.json is not valid JSON"):
        read_json(path)


def test_hdf5(tmp_path):
    path = write_hdf5(tmp_path / "x.h5", {"a/b": np.arange(3.0)}, {"kind": "thing", "names": ["x", "y"]})
    arrays, header = read_hdf5(path, kind="thing")
    np.testing.assert_array_equal(arrays["a/b"], [0, 1, 2])
    assert list(header["names"]) == ["x", "y"]
    with pytest.raises(
        FileFormatError, match="expected a gammajax file of kind 'posterior', schema 1; it has kind 'thing'"
    ):
        read_hdf5(path, kind="posterior")
    with h5py.File(path, "a") as file:
        file.attrs["schema"] = 99
    with pytest.raises(FileFormatError, match="schema 99"):
        read_hdf5(path, kind="thing")
    path.write_text("text")
    with pytest.raises(FileFormatError, match=r"x\.h5 cannot be read as HDF5"):
        read_hdf5(path, kind="thing")


@pytest.mark.parametrize("read", [read_yaml, read_json, lambda p: read_hdf5(p, kind="x")])
def test_missing_files(tmp_path, read):
    with pytest.raises(MissingFile, match="nowhere does not exist"):
        read(tmp_path / "nowhere")
