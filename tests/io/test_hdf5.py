"""HDF5 files: trees that come back, and files that lack what their reader needs."""

from importlib.metadata import version

import h5py
import numpy as np
import pytest

from gammajax.errors import FileFormatError
from gammajax.io.hdf5 import SCHEMA, read_tree, write_tree

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


def test_the_header(tree):
    with h5py.File(tree) as file:
        assert {k: file.attrs[k] for k in ("creator", "schema", "kind")} == {
            "creator": f"gammajax {version('gammajax')}",
            "schema": SCHEMA,
            "kind": "thing",
        }
    assert set(read_tree(tree, "thing")) == {name for name, x in TREE.items() if x is not None}


def test_a_foreign_file(tree):
    with h5py.File(tree, "a") as file:
        file.attrs["kind"] = np.array(["a", "b"], dtype=object)
    with pytest.raises(FileFormatError, match="expected a gammajax file of kind 'thing'"):
        read_tree(tree, "thing")


@pytest.mark.parametrize(
    ("take", "message"),
    [
        (lambda n: n.array("draws", 3), r"tree\.h5 has no 'draws'"),
        (lambda n: n.array("long"), "'long' must be an array of numbers, it is the str"),
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


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (SCHEMA + 1, f"has the schema {SCHEMA + 1}, written by gammajax .*; this version reads up to {SCHEMA}: update"),
        (0, "expected a gammajax file of kind 'thing'"),
        ("two", "expected a gammajax file of kind 'thing'"),
    ],
)
def test_versions(tree, schema, message):
    with h5py.File(tree, "a") as file:
        file.attrs["schema"] = schema
    with pytest.raises(FileFormatError, match=message):
        read_tree(tree, "thing")


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
