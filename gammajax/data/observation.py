"""One observation run: what is on disk about it, read when it is first used."""

from collections.abc import Callable, Mapping
from functools import cached_property, reduce
from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.time import Time

from gammajax.data.cuts import Cut, EventCut, GTICut, OffsetCut, PhaseCut, TimeCut
from gammajax.data.events import Events
from gammajax.data.gti import GTI, as_gti
from gammajax.data.phase import Ephemeris, as_ephemeris, phase_intervals
from gammajax.data.pointing import drift_pointing, horizontal, interpolated, interpolated_altaz
from gammajax.data.reading import CLASSES, file_version, read_responses, read_run
from gammajax.data.times import as_interval, as_times, iso
from gammajax.errors import ConfigError, EmptyRun, FileFormatError, GammajaxError, MissingFile
from gammajax.io.dl3 import HDULocation, PointingTable, RunInfo, find_pointing, pointing_table
from gammajax.io.fits import open_fits
from gammajax.io.irf import KINDS
from gammajax.io.paths import is_file
from gammajax.irf import (
    Background2D,
    Background3D,
    EffectiveArea,
    EnergyDispersion,
    PSF3Gauss,
    PSFKing,
    PSFTable,
    RadMax,
)
from gammajax.numeric.sphere import separation
from gammajax.tables import Shown
from gammajax.units import to_pair

USED = ("events", "gti", "aeff", "edisp", "psf", "rad_max")
"""The types of HDU whose files must exist when a run is opened."""

OPTIONAL = ("bkg", "pointing")
"""The types of HDU that are read, and missed, only when they are asked for; all others in an index are ignored."""


