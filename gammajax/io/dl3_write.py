"""Writing GADF v0.3 DL3: event lists, good time intervals, responses, index tables.

What `gammajax.io.dl3` and `gammajax.io.irf` read comes out as it went in; response tables are float32.
Source: "Data formats for gamma-ray astronomy" v0.3, https://gamma-astro-data-formats.readthedocs.io
"""

import gzip
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from gammajax.errors import FileFormatError
from gammajax.io.dl3 import EventTable, GTITable, HDULocation, PointingTable, RunInfo, Site, TimeReference
from gammajax.io.irf import GridAxis, Response
from gammajax.units import conversion

CREATOR = "gammajax"


@dataclass(frozen=True)
class Run:
    """All that one DL3 file holds.

    `columns` are further columns of EVENTS (one entry per event, no unit) beside those of `events`; `nodes` names
    the response axes that are written as nodes (LO = HI) instead of bins.
    """

    info: RunInfo
    events: EventTable
    gti: GTITable
    responses: Sequence[Response]
    site: Site | None = None
    columns: Mapping[str, np.ndarray] | None = None
    nodes: Collection[str] = ()
    pointing: PointingTable | None = None

    @property
    def ontime(self) -> float:
        """Sum of the good time intervals [s]."""
        return float(np.sum(self.gti.stop - self.gti.start))


@dataclass(frozen=True)
class _Form:
    """A response in the file: EXTNAME, HDUCLAS2, axes fastest first, value columns (unit here, there)."""

    extname: str
    hduclas2: str
    axes: tuple[str, ...]
    values: Mapping[str, tuple[str, str]]


_FORMS = {
    "aeff_2d": _Form("AEFF", "EFF_AREA", ("energy", "offset"), {"EFFAREA": ("cm2", "m2")}),
    "edisp_2d": _Form("EDISP", "EDISP", ("energy", "migra", "offset"), {"MATRIX": ("", "")}),
    "psf_table": _Form("PSF", "RPSF", ("energy", "offset", "rad"), {"RPSF": ("sr-1", "sr-1")}),
    "psf_3gauss": _Form(
        "PSF",
        "RPSF",
        ("energy", "offset"),
        {
            "SCALE": ("sr-1", "sr-1"),
            "SIGMA_1": ("deg", "deg"),
            "AMPL_2": ("", ""),
            "SIGMA_2": ("deg", "deg"),
            "AMPL_3": ("", ""),
            "SIGMA_3": ("deg", "deg"),
        },
    ),
    "psf_king": _Form("PSF", "RPSF", ("energy", "offset"), {"GAMMA": ("", ""), "SIGMA": ("deg", "deg")}),
    "bkg_2d": _Form("BKG", "BKG", ("energy", "offset"), {"BKG": ("s-1 TeV-1 sr-1", "s-1 MeV-1 sr-1")}),
    "bkg_3d": _Form("BKG", "BKG", ("energy", "fov_lon", "fov_lat"), {"BKG": ("s-1 TeV-1 sr-1", "s-1 MeV-1 sr-1")}),
    "rad_max_2d": _Form("RAD_MAX", "RAD_MAX", ("energy", "offset"), {"RAD_MAX": ("deg", "deg")}),
}

_AXES = {
    "energy": ("ENERG", "TeV"),
    "offset": ("THETA", "deg"),
    "migra": ("MIGRA", ""),
    "rad": ("RAD", "deg"),
    "fov_lon": ("DETX", "deg"),
    "fov_lat": ("DETY", "deg"),
}


def write_run(path: str | Path, run: Run) -> list[HDULocation]:
    """Write EVENTS, GTI and the responses of a run to one file; gzip-compressed if the name ends in `.gz`.

    Returns where the HDUs are, for `write_index`. Raises `FileFormatError` for a response of unknown kind or
    with the wrong axes. Equal runs give equal bytes.

    >>> places = write_run("run_1.fits", run)                                      # doctest: +SKIP
    """
    hdus = {"events": _events_hdu(run), "gti": _gti_hdu(run)}
    if run.pointing is not None:
        hdus["pointing"] = _pointing_hdu(run.pointing, run.info.obs_id, run.site or run.info.site)
    hdus |= {response.kind: response_hdu(response, run.nodes) for response in run.responses}
    file = _write(path, hdus.values())
    # 'psf_table' is of the type 'psf', 'events' of the type 'events'
    return [HDULocation(run.info.obs_id, kind.rsplit("_", 1)[0], kind, file, hdu.name) for kind, hdu in hdus.items()]


