"""One observation run: what is on disk about it, read when it is first used."""

from collections.abc import Mapping
from functools import cached_property, lru_cache, reduce
from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.time import Time

from gammajax.data.events import Events
from gammajax.data.gti import GTI
from gammajax.errors import EmptyRun, FileFormatError, GammajaxError
from gammajax.io.dl3 import HDULocation, RunInfo, event_table, find_events, find_gti, gti_table, run_info
from gammajax.io.fits import open_fits
from gammajax.io.irf import KINDS, response_from_hdus
from gammajax.irf import EffectiveArea, EnergyDispersion, PSF3Gauss, PSFTable, RadMax

USED = ("events", "gti", "aeff", "edisp", "psf", "rad_max")
"""The types of HDU that an observation reads; others in an index (background, ...) are ignored."""

_CLASSES = {
    "aeff_2d": EffectiveArea,
    "edisp_2d": EnergyDispersion,
    "psf_table": PSFTable,
    "psf_3gauss": PSF3Gauss,
    "rad_max_2d": RadMax,
}


class Observation:
    """One run: events, good time intervals, pointing and responses, each read at first use and then kept.

    Until then only file names are held: observations are cheap, and travel to worker processes without their
    data. Every attribute may raise `MissingFile` or `FileFormatError`, which name the file.
    """

    def __init__(self, obs_id: int, locations: Mapping[str, HDULocation]):
        self.obs_id = int(obs_id)
        self.locations = {kind: place for kind, place in locations.items() if kind in USED}
        self._intervals: tuple[Any, ...] = ()

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in ("obs_id", "locations", "_intervals")}

    def __repr__(self) -> str:
        return f"Observation({self.obs_id}, {', '.join(path.name for path in self.files) or 'no files'})"

    @property
    def files(self) -> list[Path]:
        """The files involved, each once."""
        return list(dict.fromkeys(place.path for place in self.locations.values()))

    @cached_property
    def _run(self) -> tuple[RunInfo, Events, GTI]:
        return _read_run(self.obs_id, self.locations)

    @property
    def meta(self) -> RunInfo:
        """The header of EVENTS: telescope, target, pointing, dead time, ..."""
        return self._run[0]

    @cached_property
    def events(self) -> Events:
        """The event list, all of it: cut on the time selection only."""
        return reduce(Events.select_time, self._intervals, self._run[1])

    @cached_property
    def gti(self) -> GTI:
        """The good time intervals within the time selection."""
        return reduce(GTI.select_time, self._intervals, self._run[2])

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
        """Pointing (ra, dec) [deg, ICRS]; raises `FileFormatError` for drift scans, which have none."""
        meta = self.meta
        if meta.obs_mode == "DRIFT" or not np.isfinite([meta.ra_pnt, meta.dec_pnt]).all():
            raise FileFormatError(
                f"run {self.obs_id} ({self._place('events').path}) has no fixed pointing: "
                f"OBS_MODE={meta.obs_mode!r}, RA_PNT={meta.ra_pnt}, DEC_PNT={meta.dec_pnt}"
            )
        return meta.ra_pnt % 360.0, meta.dec_pnt

    @property
    def pointing(self) -> SkyCoord:
        """Pointing as an astropy coordinate."""
        return SkyCoord(*self.pointing_radec, unit="deg")

    @property
    def livetime(self) -> float:
        """Dead-time corrected time [s]: DEADC * sum of the GTI (the LIVETIME keyword is not used)."""
        deadc = self.meta.deadc
        if not 0 <= deadc <= 1:
            raise FileFormatError(
                f"run {self.obs_id} ({self._place('events').path}): DEADC must be in 0..1, got {deadc}"
            )
        return deadc * self.gti.time_sum

    @property
    def tstart(self) -> Time:
        """Start of the first good time interval. Raises `EmptyRun` if there is none."""
        return self.gti.reference.to_time(self._good(self.gti.start).min())

    @property
    def tstop(self) -> Time:
        """End of the last good time interval. Raises `EmptyRun` if there is none."""
        return self.gti.reference.to_time(self._good(self.gti.stop).max())

    def _good(self, times: np.ndarray) -> np.ndarray:
        if not len(times):
            raise EmptyRun(f"run {self.obs_id} has no good time interval")
        return times

    @cached_property
    def _responses(self) -> dict[str, Any]:
        places = [p for p in self.locations.values() if p.type not in ("events", "gti") and p.kind in KINDS]
        found: dict[str, Any] = {}
        for path in dict.fromkeys(p.path for p in places):
            wanted = tuple((p.type, p.kind, p.hdu) for p in places if p.path == path)
            found |= _read_responses(path, wanted, _version(path))
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
    def psf(self) -> PSFTable | PSF3Gauss | None:
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

    def select_time(self, interval: Any) -> "Observation":
        """This run cut to `interval`, a pair of astropy times or text: events, GTI and so the livetime."""
        new = Observation(self.obs_id, self.locations)
        new._intervals = (*self._intervals, interval)
        return new

    def info(self) -> str:
        """A table of what the run is, for a person to read. Reads the run."""
        lon, lat = self.pointing_radec
        lines = {
            "observation": self.obs_id,
            "telescope": self.telescope,
            "target": self.target,
            "pointing": f"ra {lon:.4f} deg, dec {lat:.4f} deg",
            "start": self.tstart.isot,
            "on-time": f"{self.gti.time_sum:.1f} s",
            "livetime": f"{self.livetime:.1f} s",
            "events": len(self.events),
            "responses": ", ".join(place.kind for kind, place in self.locations.items() if kind in USED[2:]),
            "files": ", ".join(str(path) for path in self.files),
        }
        return "\n".join(f"{name:<12} {value}" for name, value in lines.items())

    def _place(self, kind: str) -> HDULocation:
        if kind not in self.locations:
            raise FileFormatError(f"run {self.obs_id} has no {kind!r}; it has {', '.join(self.locations) or 'nothing'}")
        return self.locations[kind]

    def _response(self, kind: str) -> tuple[Any, bool, float]:
        place = self._place(kind)
        if place.kind not in KINDS:
            raise FileFormatError(
                f"run {self.obs_id}: {place.path}[{place.hdu}] is a {place.kind!r}, "
                f"which is not supported; supported are {', '.join(KINDS)}"
            )
        found = self._responses[kind]
        if isinstance(found, GammajaxError):
            raise found
        return found


