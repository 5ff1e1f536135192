"""Convolution of images on the host: zero outside of the image, nothing wraps around."""

import numpy as np
import scipy.fft

from gammajax._typing import Bool, Float


class Images:
    """Images that are convolved with several kernels; their transforms are kept.

    `images` (..., lat, lon); kernels have an odd number of rows and columns, with their origin in the middle, and are
    at most as large as `kernel_shape`.

    >>> spot = np.zeros((3, 4))
    >>> spot[1, 0] = 1.0
    >>> Images(spot, (1, 3)).convolved(np.array([[1.0, 2.0, 3.0]])).round(9)[1]
    array([2., 3., 0., 0.])
    """

    def __init__(self, images: Float[np.ndarray, "*axes lat lon"], kernel_shape: tuple[int, int]):
        self.shape = images.shape[-2:]
        # The full convolution is longer, but what wraps around falls on rows and columns that are cut off.
        self.size = [
            scipy.fft.next_fast_len(max(n + k // 2, k), real=True)
            for n, k in zip(self.shape, kernel_shape, strict=True)
        ]
        self.transformed: np.ndarray = np.asarray(scipy.fft.rfft2(images, self.size))

    def convolved(self, kernel: Float[np.ndarray, "lat lon"]) -> Float[np.ndarray, "*axes lat lon"]:
        """The images convolved with a kernel, of their own shape."""
        (ny, nx), (cut_y, cut_x) = self.shape, (n // 2 for n in kernel.shape)
        product = self.transformed * np.asarray(scipy.fft.rfft2(kernel, self.size))
        full = np.asarray(scipy.fft.irfft2(product, self.size))
        return full[..., cut_y : cut_y + ny, cut_x : cut_x + nx]


def ring(
    scales: tuple[float, float], r_in: float, r_out: float, image_shape: tuple[int, int]
) -> Bool[np.ndarray, "lat lon"]:
    """True where a pixel centre is from `r_in` to `r_out` away from the middle one, both ends included.

    `scales` is the size of a pixel along x and along y, in the unit of the radii. Rows and columns further away than
    two pixels of an image of `image_shape` (lat, lon) can be are left out.

    >>> ring((0.1, 0.1), 0.1, 0.1, (5, 5)).astype(int)
    array([[0, 1, 0],
           [1, 0, 1],
           [0, 1, 0]])
    """
    # Radii are often whole numbers of pixels: those pixels are in, however the quotient is rounded.
    slack = 1e-9 * r_out
    reach = [min(int((r_out + slack) / size), n - 1) for size, n in zip(scales, image_shape[::-1], strict=True)]
    y, x = np.ogrid[-reach[1] : reach[1] + 1, -reach[0] : reach[0] + 1]
    apart = np.hypot(x * scales[0], y * scales[1])
    return (apart >= r_in - slack) & (apart <= r_out + slack)
