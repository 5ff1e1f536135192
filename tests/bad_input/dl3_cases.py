"""Rows on DL3 files: containers, events, time, responses."""

import gzip

import numpy as np
from astropy.io import fits
from good_inputs import Case, cut, observation, reduced, reduced_pointlike, zipped
from response_cases import background, contained
from spoilers import (
    AREA,
    doubled,
    header,
    lacking,
    masked,
    no_rows,
    paired,
    replaced,
    texted,
    texts,
    unit,
    wide,
    without,
)

from gammajax.data import DataStore
from gammajax.errors import ConfigError, EmptyRun, FileFormatError, MissingFile, UnitMismatch
from gammajax.errors import NoSuchObservation as NoSuch


def store(path):
    return DataStore.from_files([path])


CONTAINERS = [
    Case("truncated FITS", lambda g: g.bytes(lambda b: cut(b, 0.6)), reduced, FileFormatError, "run.fits",
         "download it again"),
    Case("truncated in the first header", lambda g: g.bytes(lambda b: b[:1000]), store, FileFormatError, "run.fits",
         "cannot be read as FITS", "download it again"),
    Case("empty file", lambda g: g.bytes(lambda b: b""), store, FileFormatError, "run.fits", "empty"),
    Case("text instead of FITS", lambda g: g.bytes(lambda b: b"<html>404 not found</html>"), store, FileFormatError,
         "run.fits", "no FITS file", "begins with b'"),
    Case("gzip cut short", lambda g: g.bytes(zipped), store, FileFormatError, "run.fits", "EOFError"),
    Case("gzip of something else", lambda g: g.bytes(lambda b: gzip.compress(b"hello")), store, FileFormatError,
         "run.fits", "no FITS file", "begins with b'"),
    Case("gzip magic without gzip", lambda g: g.bytes(lambda b: b"\x1f\x8b" + b), store, FileFormatError, "run.fits",
         "BadGzipFile"),
    Case("a folder as file", lambda g: g.folder, store, MissingFile, "is a folder"),
    Case("absent file", lambda g: g.folder / "absent.fits", store, MissingFile, "absent.fits does not exist"),
    Case("the file vanishes after listing", lambda g: g.run(),
         lambda p: (lambda o: (p.unlink(), o.events))(observation(p)), MissingFile, "run.fits does not exist"),
    Case("two files of one run", lambda g: g.run(), lambda p: DataStore.from_files([p, p]), ConfigError,
         "run.fits holds run 1, which another"),
    Case("no tables", lambda g: g.run(None, lambda h: fits.HDUList([h[0]])), store, FileFormatError,
         "run.fits has no HDU 'EVENTS'", "no tables at all"),
    Case("no EVENTS", lambda g: g.run(None, without("EVENTS")), store, FileFormatError, "run.fits has no HDU 'EVENTS'",
         "it has 'GTI', 'EFFECTIVE AREA'"),
    Case("no GTI", lambda g: g.run(None, without("GTI")), reduced, FileFormatError, "run.fits has no HDU 'GTI'",
         "it has 'EVENTS'"),
    Case("no effective area", lambda g: g.run(None, without(AREA)), reduced, FileFormatError,
         "run 1 has no 'aeff'; it has events, gti, edisp, psf, bkg", "run.fits"),
    Case("no dispersion", lambda g: g.run(None, without("ENERGY DISPERSION")), reduced, FileFormatError,
         "run 1 has no 'edisp'"),
    Case("no PSF", lambda g: g.run(None, without("PSF")), contained, ConfigError, "needs a PSF, and the run has none",
         "containment_correction=False"),
    Case("no background", lambda g: g.run(None, without("BKG")), background, FileFormatError,
         "run 1 has no background response (BKG_2D or BKG_3D)"),
    Case("no RAD_MAX", lambda g: g.run(None, without("RAD_MAX"), source="pointlike.fits"), reduced_pointlike,
         FileFormatError, "run 1", "POINT-LIKE", "neither a RAD_MAX keyword", "add one"),
]  # fmt: skip

