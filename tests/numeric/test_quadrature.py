import numpy as np
import pytest

from gammajax.numeric.quadrature import log_nodes


def power_law(lower, upper, index):
    return (upper ** (1 - index) - lower ** (1 - index)) / (1 - index)


@pytest.mark.parametrize("index", [0.5, 2.0, 3.7])
def test_power_law_to_1e_10_at_ten_bins_a_decade(index):
    edges = np.geomspace(0.01, 100, 41)
    energy, weight = log_nodes(edges, 4)
    np.testing.assert_allclose(
        (weight * energy**-index).sum(axis=1), power_law(edges[:-1], edges[1:], index), rtol=1e-10
    )


@pytest.mark.parametrize("nodes", [1, 2, 3, 4])
def test_order_of_convergence(nodes):
    """The error over a fixed range falls with the bin width to the power 2 n."""
    width = np.array([4, 8])
    error = []
    for bins in width:
        energy, weight = log_nodes(np.geomspace(1, 100, bins + 1), nodes)
        error.append(abs((weight * energy**-3.0).sum() - power_law(1.0, 100.0, 3.0)))
    assert np.log2(error[0] / error[1]) == pytest.approx(2 * nodes, abs=0.35)


def test_exact_for_polynomials_in_log_energy():
    energy, weight = log_nodes(np.array([1.0, np.e**2]), 3)
    x = np.log(energy)
    assert (weight / energy * x**5).sum() == pytest.approx(2**6 / 6, rel=1e-13)
    assert (weight / energy * x**6).sum() != pytest.approx(2**7 / 7, rel=1e-6)


def test_nodes_lie_inside_their_bins():
    edges = np.geomspace(0.1, 10, 5)
    energy, weight = log_nodes(edges, 5)
    assert np.all(energy > edges[:-1, None])
    assert np.all(energy < edges[1:, None])
    assert np.all(weight > 0)