def response_hdu(response: Response, nodes: Collection[str] = ()) -> fits.BinTableHDU:
    """A response as a table of one row; the axes named in `nodes` are written as nodes, the others as bins.

    The column order and axis order are those the format recommends (fastest axis first, stated in CREF).
    """
    form = _FORMS.get(response.kind)
    if form is None:
        raise FileFormatError(f"a {response.kind!r} cannot be written; choose from {', '.join(_FORMS)}")
    columns = [c for name in form.axes for c in _axis_columns(name, response.axes[name], name in nodes)]
    for name, (unit, to) in form.values.items():
        columns.append(_value_column(response, form, name, unit, to))
    third = "POINT-LIKE" if response.is_pointlike or response.kind == "rad_max_2d" else "FULL-ENCLOSURE"
    hdu = _table(form.extname, columns, "RESPONSE", form.hduclas2, third, response.kind.upper())
    bounds = ",".join(f"{_AXES[name][0]}_LO:{_AXES[name][0]}_HI" for name in form.axes)
    first = 1 + 2 * len(form.axes)
    hdu.header.update({f"CREF{first + i}": f"({bounds})" for i in range(len(form.values))})
    keys = {"LO_THRES": response.lo_thres, "HI_THRES": response.hi_thres, "RAD_MAX": response.rad_max}
    hdu.header.update({key: x for key, x in keys.items() if np.isfinite(x)})
    if response.kind.startswith("bkg"):
        hdu.header["FOVALIGN"] = response.alignment
    return hdu


def write_index(folder: str | Path, infos: Iterable[RunInfo], places: Iterable[HDULocation]) -> tuple[Path, Path]:
    """Write obs-index.fits.gz and hdu-index.fits.gz of the runs in a folder; returns both paths.

    `places` come from `write_run`, of files inside `folder`. Raises `FileFormatError` if the runs do not
    share one time reference, or if there is no run.
    """
    folder, infos, places = Path(folder), list(infos), list(places)
    references = {info.reference for info in infos}
    if len(references) != 1:
        raise FileFormatError(f"{folder}: an index holds runs of one time reference, got {len(references)}")
    numbers = {"RA_PNT": "deg", "DEC_PNT": "deg", "ALT_PNT": "deg", "AZ_PNT": "deg", "RA_OBJ": "deg",
               "DEC_OBJ": "deg", "TSTART": "s", "TSTOP": "s", "DEADC": ""}  # fmt: skip
    texts = {"OBJECT": "target", "OBS_MODE": "obs_mode", "TELESCOP": "telescope", "INSTRUME": "instrument"}
    columns = [fits.Column("OBS_ID", "K", array=np.array([info.obs_id for info in infos], dtype=np.int64))]
    for name, unit in numbers.items():
        columns.append(_plain(name, [getattr(info, name.lower()) for info in infos], unit))
    columns += [_text(name, [getattr(info, field) for info in infos]) for name, field in texts.items()]
    observations = _table("OBS_INDEX", columns, "INDEX", "OBS")
    observations.header.update(_time_keys(infos[0].reference))

    columns = [fits.Column("OBS_ID", "K", array=np.array([place.obs_id for place in places], dtype=np.int64))]
    relative = [place.path.relative_to(folder) for place in places]
    rows = {
        "HDU_TYPE": [place.type for place in places],
        "HDU_CLASS": [place.kind for place in places],
        "FILE_DIR": [str(path.parent) for path in relative],
        "FILE_NAME": [path.name for path in relative],
        "HDU_NAME": [place.hdu for place in places],
    }
    hdus = _table("HDU_INDEX", columns + [_text(name, row) for name, row in rows.items()], "INDEX", "HDU")
    return (
        _write(folder / "obs-index.fits.gz", [observations]),
        _write(folder / "hdu-index.fits.gz", [hdus]),
    )


def _events_hdu(run: Run) -> fits.BinTableHDU:
    events = run.events
    columns = [
        fits.Column("EVENT_ID", "K", array=events.event_id),
        _plain("TIME", events.time, "s"),
        _plain("RA", events.ra, "deg"),
        _plain("DEC", events.dec, "deg"),
        _plain("ENERGY", events.energy, "TeV"),
    ]
    further = {**events.columns, **(run.columns or {})}
    columns += [_further(name, values, events.units.get(name)) for name, values in further.items()]
    hdu = _table("EVENTS", columns, "EVENTS")
    hdu.header.update(_time_keys(events.reference))
    hdu.header.update(_run_keys(run))
    return hdu


def gti_hdu(gti: GTITable) -> fits.BinTableHDU:
    """The table GTI with its time reference."""
    hdu = _table("GTI", [_plain("START", gti.start, "s"), _plain("STOP", gti.stop, "s")], "GTI")
    hdu.header.update(_time_keys(gti.reference))
    return hdu


def _gti_hdu(run: Run) -> fits.BinTableHDU:
    hdu = gti_hdu(run.gti)
    hdu.header["OBS_ID"] = run.info.obs_id
    return hdu


def _pointing_hdu(table: PointingTable, obs_id: int, site: Site | None) -> fits.BinTableHDU:
    angles = {"RA_PNT": table.ra, "DEC_PNT": table.dec, "ALT_PNT": table.alt, "AZ_PNT": table.az}
    columns = [_plain("TIME", table.time, "s")]
    columns += [_plain(name, x, "deg") for name, x in angles.items() if x is not None]
    hdu = _table("POINTING", columns, "POINTING")
    hdu.header.update({"OBS_ID": obs_id} | _time_keys(table.reference) | _site_keys(site))
    return hdu


def _site_keys(site: Site | None) -> dict[str, Any]:
    return {} if site is None else {"GEOLON": site.lon, "GEOLAT": site.lat, "ALTITUDE": site.altitude}


