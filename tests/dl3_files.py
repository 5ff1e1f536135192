"""Small DL3 files for tests, written from the format's own text."""

from pathlib import Path

import numpy as np
from astropy.io import fits

ENERGY = np.geomspace(0.1, 100.0, 7)
OFFSET = np.array([0.0, 1.0, 2.0, 3.0])
MIGRA = np.linspace(0.0, 3.0, 31)
RAD = np.linspace(0.0, 0.5, 26)
TIME = {"MJDREFI": 51910, "MJDREFF": 0.000742870370370241, "TIMESYS": "TT", "TIMEUNIT": "s"}


def axis(prefix: str, edges: np.ndarray, unit: str | None, nodes: bool = False, code: str = "E") -> list[fits.Column]:
    """NAME_LO and NAME_HI of one axis; `nodes`: both are the values themselves."""
    low, high = (edges, edges) if nodes else (edges[:-1], edges[1:])
    form = f"{low.size}{code}"
    return [
        fits.Column(f"{prefix}_{end}", form, unit, array=x[None].astype(np.float64))
        for end, x in (("LO", low), ("HI", high))
    ]


def table(name: str, columns: list[fits.Column], classes: tuple[str, ...] = (), **header: object) -> fits.BinTableHDU:
    """A table with HDUCLAS1.. and further keywords."""
    hdu = fits.BinTableHDU.from_columns(columns, name=name)
    hdu.header.update({f"HDUCLAS{i + 1}": c for i, c in enumerate(classes) if c})
    hdu.header.update({key.replace("_", "-") if key == "DATE_OBS" else key: x for key, x in header.items()})
    return hdu


def value(name: str, data: np.ndarray, unit: str | None) -> fits.Column:
    """A value column; `data` has the slowest axis first."""
    dim = f"({','.join(str(n) for n in data.shape[::-1])})"
    return fits.Column(name, f"{data.size}E", unit, dim=dim, array=data[None])


def aeff_hdu(pointlike: bool = False, data: np.ndarray | None = None, unit: str = "m2", **header: object):
    """EFFAREA [m2] = 1e5, or `data` with the shape (offset, energy)."""
    data = np.full((OFFSET.size - 1, ENERGY.size - 1), 1e5) if data is None else data
    columns = [*axis("ENERG", ENERGY, "TeV"), *axis("THETA", OFFSET, "deg"), value("EFFAREA", data, unit)]
    third = "POINT-LIKE" if pointlike else "FULL-ENCLOSURE"
    return table("EFFECTIVE AREA", columns, ("RESPONSE", "EFF_AREA", third, "AEFF_2D"), **header)


def gauss_migration(bias: float = 0.0, sigma: float = 0.2) -> np.ndarray:
    """A Gaussian dP/dmu with the shape (offset, migra, energy), not normalised."""
    mu = 0.5 * (MIGRA[1:] + MIGRA[:-1])
    row = 17.0 * np.exp(-0.5 * ((mu - 1 - bias) / sigma) ** 2)
    return np.broadcast_to(row[None, :, None], (OFFSET.size - 1, mu.size, ENERGY.size - 1)).copy()


def edisp_hdu(data: np.ndarray | None = None, prefix: str = "ENERG", **header: object):
    """MATRIX, by default Gaussian."""
    columns = [
        *axis(prefix, ENERGY, "TeV"),
        *axis("MIGRA", MIGRA, None),
        *axis("THETA", OFFSET, "deg"),
        value("MATRIX", gauss_migration() if data is None else data, None),
    ]
    return table("ENERGY DISPERSION", columns, ("RESPONSE", "EDISP", "FULL-ENCLOSURE", "EDISP_2D"), **header)