EVENTS = [
    Case("no ENERGY column", lambda g: g.run("EVENTS", lacking("ENERGY")), reduced, FileFormatError,
         "run.fits[EVENTS] has no column ENERGY"),
    Case("misspelt RA column", lambda g: g.run("EVENTS", lambda t: t.columns.change_name("RA", "RA_J2000")), reduced,
         FileFormatError, "[EVENTS] has no column RA", "nearest: 'RA_J2000'"),
    Case("ENERGY in deg", lambda g: g.run("EVENTS", unit("ENERGY", "deg")), reduced, UnitMismatch,
         "run.fits[EVENTS] column ENERGY is of kind energy (TeV)", "'deg'"),
    Case("RA in a unit that is none", lambda g: g.run("EVENTS", unit("RA", "degg")), reduced, UnitMismatch,
         "[EVENTS] column RA", "'degg'", "not a unit"),
    Case("no MJDREFI", lambda g: g.run("EVENTS", header(MJDREFI=None)), store, FileFormatError,
         "run.fits[EVENTS] has no time reference", "MJDREFI"),
    Case("an epoch that is none", lambda g: g.run("EVENTS", header(MJDREFI=10**9)), store, FileFormatError,
         "run.fits[EVENTS]: MJDREFI 1e+09", "is no epoch of a telescope", "MJD from 0 to 100000"),
    Case("TIMESYS of another world", lambda g: g.run("EVENTS", header(TIMESYS="LOCAL")), store, FileFormatError,
         "[EVENTS]: TIMESYS is 'local'", "choose from", "utc"),
    Case("no OBS_ID", lambda g: g.run("EVENTS", header(OBS_ID=None)), store, FileFormatError,
         "run.fits[EVENTS] has no numeric OBS_ID"),
    Case("text OBS_ID", lambda g: g.run("EVENTS", header(OBS_ID="Crab")), store, FileFormatError,
         "run.fits[EVENTS] has no numeric OBS_ID", "'Crab'"),
    Case("no pointing", lambda g: g.run("EVENTS", header(RA_PNT=None)), reduced, FileFormatError, "run 1", "run.fits",
         "no fixed pointing", "RA_PNT=nan"),
    Case("pointing as text", lambda g: g.run("EVENTS", header(DEC_PNT="north")), reduced, FileFormatError,
         "no fixed pointing", "DEC_PNT=nan"),
    Case("a declination of 120 deg", lambda g: g.run("EVENTS", header(DEC_PNT=120.0)), reduced, FileFormatError,
         "DEC_PNT", "120", "-90..90"),
    Case("DEADC above 1", lambda g: g.run("EVENTS", header(DEADC=1.7)), reduced, FileFormatError, "run 1", "run.fits",
         "DEADC must be in 0..1, got 1.7"),
    Case("no DEADC", lambda g: g.run("EVENTS", header(DEADC=None)), reduced, FileFormatError, "run.fits",
         "DEADC must be in 0..1, got nan"),
    Case("DEADC of 0", lambda g: g.run("EVENTS", header(DEADC=0.0)), reduced, EmptyRun, "no livetime", "DEADC is 0"),
    Case("no events", lambda g: g.run(None, no_rows("EVENTS")), reduced, EmptyRun, "the run has no events"),
    Case("NaN energies", lambda g: g.cells("EVENTS", "ENERGY", np.nan), reduced, FileFormatError,
         "run.fits[EVENTS] column ENERGY", "400 of 400", "NaN"),
    Case("negative energies", lambda g: g.cells("EVENTS", "ENERGY", -1.0), reduced, FileFormatError,
         "run.fits[EVENTS] column ENERGY", "400 of 400", "negative"),
    Case("infinite directions", lambda g: g.cells("EVENTS", "RA", np.inf), reduced, FileFormatError,
         "run.fits[EVENTS] column RA", "not finite"),
    Case("NaN times", lambda g: g.cells("EVENTS", "TIME", np.nan), reduced, FileFormatError,
         "run.fits[EVENTS] column TIME", "not finite"),
    Case("declinations beyond the pole", lambda g: g.cells("EVENTS", "DEC", 95.0), reduced, FileFormatError,
         "run.fits[EVENTS] column DEC", "-90..90"),
    Case("text in ENERGY", lambda g: g.run("EVENTS", lambda t: texts(t, "ENERGY")), reduced, FileFormatError,
         "run.fits[EVENTS] column ENERGY", "text"),
    Case("arrays in ENERGY", lambda g: g.run(None, wide), reduced, FileFormatError, "run.fits[EVENTS] column ENERGY",
         "one number per row", "(400, 2)"),
    Case("no GTI rows", lambda g: g.run(None, no_rows("GTI")), reduced, EmptyRun, "no livetime",
         "good time intervals are empty"),
    Case("GTI backwards", lambda g: g.cells("GTI", "STOP", -5.0), reduced, FileFormatError, "run.fits[GTI]",
         "stops before it starts", "row 0"),
    Case("GTI of NaN", lambda g: g.cells("GTI", "START", np.nan), reduced, FileFormatError,
         "run.fits[GTI] column START", "not finite"),
    Case("GTI without length", lambda g: g.cells("GTI", "STOP", 0.0), reduced, EmptyRun, "no livetime"),
    Case("GTI of infinite length", lambda g: g.cells("GTI", "STOP", np.inf), reduced, FileFormatError,
         "run.fits[GTI] column STOP", "not finite"),
    Case("GTI in another age", lambda g: g.cells("GTI", "STOP", 1e15), reduced, FileFormatError,
         "run.fits[GTI] column STOP", "1 of 1", "more than 300 years away from MJDREFI"),
    Case("text in EVENT_ID", lambda g: g.run("EVENTS", lambda t: texts(t, "EVENT_ID")), reduced, FileFormatError,
         "run.fits[EVENTS] column EVENT_ID must hold whole numbers, got ['high']"),
    Case("GTI without STOP", lambda g: g.run("GTI", lacking("STOP")), reduced, FileFormatError,
         "run.fits[GTI] has no column STOP"),
    Case("GTI in TeV", lambda g: g.run("GTI", lambda t: t.header.set("TUNIT1", "TeV")), reduced, UnitMismatch,
         "run.fits[GTI] column START is of kind time", "'TeV'"),
]  # fmt: skip