def _run_keys(run: Run) -> dict[str, Any]:
    """The header of EVENTS; what `RunInfo` does not know (NaN) is left out."""
    info = run.info
    start, stop = (info.reference.to_time(t) for t in (info.tstart, info.tstop))
    names = ("RA_PNT", "DEC_PNT", "ALT_PNT", "AZ_PNT", "RA_OBJ", "DEC_OBJ", "DEADC", "TSTART", "TSTOP")
    numbers = {name: getattr(info, name.lower()) for name in names}
    numbers |= {
        "TELAPSE": info.tstop - info.tstart,
        "ONTIME": run.ontime,
        "LIVETIME": run.ontime * info.deadc,
    }
    numbers |= _site_keys(run.site or info.site)
    return {
        "OBS_ID": info.obs_id,
        "OBS_MODE": info.obs_mode,
        "TELESCOP": info.telescope,
        "INSTRUME": info.instrument,
        "OBJECT": info.target,
        "EQUINOX": 2000.0,
        "RADECSYS": "ICRS",
        "DATE-OBS": start.isot,
        "DATE-END": stop.isot,
        "CREATOR": info.creator or CREATOR,
    } | {name: float(x) for name, x in numbers.items() if np.isfinite(x)}


def _time_keys(reference: TimeReference) -> dict[str, Any]:
    return {
        "MJDREFI": int(reference.mjdrefi),
        "MJDREFF": float(reference.mjdreff),
        "TIMEUNIT": "s",
        "TIMESYS": reference.scale.upper(),
        "TIMEREF": "TOPOCENTER",
    }


def _axis_columns(name: str, axis: GridAxis, as_nodes: bool) -> list[fits.Column]:
    prefix, unit = _AXES[name]
    low, high = (axis.points, axis.points) if as_nodes else (axis.edges[:-1], axis.edges[1:])
    return [
        fits.Column(f"{prefix}_{end}", f"{x.size}D", unit or None, array=x[None])
        for end, x in (("LO", low), ("HI", high))
    ]


def _value_column(response: Response, form: _Form, name: str, unit: str, to: str) -> fits.Column:
    """A value table, transposed from the axis order of the response to that of the file."""
    order = list(response.axes)
    shape = tuple(response.axes[axis].points.size for axis in order)
    data = response.values.get(name)
    if data is None:
        have = ", ".join(response.values) or "nothing"
        raise FileFormatError(f"{response.kind} needs the values {name}; it has {have}")
    if sorted(order) != sorted(form.axes) or data.shape != shape:
        raise FileFormatError(
            f"{response.kind} column {name} has the shape {data.shape} over the axes {', '.join(order)} "
            f"of {shape}; the format wants {', '.join(form.axes)}"
        )
    data = np.transpose(data, [order.index(axis) for axis in reversed(form.axes)])
    data = data * conversion(unit, to, name)
    dim = f"({','.join(str(n) for n in data.shape[::-1])})"
    return fits.Column(name, f"{data.size}E", to or None, dim=dim, array=data[None].astype(np.float32))


def _plain(name: str, values: Any, unit: str = "") -> fits.Column:
    return fits.Column(name, "D", unit or None, array=np.asarray(values, dtype=np.float64))


def _further(name: str, values: np.ndarray, unit: str | None) -> fits.Column:
    """A column of any plain type: text, booleans, whole numbers, floats; one array per event where it has two axes."""
    values = np.asarray(values)
    if values.dtype.kind in "SU":
        return _text(name, [str(value) for value in values])
    codes = {"f": "D", "b": "L", "i": "K" if values.dtype.itemsize == 8 else "J", "u": "K"}
    if values.dtype.kind not in codes:
        raise FileFormatError(f"EVENTS column {name} of the type {values.dtype} cannot be written")
    many = str(int(np.prod(values.shape[1:]))) if values.ndim > 1 else ""
    return fits.Column(name, many + codes[values.dtype.kind], unit, array=values)


def _text(name: str, values: Sequence[str]) -> fits.Column:
    width = max([1, *(len(value) for value in values)])
    return fits.Column(name, f"{width}A", array=np.array(values, dtype=f"S{width}"))


def _table(extname: str, columns: Sequence[fits.Column], *classes: str) -> fits.BinTableHDU:
    hdu = fits.BinTableHDU.from_columns(list(columns), name=extname)
    hdu.header.update({"HDUCLASS": "GADF", "HDUVERS": "0.3"})
    hdu.header["HDUDOC"] = "https://gamma-astro-data-formats.readthedocs.io"
    hdu.header.update({f"HDUCLAS{i}": name for i, name in enumerate(classes, start=1)})
    return hdu


def _write(path: str | Path, hdus: Iterable[fits.BinTableHDU]) -> Path:
    path, buffer = Path(path), io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(buffer)
    content = buffer.getvalue()
    path.parent.mkdir(parents=True, exist_ok=True)
    # the time of writing inside a gzip file would make equal archives differ
    path.write_bytes(gzip.compress(content, compresslevel=1, mtime=0) if path.suffix == ".gz" else content)
    return path
