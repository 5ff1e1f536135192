"""Rows on reductions to cubes: grids, axes and arguments that make no sense, and runs that lack what a cube needs."""

from typing import Any

import numpy as np
from call_cases import row
from good_inputs import EDGES, POINTING, Case, observation
from spoilers import unit

import gammajax as gj
from gammajax.datasets.cube import MapDataset
from gammajax.errors import ConfigError, DatasetError, EmptyRun, UnitMismatch

GRID = gj.SkyGrid.create(POINTING, 3.0, 0.25)


def reduction(runs: Any = (), grid: Any = GRID, **options: Any) -> Any:
    """Cubes of runs."""
    options = {"energy": EDGES, "energy_true": EDGES, "offset_max": 1.5} | options
    return gj.reduce_maps(runs, grid, progress=False, **options)


def stacked(path: Any, **options: Any) -> Any:
    """The stack of the run of a file: what went wrong with the run is in the message."""
    return reduction([observation(path)], stack=True, **options)


def lost(name: str) -> Any:
    """A spoiler of a whole file: it has no such HDU."""

    def change(hdus: Any) -> Any:
        del hdus[name]
        return hdus

    return change


def kept(good: Any) -> Any:
    """A folder with the cube of a run."""
    folder = good.folder / "kept"
    reduction([observation(good.run())], folder=folder, background=None)
    return folder


def scaled(path: Any, **options: Any) -> Any:
    """The stack against a scaled background."""
    return stacked(path, background=gj.FoVBackgroundScale(**options))


def added(**changes: Any) -> Any:
    """Two cubes added up of which the second differs."""

    def cube(name: str, grid: Any = GRID, energy: Any = EDGES) -> Any:
        exposure = np.ones((len(energy) - 1, *grid.shape))
        return MapDataset(name=name, grid=grid, energy=energy, energy_true=energy, exposure=exposure)

    return gj.stack_maps([cube("one"), cube("two", **changes)])