def psf_table_hdu(sigma: float = 0.1):
    """RPSF [sr-1] of one Gaussian width [deg], with the shape (rad, offset, energy)."""
    edges = np.deg2rad(RAD)
    inner = np.exp(-0.5 * (edges / np.deg2rad(sigma)) ** 2)
    density = -np.diff(inner) / (np.pi * np.diff(edges**2))
    data = np.broadcast_to(density[:, None, None], (density.size, OFFSET.size - 1, ENERGY.size - 1))
    columns = [
        *axis("ENERG", ENERGY, "TeV"),
        *axis("THETA", OFFSET, "deg"),
        *axis("RAD", RAD, "deg"),
        value("RPSF", data, "sr^-1"),
    ]
    return table("PSF", columns, ("RESPONSE", "RPSF", "FULL-ENCLOSURE", "PSF_TABLE"))


def psf_gauss_hdu(**tables: np.ndarray):
    """PSF_3GAUSS in the OGIP spelling of old CTA files; tables have the shape (offset, energy)."""
    shape = (OFFSET.size - 1, ENERGY.size - 1)
    default = {"SCALE": 1.0, "SIGMA_1": 0.1, "AMPL_2": 0.0, "SIGMA_2": 0.0, "AMPL_3": 0.0, "SIGMA_3": 0.0}
    units = {name: "deg" if name.startswith("SIGMA") else None for name in default}
    values = [value(n, tables.get(n, np.full(shape, x)), units[n]) for n, x in default.items()]
    columns = [*axis("ENERG", ENERGY, "TeV"), *axis("THETA", OFFSET, "deg"), *values]
    return table("POINT SPREAD FUNCTION", columns, ("RESPONSE", "RPSF", "FULL-ENCLOSURE", "3GAUSS"))


def psf_king_hdu(gamma: np.ndarray | float = 2.5, sigma: np.ndarray | float = 0.08):
    """PSF_KING as old files have it, without HDUCLAS4; tables have the shape (offset, energy)."""
    shape = (OFFSET.size - 1, ENERGY.size - 1)
    columns = [
        *axis("ENERG", ENERGY, "TeV"),
        *axis("THETA", OFFSET, "deg"),
        value("GAMMA", np.broadcast_to(gamma, shape), None),
        value("SIGMA", np.broadcast_to(sigma, shape), "deg"),
    ]
    return table("PSF_2D_KING", columns, ("RESPONSE", "PSF_2D_KING"))


FOV = np.linspace(-3.5, 3.5, 8)


def bkg_2d_hdu(data: np.ndarray | None = None, unit: str | None = "s-1 MeV-1 sr-1"):
    """BKG [s-1 MeV-1 sr-1] = 1e-6 / E^2.7, with the shape (offset, energy)."""
    data = np.broadcast_to(1e-6 * centre(ENERGY) ** -2.7, (3, 6)) if data is None else data
    columns = [*axis("ENERG", ENERGY, "TeV"), *axis("THETA", OFFSET, None), value("BKG", data, unit)]
    return table("BKG", columns, ("RESPONSE", "BKG", "FULL-ENCLOSURE", "BKG_2D"))


def bkg_3d_hdu(
    data: np.ndarray | None = None, unit: str | None = "s^-1 MeV^-1 sr^-1", name: str = "BKG", **header: object
):
    """BKG [s-1 MeV-1 sr-1], by default a power law that grows e-fold per deg of DETX and halves per deg of DETY;
    shape (energy, DETX, DETY), as in H.E.S.S. files.
    """
    if data is None:
        x = centre_of(FOV)
        data = 1e-6 * centre(ENERGY)[:, None, None] ** -2.7 * np.exp(x)[:, None] * 0.5**x
    columns = [*axis("DETX", FOV, "deg"), *axis("DETY", FOV, "deg"), *axis("ENERG", ENERGY, "TeV")]
    keys = {"FOVALIGN": "RADEC"} | header
    return table("BKG", [*columns, value(name, data, unit)], ("RESPONSE", "BKG", "FULL-ENCLOSURE", "BKG_3D"), **keys)


def centre(edges: np.ndarray) -> np.ndarray:
    """Geometric bin centres."""
    return np.sqrt(edges[1:] * edges[:-1])


def centre_of(edges: np.ndarray) -> np.ndarray:
    """Bin centres."""
    return 0.5 * (edges[1:] + edges[:-1])


