"""Event lists and what can be selected from them; a selection is a new event list."""

import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table
from astropy.time import Time
from regions import Regions, SkyRegion

from gammajax.data.gti import GTI, as_gti, seconds_of
from gammajax.data.phase import Ephemeris, as_ephemeris, in_phase
from gammajax.data.times import iso
from gammajax.errors import ConfigError, nearest
from gammajax.geom.position import is_position, positions
from gammajax.io.dl3 import TimeReference
from gammajax.io.regions import region as as_region
from gammajax.numeric.sphere import mean_direction, separation
from gammajax.tables import Shown, range_text
from gammajax.units import to_pair, to_value

_KNOWN = ("time", "ra", "dec", "energy", "event_id")
_UNITS = {"time": "s", "ra": "deg", "dec": "deg", "energy": "TeV"}


@dataclass(frozen=True, repr=False)
class Events(Shown):
    """Reconstructed events as host arrays of one length.

    time [s since `reference`], ra in [0, 360) and dec [deg, ICRS], energy [TeV], event_id (no key: it repeats
    in real files). Events are neither sorted by time nor cut on the GTI or an offset. `columns` are all others,
    spelled as in the file, in the units `units` of the file; `events["MULTIP"]` takes one in any case.
    """

    time: np.ndarray
    ra: np.ndarray
    dec: np.ndarray
    energy: np.ndarray
    event_id: np.ndarray
    reference: TimeReference
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.time)

    def _title(self) -> str:
        return f"Events: {len(self)}"

    def _about(self) -> dict[str, str]:
        others = ", ".join(self.columns)
        if not len(self):
            return {"columns": others}
        ra, dec = self.centre
        first, last = (iso(self.reference.to_time(t)) for t in (self.time.min(), self.time.max()))
        return {
            "energy": range_text(self.energy, "TeV"),
            "time": f"{first} .. {last} (UTC)",
            "centre": f"ra {ra:.3f} deg, dec {dec:.3f} deg",
            "columns": others,
        }

    def __getitem__(self, name: str) -> np.ndarray:
        """A column by its name in the file. Raises `ConfigError` where there is none."""
        return self._column(name)[0]

    @property
    def names(self) -> list[str]:
        """The names of all columns."""
        return [name.upper() for name in _KNOWN] + list(self.columns)

    @property
    def radec(self) -> SkyCoord:
        """Directions as astropy coordinates."""
        return SkyCoord(self.ra, self.dec, unit="deg")

    @property
    def centre(self) -> tuple[float, float]:
        """The mean direction (ra, dec) [deg]; NaN without events."""
        return mean_direction(self.ra, self.dec)

    @property
    def times(self) -> Time:
        """Arrival times as astropy times."""
        return self.reference.to_time(self.time)

    @property
    def table(self) -> Table:
        """All columns as an astropy table."""
        known = {name.upper(): getattr(self, name) for name in _KNOWN}
        units = {name.upper(): unit for name, unit in _UNITS.items()}
        return Table({**known, **self.columns}, units={**units, **self.units})

    def select(self, mask: Any) -> "Events":
        """The events where `mask` (bool per event, indices or a slice) says so.

        Raises `ConfigError` for a mask of another length, for indices beyond the end, and for anything else.
        """
        rows = mask if isinstance(mask, slice) else _rows(mask, len(self))
        return replace(
            self,
            **{name: getattr(self, name)[rows] for name in _KNOWN},
            columns={name: x[rows] for name, x in self.columns.items()},
        )

    def select_energy(self, energy_range: Any) -> "Events":
        """Events with energy_min <= energy < energy_max; the pair holds quantities, text such as '1 TeV', or TeV."""
        low, high = to_pair(energy_range, "TeV", "energy range")
        return self.select((self.energy >= low) & (self.energy < high))

    def select_time(self, interval: Any, inverted: bool = False) -> "Events":
        """Events in [t0, t1); `interval` is a pair of times as in `Observation.select_time`.

        `inverted`: those outside.
        """
        low, high = seconds_of(interval, self.reference)
        return self.select(((self.time >= low) & (self.time < high)) != inverted)

    def select_gti(self, gti: GTI) -> "Events":
        """Events in the good time intervals, starts included and stops excluded; another reference is converted.

        Reading does not cut on the GTI of a run: in real files events spill over its end by less than a second.
        """
        return self.select(as_gti(gti).to_reference(self.reference).contains(self.time))

    def select_offset(self, band: Any, pointing: Any) -> "Events":
        """Events with offset_min <= offset < offset_max [deg] from the pointing.

        `pointing` is a `SkyCoord`, text such as '83.63 22.01' [deg] or (ra, dec) [deg], one for all or one per event;
        `Observation.select_offset` takes that of the run. Raises `ConfigError` for what is no pair or no position.
        """
        low, high = to_pair(band, "deg", "offset band")
        ra, dec = positions(pointing, "pointing")
        if ra.shape not in ((), (len(self),)):
            raise ConfigError(
                f"pointing: one position or one per event is needed, got {ra.size} for {len(self)} events"
            )
        offset = separation(self.ra, self.dec, ra, dec)
        return self.select((offset >= low) & (offset < high))

    def select_region(self, region: Any, inverted: bool = False) -> "Events":
        """Events in a region of the sky, or in one of several; `inverted`: those outside.

        A region is anything that `gammajax.region` takes (of the `regions` package, DS9 text or file, of gammajax), or
        has a method `contains(SkyCoord)` or `contains(ra, dec)`. Raises `ConfigError` for anything else.
        """
        regions = list(region) if isinstance(region, list | tuple) and not is_position(region) else [region]
        found = np.zeros(len(self), dtype=bool)
        for one in regions:
            found |= self._within(one)
        return self.select(found != inverted)

    def select_phase(self, intervals: Any, column: str = "PHASE") -> "Events":
        """Events with a phase in one of the `intervals`, such as (0.2, 0.4) or [(0.9, 0.1), (0.4, 0.6)].

        low <= phase < high; an interval with low > high goes through 1. Phases are those of the column, which
        `with_phase` adds where the file has none.
        """
        return self.select(in_phase(self[column], intervals))

    def with_phase(self, ephemeris: Ephemeris, column: str = "PHASE") -> "Events":
        """The events with a column of phases in [0, 1) by an ephemeris, at their times as given (no barycentring)."""
        ephemeris = as_ephemeris(ephemeris)
        return self.with_column(column, ephemeris.phase(self.times))

    def with_column(self, name: str, values: Any, unit: str = "") -> "Events":
        """The events with a further column, or with another content of it. Raises `ConfigError` for a wrong length."""
        values = np.asarray(values)
        if len(values) != len(self):
            raise ConfigError(f"column {name!r} has {len(values)} rows, there are {len(self)} events")
        units = {**{k: u for k, u in self.units.items() if k != name}, **({name: unit} if unit else {})}
        return replace(self, columns={**self.columns, name: values}, units=units)

    def select_parameter(self, parameter: str, values: Any, is_range: bool = True) -> "Events":
        """Events by any column: low <= x < high, or, with is_range=False, x equal to one of `values`.

        Values with a unit are converted to that of the column. NaN among listed values selects NaN.

        >>> n = np.arange(3.0)
        >>> events = Events(n, n, n, n, n.astype(int), TimeReference(51544, 0.0, "tt"), {"MULTIP": np.array([2, 3, 4])})
        >>> events.select_parameter("multip", [2, 4], is_range=False).event_id.tolist()
        [0, 2]
        """
        data, unit = self._column(parameter)
        if data.dtype.kind not in "SU":
            values = to_value(values, unit, f"column {parameter}")
        if is_range:
            if data.dtype.kind in "SU":
                raise ConfigError(f"column {parameter} holds text: list the values, with is_range=False")
            low, high = to_pair(values, unit, f"the range of {parameter}")
            return self.select((data >= low) & (data < high))
        return self.select(_one_of(data, np.atleast_1d(values)))

    def _column(self, name: str) -> tuple[np.ndarray, str]:
        if name in self.columns:
            return self.columns[name], self.units.get(name, "")
        if name.lower() in _KNOWN:
            return getattr(self, name.lower()), _UNITS.get(name.lower(), "")
        for column in self.columns:
            if column.upper() == name.upper():
                return self.columns[column], self.units.get(column, "")
        hint = nearest(name, self.names)
        raise ConfigError(
            f"the events have no column {name!r}" + (f"; nearest: {hint}" if hint else f"; they have {self.names}")
        )

    def _within(self, region: Any) -> np.ndarray:
        contains = getattr(region, "contains", None)
        if contains is None or isinstance(region, SkyRegion | Regions):
            return as_region(region).contains(self.ra, self.dec)
        try:
            return np.asarray(contains(self.radec), dtype=bool)
        except TypeError:
            return np.asarray(contains(self.ra, self.dec), dtype=bool)


