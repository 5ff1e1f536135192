"""Several runs: looked up, selected, grouped, as a table."""

import reprlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np
from astropy.table import Column, MaskedColumn, Table

from gammajax.checks import one_or_many, pair
from gammajax.data.gti import GTI, as_gti
from gammajax.data.observation import USED, Observation
from gammajax.data.times import as_interval, iso
from gammajax.errors import (
    ConfigError,
    EmptyRun,
    FileFormatError,
    GammajaxError,
    MissingFile,
    NoSuchObservation,
    nearest,
)
from gammajax.geom.position import position as as_position
from gammajax.io.dl3 import RunInfo
from gammajax.numeric.sphere import separation
from gammajax.tables import html_summary, make_table
from gammajax.units import to_number, to_pair


class Observations(Sequence[Observation]):
    """Some runs in order, and `failures`: run -> message, for those that were asked for and cannot be had."""

    def __init__(self, observations: Observation | Iterable[Observation], failures: dict[int, str] | None = None):
        self._list = as_runs(observations)
        self.failures = dict(failures or {})

    @overload
    def __getitem__(self, index: int | str) -> Observation: ...
    @overload
    def __getitem__(self, index: slice | list | np.ndarray) -> "Observations": ...
    def __getitem__(self, index: Any) -> "Observation | Observations":
        """By position (negative from the end), by run number, or several by a slice, positions or a mask.

        Text such as "23523" is a run number; so is an integer that is no position. `run` takes run numbers only.
        Raises `NoSuchObservation` for what is neither.
        """
        if isinstance(index, slice):
            return Observations(self._list[index], self.failures)
        if isinstance(index, str):
            return self.run(index)
        if isinstance(index, int | np.integer):
            return self._list[index] if -len(self) <= index < len(self) else self.run(int(index))
        rows = np.arange(len(self))[np.asarray(index)] if len(index) else []
        return Observations([self._list[row] for row in rows], self.failures)

    def run(self, obs_id: int | str) -> Observation:
        """The run with this number. Raises `NoSuchObservation`, with the reason where the run failed."""
        for run in self:
            if str(run.obs_id) == str(obs_id).strip():
                return run
        failed = next((why for key, why in self.failures.items() if str(key) == str(obs_id).strip()), None)
        hint = nearest(str(obs_id), [str(run.obs_id) for run in self])
        raise NoSuchObservation(
            f"run {obs_id} is not among the {len(self)} runs"
            + (f": {failed}" if failed else f"; nearest: {hint}" if hint else "")
        )

    def __len__(self) -> int:
        return len(self._list)

    def __iter__(self) -> Iterator[Observation]:
        return iter(self._list)

    def __repr__(self) -> str:
        failed = f", {len(self.failures)} failed" if self.failures else ""
        numbers = [str(run.obs_id) for run in self._list[:6]] + ["..."] * (len(self) > 6)
        return f"Observations({len(self)} runs{failed}{': ' if numbers else ''}{', '.join(numbers)})"

    def _repr_html_(self) -> str:
        columns = {
            "obs_id": self.ids,
            "files": [", ".join(path.name for path in run.files) for run in self],
            "responses": [" ".join(p.kind for t, p in run.locations.items() if t not in USED[:2]) for run in self],
        }
        more = {"failed": "; ".join(f"{key}: {why}" for key, why in self.failures.items())} if self.failures else {}
        listed = Table(columns) if len(self) else None
        return html_summary(f"{len(self)} runs; table() reads and lists them", more, listed)

    @property
    def ids(self) -> np.ndarray:
        """The run numbers, int64."""
        return np.array([run.obs_id for run in self], dtype=np.int64)

    def select_time(self, interval: Any, inverted: bool = False) -> "Observations":
        """The runs cut to `interval`, a pair of times; see `Observation.select_time`.

        Runs without good time in it drop out; those whose times cannot be read are named in `failures`.
        """
        times = as_interval(interval)
        return self._cut(lambda run: run.select_time(times, inverted))

    def select_gti(self, gti: GTI) -> "Observations":
        """The runs cut to further good time intervals; runs without any in common with them drop out."""
        given = as_gti(gti)
        return self._cut(lambda run: run.select_gti(given))

    def select(
        self,
        ids: int | str | Iterable[int | str] | None = None,
        *,
        target: str | None = None,
        telescope: str | None = None,
        cone: tuple[Any, Any] | None = None,
        time: tuple[Any, Any] | None = None,
        zenith: tuple[Any, Any] | None = None,
        offset: tuple[Any, tuple[Any, Any]] | None = None,
        livetime: tuple[Any, Any] | None = None,
        where: Callable[[Observation], bool] | None = None,
    ) -> "Observations":
        """The runs that meet all conditions, in order; runs that cannot tell are named in `failures`.

        Parameters
        ----------
        ids
            Only these run numbers, or this one. Raises `NoSuchObservation` for one that is not here.
        target, telescope
            OBJECT, TELESCOP; case and blanks do not matter.
        cone
            (position, radius): pointing within; the position is a `SkyCoord`, text in deg or (ra, dec).
        time
            (t0, t1): good time overlaps; the runs are not cut, as `select_time` does. Times as there.
        zenith, livetime
            (low, high): zenith angle [deg], livetime [s] with low <= value < high.
        offset
            (position, (low, high)): the position is seen at such an offset [deg].
        where
            Any further condition on a run.
        """
        runs = self if ids is None else Observations([self.run(i) for i in one_or_many(ids)], self.failures)
        tests: list[Callable[[Observation], Any]] = []
        if target is not None:
            tests.append(lambda run: bare_name(run.target) == bare_name(target))
        if telescope is not None:
            tests.append(lambda run: bare_name(run.telescope) == bare_name(telescope))
        if cone is not None:
            where_to, size = pair(cone, "cone", "('83.63 22.01', '2 deg')")
            centre, radius = as_position(where_to), to_number(size, "deg", "radius")
            tests.append(lambda run: separation(*run.pointing_radec, *centre) <= radius)
        if time is not None:
            times = as_interval(time, "time")
            tests.append(lambda run: len(run.select_time(times).gti) > 0)
        if zenith is not None:
            tests.append(_within(zenith, "deg", "zenith", lambda run: run.zenith))
        if offset is not None:
            seen, band = pair(offset, "offset", "('83.63 22.01', ('0.4 deg', '0.6 deg'))")
            place = as_position(seen)
            tests.append(_within(band, "deg", "offset", lambda run: separation(*run.pointing_radec, *place)))
        if livetime is not None:
            tests.append(_within(livetime, "s", "livetime", lambda run: run.livetime))
        if where is not None:
            if not callable(where):
                raise ConfigError(f"where is a function of a run, got {type(where).__name__}")
            tests.append(where)
        return runs._kept(lambda run: all(test(run) for test in tests))

    def group_by(self, label: Any) -> "dict[Any, Observations]":
        """The runs in groups by label, in order of first appearance.

        `label` is the name of an attribute of a run ("target", "telescope", "zenith") or of its header
        ("instrument", "obs_mode"), a function of a run, or one label per run. Raises `ConfigError` for an unknown
        name or a wrong number of labels; runs that cannot tell their label raise their own error.
        """
        groups: dict[Any, list[Observation]] = {}
        for run, key in zip(self, self._labels(label), strict=True):
            groups.setdefault(key, []).append(run)
        return {key: Observations(runs) for key, runs in groups.items()}

    def _labels(self, label: Any) -> list[Any]:
        if callable(label):
            return [label(run) for run in self]
        if isinstance(label, str):
            if not hasattr(Observation, label) and label not in RunInfo.__dataclass_fields__:
                known = ["target", "telescope", "zenith", *RunInfo.__dataclass_fields__]
                raise ConfigError(f"runs cannot be grouped by {label!r}; nearest: {nearest(label, known)}")
            return [getattr(run, label) if hasattr(Observation, label) else getattr(run.meta, label) for run in self]
        labels = [x.item() if isinstance(x, np.generic) else x for x in label]
        if len(labels) != len(self):
            raise ConfigError(f"there are {len(self)} runs, got {len(labels)} labels")
        return labels

    def _cut(self, cut: Callable[[Observation], Observation]) -> "Observations":
        return Observations([cut(run) for run in self], self.failures)._kept(lambda run: len(run.gti) > 0)

    def _kept(self, test: Callable[[Observation], bool]) -> "Observations":
        kept, failures = [], dict(self.failures)
        for run in self:
            try:
                if test(run):
                    kept.append(run)
            except (FileFormatError, MissingFile, EmptyRun) as error:
                message = str(error)
                known = message.startswith(f"run {run.obs_id}")
                failures[run.obs_id] = message if known else f"run {run.obs_id}: {message}"
        return Observations(kept, failures)

    def table(self, position: Any = None) -> Table:
        """One row per run: what it is, where and when it looked, and for how long. Reads the runs.

        Columns: obs_id, telescope, instrument, target, obs_mode, ra_pnt, dec_pnt [deg], offset [deg] of `position` (a
        `SkyCoord`, text in deg or (ra, dec)) where one is given, zenith [deg], start (ISO, UTC), ontime, livetime [s],
        dead_time (fraction), events, responses. What a run cannot tell is masked, and `problem` says why.
        """
        columns = {name: entry for name, entry in _TABLE.items() if name != "offset" or position is not None}
        if position is not None:
            place = as_position(position)
            columns["offset"] = (0.0, "deg", lambda run: float(separation(*run.pointing_radec, *place)))
        return _run_table(self, columns)

    def info(self) -> Table:
        """One row per run: id, telescope, target, pointing [deg], livetime [s], events. Reads the runs.

        What a run cannot tell is masked, and the column `problem` says why ('' for all others).
        """
        return _run_table(self, _INFO)


