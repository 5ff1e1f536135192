"""HDF5 files that lack what their reader needs."""

import h5py
import numpy as np
import pytest

from gammajax.errors import FileFormatError
from gammajax.io.hdf5 import read_hdf5, write_hdf5


@pytest.fixture
def path(tmp_path):
    return write_hdf5(tmp_path / "x.h5", {"samples": np.zeros((2, 3, 4))}, {"kind": "posterior", "paths": ["a"]})


def test_what_is_required_and_there(path):
    arrays, header = read_hdf5(path, kind="posterior", arrays={"samples": 3}, attributes=["paths"])
    assert arrays["samples"].shape == (2, 3, 4)
    assert list(header["paths"]) == ["a"]


@pytest.mark.parametrize(
    ("required", "message"),
    [
        ({"attributes": ["units"]}, "has no attribute 'units'; it has .*paths"),
        ({"arrays": {"draws": 3}}, "has no dataset 'draws'"),
        ({"arrays": {"samples": 2}}, "'samples' must hold numbers along 2 axes"),
    ],
)
def test_what_is_missing_is_named(path, required, message):
    with pytest.raises(FileFormatError, match=message) as caught:
        read_hdf5(path, kind="posterior", **required)
    assert "x.h5" in str(caught.value)


def test_text_is_no_number(path):
    with h5py.File(path, "a") as file:
        del file["samples"]
        file["samples"] = "text"
    with pytest.raises(FileFormatError, match="'samples' must hold numbers"):
        read_hdf5(path, kind="posterior", arrays={"samples": 0})


def test_a_foreign_file(path):
    with h5py.File(path, "a") as file:
        file.attrs["kind"] = np.array(["a", "b"], dtype=object)
    with pytest.raises(FileFormatError, match="expected a gammajax file of kind 'posterior'"):
        read_hdf5(path, kind="posterior")
