"""GADF DL3 as plain numpy: index tables, event lists, good time intervals, times.

Times are counted in elapsed SI seconds since a reference epoch in the file's own time scale (GADF "Time");
they stay float64 seconds here, and become `astropy.time.Time` only where a person asks.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from astropy import units as u
from astropy.coordinates import Angle
from astropy.io import fits
from astropy.time import Time, TimeDelta

from gammajax.errors import FileFormatError, MissingFile
from gammajax.io.fits import (
    check_cells,
    check_rows,
    check_whole,
    column,
    column_index,
    column_names,
    find_hdu,
    finite_column,
    hdu_classes,
    number,
    open_fits,
    tables,
    text,
)
from gammajax.io.irf import response_kind
from gammajax.io.paths import check_file, is_file, is_folder
from gammajax.numeric.sphere import wrap

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TimeReference:
    """Epoch of a mission elapsed time: MJDREFI + MJDREFF [d] in an astropy time scale."""

    mjdrefi: float
    mjdreff: float
    scale: str

    def to_time(self, seconds: np.ndarray | float) -> Time:
        """The `Time` after `seconds` elapsed SI seconds; leap seconds are counted."""
        return Time(self.mjdrefi, self.mjdreff, format="mjd", scale=self.scale) + TimeDelta(seconds, format="sec")

    def to_seconds(self, time: Time) -> np.ndarray | float:
        """Elapsed SI seconds from this epoch to `time`.

        >>> ref = TimeReference(51910, 0.000742870370370241, "tt")
        >>> round(float(ref.to_seconds(ref.to_time(123890826.0))), 5)
        123890826.0
        """
        elapsed: Any = time - Time(self.mjdrefi, self.mjdreff, format="mjd", scale=self.scale)
        return elapsed.sec

    def seconds_from(self, other: "TimeReference") -> float:
        """What is added to seconds since `other` to count from here: 0 for equal references, without rounding."""
        if other == self:
            return 0.0
        epoch: Any = Time(other.mjdrefi, other.mjdreff, format="mjd", scale=other.scale)
        return float(self.to_seconds(epoch))


@dataclass(frozen=True)
class EventTable:
    """Columns of EVENTS: time [s after the reference], ra in [0, 360), dec [deg], energy [TeV], event_id.

    `columns` are all others, spelled and scaled as in the file, and `units` what the file says of them.
    """

    time: np.ndarray
    ra: np.ndarray
    dec: np.ndarray
    energy: np.ndarray
    event_id: np.ndarray
    reference: TimeReference
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class GTITable:
    """Good time intervals: start, stop [s since the reference]."""

    start: np.ndarray
    stop: np.ndarray
    reference: TimeReference


@dataclass(frozen=True)
class PointingTable:
    """Columns of POINTING: time [s since the reference], increasing, ra in [0, 360), dec, and alt, az [deg] or None."""

    time: np.ndarray
    ra: np.ndarray
    dec: np.ndarray
    reference: TimeReference
    alt: np.ndarray | None = None
    az: np.ndarray | None = None


@dataclass(frozen=True)
class Site:
    """Where a telescope stands: longitude (east) and latitude [deg], altitude [m]."""

    lon: float
    lat: float
    altitude: float


@dataclass(frozen=True)
class RunInfo:
    """What the EVENTS header says about a run; NaN and '' where it is silent, `site` None.

    `creator` and `version` (CREATOR, HDUVERS) tell files of known oddities.
    """

    obs_id: int
    telescope: str
    instrument: str
    target: str
    obs_mode: str
    ra_pnt: float
    dec_pnt: float
    alt_pnt: float
    az_pnt: float
    ra_obj: float
    dec_obj: float
    deadc: float
    tstart: float
    tstop: float
    reference: TimeReference
    creator: str = ""
    version: str = ""
    site: Site | None = None


@dataclass(frozen=True)
class HDULocation:
    """Where an HDU lies: `kind` such as 'events' or 'aeff_2d', file, HDU name."""

    obs_id: int
    type: str
    kind: str
    path: Path
    hdu: str


_EPOCHS = (0.0, 1e5)
"""MJDREFI + MJDREFF of any telescope [d]: the years 1858 to 2132."""

_LONGEST = 1e10
"""More seconds than there are between the epoch of any telescope and its data: 300 years."""


def time_reference(header: fits.Header, where: str) -> TimeReference:
    """The epoch from MJDREFI, MJDREFF, TIMESYS; raises `FileFormatError` if one is missing or impossible."""
    whole, part, scale = number(header, "MJDREFI"), number(header, "MJDREFF"), text(header, "TIMESYS").lower()
    if not (np.isfinite(whole) and np.isfinite(part)):
        raise FileFormatError(f"{where} has no time reference: MJDREFI, MJDREFF must be given in its header")
    if not _EPOCHS[0] <= whole + part <= _EPOCHS[1]:
        raise FileFormatError(
            f"{where}: MJDREFI {whole:g} + MJDREFF {part:g} is no epoch of a telescope: correct them in its header "
            f"(MJD from {_EPOCHS[0]:g} to {_EPOCHS[1]:g})"
        )
    # a local time cannot be turned into another one
    scales = [name for name in Time.SCALES if name != "local"]
    if scale not in scales:
        raise FileFormatError(f"{where}: TIMESYS is {scale!r}; choose from {', '.join(scales)}")
    return TimeReference(whole, part, scale)


def run_info(hdu: fits.BinTableHDU, path: Path) -> RunInfo:
    """The header of EVENTS; DEADC is LIVETIME / ONTIME where it is not given.

    Raises `FileFormatError` without time reference.
    """
    header = hdu.header
    obs_id = number(header, "OBS_ID", -1)
    return RunInfo(
        obs_id=int(obs_id) if np.isfinite(obs_id) else -1,
        telescope=text(header, "TELESCOP"),
        instrument=text(header, "INSTRUME"),
        target=text(header, "OBJECT"),
        obs_mode=text(header, "OBS_MODE").upper(),
        reference=time_reference(header, f"{path}[{hdu.name}]"),
        **{
            key: number(header, key.upper())
            for key in (
                "ra_pnt", "dec_pnt", "alt_pnt", "az_pnt", "ra_obj", "dec_obj", "tstart", "tstop"
            )
        },
        deadc=_dead_time_factor(header),
        creator=text(header, "CREATOR"),
        version=text(header, "HDUVERS"),
        site=site(header),
    )  # fmt: skip


def _dead_time_factor(header: fits.Header) -> float:
    """DEADC, else LIVETIME / ONTIME, else NaN."""
    factor, on_time = number(header, "DEADC"), number(header, "ONTIME")
    return factor if np.isfinite(factor) or not on_time > 0 else number(header, "LIVETIME") / on_time


def site(header: fits.Header) -> Site | None:
    """GEOLON, GEOLAT and ALTITUDE (GEOALT in old files), None without the first two; for information only.

    Real files also write angles such as '-67d40m35s' and heights such as '4779.99 m'.
    """
    lon, lat = (_amount(header, key, u.deg) for key in ("GEOLON", "GEOLAT"))
    if not np.isfinite([lon, lat]).all():
        return None
    heights = [_amount(header, key, u.m) for key in ("ALTITUDE", "GEOALT")]
    return Site(lon, lat, next((height for height in heights if np.isfinite(height)), 0.0))


def _amount(header: fits.Header, key: str, unit: Any) -> float:
    """A keyword that is a number in `unit` or a text with a unit; NaN where it is neither."""
    value = number(header, key)
    if np.isfinite(value):
        return value
    try:
        amount: Any = (Angle if unit == u.deg else u.Quantity)(text(header, key))
        return float(amount.to_value(unit))
    except (ValueError, TypeError, u.UnitsError):
        return np.nan


def find_events(hdus: fits.HDUList, path: Path, name: str | None = None) -> fits.BinTableHDU:
    """The EVENTS table of an open file."""
    return find_hdu(hdus, path, name=name, classes=["EVENTS"], names=["EVENTS"], columns=["TIME", "RA", "ENERGY"])


def find_gti(hdus: fits.HDUList, path: Path, name: str | None = None) -> fits.BinTableHDU:
    """The GTI table of an open file."""
    return find_hdu(hdus, path, name=name, classes=["GTI"], names=["GTI"], columns=["START", "STOP"])


def find_pointing(hdus: fits.HDUList, path: Path, name: str | None = None) -> fits.BinTableHDU:
    """The POINTING table of an open file."""
    return find_hdu(
        hdus, path, name=name, classes=["POINTING"], names=["POINTING"], columns=["TIME", "RA_PNT", "DEC_PNT"]
    )


def _seconds(hdu: fits.BinTableHDU, path: Path, name: str) -> np.ndarray:
    """A column of times [s since the reference]; without a unit of its own it has that of TIMEUNIT, or seconds."""
    values = finite_column(hdu, path, name, unit="s", default=text(hdu.header, "TIMEUNIT") or "s")
    check_cells(hdu, path, name, np.abs(values) > _LONGEST, "more than 300 years away from MJDREFI + MJDREFF")
    return values


def _event_ids(hdu: fits.BinTableHDU, path: Path) -> np.ndarray:
    """EVENT_ID as int64; the rows are counted where there is no such column."""
    index, table = column_index(hdu, "EVENT_ID"), cast(Any, hdu)
    if index is None:
        return np.arange(len(table.data))
    ids = _plain(table.data.field(index))
    if ids.dtype.kind not in "iu":
        raise FileFormatError(f"{path}[{hdu.name}] column EVENT_ID must hold whole numbers, got {ids[:1].tolist()}")
    check_rows(hdu, path, "EVENT_ID", ids)
    return ids.astype(np.int64)


def event_table(hdu: fits.BinTableHDU, path: Path) -> EventTable:
    """The columns of EVENTS as native float64; ra wrapped into [0, 360).

    An event without energy (NaN) is in no energy bin. Raises `FileFormatError` for impossible values: times and
    directions that are not finite, declinations beyond the poles, negative or infinite energies.
    """
    table: Any = hdu
    known = {column_index(hdu, name) for name in ("TIME", "RA", "DEC", "ENERGY", "EVENT_ID")}
    others = {name: i for i, name in enumerate(column_names(hdu)) if i not in known}
    dec, energy = finite_column(hdu, path, "DEC", unit="deg"), column(hdu, path, "ENERGY", unit="TeV")
    check_rows(hdu, path, "ENERGY", energy)
    check_cells(hdu, path, "ENERGY", (energy < 0) | np.isinf(energy), "negative or infinite")
    check_cells(hdu, path, "DEC", np.abs(dec) > 90.0, "outside -90..90 deg")
    if missing := int(np.isnan(energy).sum()):
        check_cells(hdu, path, "ENERGY", np.full(len(energy), missing == len(energy)), "no numbers (NaN)")
        log.warning(
            "%s[%s]: %d of %d events have no energy (NaN): they are in no bin", path, hdu.name, missing, len(energy)
        )
    return EventTable(
        time=_seconds(hdu, path, "TIME"),
        ra=wrap(finite_column(hdu, path, "RA", unit="deg")),
        dec=dec,
        energy=energy,
        event_id=_event_ids(hdu, path),
        reference=time_reference(hdu.header, f"{path}[{hdu.name}]"),
        columns={name: _plain(table.data.field(i)) for name, i in others.items()},
        units={name: str(table.columns[i].unit) for name, i in others.items() if table.columns[i].unit},
    )


def gti_table(hdu: fits.BinTableHDU, path: Path) -> GTITable:
    """START and STOP; TIMEZERO is ignored, since files that set it have added it to START already.

    Raises `FileFormatError` for an interval that ends before it starts.
    """
    start, stop = (_seconds(hdu, path, name) for name in ("START", "STOP"))
    if np.any(bad := stop < start):
        i = np.flatnonzero(bad)[0]
        raise FileFormatError(
            f"{path}[{hdu.name}] has an interval that stops before it starts: row {i}, from {start[i]:.9g} to "
            f"{stop[i]:.9g} s"
        )
    return GTITable(start, stop, time_reference(hdu.header, f"{path}[{hdu.name}]"))


def good_time(hdus: fits.HDUList, path: Path) -> GTITable | None:
    """The table GTI beside a dataset, None without one. Raises `FileFormatError` as `gti_table` does."""
    return next((gti_table(hdu, path) for hdu in tables(hdus) if hdu.name.upper() == "GTI"), None)


def pointing_table(hdu: fits.BinTableHDU, path: Path) -> PointingTable:
    """The columns of POINTING, in order of time. Raises `FileFormatError` for a table without rows."""
    time = _seconds(hdu, path, "TIME")
    if not len(time):
        raise FileFormatError(f"{path}[{hdu.name}] has no rows")
    columns = {"ra": wrap(column(hdu, path, "RA_PNT", unit="deg")), "dec": column(hdu, path, "DEC_PNT", unit="deg")}
    if column_index(hdu, "ALT_PNT") is not None and column_index(hdu, "AZ_PNT") is not None:
        columns |= {"alt": column(hdu, path, "ALT_PNT", unit="deg"), "az": column(hdu, path, "AZ_PNT", unit="deg")}
    # interpolation needs increasing times: a repeated one counts once
    _, rows = np.unique(time, return_index=True)
    where = f"{path}[{hdu.name}]"
    if not all(np.isfinite(x).all() for x in (time, *columns.values())):
        raise FileFormatError(f"{where} has times or directions that are no numbers")
    return PointingTable(
        time=time[rows],
        reference=time_reference(hdu.header, where),
        **{name: x[rows] for name, x in columns.items()},
    )


def read_obs_index(path: str | Path) -> dict[str, np.ndarray]:
    """The observation index, column by column; only OBS_ID (int64) is required, strings are stripped.

    Columns keep the unit they have in the file, all but the pointing (deg) being for information only.
    """
    path = Path(path)
    with open_fits(path) as hdus:
        table = _index_hdu(hdus, path, "OBS_INDEX")
        columns = {name.upper(): _plain(table.data.field(i)) for i, name in enumerate(column_names(table))}
        columns["OBS_ID"] = ids = _obs_ids(table, path)
        if not len(ids):
            raise FileFormatError(f"{path}[{table.name}] lists no runs")
        found, count = np.unique(ids, return_counts=True)
        if count.max() > 1:
            raise FileFormatError(
                f"{path}[{table.name}] lists run {found[count.argmax()]} {count.max()} times: a run has one row"
            )
        for name in ("RA_PNT", "DEC_PNT"):
            if column_index(table, name) is not None:
                columns[name] = column(table, path, name, unit="deg")
                check_rows(table, path, name, columns[name])
        return columns


def read_hdu_index(path: str | Path) -> list[HDULocation]:
    """The HDU index: every listed HDU, whether or not its file exists.

    Path = folder of the index (or BASE_DIR of its header) / FILE_DIR / FILE_NAME.
    """
    path = Path(path)
    with open_fits(path) as hdus:
        table = _index_hdu(hdus, path, "HDU_INDEX")
        base = path.parent / text(table.header, "BASE_DIR")
        names = ("HDU_TYPE", "HDU_CLASS", "FILE_DIR", "FILE_NAME", "HDU_NAME")
        found = [_strings(table, path, name) for name in names]
        return [
            HDULocation(
                int(obs_id),
                kind.lower(),
                hdu_class.lower(),
                Path(os.path.normpath(base / folder / file)),
                hdu,
            )
            for obs_id, kind, hdu_class, folder, file, hdu in zip(_obs_ids(table, path), *found, strict=True)
        ]


def read_obs_ids(path: str | Path) -> tuple[int, ...]:
    """Run numbers of a text file: one a line or several, separated by blanks; what follows a # is a comment.

    Raises `MissingFile`, or `FileFormatError` naming the line that is no list of numbers.
    """
    path = Path(path)
    check_file(path)
    found: list[int] = []
    for i, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
        try:
            found += [int(word) for word in line.split("#")[0].split()]
        except ValueError as error:
            raise FileFormatError(f"{path} line {i}: {line.strip()!r} is not a list of run numbers") from error
    return tuple(found)


def scan_run(path: str | Path) -> tuple[RunInfo, list[HDULocation]]:
    """What a DL3 file without an index holds: the header of its EVENTS, and where its HDUs are.

    Raises `FileFormatError` when EVENTS or a numeric OBS_ID is missing.
    """
    path = Path(path)
    with open_fits(path) as hdus:
        info = run_info(find_events(hdus, path), path)
        if info.obs_id < 0:
            written = text(find_events(hdus, path).header, "OBS_ID") or None
            raise FileFormatError(f"{path}[EVENTS] has no numeric OBS_ID in its header: it is {written!r}")
        check_whole(hdus, path)
        return info, _locations(hdus, path, info.obs_id)


def scan_responses(path: str | Path, obs_id: int) -> list[HDULocation]:
    """Where the HDUs of a file of responses are, as belonging to the run `obs_id`."""
    path = Path(path)
    with open_fits(path) as hdus:
        check_whole(hdus, path)
        return _locations(hdus, path, obs_id)


def _locations(hdus: fits.HDUList, path: Path, obs_id: int) -> list[HDULocation]:
    found = []
    for hdu in tables(hdus):
        first, _, _, fourth = hdu_classes(hdu)
        # 'psf_table' is of the type 'psf'; EVENTS and GTI have one class, or only a name
        known = fourth.lower() or response_kind(hdu)
        kind = known or (first or hdu.name.strip()).lower()
        found.append(HDULocation(obs_id, kind.rsplit("_", 1)[0] if known else kind, kind, path, hdu.name))
    return found


def index_paths(folder: str | Path) -> tuple[Path, Path]:
    """The obs-index and hdu-index files of a folder, compressed or not. Raises `MissingFile`."""
    if "://" in str(folder):
        raise MissingFile(f"{folder} is an address: download the data, a data store is a folder of this computer")
    folder = Path(folder)
    if not is_folder(folder):
        raise MissingFile(f"{folder} is no folder: a data store is the folder of obs-index.fits and hdu-index.fits")
    found = []
    for stem in ("obs-index", "hdu-index"):
        choices = [folder / f"{stem}.fits.gz", folder / f"{stem}.fits"]
        path = next((p for p in choices if is_file(p)), None)
        if path is None:
            raise MissingFile(
                f"{folder} has neither {choices[0].name} nor {choices[1].name}; "
                "for files without an index use DataStore.from_files([...])"
            )
        found.append(path)
    return found[0], found[1]


def _index_hdu(hdus: fits.HDUList, path: Path, name: str) -> fits.BinTableHDU:
    """The index table: by name, or the only one there is (some files call both tables OBS_INDEX)."""
    found = list(tables(hdus))
    if len(found) == 1:
        return found[0]
    return find_hdu(hdus, path, names=[name], columns=["OBS_ID"])


def _obs_ids(table: fits.BinTableHDU, path: Path) -> np.ndarray:
    index = column_index(table, "OBS_ID")
    if index is None:
        raise FileFormatError(f"{path}[{table.name}] has no column OBS_ID; it has {', '.join(column_names(table))}")
    ids = _plain(table.data.field(index))
    if ids.dtype.kind not in "iuf":
        raise FileFormatError(f"{path}[{table.name}] column OBS_ID holds text, not numbers: {ids[:1].tolist()}")
    check_rows(table, path, "OBS_ID", ids)
    check_cells(table, path, "OBS_ID", ~(np.isfinite(ids) & (np.abs(ids) < 2.0**62)), "no run numbers")
    return ids.astype(np.int64)


def _strings(table: fits.BinTableHDU, path: Path, name: str) -> list[str]:
    index = column_index(table, name)
    if index is None:
        raise FileFormatError(f"{path}[{table.name}] has no column {name}; it has {', '.join(column_names(table))}")
    return [str(x).strip() for x in table.data.field(index)]


def _plain(data: np.ndarray) -> np.ndarray:
    """Native-endian copy; text stripped."""
    data = np.asarray(data)
    if data.dtype.kind in "SU":
        return np.char.strip(data.astype(str))
    if data.dtype.kind == "O":
        return data.copy()
    return data.astype(data.dtype.newbyteorder("="))
