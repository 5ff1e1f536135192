"""An X-ray spectrum as HEASARC files hold it: keV, cm2, channels from 1, groups, scalar columns, many keywords."""

import numpy as np
from astropy.io import fits

CHANNELS = 40
EDGES = np.geomspace(0.3, 10.0, CHANNELS + 1)
EDGES_TRUE = np.linspace(0.0, 12.0, 61)
EXPOSURE, EXPOSURE_OFF = 5000.0, 20000.0


def table(name, columns, **header):
    units = {"E_MIN": "keV", "E_MAX": "keV", "ENERG_LO": "keV", "ENERG_HI": "keV", "SPECRESP": "cm**2"}
    cols = [fits.Column(n, code, unit=units.get(n), array=x) for n, code, x in columns]
    hdu = fits.BinTableHDU.from_columns(cols, name=name)
    hdu.header.update({"HDUCLASS": "OGIP", **header})
    return hdu


def write(path, *hdus):
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path, overwrite=True)


def spectrum(counts, **header):
    grouping = np.tile([1, -1], CHANNELS // 2)
    quality = np.where(np.arange(CHANNELS) < 4, 5, 0)
    columns = [
        ("CHANNEL", "J", np.arange(1, CHANNELS + 1)),
        ("COUNTS", "J", counts),
        ("GROUPING", "I", grouping),
        ("QUALITY", "I", quality),
    ]
    keys = {
        "HDUCLAS1": "SPECTRUM", "HDUCLAS4": "TYPE:I", "TELESCOP": "SWIFT", "INSTRUME": "XRT", "CHANTYPE": "PI",
        "DETCHANS": CHANNELS, "POISSERR": True, "CORRFILE": "none", "CORRSCAL": 1.0, "AREASCAL": 1.0,
        "SYS_ERR": 0, "TLMIN1": 1, "TLMAX1": CHANNELS,
    }  # fmt: skip
    return table("SPECTRUM", columns, **(keys | header))


def area():
    """Effective area [cm2]: zero in the lowest bins, as below the threshold of a detector."""
    centre = 0.5 * (EDGES_TRUE[1:] + EDGES_TRUE[:-1])
    return np.where(centre < 0.25, 0.0, 100.0 * np.exp(-((np.log(centre / 1.5)) ** 2)))


def kernel():
    """Redistribution with a peak and, above 2 keV, a shelf that is a group of channels of its own."""
    centre = 0.5 * (EDGES_TRUE[1:] + EDGES_TRUE[:-1])
    middle = np.sqrt(EDGES[1:] * EDGES[:-1])
    peak = np.exp(-0.5 * ((middle - centre[:, None]) / (0.05 + 0.05 * centre[:, None])) ** 2) * np.diff(EDGES)
    peak[peak < 1e-3 * peak.max(axis=1, keepdims=True)] = 0.0
    total = peak.sum(axis=1, keepdims=True)
    out = np.divide(peak, total, out=np.zeros_like(peak), where=total > 0)
    out[centre > 3.0, 2:5] += 0.01
    return out


def runs(row):
    """Stretches of channels that are not zero: first (counted from 0) and length of each."""
    inside = np.flatnonzero(row)
    if not inside.size:
        return [], []
    cuts = np.flatnonzero(np.diff(inside) > 1) + 1
    parts = np.split(inside, cuts)
    return [int(p[0]) for p in parts], [len(p) for p in parts]


def matrix(values, first=1, tlmin=True, **header):
    groups = [runs(row) for row in values]
    width = max(len(f) for f, _ in groups)
    f_chan = np.array([np.pad(np.array(f, int) + first, (0, width - len(f))) for f, _ in groups])
    n_chan = np.array([np.pad(np.array(n, int), (0, width - len(n))) for _, n in groups])
    rows = np.empty(len(values), dtype=object)
    rows[:] = [row[row != 0] for row in values]
    columns = [
        ("ENERG_LO", "E", EDGES_TRUE[:-1]),
        ("ENERG_HI", "E", EDGES_TRUE[1:]),
        ("N_GRP", "I", [len(f) for f, _ in groups]),
        ("F_CHAN", f"{width}I", f_chan),
        ("N_CHAN", f"{width}I", n_chan),
        ("MATRIX", "PE()", rows),
    ]
    keys = {"HDUCLAS1": "RESPONSE", "HDUCLAS2": "RSP_MATRIX", "HDUCLAS3": "REDIST", "CHANTYPE": "PI", **header}
    return table("MATRIX", columns, **keys, **({"TLMIN4": first} if tlmin else {}))


def ebounds(first=1):
    channels = np.arange(first, first + CHANNELS)
    columns = [("CHANNEL", "I", channels), ("E_MIN", "E", EDGES[:-1]), ("E_MAX", "E", EDGES[1:])]
    return table("EBOUNDS", columns, HDUCLAS1="RESPONSE", HDUCLAS2="EBOUNDS")


def counts(seed=3):
    rng = np.random.default_rng(seed)
    return rng.poisson(30, CHANNELS), rng.poisson(16, CHANNELS)


def write_xray(folder, **header):
    """PHA, background, ARF and RMF; `header` changes keywords of the PHA. Returns the path of the PHA."""
    on, off = counts()
    links = {"BACKFILE": "off.pha", "RESPFILE": "x.rmf", "ANCRFILE": "x.arf", "BACKSCAL": 0.01, "EXPOSURE": EXPOSURE}
    write(folder / "on.pha", spectrum(on, **(links | header)))
    write(folder / "off.pha", spectrum(off, BACKSCAL=0.05, EXPOSURE=EXPOSURE_OFF, HDUCLAS2="BKG"))
    columns = [("ENERG_LO", "E", EDGES_TRUE[:-1]), ("ENERG_HI", "E", EDGES_TRUE[1:]), ("SPECRESP", "E", area())]
    write(folder / "x.arf", table("SPECRESP", columns, HDUCLAS1="RESPONSE", HDUCLAS2="SPECRESP"))
    write(folder / "x.rmf", matrix(kernel()), ebounds())
    return folder / "on.pha"
