"""Rows on spectra: OGIP files, datasets made from arrays, HDF5 files, flux points."""

import h5py
import numpy as np
from astropy import units as u
from astropy.io import fits
from good_inputs import Case, first
from made_spectra import EDGES, TRUE, responses
from spoilers import header, lacking, replaced, unit

import gammajax as gj
from gammajax.errors import ConfigError, DatasetError, FileFormatError, MissingFile, UnitMismatch, UnknownDataset

RAMP = np.arange(12.0)


def fewer(n):
    """The last rows of a table are lost."""
    return lambda table: fits.BinTableHDU(table.data[:-n], table.header)


def changed(column, change):
    def spoil(table):
        table.data[column] = change(table.data[column])

    return spoil


def grouped(path):
    return gj.Datasets.read_ogip([path], grouping="yes")


OGIP = [
    Case("no PHA file", lambda g: g.folder / "pha.fits", first, MissingFile, "pha.fits does not exist"),
    Case("PHA that is no spectrum", lambda g: g.ogip().parent / "pha_d0_arf.fits", first, FileFormatError, "pha_d0_arf.fits has no HDU 'SPECTRUM'", "it has 'SPECRESP'"),
    Case("BACKFILE that is absent", lambda g: g.ogip("pha", "SPECTRUM", header(BACKFILE="off.fits")), first, MissingFile, "off.fits does not exist", "BACKFILE", "pha_d0.fits"),
    Case("ANCRFILE that is absent", lambda g: g.ogip("pha", "SPECTRUM", header(ANCRFILE="a.fits")), first, MissingFile, "a.fits does not exist", "ANCRFILE", "pha_d0.fits"),
    Case("RESPFILE that is absent", lambda g: g.ogip("pha", "SPECTRUM", header(RESPFILE="r.fits")), first, MissingFile, "r.fits does not exist", "RESPFILE", "pha_d0.fits"),
    Case("no ANCRFILE", lambda g: g.ogip("pha", "SPECTRUM", header(ANCRFILE="NONE")), first, FileFormatError, "pha_d0.fits[SPECTRUM] names no ANCRFILE", "effective area"),
    Case("no COUNTS", lambda g: g.ogip("pha", "SPECTRUM", lacking("COUNTS")), first, FileFormatError, "pha_d0.fits[SPECTRUM] has no column COUNTS"),
    Case("rates instead of counts", lambda g: g.ogip("pha", "SPECTRUM", lambda t: t.columns.change_name("COUNTS", "RATE")), first, FileFormatError, "holds rates (RATE)", "counts are needed"),
    Case("negative counts", lambda g: g.ogip("pha", "SPECTRUM", replaced("COUNTS", -3, 2)), first, FileFormatError, "pha_d0.fits[SPECTRUM]: COUNTS must be finite and not negative", "row 2", "-3"),
    Case("negative off counts", lambda g: g.ogip("bkg", "SPECTRUM", replaced("COUNTS", -1)), first, FileFormatError, "pha_d0_bkg.fits[SPECTRUM]: COUNTS must be", "row 0"),
    Case("channels in disorder", lambda g: g.ogip("pha", "SPECTRUM", changed("CHANNEL", lambda x: x[::-1].copy())), first, FileFormatError, "CHANNEL must count up by one"),
    Case("BACKSCAL of 0", lambda g: g.ogip("bkg", "SPECTRUM", replaced("BACKSCAL", 0.0)), first, FileFormatError, "pha_d0_bkg.fits[SPECTRUM]: BACKSCAL must be above 0"),
    Case("BACKSCAL of NaN", lambda g: g.ogip("pha", "SPECTRUM", replaced("BACKSCAL", np.nan)), first, FileFormatError, "pha_d0.fits[SPECTRUM]: BACKSCAL must be above 0"),
    Case("EXPOSURE of 0", lambda g: g.ogip("pha", "SPECTRUM", header(EXPOSURE=0.0)), first, FileFormatError, "pha_d0.fits[SPECTRUM]: EXPOSURE must be a positive number of seconds, got 0"),
    Case("no EXPOSURE", lambda g: g.ogip("pha", "SPECTRUM", header(EXPOSURE=None)), first, FileFormatError, "EXPOSURE must be a positive number of seconds, got nan"),
    Case("EXPOSURE as text", lambda g: g.ogip("bkg", "SPECTRUM", header(EXPOSURE=-1.0)), first, FileFormatError, "pha_d0_bkg.fits[SPECTRUM]: EXPOSURE must be", "got -1"),
    Case("fewer off channels", lambda g: g.ogip("bkg", "SPECTRUM", fewer(2)), first, FileFormatError, "pha_d0_bkg.fits has 10 channels", "pha_d0.fits has 12"),
    Case("NaN in the ARF", lambda g: g.ogip("arf", "SPECRESP", replaced("SPECRESP", np.nan, 3)), first, FileFormatError, "pha_d0_arf.fits[SPECRESP]: SPECRESP must be finite and not negative", "row 3"),
    Case("negative ARF", lambda g: g.ogip("arf", "SPECRESP", replaced("SPECRESP", -1.0)), first, FileFormatError, "pha_d0_arf.fits[SPECRESP]: SPECRESP must be finite and not negative"),
    Case("ARF in TeV", lambda g: g.ogip("arf", "SPECRESP", unit("SPECRESP", "TeV")), first, UnitMismatch, "pha_d0_arf.fits[SPECRESP] column SPECRESP is of kind area"),
    Case("shorter ARF", lambda g: g.ogip("arf", "SPECRESP", fewer(4)), first, FileFormatError, "pha_d0_rmf.fits[MATRIX] has 20 true-energy bins", "pha_d0_arf.fits has 16"),
    Case("ARF of other energies", lambda g: g.ogip("arf", "SPECRESP", lambda t: [changed(c, lambda x: 2 * x)(t) for c in ("ENERG_LO", "ENERG_HI")] and None), first, FileFormatError, "have other true energies", "edge 0 is 0.05 and 0.1 TeV"),
    Case("ARF with gaps", lambda g: g.ogip("arf", "SPECRESP", changed("ENERG_HI", lambda x: 0.9 * x)), first, FileFormatError, "pha_d0_arf.fits[SPECRESP]: ENERG_LO and ENERG_HI must be increasing bins without gaps"),
    Case("RMF without F_CHAN", lambda g: g.ogip("rmf", "MATRIX", lacking("F_CHAN")), first, FileFormatError, "pha_d0_rmf.fits[MATRIX] lacks one of the columns N_GRP, F_CHAN, N_CHAN"),
    Case("RMF of fewer channels", lambda g: g.ogip("rmf", "EBOUNDS", fewer(3)), first, FileFormatError, "pha_d0_rmf.fits[MATRIX] row", "lie outside EBOUNDS (9 channels"),
    Case("RMF with more groups than channels", lambda g: g.ogip("rmf", "MATRIX", replaced("N_GRP", 7)), first, FileFormatError, "pha_d0_rmf.fits[MATRIX] row 0: N_GRP = 7"),
    Case("RMF with a negative number of groups", lambda g: g.ogip("rmf", "MATRIX", replaced("N_GRP", -1)), first, FileFormatError, "pha_d0_rmf.fits[MATRIX] row 0: N_GRP = -1"),
    Case("energies of channels that decrease", lambda g: g.ogip("rmf", "EBOUNDS", changed("E_MIN", lambda x: x[::-1].copy())), first, FileFormatError, "pha_d0_rmf.fits[EBOUNDS]: E_MIN and E_MAX must be increasing bins"),
    Case("POISSERR = F", lambda g: g.ogip("pha", "SPECTRUM", header(POISSERR=False)), first, FileFormatError, "POISSERR = False", "not Poisson"),
    Case("an unknown grouping", lambda g: g.ogip(), grouped, ConfigError, "grouping must be 'ignore' or 'apply', got 'yes'"),
]  # fmt: skip


