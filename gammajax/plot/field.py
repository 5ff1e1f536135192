"""Responses in the field of view: point spread function and background."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gammajax.irf import Background2D, Background3D, PSF3Gauss, PSFKing, PSFTable
from gammajax.plot.panels import Many, deep_axis, edges_of, image, panels, positive, shades, some
from gammajax.plot.style import energy_axis, figure_of, label, style

PSF = PSFTable | PSF3Gauss | PSFKing
Background = Background2D | Background3D

_DEG2 = float(np.radians(1.0) ** 2)
"""sr per deg2."""

_DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.3)))
_POINTS, _SIDE = 200, 81


def plot_psf(
    psf: PSF, *, offset: Any = None, energy: Any = None, fractions: tuple[float, ...] = (0.68, 0.95), axes: Any = None
) -> Figure:
    """Radii [deg] that contain `fractions` of the photons against true energy, and the density at one offset.

    `offset` [deg]: up to five of the file, or those given; the density is that at the first of them, at the energies
    `energy` [TeV] (up to five of the file). `axes`: where to draw, (radii, density).

    >>> plot_psf(run.psf, energy=["300 GeV", "1 TeV", "10 TeV"])                        # doctest: +SKIP
    """
    with style():
        radii, density = panels(axes, 1, 2)
        draw_psf(radii, psf, offset, fractions)
        at = float(some(psf.offset.points, offset)[0])
        r68 = np.asarray(psf.containment_radius(0.68, psf.energy.points, at))
        there = np.asarray(psf.energy.points)[np.isfinite(r68)]
        # The first few are often made of single photons.
        there = there[there.size // 8 :]
        chosen = some(there, energy, "TeV", "energy") if there.size or energy is not None else there
        reach = 5.0 * float(np.median(r68[np.isfinite(r68)])) if there.size else 1.0
        rad = np.linspace(0.0, reach, _POINTS)
        found = np.asarray(psf.evaluate(rad[:, None], chosen, at)) * _DEG2
        for color, here, curve in zip(shades(len(chosen))[: len(chosen)], chosen, found.T, strict=True):
            density.plot(rad, positive(curve), color=color, label=f"{here:.3g} TeV")
        deep_axis(density, found)
        density.set_xlim(0.0, reach)
        density.set_xlabel(label("Distance from the true direction", "deg"))
        density.set_ylabel(label(r"$\mathrm{d}P/\mathrm{d}\Omega$", "deg-2"))
        if len(chosen):
            density.legend(loc="best", title=f"Offset {at:.3g} deg, energy")
    return figure_of(radii)


def draw_psf(ax: Axes, psf: PSF, offset: Any = None, fractions: tuple[float, ...] = (0.68, 0.95)) -> None:
    """The radii alone."""
    energy, offsets = np.asarray(psf.energy.points), some(psf.offset.points, offset)
    for dash, fraction in zip(_DASHES * len(fractions), fractions, strict=False):
        radius = np.asarray(psf.containment_radius(fraction, energy[:, None], offsets))
        for color, at, curve in zip(shades(len(offsets)), offsets, radius.T, strict=True):
            name = f"{at:.3g} deg" if dash == _DASHES[0] else "_"
            ax.plot(energy, curve, color=color, linestyle=dash, label=name)
    edges = edges_of(psf.energy, log=True)
    energy_axis(ax, edges[0], edges[-1])
    top = ax.dataLim.ymax
    ax.set_ylim(0.0, 1.6 * top if np.isfinite(top) and top > 0 else 1.0)
    ax.set_xlabel(label("True energy", "TeV"))
    ax.set_ylabel(label("Containment radius", "deg"))
    levels = ", ".join(f"{100 * f:g}" for f in fractions)
    ax.legend(loc="upper right", ncols=2, columnspacing=1.0, title=f"{levels} % at the offset")


def plot_background(
    background: Background, *, offset: Any = None, energy: tuple[Any, Any] | None = None, axes: Many | None = None
) -> Figure:
    """Background rate against reconstructed energy at several offsets, and its map over the field of view.

    Rates are per on-time and solid angle, [s-1 TeV-1 deg-2] and [s-1 deg-2]. `offset` [deg] along fov_lon; `energy`,
    the band of the map, is that of the file unless given [TeV]. The axes of the map are those of the response (see
    `Background3D`). `axes`: where to draw, (curves, map).

    >>> plot_background(run.bkg, energy=("1 TeV", "10 TeV"))                            # doctest: +SKIP
    """
    with style():
        curves, picture = panels(axes, 1, 2)
        draw_background(curves, background, offset)
        _map(picture, background, energy)
    return figure_of(curves)


def draw_background(ax: Axes, background: Background, offset: Any = None) -> None:
    """The curves alone."""
    energy = np.asarray(background.energy.points)
    if isinstance(background, Background2D):
        points = np.asarray(background.offset.points)
    else:
        points = np.asarray(background.fov_lon.points)
        points = points[points >= 0]
    offsets = some(points, offset)
    rate = np.asarray(background.evaluate(energy[:, None], offsets)) * _DEG2
    for color, at, curve in zip(shades(len(offsets)), offsets, rate.T, strict=True):
        ax.plot(energy, positive(curve), color=color, label=f"{at:.3g} deg")
    edges = edges_of(background.energy, log=True)
    deep_axis(ax, rate)
    energy_axis(ax, edges[0], edges[-1])
    ax.set_ylabel(label("Background", "s-1 TeV-1 deg-2"))
    ax.legend(loc="upper right", title="Offset" if isinstance(background, Background2D) else "fov_lon")


def _map(ax: Axes, background: Background, energy: tuple[Any, Any] | None) -> None:
    edges = edges_of(background.energy, log=True)
    low, high = (edges[0], edges[-1]) if energy is None else some(edges, energy, "TeV", "energy")
    if isinstance(background, Background2D):
        reach = float(edges_of(background.offset)[-1])
        x = y = np.linspace(-reach, reach, _SIDE + 1)
    else:
        x, y = edges_of(background.fov_lon), edges_of(background.fov_lat)
    middle = [0.5 * (edge[1:] + edge[:-1]) for edge in (x, y)]
    lon, lat = np.meshgrid(*middle, indexing="ij")
    rate = np.asarray(background.integrate(np.array([low, high]), lon, lat))[..., 0] * _DEG2
    image(ax, x, y, rate, "Background", "s-1 deg-2")
    ax.set_aspect("equal")
    ax.set_xlabel(label("fov_lon", "deg"))
    ax.set_ylabel(label("fov_lat", "deg"))
    ax.set_title(f"{low:.3g} .. {high:.3g} TeV, {background.alignment}")