class Observation(Shown):
    """One run: events, good time intervals, pointing and responses, each read at first use and then kept.

    Until then only file names are held: observations are cheap, and travel to worker processes without their
    data. Every attribute may raise `MissingFile` or `FileFormatError`, which name the file.
    """

    def __init__(self, obs_id: int, locations: Mapping[str, HDULocation]):
        self.obs_id = int(obs_id)
        self.locations = {kind: place for kind, place in locations.items() if kind in (*USED, *OPTIONAL)}
        self._cuts: tuple[Cut, ...] = ()

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in ("obs_id", "locations", "_cuts")}

    def _title(self) -> str:
        return f"Observation {self.obs_id}"

    def _about(self) -> dict[str, str]:
        """To look at a run reads no file: what it tells besides its files, it tells once it was read."""
        about = {
            "files": ", ".join(path.name for path in self.files) or "none",
            "responses": ", ".join(place.kind for kind, place in self.locations.items() if kind not in USED[:2]),
            "cuts": ", ".join(type(cut).__name__ for cut in self._cuts),
        }
        if "_run" not in self.__dict__:
            return {**about, "content": "not read yet: info() reads it"}
        meta, _, gti = self._run
        return {
            "telescope": meta.telescope,
            "target": meta.target,
            "pointing": f"ra {meta.ra_pnt:.4f} deg, dec {meta.dec_pnt:.4f} deg" if np.isfinite(meta.ra_pnt) else "",
            "good time": repr(self.__dict__.get("gti", gti)),
            "events": str(len(self.__dict__.get("events", self._run[1]))),
            **about,
        }

    @property
    def files(self) -> list[Path]:
        """The files involved, each once."""
        return list(dict.fromkeys(place.path for place in self.locations.values()))

    @cached_property
    def _run(self) -> tuple[RunInfo, Events, GTI]:
        return read_run(self.obs_id, self.locations)

    @property
    def meta(self) -> RunInfo:
        """The header of EVENTS: telescope, target, pointing, dead time, ..."""
        return self._run[0]

    @cached_property
    def events(self) -> Events:
        """The event list, all of it: cut on the selections of this run only, not on the GTI of the file."""
        return reduce(lambda events, cut: cut.events(events, self), self._cuts, self._run[1])

    @cached_property
    def gti(self) -> GTI:
        """The good time intervals within the time selections."""
        return reduce(lambda gti, cut: cut.gti(gti), self._cuts, self._run[2])

    @property
    def telescope(self) -> str:
        """TELESCOP, '' where the file is silent."""
        return self.meta.telescope

    @property
    def target(self) -> str:
        """OBJECT, '' where the file is silent; for information only."""
        return self.meta.target

    @property
    def pointing_radec(self) -> tuple[float, float]:
        """Fixed pointing (ra, dec) [deg, ICRS] of the header.

        Raises `FileFormatError` for drift scans, which have none: spectra and backgrounds, whose responses depend on
        the offset, need it. `pointing_lonlat` gives the direction at a time, also of a table that moves.
        """
        meta = self.meta
        if meta.obs_mode == "DRIFT" or not np.isfinite([meta.ra_pnt, meta.dec_pnt]).all():
            raise FileFormatError(
                f"run {self.obs_id} ({self._place('events').path}) has no fixed pointing: "
                f"OBS_MODE={meta.obs_mode!r}, RA_PNT={meta.ra_pnt}, DEC_PNT={meta.dec_pnt}; it cannot be reduced with "
                "responses that depend on the offset (pointing_lonlat gives its direction at a time)"
            )
        if abs(meta.dec_pnt) > 90.0:
            raise FileFormatError(
                f"run {self.obs_id} ({self._place('events').path}): DEC_PNT must be in -90..90 deg, "
                f"got {meta.dec_pnt:g}"
            )
        return meta.ra_pnt % 360.0, meta.dec_pnt

    @property
    def pointing(self) -> SkyCoord:
        """Fixed pointing as an astropy coordinate; see `pointing_radec`."""
        return SkyCoord(*self.pointing_radec, unit="deg")

    @cached_property
    def pointing_table(self) -> PointingTable | None:
        """The table of pointings over time, None where the run has none."""
        if "pointing" not in self.locations:
            return None
        place = self.locations["pointing"]
        with open_fits(place.path) as hdus:
            return pointing_table(find_pointing(hdus, place.path, place.hdu), place.path)

    def pointing_lonlat(self, times: Time) -> tuple[np.ndarray, np.ndarray]:
        """Pointing (ra, dec) [deg, ICRS] at astropy times, each with their shape.

        Interpolated in the pointing table where there is one, else the fixed pointing, else that of a drift scan
        from ALT_PNT, AZ_PNT and the site. Raises `FileFormatError` where a header lacks these or a table the time.
        """
        if self.pointing_table is not None:
            try:
                seconds = np.asarray(self.pointing_table.reference.to_seconds(times))
                return interpolated(self.pointing_table, seconds)
            except FileFormatError as error:
                raise FileFormatError(f"run {self.obs_id} ({self._place('pointing').path}): {error}") from error
        if self.meta.obs_mode == "DRIFT":
            return drift_pointing(self.meta, times, f"run {self.obs_id} ({self._place('events').path})")
        ra, dec = self.pointing_radec
        return np.full(times.shape, ra), np.full(times.shape, dec)

    def pointing_at(self, times: Any) -> SkyCoord:
        """As `pointing_lonlat`, as astropy coordinates; times may be text or MJD as in `select_time`."""
        return SkyCoord(*self.pointing_lonlat(as_times(times)), unit="deg")

    def pointing_altaz(self, times: Time) -> tuple[np.ndarray, np.ndarray]:
        """Altitude and azimuth [deg] of the pointing at astropy times; the table's own where it has them.

        Raises `FileFormatError` for a run without GEOLON and GEOLAT.
        """
        table = self.pointing_table
        found = None if table is None else interpolated_altaz(table, np.asarray(table.reference.to_seconds(times)))
        if found is not None:
            return found
        return self.altaz(*self.pointing_lonlat(times), times)

    def altaz(self, ra: Any, dec: Any, times: Time) -> tuple[np.ndarray, np.ndarray]:
        """Altitude and azimuth (north over east) [deg] of directions [deg, ICRS] at astropy times, from the site.

        Raises `FileFormatError` for a run without GEOLON and GEOLAT.
        """
        if self.meta.site is None:
            raise FileFormatError(
                f"run {self.obs_id} ({self._place('events').path}) has no site: horizontal coordinates need GEOLON "
                "and GEOLAT in the header of EVENTS"
            )
        return horizontal(ra, dec, times, self.meta.site)

    @property
    def zenith(self) -> float:
        """Zenith angle [deg]: 90 - ALT_PNT, else from site and time (middle of the run).

        Raises `FileFormatError` where neither is known.
        """
        if np.isfinite(self.meta.alt_pnt):
            return 90.0 - self.meta.alt_pnt
        return 90.0 - float(self.pointing_altaz(self.tmid)[0])

    @property
    def offsets(self) -> np.ndarray:
        """Offset [deg] of each event from the pointing at its time."""
        return separation(*self.pointing_lonlat(self.events.times), self.events.ra, self.events.dec)

    @property
    def ontime(self) -> float:
        """Time [s] during which events could pass: sum of the GTI, times the share that a phase selection leaves."""
        return self.gti.time_sum * float(np.prod([cut.fraction for cut in self._cuts]))

    @property
    def livetime(self) -> float:
        """Dead-time corrected time [s]: DEADC * on-time (the LIVETIME keyword is not used)."""
        deadc = self.meta.deadc
        if not 0 <= deadc <= 1:
            raise FileFormatError(
                f"run {self.obs_id} ({self._place('events').path}): DEADC must be in 0..1, got {deadc}"
            )
        return deadc * self.ontime

    @property
    def tstart(self) -> Time:
        """Start of the first good time interval. Raises `EmptyRun` if there is none."""
        return self.gti.reference.to_time(self._good(self.gti.start).min())

    @property
    def tstop(self) -> Time:
        """End of the last good time interval. Raises `EmptyRun` if there is none."""
        return self.gti.reference.to_time(self._good(self.gti.stop).max())

    @property
    def tmid(self) -> Time:
        """The middle between `tstart` and `tstop`."""
        gti = self.gti
        return gti.reference.to_time(0.5 * (self._good(gti.start).min() + self._good(gti.stop).max()))

    def _good(self, times: np.ndarray) -> np.ndarray:
        if not len(times):
            raise EmptyRun(f"run {self.obs_id} has no good time interval")
        return times

    @cached_property
    def _responses(self) -> dict[str, Any]:
        places = [p for p in self.locations.values() if p.type in USED[2:] and p.kind in KINDS]
        found: dict[str, Any] = {}
        for path in dict.fromkeys(p.path for p in places):
            wanted = tuple((p.type, p.kind, p.hdu) for p in places if p.path == path)
            found |= read_responses(path, wanted, file_version(path))
        return found

    @property
    def aeff(self) -> EffectiveArea:
        """Effective area."""
        return self._response("aeff")[0]

    @property
    def edisp(self) -> EnergyDispersion:
        """Energy dispersion."""
        return self._response("edisp")[0]

    @property
    def psf(self) -> PSFTable | PSF3Gauss | PSFKing | None:
        """Point spread function, None where the run has none (point-like responses)."""
        return self._response("psf")[0] if "psf" in self.locations else None

    @property
    def is_pointlike(self) -> bool:
        """True if the effective area was made after a directional cut (HDUCLAS3 = POINT-LIKE)."""
        return self._response("aeff")[1]

    @property
    def rad_max(self) -> RadMax | None:
        """The directional cut of point-like responses, None for full-enclosure ones.

        From the RAD_MAX HDU, else from the RAD_MAX keyword of the effective area; raises `FileFormatError`
        for a point-like run with neither, since its on region is then unknown.
        """
        if "rad_max" in self.locations:
            return self._response("rad_max")[0]
        if not self.is_pointlike:
            return None
        _, _, radius = self._response("aeff")
        if not np.isfinite(radius):
            raise FileFormatError(
                f"run {self.obs_id}: the effective area in {self._place('aeff').path} is POINT-LIKE, but "
                "there is neither a RAD_MAX keyword in its header nor a RAD_MAX_2D HDU; add one of them"
            )
        return RadMax.fixed(radius)

    @cached_property
    def bkg(self) -> Background2D | Background3D | None:
        """Background rate, None where the run has none.

        Files of H.E.S.S. DL3 DR1 (EVENTS written by 'SASH FITS::EventListWriter', version 0.2) have fov_lon with right
        ascension, against their own FOVALIGN; measured on 45 runs without a source.
        """
        if "bkg" not in self.locations:
            return None
        place = self._place_of_response("bkg")
        if not is_file(place.path):
            raise MissingFile(f"run {self.obs_id}: {place.path} ({place.kind}) is listed but absent")
        found = read_responses(place.path, ((place.type, place.kind, place.hdu),), file_version(place.path))["bkg"]
        if isinstance(found, GammajaxError):
            raise found
        old = (self.meta.creator, self.meta.version) == ("SASH FITS::EventListWriter", "0.2")
        return found[0].aligned("REVERSE_LON_RADEC") if old and isinstance(found[0], Background3D) else found[0]

    def select_time(self, interval: Any, inverted: bool = False) -> "Observation":
        """This run cut to `interval`: events, GTI and so the livetime.

        A pair of astropy times, of text such as '2006-07-29T22:00' (UTC unless it ends in another scale) or of MJD
        (UTC). `inverted`: all but the time between. Raises `ConfigError` for what is no pair of times.
        """
        return self._with(TimeCut(as_interval(interval), inverted))

    def select_gti(self, gti: GTI) -> "Observation":
        """This run cut to further good time intervals: events, GTI (the intersection) and so the livetime."""
        return self._with(GTICut(as_gti(gti)))

    def select_offset(self, band: Any) -> "Observation":
        """This run with the events whose offset from the pointing at their time is in [low, high) deg.

        Raises `ConfigError` for what is no pair of angles.
        """
        return self._with(OffsetCut(to_pair(band, "deg", "offset band")))

    def select_phase(self, intervals: Any, ephemeris: Ephemeris | None = None, column: str = "PHASE") -> "Observation":
        """This run cut to phase intervals, of a column or of an ephemeris; the livetime shrinks by their width.

        Raises `ConfigError` for what is no phase interval or no ephemeris.
        """
        ephemeris = None if ephemeris is None else as_ephemeris(ephemeris)
        return self._with(PhaseCut(phase_intervals(intervals), ephemeris, column))

    def select_events(self, select: Callable[[Events], Events], livetime_fraction: float = 1.0) -> "Observation":
        """This run with the events that a function of the event list leaves.

        `livetime_fraction` is the share of the livetime that such a selection leaves; a function defined at module
        level lets the run travel to worker processes. Raises `ConfigError` for a share outside 0..1.

        >>> loud = run.select_events(lambda events: events.select_parameter("MULTIP", (3, 100)))  # doctest: +SKIP
        """
        if not callable(select):
            raise ConfigError(
                f"select is a function of the event list, got {type(select).__name__}: for example "
                "lambda events: events.select_energy(('1 TeV', '10 TeV'))"
            )
        if not 0 <= livetime_fraction <= 1:
            raise ConfigError(f"livetime_fraction must be in 0..1, got {livetime_fraction}")
        return self._with(EventCut(select, livetime_fraction))

    def _with(self, cut: Cut) -> "Observation":
        new = Observation(self.obs_id, self.locations)
        new._cuts = (*self._cuts, cut)
        return new

    def info(self) -> str:
        """A table of what the run is, for a person to read. Reads the run."""
        lon, lat = self.pointing_radec
        lines = {
            "observation": self.obs_id,
            "telescope": self.telescope,
            "target": self.target,
            "pointing": f"ra {lon:.4f} deg, dec {lat:.4f} deg",
            "start": f"{iso(self.tstart)} UTC",
            "on-time": f"{self.gti.time_sum:.1f} s",
            "livetime": f"{self.livetime:.1f} s",
            "events": len(self.events),
            "responses": ", ".join(place.kind for kind, place in self.locations.items() if kind not in USED[:2]),
            "files": ", ".join(str(path) for path in self.files),
        }
        return "\n".join(f"{name:<12} {value}" for name, value in lines.items())

    def _place(self, kind: str) -> HDULocation:
        if kind not in self.locations:
            files = ", ".join(map(str, self.files)) or "no files"
            have = ", ".join(self.locations) or "nothing"
            raise FileFormatError(f"run {self.obs_id} has no {kind!r}; it has {have} (in {files})")
        return self.locations[kind]

    def _place_of_response(self, kind: str) -> HDULocation:
        """As `_place`, of a class that is read and belongs to this type: an index may say anything."""
        place = self._place(kind)
        where = f"run {self.obs_id}: {place.path}[{place.hdu}]"
        if place.kind not in CLASSES:
            raise FileFormatError(
                f"{where} is a {place.kind!r}, which is not supported; supported are {', '.join(CLASSES)}"
            )
        if place.kind.rsplit("_", 1)[0] != kind:
            raise FileFormatError(
                f"{where} is listed with HDU_TYPE {kind!r} and HDU_CLASS {place.kind!r}, which do not belong together: "
                "correct the HDU index"
            )
        return place

    def _response(self, kind: str) -> tuple[Any, bool, float]:
        self._place_of_response(kind)
        found = self._responses[kind]
        if isinstance(found, GammajaxError):
            raise found
        return found
