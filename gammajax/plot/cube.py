"""Cubes as they are, without a model: counts, background, excess, exposure on the sky."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from gammajax.datasets.cube import Cube
from gammajax.errors import ConfigError, DatasetError
from gammajax.plot.panels import Many
from gammajax.plot.style import figure_of, style
from gammajax.plot.wcs import Stretch, sky_image, sky_panels, smoothed, whole
from gammajax.units import to_number, to_pair


@dataclass(frozen=True)
class Seen:
    """The bins of a cube that are looked at: `take` (energy, lat, lon), from `low` to `high` [TeV]."""

    take: np.ndarray
    low: float
    high: float

    @property
    def pixels(self) -> np.ndarray:
        """Pixels with a bin in use, (lat, lon)."""
        return np.any(self.take, axis=0)

    @property
    def text(self) -> str:
        """The energies."""
        return f"{self.low:.3g} .. {self.high:.3g} TeV"

    def image(self, cube: Any) -> np.ndarray:
        """The sum over energy of the bins in use."""
        return np.where(self.take, np.asarray(cube), 0.0).sum(axis=0)

    def hidden(self, image: np.ndarray) -> np.ndarray:
        """An image with NaN where no bin is in use."""
        return np.where(self.pixels, image, np.nan)


def seen(dataset: Cube, energy: Any = None) -> Seen:
    """Bins in the mask of a cube, of those energies that lie whole in a range (low, high) [TeV].

    Raises `DatasetError` for what is no cube and for an empty mask, `ConfigError` for a range without bins.
    """
    if not isinstance(dataset, Cube):
        raise DatasetError(
            f"this figure takes one MapDataset or MapDatasetOnOff, got {type(dataset).__name__}: peek() takes all kinds"
        )
    edges, take = np.asarray(dataset.energy), np.array(dataset.mask)
    if energy is not None:
        low, high = to_pair(energy, "TeV", "energy")
        inside = (edges[:-1] >= low * (1 - 1e-6)) & (edges[1:] <= high * (1 + 1e-6))
        if not inside.any():
            at = ", ".join(f"{edge:.4g}" for edge in edges)
            raise ConfigError(f"{dataset.name}: no energy bin lies in {low:g} .. {high:g} TeV; its edges are {at} TeV")
        take &= inside[:, None, None]
    used = np.flatnonzero(take.any(axis=(1, 2)))
    if not used.size:
        raise DatasetError(f"{dataset.name}: its mask is empty{'' if energy is None else ' at these energies'}")
    return Seen(take, float(edges[used[0]]), float(edges[used[-1] + 1]))


def smoothing(width: Any) -> float:
    """The standard deviation [deg] that images are smoothed with. Raises `ConfigError` for a negative one."""
    found = to_number(width, "deg", "smooth")
    if not 0 <= found < 180:
        raise ConfigError(f"smooth is a width from 0 deg on, got {found:g} deg")
    return found


def smoothing_text(width: float) -> str:
    """What a title says of it."""
    return rf", $\sigma$ = {width:g} deg" if width > 0 else ""


def plot_cube(
    dataset: Cube,
    *,
    energy: Any = None,
    smooth: Any = "0.1 deg",
    stretch: Stretch = "linear",
    axes: Many | None = None,
) -> Figure:
    """A cube without a model: counts, background and excess per pixel in its mask, and the exposure.

    Counts and backgrounds are summed over the energies in the mask, or over the whole bins in `energy` (low, high)
    [TeV]; the exposure [m2 s] is that at the middle of these energies. The excess is smoothed by a Gaussian of the
    width `smooth` [deg]. Pixels outside the mask are grey. `stretch` is that of the counts; `axes`: where to draw,
    (counts, background, excess, exposure), with the projection `dataset.grid.wcs`.
    Raises `DatasetError` for an empty mask, `ConfigError` for energies without a bin.

    >>> plot_cube(gj.Datasets.read("fermi/datasets.yaml")[0], energy=("10 GeV", "2 TeV"))  # doctest: +SKIP
    """
    part, width, grid = seen(dataset, energy), smoothing(smooth), dataset.grid
    counts, background = part.image(dataset.counts), part.image(dataset.background)
    excess = part.hidden(smoothed(counts - background, grid, width))
    true = np.asarray(dataset.energy_true)
    i = int(np.clip(np.searchsorted(true, np.sqrt(part.low * part.high), side="right") - 1, 0, len(true) - 2))
    with style():
        upper, right, lower, last = drawn = sky_panels(axes, grid, 2, 2)
        sky_image(upper, part.hidden(counts), "Counts per pixel", stretch=stretch)
        sky_image(right, part.hidden(background), "Background per pixel", stretch=stretch)
        sky_image(lower, excess, "Excess per pixel", signed=bool(np.nanmin(excess) < 0))
        sky_image(last, np.asarray(dataset.exposure)[i] * 1e-4, "Exposure", "m2 s")
        texts = (
            "Counts",
            "Background",
            f"Excess{smoothing_text(width)}",
            f"Exposure, {true[i]:.3g} .. {true[i + 1]:.3g} TeV",
        )
        _titles(drawn, texts)
        if axes is None:
            hours = float(dataset.livetime) / 3600
            when = f", livetime {hours:.3g} h" if np.isfinite(hours) else ""
            whole(figure_of(upper), f"{dataset.name}, {part.text}, {counts.sum():.0f} counts{when}")
    return figure_of(upper)


def _titles(axes: Sequence[Any], texts: Sequence[str]) -> None:
    for ax, text in zip(axes, texts, strict=True):
        ax.set_title(text)