def runs(folder):
    """All runs, every failure an error."""
    found = DataStore.from_dir(folder).observations(skip_missing=False)
    for run in found:
        _ = run.events, run.aeff
    return found


INDEX = [
    Case("absent folder", lambda g: g.folder / "absent", runs, MissingFile, "absent is no folder"),
    Case("folder without index", lambda g: g.folder, runs, MissingFile, "obs-index.fits.gz", "from_files"),
    Case("an absent file", lambda g: gone(g.store(), "run12.fits"), runs, MissingFile, "run 12", "run12.fits (events)",
         "listed in", "but absent"),
    Case("all rows to another folder", lambda g: g.store("hdu", replaced("FILE_DIR", "x")), runs, MissingFile,
         "run 11", "x/run11.fits", "absent"),
    Case("FILE_DIR with the code of masked cells", lambda g: g.store("hdu", masked), runs, MissingFile, "run 11",
         "N/run11.fits (events)", "absent"),
    Case("FILE_NAME empty", lambda g: g.store("hdu", replaced("FILE_NAME", "")), runs, MissingFile,
         "run 11: the events have no FILE_NAME", "HDU index"),
    Case("an HDU that the file does not have", lambda g: g.store("hdu", replaced("HDU_NAME", "AREA", 2)), runs,
         FileFormatError, "run11.fits has no HDU 'AREA'", "'EFFECTIVE AREA'"),
    Case("a run without rows", lambda g: g.store("hdu", lambda t: fits.BinTableHDU(t.data[:10], t.header)), runs,
         MissingFile, "run 13 has no events", "the HDU index of", "lists nothing for it"),
    Case("duplicate OBS_ID", lambda g: g.store("obs", doubled), runs, FileFormatError, "obs-index.fits[OBS_INDEX]",
         "lists run 11 2 times"),
    Case("text OBS_ID in obs-index", lambda g: g.store("obs", texted), runs, FileFormatError,
         "obs-index.fits[OBS_INDEX] column OBS_ID holds text", "Crab"),
    Case("text OBS_ID in hdu-index", lambda g: g.store("hdu", texted), runs, FileFormatError,
         "hdu-index.fits[HDU_INDEX] column OBS_ID holds text"),
    Case("no OBS_ID in the index", lambda g: g.store("obs", lambda t: t.columns.change_name("OBS_ID", "RUN")), runs,
         FileFormatError, "obs-index.fits[OBS_INDEX] has no column OBS_ID", "it has RUN"),
    Case("no HDU_CLASS", lambda g: g.store("hdu", lacking("HDU_CLASS")), runs, FileFormatError,
         "hdu-index.fits[HDU_INDEX] has no column HDU_CLASS", "HDU_TYPE"),
    Case("a class that is not known", lambda g: g.store("hdu", replaced("HDU_CLASS", "aeff_7d", 2)), runs,
         FileFormatError, "run 11", "run11.fits[effective area] is a 'aeff_7d'", "aeff_2d"),
    Case("a class of another type", lambda g: g.store("hdu", replaced("HDU_CLASS", "psf_table", 2)), runs,
         FileFormatError, "run 11", "run11.fits[effective area] is listed with HDU_TYPE 'aeff' and HDU_CLASS 'psf_table'",
         "correct the HDU index"),
    Case("two pointings in a row", lambda g: g.store("obs", paired), runs, FileFormatError,
         "obs-index.fits[OBS_INDEX] column RA_PNT must hold one number per row"),
    Case("an index without rows", lambda g: g.store("obs", lambda t: fits.BinTableHDU(t.data[:0], t.header)), runs,
         FileFormatError, "obs-index.fits[OBS_INDEX] lists no runs"),
    Case("an index that is cut",
         lambda g: (lambda f: ((f / "hdu-index.fits").write_bytes(b"SIMPLE  ="), f)[1])(g.store()), runs,
         FileFormatError, "hdu-index.fits"),
    Case("a run not listed", lambda g: g.store(), lambda p: DataStore.from_dir(p).observation(113), NoSuch,
         "run 113 is not listed in", "nearest: '13'"),
    Case("a response that is required", lambda g: g.store(),
         lambda p: DataStore.from_dir(p).observation(11, required=["bkg"]), MissingFile,
         "run 11 lacks the required bkg", "lists events, gti, aeff"),
    Case("a run that is no number", lambda g: g.store(), lambda p: DataStore.from_dir(p).observations(["Crab"]),
         NoSuch, "'Crab'", "run number"),
    Case("a target that nobody observed", lambda g: g.store(),
         lambda p: DataStore.from_dir(p).select(cone=("here", 1)), ConfigError, "'here' is no position"),
    Case("a radius in seconds", lambda g: g.store(),
         lambda p: DataStore.from_dir(p).select(cone=((83.6, 22.0), "2 s")), UnitMismatch, "radius is of kind angle"),
    Case("a time that is none", lambda g: g.store(), lambda p: DataStore.from_dir(p).select(time=("noon", "2006")),
         ConfigError, "start of time: 'noon' is no time: give an astropy Time, text such as"),
]  # fmt: skip


def gone(folder, name):
    (folder / name).unlink()
    return folder


CASES = [*CONTAINERS, *EVENTS, *INDEX]
