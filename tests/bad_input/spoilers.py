"""Ways to spoil a FITS table: each takes the table (or all HDUs) and changes it, or gives back another."""

import numpy as np
from astropy.io import fits

AREA = "EFFECTIVE AREA"


def without(*names):
    """All HDUs but these."""
    return lambda hdus: fits.HDUList([h for h in hdus if h.name not in names])


def lacking(*columns):
    """A table without some of its columns."""

    def change(table):
        for name in columns:
            table.columns.del_col(name)

    return change


def unit(column, new):
    """Another unit of a column."""

    def change(table):
        table.header[f"TUNIT{table.columns.names.index(column) + 1}"] = new

    return change


def header(**changes):
    """Other keywords; None deletes one."""

    def change(table):
        for key, x in changes.items():
            if x is None:
                del table.header[key]
            else:
                table.header[key] = x

    return change


def no_rows(name):
    def change(hdus):
        table = hdus[name]
        hdus[hdus.index_of(name)] = fits.BinTableHDU(table.data[:0], table.header)

    return change


def cell(*at, to):
    """One cell replaced."""

    def change(data):
        data[at] = to
        return data

    return change


def negated(data):
    return -1.0 * data


def wide(hdus):
    """ENERGY with two numbers per row."""
    table = hdus["EVENTS"]
    double = fits.Column("ENERGY", "2D", "TeV", array=np.stack([table.data["ENERGY"]] * 2, axis=1))
    columns = [double if c.name == "ENERGY" else c for c in table.columns]
    hdus[hdus.index_of("EVENTS")] = rebuilt(table, columns)


def texts(table, name):
    """A column of texts."""
    i = table.columns.names.index(name)
    columns = [
        c if k != i else fits.Column(name, "5A", array=["high"] * len(table.data)) for k, c in enumerate(table.columns)
    ]
    return rebuilt(table, columns)


def rebuilt(table, columns):
    new = fits.BinTableHDU.from_columns(columns, name=table.name)
    keys = ("HDUCLAS", "OBS_ID", "RA_PNT", "DEC_PNT", "DEADC", "MJDREF", "TIMESYS", "TELESCOP", "OBJECT", "TIMEUNIT")
    new.header.update({k: v for k, v in table.header.items() if k.startswith(keys)})
    return new


def tail(data):
    """Decreasing edges."""
    return data[..., ::-1]


def short(hdus):
    """An effective area with fewer cells than its axes have."""
    table = hdus[AREA]
    flat = np.ones((1, 10))
    columns = [fits.Column("EFFAREA", "10E", "m2", array=flat) if c.name == "EFFAREA" else c for c in table.columns]
    new = fits.BinTableHDU.from_columns(columns, name=AREA)
    new.header.update({k: v for k, v in table.header.items() if k.startswith("HDUCLAS")})
    hdus[hdus.index_of(AREA)] = new


def two_rows(hdus):
    table = hdus[AREA]
    hdus[hdus.index_of(AREA)] = fits.BinTableHDU(np.repeat(table.data, 2), table.header)


def texted(table):
    columns = [
        c if c.name != "OBS_ID" else fits.Column("OBS_ID", "6A", array=["Crab"] * len(table.data))
        for c in table.columns
    ]
    return fits.BinTableHDU.from_columns(columns, name=table.name)


def doubled(table):
    return fits.BinTableHDU(np.concatenate([table.data, table.data[:1]]), table.header)


def replaced(column, value, row=slice(None)):
    def change(table):
        table.data[column][row] = value

    return change


def masked(table):
    """FILE_DIR as a column of masked (empty) cells, of the kind that astropy writes for them."""
    columns = [
        c if c.name != "FILE_DIR" else fits.Column("FILE_DIR", "1A", array=["N"] * len(table.data))
        for c in table.columns
    ]
    return fits.BinTableHDU.from_columns(columns, name=table.name)


def paired(table):
    """An index with RA_PNT, two of them in each row."""
    pointing = fits.Column("RA_PNT", "2D", "deg", array=np.full((len(table.data), 2), 83.63))
    return fits.BinTableHDU.from_columns([*table.columns, pointing], name=table.name)