def made(**changes):
    """A dataset from arrays, with others of them."""
    return lambda g: {"name": "d", **responses(0), "counts": RAMP, "counts_off": RAMP, **changes}


def on_off(arguments):
    return gj.SpectrumDatasetOnOff(**arguments)


def points(arguments):
    good = {"name": "sed", "energy_ref": [1.0, 3.0], "dnde": [1e-11, 1e-12], "dnde_err": [1e-12, 1e-13]}
    return gj.FluxPointsDataset(**{**good, **arguments})


ARRAYS = [
    Case("counts of another length", made(counts=RAMP[:-1]), on_off, DatasetError, "d: counts has shape (11,)", "ask for (12,)"),
    Case("counts with text", made(counts=["a"] * 12), on_off, DatasetError, "d: counts", "numbers"),
    Case("counts as a ragged list", made(counts=[[1], [1, 2]]), on_off, DatasetError, "d: counts", "numbers"),
    Case("NaN counts", made(counts=RAMP * np.nan), on_off, DatasetError, "d: counts holds 12 values that are not finite"),
    Case("negative off counts in an array", made(counts_off=-RAMP), on_off, DatasetError, "d: counts_off holds 11 negative values"),
    Case("exposure of another length", made(exposure=np.ones(12)), on_off, DatasetError, "d: exposure has shape (12,)", "(20,)"),
    Case("exposure in TeV", made(exposure=np.ones(20) * u.Unit("TeV")), on_off, UnitMismatch, "d: exposure is of kind exposure (cm2 s)", "'TeV'"),
    Case("infinite exposure", made(exposure=np.full(20, np.inf)), on_off, DatasetError, "d: exposure holds 20 values that are not finite"),
    Case("dispersion transposed", made(edisp=np.ones((12, 20))), on_off, DatasetError, "d: edisp has shape (12, 20)", "(20, 12)"),
    Case("an array of no dispersion", made(edisp=None), on_off, DatasetError, "d: edisp may be left out only if energy and energy_true are the same"),
    Case("edges that decrease", made(energy=EDGES[::-1]), on_off, DatasetError, "d: energy needs at least two increasing positive bin edges"),
    Case("edges from 0", made(energy_true=np.append(0.0, TRUE[1:])), on_off, DatasetError, "d: energy_true needs at least two increasing positive"),
    Case("edges that are NaN", made(energy=np.where(EDGES > 1, np.nan, EDGES)), on_off, DatasetError, "d: energy needs at least two increasing"),
    Case("edges in deg", made(energy=EDGES * u.Unit("deg")), on_off, UnitMismatch, "d: energy is of kind energy (TeV)", "'deg'"),
    Case("mask of another length", made(mask_fit=[True]), on_off, DatasetError, "d: mask_fit has shape (1,)", "(12,)"),
    Case("negative acceptance", made(acceptance=-1.0), on_off, DatasetError, "d: acceptance holds 12 negative values"),
    Case("livetime in TeV", made(livetime="5 TeV"), on_off, UnitMismatch, "d: livetime is of kind time (s)"),
    Case("a fit range upside down", made(), lambda x: on_off(x).select_energy("5 TeV", "1 TeV"), DatasetError, "d: energy_min = 5 TeV is not below energy_max = 1 TeV"),
    Case("two datasets of one name", made(), lambda x: gj.Datasets([on_off(x), on_off(x)]), DatasetError, "names must be unique", "d"),
    Case("an unknown dataset", made(), lambda x: gj.Datasets([on_off(x)])["e"], UnknownDataset, "no dataset 'e'", "there are 'd'"),
    Case("an axis that is none", lambda g: None, lambda _: gj.energy_edges("1 TeV", "1 TeV", bins=3), ConfigError, "0 < energy_min < energy_max, got 1 and 1 TeV"),
    Case("an axis of no bins", lambda g: None, lambda _: gj.energy_edges("1 TeV", "2 TeV", bins=0), ConfigError, "at least one bin, got 0"),
    Case("flux points in disorder", lambda g: {"energy_ref": [3.0, 1.0]}, points, DatasetError, "sed: energy_ref must be positive and increase", "sort"),
    Case("flux points without errors", lambda g: {"dnde_err": None}, points, DatasetError, "sed: dnde_err is missing or not positive at 1, 3 TeV", "mask those"),
    Case("an unknown statistic", lambda g: {"stat_type": "chi3"}, points, DatasetError, "sed: stat_type 'chi3' is not one of chi2"),
    Case("profiles that are absent", lambda g: {"stat_type": "profile"}, points, DatasetError, "needs norm_scan and stat_scan"),
    Case("fluxes of another length", lambda g: {"dnde": [1.0]}, points, DatasetError, "sed: dnde has shape (1,)", "(2,)"),
    Case("flux points that are no table", lambda g: g.yaml("sed.ecsv", "no table"), gj.FluxPointsDataset.read, FileFormatError, "sed.ecsv cannot be read as a table of flux points"),
    Case("flux points without flux", lambda g: g.yaml("sed.ecsv", "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: e_ref, unit: TeV, datatype: float64}\ne_ref\n1.0\n"), gj.FluxPointsDataset.read, FileFormatError, "sed.ecsv has no SED_TYPE and none of the columns dnde"),
]  # fmt: skip


