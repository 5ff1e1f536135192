"""HDF5 files that lack what their reader needs."""

import h5py
import numpy as np
import pytest

from gammajax.errors import FileFormatError
from gammajax.io.hdf5 import SCHEMA, read_hdf5, read_tree, write_hdf5, write_tree


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


# -- trees ---------------------------------------------------------------------------------------------------------

TREE = {
    "number": 1.5,
    "whole": 7,
    "flag": True,
    "short": "äö ü",
    "long": "x" * 70000,
    "texts": ["a/b", "c d", ""],
    "none": None,
    "empty": [],
    "part": {"array": np.arange(6.0).reshape(2, 3), "mask": np.array([True, False]), "deep": {"n": np.nan}},
}


@pytest.fixture
def tree(tmp_path):
    return write_tree(tmp_path / "sub" / "tree.h5", "thing", TREE)


def test_a_tree_comes_back(tree):
    node = read_tree(tree, "thing")
    assert (node.number("number"), node.integer("whole"), node.flag("flag")) == (1.5, 7, True)
    assert (node.text("short"), node.text("long")) == (TREE["short"], TREE["long"])
    assert node.texts("texts") == ("a/b", "c d", "")
    assert node.texts("empty") == ()
    assert "none" not in node
    part = node.group("part")
    np.testing.assert_array_equal(part.array("array", 2), TREE["part"]["array"])
    np.testing.assert_array_equal(part.array("mask", 1, "b"), [True, False])
    assert np.isnan(part.group("deep").number("n"))
    assert [p.name for p in tree.parent.iterdir()] == ["tree.h5"]


@pytest.mark.parametrize(
    ("take", "message"),
    [
        (lambda n: n.number("numbr"), r"tree\.h5 has no 'numbr'; nearest: 'number'"),
        (lambda n: n.number("short"), "'short' must be a number, it is the str 'äö ü'"),
        (lambda n: n.number("flag"), "'flag' must be a number"),
        (lambda n: n.integer("number"), "'number' must be a whole number"),
        (lambda n: n.flag("whole"), "'whole' must be true or false"),
        (lambda n: n.text("part"), "'part' must be a text, it is a group"),
        (lambda n: n.texts("short"), "'short' must be a list of texts"),
        (lambda n: n.group("whole"), "'whole' must be a group"),
        (lambda n: n.group("part").array("array", 1), r"tree\.h5\[/part\]: 'array' must be .* numbers along 1 axis"),
        (lambda n: n.group("part").array("mask"), r"'mask' must be an array of numbers, it is .* type bool"),
    ],
)  # fmt: skip
def test_entries_of_another_kind_are_named(tree, take, message):
    with pytest.raises(FileFormatError, match=message):
        take(read_tree(tree, "thing"))


def external(file):
    file["elsewhere"] = h5py.ExternalLink("/etc/hostname", "/")


def soft(file):
    file["elsewhere"] = h5py.SoftLink("/part")


def cycle(file):
    file["part/again"] = file["/part"]


def virtual(file):
    layout = h5py.VirtualLayout(shape=(2,), dtype="f8")
    layout[:] = h5py.VirtualSource("other.h5", "data", shape=(2,))
    file.create_virtual_dataset("elsewhere", layout)


def outside(file):
    file.create_dataset("elsewhere", (2,), "f8", external=[("/etc/hostname", 0, 16)])


def compound(file):
    file["elsewhere"] = np.zeros(2, dtype=[("a", "f8"), ("b", "i4")])


def reference(file):
    file.attrs["elsewhere"] = file["part"].ref


def opaque(file):
    file["elsewhere"] = np.void(b"\x80\x04pickle")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (external, "'elsewhere' is a link to elsewhere, which is not followed"),
        (soft, "'elsewhere' is a link to elsewhere, which is not followed"),
        (cycle, "is nested more than 20 groups deep"),
        (virtual, "'elsewhere' keeps its numbers in another file"),
        (outside, "'elsewhere' keeps its numbers in another file"),
        (compound, "'elsewhere' holds .*; numbers, flags and texts are what is read"),
        (reference, "elsewhere holds Reference; numbers, flags and texts"),
        (opaque, "'elsewhere' holds .*; numbers, flags and texts"),
    ],
)
def test_hostile_files(tree, change, message):
    with h5py.File(tree, "a") as file:
        change(file)
    with pytest.raises(FileFormatError, match=message):
        read_tree(tree, "thing")


@pytest.mark.parametrize("reader", [lambda p: read_tree(p, "thing"), lambda p: read_hdf5(p, kind="thing")])
@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (SCHEMA + 1, f"has the schema {SCHEMA + 1}, written by gammajax .*; this version reads up to {SCHEMA}: update"),
        (0, "expected a gammajax file of kind 'thing'"),
        ("two", "expected a gammajax file of kind 'thing'"),
    ],
)
def test_versions(tree, reader, schema, message):
    with h5py.File(tree, "a") as file:
        file.attrs["schema"] = schema
    with pytest.raises(FileFormatError, match=message):
        reader(tree)


def test_compressed_arrays_and_entries_that_nobody_knows(tree):
    with h5py.File(tree, "a") as file:
        file.create_dataset("packed", data=np.arange(1000), compression="gzip")
        file.attrs["news"] = np.float32(3.0)
    node = read_tree(tree, "thing")
    assert node.array("packed", 1).sum() == 499500
    assert node.number("news") == 3.0


def test_what_is_no_entry(tmp_path):
    with pytest.raises(TypeError):
        write_tree(tmp_path / "x.h5", "thing", {"a": object()})
    assert not (tmp_path / "x.h5").exists()
