"""Convolution of images against sums written out, and rings of pixels."""

import numpy as np
import pytest
from scipy.signal import convolve2d

from gammajax.numeric.convolve import Images, ring


@pytest.mark.parametrize("kernel_shape", [(1, 1), (3, 5), (9, 13), (5, 1)])
def test_convolution_is_the_sum(kernel_shape):
    """Also where the kernel is as large as two of the images; nothing comes round the edges."""
    rng = np.random.default_rng(1)
    images, kernel = rng.normal(size=(2, 5, 7)), rng.normal(size=kernel_shape)
    expected = np.stack([convolve2d(image, kernel)[_middle(image, kernel)] for image in images])
    np.testing.assert_allclose(Images(images, kernel_shape).convolved(kernel), expected, atol=1e-13)
    np.testing.assert_allclose(Images(images, (9, 13)).convolved(kernel), expected, atol=1e-13)


def _middle(image, kernel):
    return tuple(slice(k // 2, k // 2 + n) for n, k in zip(image.shape, kernel.shape, strict=True))


def test_rings():
    found = ring((0.02, 0.02), 0.1, 0.3, (100, 100))
    assert found.shape == (31, 31)
    y, x = np.indices(found.shape) - 15
    np.testing.assert_array_equal(found, (x**2 + y**2 >= 25) & (x**2 + y**2 <= 225))


def test_pixels_on_the_edge_are_in():
    """0.3 / 0.1 is less than 3 in floating point."""
    found = ring((0.1, 0.1), 0.3, 0.3, (9, 9))
    assert found.sum() == 4
    assert found[3, 0]


def test_a_ring_of_pixels_that_are_no_squares():
    found = ring((0.1, 0.2), 0.0, 0.4, (50, 50))
    assert found.shape == (5, 9)
    assert found[:, 4].all()
    assert found[2].all()


def test_a_ring_is_cut_to_the_image():
    assert ring((1.0, 1.0), 1.0, 50.0, (3, 4)).shape == (5, 7)
