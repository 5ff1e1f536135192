import numpy as np
import pytest

from gammajax.errors import ConfigError, UnitMismatch
from gammajax.geom.map_axis import MapAxis, interp_of


@pytest.mark.parametrize(
    ("interp", "nodes", "edges"),
    [
        ("lin", [1.0, 2.0, 4.0], [0.5, 1.5, 3.0, 5.0]),
        ("log", [1.0, 4.0, 64.0], [0.5, 2.0, 16.0, 256.0]),
        ("sqrt", [1.0, 9.0, 25.0], [0.0, 4.0, 16.0, 36.0]),
    ],
)
def test_edges_lie_half_way_between_nodes(interp, nodes, edges):
    axis = MapAxis.from_nodes("x", nodes, "", interp)
    np.testing.assert_allclose(axis.edges, edges, atol=1e-12)
    np.testing.assert_array_equal(axis.centers, nodes)
    assert axis.size == 3


@pytest.mark.parametrize(("interp", "center"), [("lin", 2.5), ("log", 2.0), ("sqrt", 2.25)])
def test_centers_of_bins(interp, center):
    assert MapAxis.from_edges("x", [1.0, 4.0], interp=interp).centers == pytest.approx([center])


def test_units_are_canonical():
    assert MapAxis.from_edges("energy", [1.0, 10.0], "GeV").points == pytest.approx([0.001, 0.01])
    assert MapAxis.from_nodes("rad", [0.0, np.pi / 180], "rad").points == pytest.approx([0.0, 1.0])
    assert MapAxis.from_nodes("phase", [0.0, 1.0], "h").unit == "h"
    with pytest.raises(UnitMismatch, match="the axis 'energy' is of kind energy"):
        MapAxis.from_edges("energy", [1.0, 10.0], "deg")


def test_intervals_and_labels():
    time = MapAxis.from_intervals("time", [[0.0, 1.0], [2.0, 4.0]], "h", (51544, 0.5, "tt"))
    assert time.size == 2
    np.testing.assert_allclose(time.centers, [1800.0, 10800.0])
    with pytest.raises(ConfigError, match="has no edges"):
        _ = time.edges
    labels = MapAxis.from_labels("dataset", ["a", "b"])
    with pytest.raises(ConfigError, match="labels, not numbers"):
        _ = labels.centers
    assert labels == MapAxis.from_labels("dataset", ["a", "b"])
    assert labels != MapAxis.from_labels("dataset", ["a", "c"])
    assert labels != time
    assert time == MapAxis.from_intervals("time", [[0.0, 3600.0], [7200.0, 14400.0]], "s", (51544, 0.5, "tt"))
    assert len({labels, time, MapAxis.from_labels("dataset", ["a", "b"])}) == 2
    assert labels != "labels"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MapAxis.from_edges("energy", [1.0, 3.0, 2.0], "TeV"), "'energy' must increase, but 2 follows 3"),
        (lambda: MapAxis.from_edges("energy", [1.0], "TeV"), "needs at least 2 edges"),
        (lambda: MapAxis.from_nodes("rad", [], "deg"), "needs at least 1 nodes"),
        (lambda: MapAxis.from_nodes("rad", [0.0, np.nan], "deg"), "not finite"),
        (lambda: MapAxis.from_edges("energy", [0.0, 1.0], "TeV", "log"), "interpolated in log, but begins at 0"),
        (lambda: MapAxis.from_edges("rad", [-1.0, 1.0], "deg", "sqrt"), "interpolated in sqrt, but begins at -1"),
        (lambda: MapAxis.from_edges("x", [0.0, 1.0], interp="cubic"), "'lin', 'log', 'sqrt', got 'cubic'"),
        (lambda: interp_of("cubic", "axis 1"), "axis 1 is interpolated"),
        (lambda: MapAxis.from_labels("dataset", ["a", "a"]), "label twice"),
        (lambda: MapAxis.from_labels("dataset", [1, 2]), "texts as labels"),
        (lambda: MapAxis.from_intervals("time", [1.0, 2.0], "s", (0, 0.0, "tt")), "rows of \\(start, stop\\)"),
        (lambda: MapAxis.from_intervals("time", [[0, 2], [1, 3]], "s", (0, 0.0, "tt")), "do not overlap"),
        (lambda: MapAxis.from_nodes("x", [1.0]).edges, "of 1 nodes has no edges"),
    ],
)
def test_messages(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_interp_names():
    assert [interp_of(name, "x") for name in ("LOG", "linear", "sqrt")] == ["log", "lin", "sqrt"]
