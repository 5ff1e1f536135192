"""Counts of a point source the slow way: its PSF at many points of every pixel, at the separation on the sky."""

import numpy as np

from gammajax.numeric.sphere import separation


def at_direction(values, grid, lon, lat):
    """Maps (the last two axes) between four pixels at a direction in the frame of their grid."""
    ny, nx = values.shape[-2:]
    if (ny, nx) == (1, 1):
        return values[..., 0, 0]
    for place, n, axis in zip(grid.pixel(lon, lat), (nx, ny), (-1, -1), strict=True):
        place = np.clip(float(place), 0, n - 1)
        i = min(int(place), max(n - 2, 0))
        first, second = (np.take(values, min(i + k, n - 1), axis=axis) for k in (0, 1))
        values = first + (place - i) * (second - first)
    return values


def brute_force(dataset, spectral, lon, lat, samples=25):
    """Counts (energy, lat, lon) of a point at a direction in the frame of the map."""
    grid, psf, edisp = dataset.grid, dataset.psf, dataset.edisp
    ny, nx = grid.shape
    x, y = (round(float(v)) for v in grid.pixel(lon, lat))
    half = int(np.ceil(psf.rad[-1] / min(grid.pixel_scales))) + 2
    rows, columns = (slice(max(c - half, 0), min(c + half + 1, n)) for c, n in ((y, ny), (x, nx)))
    shift = (np.arange(samples) + 0.5) / samples - 0.5
    down, right = ((np.arange(s.start, s.stop)[:, None] + shift).ravel() for s in (rows, columns))
    down, right = np.meshgrid(down, right, indexing="ij")
    shape = (rows.stop - rows.start, samples, columns.stop - columns.start, samples)
    away = separation(lon, lat, *grid.wcs.wcs_pix2world(right.ravel(), down.ravel(), 0))
    edges = np.asarray(dataset.energy_true)
    exposure = at_direction(np.asarray(dataset.exposure), grid, lon, lat)
    profiles = at_direction(psf.values, psf.grid, lon, lat)
    kernel = at_direction(np.asarray(edisp.values), edisp.grid, lon, lat)
    counts = np.zeros(dataset.counts.shape)
    for low, high, area, share in zip(edges[:-1], edges[1:], exposure, kernel, strict=True):
        middle = 0.5 * np.log(low * high)
        profile = np.array([np.interp(middle, np.log(psf.energy), column) for column in profiles.T])
        r = np.radians(np.append(0.0, psf.rad))
        density = np.append(profile[0], profile)
        whole = np.trapezoid(2 * np.pi * np.sin(r) * density, r)
        image = np.interp(away, psf.rad, profile, right=0.0).reshape(shape).mean(axis=(1, 3)) / whole
        image *= np.asarray(grid.solid_angle)[rows, columns]
        flux = spectral.integral(low, high).value * area
        counts[:, rows, columns] += share[:, None, None] * flux * image
    return counts
