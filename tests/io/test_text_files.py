"""YAML, JSON and HDF5: what is broken is named."""

import re

import h5py
import numpy as np
import pytest

from gammajax.errors import FileFormatError, MissingFile
from gammajax.io.hdf5 import read_tree, write_tree
from gammajax.io.json import read_json, write_json
from gammajax.io.matrix import read_matrix, write_matrix
from gammajax.io.yaml import boolean, dataset_entries, mapping, number, numbers, read_yaml, sequence, text, write_yaml


def test_yaml(tmp_path, monkeypatch):
    monkeypatch.setenv("SPECTRA", "spectra")
    entry = {"name": "a", "type": "SpectrumDatasetOnOff", "filename": "$SPECTRA/pha.fits"}
    path = write_yaml({"datasets": [entry]}, tmp_path / "d.yaml")
    (found,) = dataset_entries(path)
    assert found.filename == tmp_path / "spectra" / "pha.fits"
    assert read_yaml(path) == {"datasets": [entry]}
    assert re.fullmatch(r"checksum: [0-9a-f]{32}", path.read_text().splitlines()[-1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [1, 2", r"bad\.yaml is not valid YAML: .*line"),
        ("- 1", r"bad\.yaml must hold keys and values at top level, got list"),
        ("", "got NoneType"),
        ("datasets: []", r"bad\.yaml has no list 'datasets' with at least one entry"),
        ("datasets: [{name: a, type: b}]", "datasets entry 0 lacks filename"),
        ("datasets: [1]", "datasets entry 0 lacks name, type, filename"),
        ("a: " + "[" * 5000, r"bad\.yaml is (nested too deeply|not valid YAML)"),
        ("a: 2001-99-99", r"bad\.yaml is not valid YAML: month"),
        ("a: !!bool maybe", r"bad\.yaml is not valid YAML"),
        ("a: !!int ''", r"bad\.yaml is not valid YAML"),
        ("a: !!python/object/apply:os.system ['true']", r"bad\.yaml is not valid YAML"),
    ],
)
def test_bad_yaml(tmp_path, content, message):
    path = tmp_path / "bad.yaml"
    path.write_text(content)
    with pytest.raises(FileFormatError, match=f"(?s){message}"):
        dataset_entries(path)


def test_yaml_that_cannot_be_written(tmp_path):
    with pytest.raises(FileFormatError, match=r"x\.yaml cannot be written, YAML has no form for"):
        write_yaml({"a": object()}, tmp_path / "x.yaml")
    assert not (tmp_path / "x.yaml").exists()


@pytest.mark.parametrize(
    ("door", "given", "message"),
    [
        (mapping, [1], r"it must be keys and values, got \[1\]"),
        (sequence, {"a": 1}, "it must be a list, got {'a': 1}"),
        (text, 5, "it must be a text, got 5"),
        (boolean, "false", "it must be true or false, got 'false'"),
        (number, True, "it must be a number, got True"),
        (number, "x", "it must be a number, got 'x'"),
        (number, 10**400, "it must be a number, got 1000"),
        (numbers, 5, "it must be a list, got 5"),
        (numbers, [1, [2]], "it must be a list of numbers"),
    ],
)
def test_doors(door, given, message):
    with pytest.raises(FileFormatError, match=message):
        door(given, "it")


def test_numbers_without_a_point_are_text_in_yaml():
    assert number("1e-12", "it") == 1e-12
    np.testing.assert_array_equal(numbers(["1e-12", 2], "it"), [1e-12, 2.0])


def test_matrix(tmp_path):
    path = write_matrix(tmp_path / "c.dat", ["a.x", "b y.z"], np.array([[1.0, 1e-13], [1e-13, 3.0]]))
    names, matrix = read_matrix(path)
    assert names == ["a.x", "b y.z"]
    np.testing.assert_array_equal(matrix, [[1.0, 1e-13], [1e-13, 3.0]])


@pytest.mark.parametrize(
    "content",
    ["", "\n\n", "garbage", "| Parameters | 0 |\n| a | x |\n", "| Other | 0 |\n| a | 1 |\n", "|a|\n|b|c|", "\0\1"],
)
def test_broken_matrix(tmp_path, content):
    path = tmp_path / "c.dat"
    path.write_text(content)
    with pytest.raises(FileFormatError, match=r"c\.dat"):
        read_matrix(path)


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
    path = write_tree(tmp_path / "x.h5", "thing", {"a": {"b": np.arange(3.0)}, "names": ["x", "y"]})
    node = read_tree(path, "thing")
    np.testing.assert_array_equal(node.group("a").array("b", 1), [0, 1, 2])
    assert node.texts("names") == ("x", "y")
    with pytest.raises(
        FileFormatError, match="expected a gammajax file of kind 'posterior', schema 3; it has kind 'thing'"
    ):
        read_tree(path, "posterior")
    with h5py.File(path, "a") as file:
        file.attrs["schema"] = 99
    with pytest.raises(FileFormatError, match="schema 99"):
        read_tree(path, "thing")
    path.write_text("text")
    with pytest.raises(FileFormatError, match=r"x\.h5 cannot be read as HDF5"):
        read_tree(path, "thing")


READERS = [read_yaml, read_json, read_matrix, lambda p: read_tree(p, "x")]


@pytest.mark.parametrize("read", READERS)
def test_missing_files(tmp_path, read):
    with pytest.raises(MissingFile, match="nowhere does not exist"):
        read(tmp_path / "nowhere")


@pytest.mark.parametrize("read", READERS)
def test_folders_are_no_files(tmp_path, read):
    with pytest.raises(MissingFile, match="is a folder, not a file"):
        read(tmp_path)