_Columns = dict[str, tuple[Any, str | None, Callable[[Observation], Any]]]

_INFO: _Columns = {
    "obs_id": (0, None, lambda run: run.obs_id),
    "telescope": ("", None, lambda run: run.telescope),
    "target": ("", None, lambda run: run.target),
    "ra_pnt": (0.0, "deg", lambda run: run.pointing_radec[0]),
    "dec_pnt": (0.0, "deg", lambda run: run.pointing_radec[1]),
    "livetime": (0.0, "s", lambda run: run.livetime),
    "events": (0, None, lambda run: len(run.events)),
}
"""Columns of `Observations.info`: what stands under the mask, unit, where the number comes from."""

_TABLE: _Columns = {
    "obs_id": (0, None, lambda run: run.obs_id),
    "telescope": ("", None, lambda run: run.telescope),
    "instrument": ("", None, lambda run: run.meta.instrument),
    "target": ("", None, lambda run: run.target),
    "obs_mode": ("", None, lambda run: run.meta.obs_mode),
    "ra_pnt": (0.0, "deg", lambda run: run.pointing_radec[0]),
    "dec_pnt": (0.0, "deg", lambda run: run.pointing_radec[1]),
    "offset": (0.0, "deg", lambda run: 0.0),
    "zenith": (0.0, "deg", lambda run: run.zenith),
    "start": ("", None, lambda run: iso(run.tstart)),
    "ontime": (0.0, "s", lambda run: run.ontime),
    "livetime": (0.0, "s", lambda run: run.livetime),
    "dead_time": (0.0, None, lambda run: 1.0 - run.meta.deadc),
    "events": (0, None, lambda run: len(run.events)),
    "responses": ("", None, lambda run: " ".join(p.kind for t, p in run.locations.items() if t not in USED[:2])),
}
"""Columns of `Observations.table`; the offset is that of the position that is asked for."""


