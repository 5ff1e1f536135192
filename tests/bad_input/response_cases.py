"""Rows on responses: what stands in their cells, their axes, units and shapes, and where they are asked."""

import numpy as np
from good_inputs import EDGES, ON, Case, Circle, observation, reduce_observation, reduced, reduced_pointlike
from spoilers import AREA, cell, header, lacking, negated, short, tail, two_rows, unit

from gammajax.errors import ConfigError, EmptyRun, FileFormatError, UnitMismatch
from gammajax.reduce.background import IRFBackground


def background(path):
    """The spectrum of a run against the background of its response."""
    return reduced(path, background=IRFBackground())


def contained(path):
    """The spectrum of a run with the containment of its PSF."""
    return reduced(path, containment_correction=True)


def outside(path):
    """The spectrum at energies that the response does not have."""
    return reduce_observation(observation(path), ON, energy=5000.0 * EDGES, energy_true=5000.0 * EDGES)


def contents(what, hdu, column, called, negative="nothing above zero", source="run.fits"):
    """Rows for tables that are NaN, zero, negative or infinite throughout."""
    kinds = ("of NaN", np.nan, "nothing above zero"), ("of zeros", 0.0, "nothing above zero")
    for name, x, said in (*kinds, ("negative", negated, negative), ("infinite", np.inf, "infinite cells")):
        where = f"run.fits[{hdu}] column {column}"
        yield Case(
            f"{what} {name}",
            lambda g, x=x: g.cells(hdu, column, x, source=source),
            called,
            FileFormatError,
            where,
            said,
        )


CASES = [
    *contents("effective area", AREA, "EFFAREA", reduced),
    *contents("dispersion", "ENERGY DISPERSION", "MATRIX", reduced),
    *contents("PSF", "PSF", "RPSF", contained),
    *contents("background", "BKG", "BKG", background),
    *contents("RAD_MAX", "RAD_MAX", "RAD_MAX", reduced_pointlike, "18 negative radii of 18", "pointlike.fits"),
    Case("one negative RAD_MAX",
         lambda g: g.cells("RAD_MAX", "RAD_MAX", cell(0, 0, 0, to=-0.1), source="pointlike.fits"), reduced_pointlike,
         FileFormatError, "run.fits[RAD_MAX] column RAD_MAX", "negative"),
    Case("no EFFAREA", lambda g: g.run(AREA, lacking("EFFAREA")), reduced, FileFormatError,
         "run.fits[EFFECTIVE AREA] has no column EFFAREA"),
    Case("no ENERG_LO", lambda g: g.run(AREA, lacking("ENERG_LO")), reduced, FileFormatError,
         "run.fits[EFFECTIVE AREA] has no column ENERG_LO", "nearest: 'ENERG_HI'"),
    Case("EFFAREA in seconds", lambda g: g.run(AREA, unit("EFFAREA", "s")), reduced, UnitMismatch,
         "run.fits[EFFECTIVE AREA] column EFFAREA is of kind area (cm2)", "'s'"),
    Case("THETA in TeV", lambda g: g.run(AREA, unit("THETA_LO", "TeV")), reduced, UnitMismatch,
         "[EFFECTIVE AREA] column THETA_LO is of kind angle (deg)", "'TeV'"),
    Case("BKG per hour squared", lambda g: g.run("BKG", unit("BKG", "h-2")), background, UnitMismatch,
         "[BKG] column BKG", "'1 / h2'"),
    Case("energies that decrease", lambda g: g.cells(AREA, "ENERG_LO", tail), reduced, FileFormatError,
         "run.fits[EFFECTIVE AREA] axis ENERG does not increase"),
    Case("an energy edge that is NaN", lambda g: g.cells("ENERGY DISPERSION", "ENERG_LO", cell(0, 2, to=np.nan)),
         reduced, FileFormatError, "[ENERGY DISPERSION] axis ENERG", "finite"),
    Case("energies from 0", lambda g: g.cells(AREA, "ENERG_LO", cell(0, 0, to=0.0)), reduced, FileFormatError,
         "[EFFECTIVE AREA] axis ENERG: energies must be positive, got 0.0 TeV"),
    Case("offsets that stand still", lambda g: g.cells(AREA, "THETA_LO", 1.0), reduced, FileFormatError,
         "[EFFECTIVE AREA] axis THETA does not increase"),
    Case("bins with gaps", lambda g: g.cells("ENERGY DISPERSION", "MIGRA_HI", lambda d: 0.98 * d), reduced,
         FileFormatError, "[ENERGY DISPERSION] axis MIGRA", "gap"),
    Case("a table of another shape", lambda g: g.run(None, short), reduced, FileFormatError,
         "[EFFECTIVE AREA] column EFFAREA has the shape (10,)", "THETA 3, ENERG 6"),
    Case("two rows", lambda g: g.run(None, two_rows), reduced, FileFormatError, "[EFFECTIVE AREA] has 2 rows",
         "exactly one"),
    Case("an unknown alignment", lambda g: g.run("BKG", header(HDUCLAS4="BKG_2D", FOVALIGN="MOON")), background,
         FileFormatError, "run.fits[BKG]: FOVALIGN is 'MOON'", "RADEC, ALTAZ"),
    Case("a kind of PSF not known", lambda g: g.run("PSF", header(HDUCLAS4="PSF_9GAUSS")), contained, FileFormatError,
         "run.fits[PSF] is a 'psf_9gauss'", "supported are", "psf_3gauss"),
    Case("area of a point-like file without circle", lambda g: g.run(source="pointlike.fits"), reduced, ConfigError,
         "RAD_MAX table", "without a radius"),
    Case("on region without radius", lambda g: g.run(), reduced_pointlike, ConfigError, "the on region needs a radius",
         "not point-like"),
    Case("on region outside the field of view", lambda g: g.run(), lambda p: reduced(p, Circle(83.63, 40.0, 0.2)),
         EmptyRun, "17.5 deg from the pointing", "no camera sees it", "leave the run out"),
    Case("no off region", lambda g: g.run(), lambda p: reduced(p, Circle(83.63, 22.4, 0.2)), EmptyRun,
         "no off region fits", "0.11 deg from the pointing and reaches 0.20 deg"),
    Case("energies outside the response", lambda g: g.run(), outside, EmptyRun, "energy_true from 1000 to",
         "goes from 0.1 to 100 TeV"),
]  # fmt: skip