# fmt: off
CASES = [
    row("a grid that is none", lambda: reduction(grid="6 deg"), ConfigError, "grid must be a SkyGrid", "got str"),
    row("energies that decrease", lambda: reduction(energy=EDGES[::-1]), ConfigError, "energy needs at least two increasing"),
    row("true energies that do not enclose", lambda: reduction(energy_true=2.0 * EDGES), ConfigError, "energy_true (", "must enclose energy"),
    row("true energies in seconds", lambda: reduction(energy_true="3 s"), UnitMismatch, "energy_true"),
    row("a PSF axis that begins below zero", lambda: reduction(rad=[-0.1, 0.1]), ConfigError, "rad needs at least two increasing"),
    row("coarse pixels of no size", lambda: reduction(binsz_irf="0 deg"), ConfigError, "binsz_irf must be above 0 deg"),
    row("offset_max in TeV", lambda: reduction(offset_max="2 TeV"), UnitMismatch, "offset_max"),
    row("a negative offset_max", lambda: reduction(offset_max=-1.0), ConfigError, "offset_max must be above 0 deg"),
    row("off regions for a cube", lambda: reduction(background=gj.ReflectedRegions()), ConfigError, "the background of a cube is", "ReflectedRegions"),
    row("an unknown background of a cube", lambda: reduction(background="ring"), ConfigError, "the background of a cube is", "'ring'"),
    row("an unknown method of scaling", lambda: gj.FoVBackgroundScale(method="fitt"), ConfigError, "is 'scale' or 'fit', got 'fitt'"),
    row("a reference energy of zero", lambda: gj.FoVBackgroundScale(reference=0.0), ConfigError, "reference must be above 0 TeV"),
    row("a ring without width", lambda: gj.RingBackground("0.5 deg", 0.0), ConfigError, "width lies between 0 and 90 deg, got 0 deg"),
    row("a ring in TeV", lambda: gj.RingBackground("0.5 TeV", 0.3), UnitMismatch, "r_in"),
    row("a ring with a bare array as mask", lambda: gj.RingBackground(0.5, 0.3, np.ones(GRID.shape)), ConfigError, "bare array", "read_exclusion_mask"),
    row("no ring between two radii", lambda: gj.AdaptiveRingBackground(0.5, 0.6, 0.2), ConfigError, "no ring fits", "below r_out_max 0.6 deg"),
    row("an unknown way of growing rings", lambda: gj.AdaptiveRingBackground(0.5, 1, 0.2, method="wide"), ConfigError, "'fixed_width' or 'fixed_r_in', got 'wide'"),
    row("a ring of a cube without background", lambda: gj.RingBackground(0.5, 0.3).on_off(added()), DatasetError, "stacked has no background"),
    row("the spectrum of a place outside of a cube", lambda: added().to_spectrum_dataset("icrs;circle(0, 0, 1)"), DatasetError, "lies outside of SkyGrid"),
    row("the spectrum of a position", lambda: added().to_spectrum_dataset("83.63 22.51"), DatasetError, "needs a region with a radius"),
    Case("a ring smaller than a pixel", lambda g: g.run(), lambda p: stacked(p, background=gj.RingBackground(0.01, 0.1)), EmptyRun,
         "run 1: ", "a ring from 0.01 to 0.11 deg holds no centre of a pixel", "choose a wider ring"),
    row("no runs to stack to a cube", lambda: reduction(stack=True), EmptyRun, "no run is left to stack", "no runs"),
    row("an unknown mask of a cube", lambda: reduction(safe_mask="offset"), ConfigError, "no safe mask 'offset'", "'offset-max'"),
    row("cubes on other pixels", lambda: added(grid=gj.SkyGrid.create(POINTING, 3.0, 0.2)), DatasetError, "two: its pixels", "no part of the pixels of the stack"),
    row("cubes of other energies", lambda: added(energy=EDGES[1:]), DatasetError, "two: energy has 5 bins", "the stack has 6"),
    Case("a grid outside of the field of view", lambda g: g.run(), lambda p: stacked(p, grid=gj.SkyGrid.create((200.0, 0.0), 2.0, 0.5)),
         EmptyRun, "run 1: the field of view, 3 deg wide", "has no pixel of"),
    Case("a cube beyond the response in energy", lambda g: g.run(), lambda p: stacked(p, energy=5000.0 * EDGES, energy_true=5000.0 * EDGES), EmptyRun,
         "run 1: the response sees none of the pixels", "energy_true goes from 1000 to 250000 TeV", "from 0.1 to 100 TeV"),
    Case("a cube without PSF", lambda g: g.run(None, lost("PSF")), stacked, EmptyRun, "run 1: it has no PSF", "reduce_spectra"),
    Case("a cube without background response", lambda g: g.run(None, lost("BKG")), stacked, EmptyRun, "run 1: it has no background response", "background=None"),
    Case("a cube of a point-like response", lambda g: g.run(source="pointlike.fits"), lambda p: stacked(p, background=None), EmptyRun,
         "run 1: its response is point-like"),
    Case("a PSF per second", lambda g: g.run("PSF", unit("RPSF", "s-1")), stacked, EmptyRun, "run 1", "[PSF] column RPSF", "'1 / s'"),
    Case("a background of a cube in metres", lambda g: g.run("BKG", unit("BKG", "m")), stacked, EmptyRun, "run 1", "[BKG] column BKG", "'m'"),
    Case("everything excluded", lambda g: g.run(), lambda p: scaled(p, exclusion="icrs;circle(83.63, 22.51, 20)"), EmptyRun,
         "run 1: the background cannot be scaled: 0 counts", "exclude less"),
    Case("a folder of other arguments", lambda g: kept(g),
         lambda folder: reduction(folder=folder, binsz_irf=0.5, background=None), ConfigError, "reduction.json was made with other arguments"),
]