def deleted(name):
    def change(file):
        del file[name]

    return change


def attribute(name, value, group="/"):
    def change(file):
        file[group].attrs[name] = value

    return change


def array(name, value):
    def change(file):
        del file[name]
        file[name] = value

    return change


def linked(file):
    file["00000/exposure2"] = h5py.ExternalLink("/etc/passwd", "x")


HDF5 = [
    Case("HDF5 cut short", lambda g: g.bytes(lambda b: b[: len(b) // 2], "datasets.h5"), gj.Datasets.read, FileFormatError, "datasets.h5", "truncated"),
    Case("HDF5 that is text", lambda g: g.yaml("datasets.h5", "hello"), gj.Datasets.read, FileFormatError, "datasets.h5"),
    Case("no HDF5 file", lambda g: g.folder / "datasets.h5", gj.Datasets.read, MissingFile, "datasets.h5 does not exist"),
    Case("HDF5 of another kind", lambda g: g.shared / "models.h5", gj.Datasets.read, FileFormatError, "expected a gammajax file of kind 'datasets'", "it has kind 'models'", "Models.read"),
    Case("HDF5 that is not ours", lambda g: g.hdf5(lambda f: f.attrs.clear()), gj.Datasets.read, FileFormatError, "datasets.h5", "expected a gammajax file of kind 'datasets'", "it has kind None"),
    Case("HDF5 of a newer schema", lambda g: g.hdf5(attribute("schema", 99)), gj.Datasets.read, FileFormatError, "datasets.h5", "has the schema 99", "update gammajax"),
    Case("HDF5 without counts", lambda g: g.hdf5(deleted("00000/counts")), gj.Datasets.read, FileFormatError, "datasets.h5[/00000] has no 'counts'", "nearest: 'counts_off'"),
    Case("HDF5 with text for counts", lambda g: g.hdf5(array("00000/counts", "many")), gj.Datasets.read, FileFormatError, "datasets.h5[/00000]: 'counts' must be an array of numbers", "'many'"),
    Case("HDF5 with counts of another shape", lambda g: g.hdf5(array("00000/counts", np.ones(3))), gj.Datasets.read, DatasetError, "datasets.h5[/00000]: d0: counts has shape (3,)"),
    Case("HDF5 of an unknown type", lambda g: g.hdf5(attribute("type", "Map", "00000")), gj.Datasets.read, FileFormatError, "datasets of type 'Map' cannot be read", "SpectrumDatasetOnOff"),
    Case("HDF5 with a link to another file", lambda g: g.hdf5(linked), gj.Datasets.read, FileFormatError, "'exposure2' is a link to elsewhere"),
    Case("models HDF5 without its text", lambda g: g.hdf5(attribute("yaml", 3.0), "models.h5"), gj.Models.read, FileFormatError, "models.h5", "'yaml' must be a text"),
    Case("a fit that is none", lambda g: g.shared / "models.h5", gj.Fit.read, FileFormatError, "expected a gammajax file of kind 'fit'"),
]  # fmt: skip

CASES = [*OGIP, *ARRAYS, *HDF5]