def pointing_hdu(time: np.ndarray, ra: np.ndarray, dec: np.ndarray, **columns: np.ndarray):
    """POINTING; further columns ALT_PNT, AZ_PNT [deg]."""
    angles = {"RA_PNT": ra, "DEC_PNT": dec} | columns
    found = [fits.Column("TIME", "D", "s", array=time)]
    found += [fits.Column(name, "D", "deg", array=np.asarray(x, float)) for name, x in angles.items()]
    return table("POINTING", found, ("POINTING",), **TIME)


def rad_max_hdu():
    """RAD_MAX_2D with one offset bin, stored as scalars."""
    columns = [
        *axis("ENERG", ENERGY, "TeV"),
        *axis("THETA", np.array([0.39, 0.41]), "deg"),
        value("RAD_MAX", np.linspace(0.3, 0.05, 6)[None], "deg"),
    ]
    return table("RAD_MAX", columns, ("RESPONSE", "RAD_MAX", "POINT-LIKE", "RAD_MAX_2D"))


def events_hdu(obs_id: int = 1, n: int = 5, **header: object):
    """EVENTS with `n` events, RA out of range as in real files, energies in GeV, times not sorted."""
    time = np.arange(n)[::-1] * 10.0
    columns = [
        fits.Column("EVENT_ID", "K", array=np.arange(n)),
        fits.Column("TIME", "D", "s", array=time),
        fits.Column("RA", "E", "deg", array=np.full(n, 443.5)),
        fits.Column("DEC", "E", "deg", array=np.full(n, 22.0)),
        fits.Column("ENERGY", "E", "GeV", array=np.geomspace(100.0, 1e4, n)),
    ]
    keys = {
        "OBS_ID": obs_id,
        "RA_PNT": 83.6,
        "DEC_PNT": 22.5,
        "DEADC": 0.9,
        "TELESCOP": "TEST",
        "OBJECT": "Crab",
    }
    return table("EVENTS", columns, ("EVENTS",), **(TIME | keys | header))


def gti_hdu(start=(0.0,), stop=(50.0,), unit: str | None = None, **header: object):
    """GTI without unit on its columns, as in CTA-1DC."""
    columns = [
        fits.Column("START", "D", unit, array=np.array(start)),
        fits.Column("STOP", "D", unit, array=np.array(stop)),
    ]
    return table("GTI", columns, ("GTI",), **(TIME | header))


def write(path: Path, *hdus: fits.BinTableHDU) -> Path:
    """Write the tables to a file."""
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path, overwrite=True)
    return path


def write_run(path: Path, obs_id: int = 1, **header: object) -> Path:
    """A complete full-enclosure run."""
    hdus = events_hdu(obs_id, **header), gti_hdu(), aeff_hdu(LO_THRES=0.5), edisp_hdu(), psf_table_hdu()
    return write(path, *hdus)


HDU_NAMES = {
    "events": "events",
    "gti": "gti",
    "aeff_2d": "effective area",
    "edisp_2d": "energy dispersion",
    "psf_table": "psf",
    "rad_max_2d": "rad_max",
}


def write_index(
    folder: Path, files: dict[int, str], kinds=("events", "gti", "aeff_2d", "edisp_2d", "psf_table")
) -> Path:
    """Index tables in `folder` for runs whose HDUs lie in one file each; OBS_ID is the only obs column."""
    ids = np.array(list(files), dtype=np.int64)
    write(folder / "obs-index.fits", table("OBS_INDEX", [fits.Column("OBS_ID", "K", array=ids)]))
    rows = [
        (kind if kind in ("events", "gti") else kind.rsplit("_", 1)[0], kind, "", file, HDU_NAMES[kind])
        for file in files.values()
        for kind in kinds
    ]
    columns = [fits.Column("OBS_ID", "K", array=np.repeat(ids, len(kinds)))]
    for i, name in enumerate(("HDU_TYPE", "HDU_CLASS", "FILE_DIR", "FILE_NAME", "HDU_NAME")):
        columns.append(fits.Column(name, "60A", array=np.array([row[i] for row in rows])))
    write(folder / "hdu-index.fits", table("HDU_INDEX", columns))
    return folder