def _rows(mask: Any, n: int) -> np.ndarray:
    rows = np.asarray(mask)
    if rows.size == 0 and rows.ndim == 1:
        return rows.astype(bool) if n == 0 else rows.astype(int)
    if rows.ndim != 1 or rows.dtype.kind not in "biu":
        raise ConfigError(f"a mask is a bool per event, indices or a slice, got {reprlib.repr(mask)}")
    if rows.dtype.kind == "b" and rows.size != n:
        raise ConfigError(f"a mask has one bool per event: there are {n} events, got {rows.size}")
    if rows.dtype.kind != "b" and (rows.min() < -n or rows.max() >= n):
        raise ConfigError(f"an index is beyond the {n} events: they go from {rows.min()} to {rows.max()}")
    return rows


def _one_of(data: np.ndarray, values: np.ndarray) -> np.ndarray:
    found = np.isin(data, values)
    if data.dtype.kind == "f" and np.isnan(np.asarray(values, dtype=float)).any():
        found |= np.isnan(data)
    return found


def stack_events(lists: Events | Iterable[Events]) -> Events:
    """Event lists one after the other, times in the reference of the first; further columns that all have are kept.

    Raises `ConfigError` for no list at all.
    """
    lists = [lists] if isinstance(lists, Events) else list(lists)
    if not lists:
        raise ConfigError("there are no event lists to stack")
    first = lists[0]
    shared = [name for name in first.columns if all(name in one.columns for one in lists)]
    shared = [n for n in shared if all(one.units.get(n, "") == first.units.get(n, "") for one in lists)]
    times = [one.time + first.reference.seconds_from(one.reference) for one in lists]
    return replace(
        first,
        time=np.concatenate(times),
        **{name: np.concatenate([getattr(one, name) for one in lists]) for name in _KNOWN[1:]},
        columns={name: np.concatenate([one.columns[name] for one in lists]) for name in shared},
        units={name: unit for name, unit in first.units.items() if name in shared},
    )
