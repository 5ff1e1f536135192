"""A folder or a list of DL3 files, and the runs in it."""

import logging
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from gammajax.checks import as_paths, names, pair
from gammajax.data.observation import USED, Observation
from gammajax.data.observations import Observations, bare_name
from gammajax.data.times import as_interval
from gammajax.errors import ConfigError, GammajaxError, MissingFile, NoSuchObservation, nearest
from gammajax.geom.position import position as as_position
from gammajax.io.dl3 import HDULocation, index_paths, read_hdu_index, read_obs_index, scan_responses, scan_run
from gammajax.io.paths import is_file, is_folder
from gammajax.numeric.sphere import separation
from gammajax.tables import Shown, html_summary
from gammajax.units import to_number

log = logging.getLogger(__name__)


class DataStore(Shown):
    """The runs that index tables or a list of files name. Only those tables are read until a run is used."""

    def __init__(self, columns: dict[str, np.ndarray], locations: Iterable[HDULocation], source: str = ""):
        self.source = source
        self._columns = columns
        self._places: dict[int, dict[str, HDULocation]] = {int(i): {} for i in columns["OBS_ID"]}
        for place in locations:
            # the first HDU of a type counts; one run may list several, for example per event type
            self._places.setdefault(place.obs_id, {}).setdefault(place.type, place)

    @classmethod
    def from_dir(cls, path: str | Path) -> "DataStore":
        """From a folder with obs-index.fits(.gz) and hdu-index.fits(.gz).

        Listed files may be absent: that matters once such a run is asked for. Raises `MissingFile` without
        index.
        """
        obs_index, hdu_index = index_paths(path)
        return cls(read_obs_index(obs_index), read_hdu_index(hdu_index), str(path))

    @classmethod
    def from_files(cls, files: str | Path | Iterable[str | Path], responses: str | Path | None = None) -> "DataStore":
        """From DL3 files without index, one or several, a run each; `responses` is a file of IRFs for runs without.

        Reads the headers of all files. Raises `MissingFile` and `FileFormatError`, and `ConfigError` where
        two files hold the same run.
        """
        places: list[HDULocation] = []
        infos = {}
        for file in as_paths(files, "files"):
            info, found = scan_run(file)
            if info.obs_id in infos:
                raise ConfigError(f"{file} holds run {info.obs_id}, which another of the files holds too")
            infos[info.obs_id] = info
            places += found
            if responses is not None:
                places += scan_responses(responses, info.obs_id)
        columns = {"OBS_ID": np.array(list(infos), dtype=np.int64)}
        for key in ("ra_pnt", "dec_pnt"):
            columns[key.upper()] = np.array([getattr(info, key) for info in infos.values()], dtype=float)
        columns["OBJECT"] = np.array([info.target for info in infos.values()], dtype=str)
        return cls(columns, places, f"{len(infos)} files")

    def _title(self) -> str:
        return f"DataStore {self.source}: {len(self)} runs listed"

    def _about(self) -> dict[str, str]:
        kinds = Counter(place.kind for places in self._places.values() for place in places.values())
        names = next((self._columns[key] for key in ("OBJECT", "TARGET_NAME") if key in self._columns), ())
        targets = Counter(map(str, names))
        return {"HDUs": _counted(kinds), "targets": _counted(targets)}

    def _repr_html_(self) -> str:
        return html_summary(self._title(), self._about(), self.obs_table)

    def __len__(self) -> int:
        return len(self.obs_ids)

    @property
    def obs_ids(self) -> np.ndarray:
        """The runs that are listed, int64, in the order of the index."""
        return self._columns["OBS_ID"]

    @property
    def obs_table(self) -> Table:
        """The observation index as an astropy table."""
        return Table(self._columns)

    def observation(self, obs_id: int, required: str | Iterable[str] = ()) -> Observation:
        """One run; `required` are types of HDU, such as "psf" or ("psf", "bkg"), that it must list.

        Raises `NoSuchObservation` if it is not listed, `MissingFile` if a file or a required HDU is absent.
        """
        obs_id = _number(obs_id)
        places, required = self._listed(obs_id), set(names(required, "required"))
        lacking = sorted(required - set(places))
        if lacking:
            have = ", ".join(places) or "nothing"
            raise MissingFile(f"run {obs_id} lacks the required {', '.join(lacking)}; {self.source} lists {have}")
        if "events" not in places:
            have = ", ".join(places) or "nothing"
            raise MissingFile(f"run {obs_id} has no events: the HDU index of {self.source} lists {have} for it")
        for place in places.values():
            if not place.path.suffix and is_folder(place.path):
                raise MissingFile(f"run {obs_id}: the {place.kind} have no FILE_NAME in the HDU index of {self.source}")
            if place.type in {*USED, *required} and not is_file(place.path):
                raise MissingFile(f"run {obs_id}: {place.path} ({place.kind}) is listed in {self.source} but absent")
        return Observation(int(obs_id), places)

    def observations(
        self, ids: Any = None, skip_missing: bool = True, required: str | Iterable[str] = ()
    ) -> Observations:
        """The runs `ids`, one number or several, by default all that are listed; `required` as in `observation`.

        Runs whose files or required HDUs are absent are left out, logged, and named in `.failures`; with
        skip_missing=False they raise `MissingFile`. A run that is not listed at all always raises `NoSuchObservation`.
        """
        found, failures, required = [], {}, names(required, "required")
        for obs_id in self.obs_ids if ids is None else _numbers(ids):
            try:
                found.append(self.observation(int(obs_id), required))
            except MissingFile as error:
                if not skip_missing:
                    raise
                failures[int(obs_id)] = str(error)
        if failures:
            asked, first = len(failures) + len(found), next(iter(failures.values()))
            log.warning("%d of %d runs are left out, see .failures; the first: %s", len(failures), asked, first)
        return Observations(found, failures)

    def select(
        self,
        ids: Any = None,
        *,
        cone: tuple[Any, Any] | None = None,
        target: str | None = None,
        time: tuple[Any, Any] | None = None,
    ) -> np.ndarray:
        """Numbers (int64) of the listed runs that meet all conditions.

        `ids`: only among these. `cone`: pointing within (position, radius); the position is a `SkyCoord`,
        text such as '83.63 22.01' [deg] or (ra, dec), the radius an angle. `target`: name in OBJECT or
        TARGET_NAME; case and blanks do not matter. `time`: good time overlaps (t0, t1), astropy times,
        text or MJD (UTC); read from the runs themselves, since the times in index tables are inexact, so that absent
        and unreadable runs drop out, with a line in the log. Raises `NoSuchObservation` for unlisted ids and
        `ConfigError` for positions and times that are none.
        """
        chosen = self.obs_ids if ids is None else _numbers(ids)
        for obs_id in chosen:
            self._listed(int(obs_id))
        if cone is not None:
            chosen = self._in_cone(chosen, *pair(cone, "cone", "('83.63 22.01', '2 deg')"))
        if target is not None:
            chosen = self._of_target(chosen, target)
        if time is not None:
            interval = as_interval(time, "time")
            runs = self.observations(chosen)
            found = runs.select_time(interval)
            for obs_id in found.failures.keys() - runs.failures.keys():
                log.warning("run %d cannot be selected: %s", obs_id, found.failures[obs_id])
            chosen = found.ids
        return chosen

    def _listed(self, obs_id: int) -> dict[str, HDULocation]:
        if int(obs_id) not in self._places:
            hint = nearest(str(obs_id), map(str, self._places))
            raise NoSuchObservation(
                f"run {obs_id} is not listed in {self.source}" + (f"; nearest: {hint}" if hint else "")
            )
        return self._places[int(obs_id)]

    def _in_cone(self, ids: np.ndarray, position: Any, radius: Any) -> np.ndarray:
        lon, lat = as_position(position)
        ra, dec = np.reshape([self._pointing(int(i)) for i in ids], (-1, 2)).T
        return ids[separation(ra, dec, lon, lat) <= to_number(radius, "deg", "radius")]

    def _of_target(self, ids: np.ndarray, target: str) -> np.ndarray:
        wanted = bare_name(target)
        return ids[np.array([wanted in map(bare_name, self._targets(int(i))) for i in ids], dtype=bool)]

    @cached_property
    def _rows(self) -> dict[int, int]:
        return {int(obs_id): row for row, obs_id in enumerate(self.obs_ids)}

    def _pointing(self, obs_id: int) -> tuple[float, float]:
        row = self._rows.get(obs_id)
        if row is not None and {"RA_PNT", "DEC_PNT"} <= set(self._columns):
            found = self._columns["RA_PNT"][row], self._columns["DEC_PNT"][row]
            if np.isfinite(found).all():
                return found
        return self._from_run(obs_id, "pointing_radec", (np.nan, np.nan))

    def _targets(self, obs_id: int) -> list[str]:
        row, names = self._rows.get(obs_id), [key for key in ("OBJECT", "TARGET_NAME") if key in self._columns]
        if row is None or not names:
            return [self._from_run(obs_id, "target", "")]
        return [str(self._columns[name][row]) for name in names]

    def _from_run(self, obs_id: int, attribute: str, absent: Any) -> Any:
        """What the index lacks, read from the run; `absent` (and a line in the log) for an unreadable one."""
        try:
            return getattr(self.observation(obs_id), attribute)
        except GammajaxError as error:
            log.warning("run %d cannot be selected: %s", obs_id, error)
            return absent


def _counted(counts: Counter[str], most: int = 8) -> str:
    """The commonest of some names, with their numbers, for a person to read."""
    texts = [f"{name or '(no name)'} {n}" for name, n in counts.most_common(most)]
    return ", ".join(texts + [f"and {len(counts) - most} more"] * (len(counts) > most))


def _numbers(ids: Any) -> np.ndarray:
    """Run numbers as int64; also one alone. Raises `NoSuchObservation` for what is no number."""
    single = isinstance(ids, str) or not np.iterable(ids)
    return np.array([_number(i) for i in ([ids] if single else ids)], dtype=np.int64)


def _number(obs_id: Any) -> int:
    try:
        if isinstance(obs_id, float) and obs_id != int(obs_id):
            raise ValueError(obs_id)
        return int(obs_id)
    except (TypeError, ValueError, OverflowError) as error:
        raise NoSuchObservation(f"{obs_id!r} is no run number such as 23523") from error