def _run_table(runs: Iterable[Observation], columns: _Columns) -> Table:
    rows = [_row(run, columns) for run in runs]
    filled = {name: _column([row[name] for row in rows], blank) for name, (blank, *_) in columns.items()}
    filled["problem"] = np.array([row["problem"] for row in rows], dtype=str)
    table: Any = Table(filled, units={name: unit for name, (_, unit, _) in columns.items()})
    return make_table(table, [name for name, (blank, *_) in columns.items() if isinstance(blank, float)])


def _row(run: Observation, columns: _Columns) -> dict[str, Any]:
    """What a run tells about itself, None where it cannot; `problem` holds the reasons, each once."""
    row, problems = {}, []
    for name, (_, _, get) in columns.items():
        try:
            row[name] = get(run)
        except GammajaxError as error:
            row[name] = None
            problems.append(str(error))
    return {**row, "problem": "; ".join(dict.fromkeys(problems))}


def _column(values: list[Any], blank: Any) -> Any:
    absent = [value is None for value in values]
    filled = np.array([blank if value is None else value for value in values], dtype=None if values else type(blank))
    return MaskedColumn(filled, mask=absent) if any(absent) else Column(filled)


def _within(
    band: tuple[Any, Any], unit: str, what: str, get: Callable[[Observation], Any]
) -> Callable[[Observation], bool]:
    low, high = to_pair(band, unit, what)
    return lambda run: bool(low <= get(run) < high)


def as_runs(given: Any) -> list[Observation]:
    """One run or several as a list. Raises `ConfigError` for what is no run."""
    found = [given] if hasattr(given, "obs_id") else one_or_many(given)
    wrong = [one for one in found if not hasattr(one, "obs_id")]
    if wrong:
        raise ConfigError(
            f"observations are runs, got {reprlib.repr(wrong[0])}: DataStore.from_dir(folder).observations() opens them"
        )
    return found


def bare_name(name: Any) -> str:
    """A name as it is compared: without blanks, in lower case."""
    return "".join(str(name).split()).casefold()
