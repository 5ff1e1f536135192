"""Cubes against a model: counts, model and residual significance on the sky, and how the residuals scatter."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gammajax.datasets.cube import Cube, MapDatasetOnOff
from gammajax.errors import DatasetError
from gammajax.infer.fit import Fit
from gammajax.likelihood.expected import predict_all, predict_counts
from gammajax.likelihood.problem import as_models
from gammajax.models.collection import Models
from gammajax.models.sky import SkyModel
from gammajax.plot.cube import Seen, seen, smoothing, smoothing_text
from gammajax.plot.panels import Many
from gammajax.plot.pulls import draw_pulls
from gammajax.plot.style import figure_of, new_figure, style
from gammajax.plot.wcs import Stretch, mark, sky_image, sky_panels, smoothed, whole

_REACH = 5.0
"""Residuals [sigma] at the ends of the colours."""


@dataclass(frozen=True)
class Residuals:
    """Images (lat, lon) of a cube and its model, summed over energy and smoothed; NaN where no bin is in use."""

    counts: np.ndarray
    model: np.ndarray
    significance: np.ndarray
    seen: Seen
    width: float
    independent: float
    """Share of the pixels that are independent: one over the pixels of a smoothing kernel."""


def residuals(dataset: Cube, models: Models | Fit, energy: Any = None, smooth: Any = "0.1 deg") -> Residuals:
    """Counts n and model m of a cube smoothed with weights w, and `sum w (n - m) / sqrt(sum w^2 m)`.

    Without smoothing that is `(n - m) / sqrt(m)`. With any width it has unit variance if the model is right; it is
    normal where the kernel holds many expected counts. Of an on-off cube the background in m is `alpha n_off`, and
    its variance `alpha^2 n_off` is added to m in the root, as if the off counts of pixels were independent.
    """
    part, width, grid = seen(dataset, energy), smoothing(smooth), dataset.grid
    signal, background, more = expected_in(dataset, models)
    counts, model = part.image(dataset.counts), part.image(signal + background)
    n, m = (smoothed(x, grid, width) for x in (counts, model))
    # transforms in the prediction leave roundings below zero
    variance = np.maximum(smoothed(model + part.image(more), grid, width, power=2), 0.0)
    known = part.pixels & (variance > 0)
    significance = np.divide(n - m, np.sqrt(variance), out=np.full(n.shape, np.nan), where=known)
    kernel = 4.0 * np.pi * width**2 / float(np.prod(grid.pixel_scales))
    return Residuals(part.hidden(n), part.hidden(m), significance, part, width, 1.0 / max(kernel, 1.0))


def expected_in(dataset: Cube, models: Models | Fit) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signal, background, and the variance of the background, in every bin of a cube.

    The background of an on-off cube is `alpha n_off`: the most likely one of each bin would follow its on counts.
    """
    if not isinstance(dataset, MapDatasetOnOff):
        signal, background = predict_counts(dataset, models)
        return signal, background, np.zeros_like(background)
    (found,) = predict_all([dataset], as_models(models))
    alpha = found.scale * np.asarray(dataset.alpha)
    background = alpha * np.asarray(dataset.counts_off)
    return found.signal, background, alpha * background


def plot_residual_map(
    dataset: Cube,
    models: Models | Fit,
    *,
    energy: Any = None,
    smooth: Any = "0.1 deg",
    stretch: Stretch = "linear",
    axes: Many | None = None,
) -> Figure:
    """Counts, predicted counts and residual significance per pixel of a cube, sources as crosses.

    All are summed over the energies in the mask, or over the whole bins in `energy` (low, high) [TeV], and smoothed by
    a Gaussian of the standard deviation `smooth` [deg] (0: as they are). The residual of n counts and m expected ones
    is `(n - m) / sqrt(m)`, with smoothing `sum w (n - m) / sqrt(sum w^2 m)`, so that it scatters by one if the model is
    right; of on-off cubes the background is `alpha n_off`, whose own variance is added to m in the root. `stretch` is
    that of counts and model; `axes`: where to draw, (counts, model, residual), with the projection
    `dataset.grid.wcs`. Raises `DatasetError` for an empty mask, `ConfigError` for energies without a bin.

    >>> plot_residual_map(dataset, fit, energy=("1 TeV", "10 TeV"), smooth="0.06 deg")  # doctest: +SKIP
    """
    found = residuals(dataset, models, energy, smooth)
    both = np.stack([found.counts, found.model])
    limits = 0.0, float(np.nanmax(both)) or 1.0
    with style():
        counts, model, last = sky_panels(axes, dataset.grid, 1, 3)
        sky_image(counts, found.counts, "Counts per pixel", stretch=stretch, limits=limits)
        sky_image(model, found.model, "Counts per pixel", stretch=stretch, limits=limits)
        reach = (-_REACH, _REACH)
        sky_image(last, found.significance, r"Residual [$\sigma$]", limits=reach, signed=True)
        for ax, text in ((counts, "Counts"), (model, "Model"), (last, "(counts - model) / error")):
            ax.set_title(text)
            mark(ax, _places(dataset, as_models(models)), dataset.grid)
        if axes is None:
            whole(figure_of(counts), f"{dataset.name}, {found.seen.text}{smoothing_text(found.width)}")
    return figure_of(counts)


def _places(dataset: Cube, models: Models) -> list[tuple[str, float, float]]:
    """Names and positions (ra, dec) of the sources of a dataset that have one."""
    found = []
    for name, model in models.filled.items():
        at = model.spatial.position if isinstance(model, SkyModel) and model.spatial is not None else None
        mine = model.datasets_names is None or dataset.name in model.datasets_names
        if at is not None and mine:
            icrs: Any = at.icrs
            found.append((name, float(icrs.ra.deg), float(icrs.dec.deg)))
    return found


def plot_residuals(
    dataset: Cube,
    models: Models | Fit,
    ax: Axes | None = None,
    *,
    energy: Any = None,
    smooth: Any = "0.1 deg",
) -> Figure:
    """Residual significances of the pixels of a cube as a histogram, with a unit Gaussian.

    Residuals are those of `plot_residual_map`. Neighbouring pixels share what is smoothed: the errors of mean and width
    count independent kernels. With few expected counts in a kernel the residuals are not normal, even for the right
    model. Raises `DatasetError` if nothing is expected in the mask.

    >>> plot_residuals(dataset, fit)                                                    # doctest: +SKIP
    """
    found = residuals(dataset, models, energy, smooth)
    values = found.significance[np.isfinite(found.significance)]
    if not values.size:
        raise DatasetError(f"{dataset.name}: no counts are expected in its mask, so that there are no residuals")
    with style():
        ax = new_figure().subplots() if ax is None else ax
        draw_pulls(ax, values, found.independent)
        ax.set_xlabel(r"(counts - model) / error [$\sigma$]")
        ax.set_ylabel("Pixels per bin")
        ax.set_title(f"{dataset.name}, {found.seen.text}{smoothing_text(found.width)}")
    return figure_of(ax)