def _read_run(obs_id: int, locations: Mapping[str, HDULocation]) -> tuple[RunInfo, Events, GTI]:
    """EVENTS and GTI, with one opening if they share a file; a GTI that no index lists is sought there."""
    if "events" not in locations:
        raise FileFormatError(f"run {obs_id} has no events; it has {', '.join(locations) or 'nothing'}")
    place, gti_place = locations["events"], locations.get("gti")
    with open_fits(place.path) as hdus:
        hdu = find_events(hdus, place.path, place.hdu)
        info, events = run_info(hdu, place.path), Events(**vars(event_table(hdu, place.path)))
        if gti_place is None or gti_place.path == place.path:
            name = gti_place.hdu if gti_place else None
            return info, events, GTI(**vars(gti_table(find_gti(hdus, place.path, name), place.path)))
    with open_fits(gti_place.path) as hdus:
        return (
            info,
            events,
            GTI(**vars(gti_table(find_gti(hdus, gti_place.path, gti_place.hdu), gti_place.path))),
        )


def _version(path: Path) -> tuple[int, int]:
    """What tells an edited file from the one read before; (0, 0) for an absent one."""
    if not path.is_file():
        return 0, 0
    state = path.stat()
    return state.st_mtime_ns, state.st_size


@lru_cache(maxsize=16)
def _read_responses(path: Path, wanted: tuple[tuple[str, str, str], ...], version: tuple[int, int]) -> dict[str, Any]:
    """Responses of one file, for all runs that share it: type -> (response, is_pointlike, RAD_MAX keyword).

    A response that cannot be read is kept as its error, so that the others of the file are of use.
    """
    del version
    found: dict[str, Any] = {}
    with open_fits(path) as hdus:
        for kind, hdu_class, name in wanted:
            try:
                response = response_from_hdus(hdus, path, hdu_class, name)
            except GammajaxError as error:
                found[kind] = error
            else:
                found[kind] = (
                    _CLASSES[hdu_class].from_response(response),
                    response.is_pointlike,
                    response.rad_max,
                )
    return found
