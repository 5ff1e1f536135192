"""Event lists."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.time import Time

from gammajax.data.gti import seconds_of
from gammajax.io.dl3 import TimeReference
from gammajax.units import to_value


@dataclass(frozen=True)
class Events:
    """Reconstructed events as host arrays of one length.

    time [s since `reference`], ra in [0, 360) and dec [deg, ICRS], energy [TeV], event_id (no key: it repeats
    in real files). Events are neither sorted by time nor cut on the GTI or an offset.
    """

    time: np.ndarray
    ra: np.ndarray
    dec: np.ndarray
    energy: np.ndarray
    event_id: np.ndarray
    reference: TimeReference

    def __len__(self) -> int:
        return len(self.time)

    def __repr__(self) -> str:
        if not len(self):
            return "Events(0)"
        return f"Events({len(self)}, {self.energy.min():.3g} .. {self.energy.max():.3g} TeV)"

    @property
    def radec(self) -> SkyCoord:
        """Directions as astropy coordinates."""
        return SkyCoord(self.ra, self.dec, unit="deg")

    @property
    def times(self) -> Time:
        """Arrival times as astropy times."""
        return self.reference.to_time(self.time)

    def select(self, mask: np.ndarray) -> "Events":
        """The events where `mask` (bool per event, or indices) says so."""
        columns = [f.name for f in fields(self) if f.name != "reference"]
        return replace(self, **{name: getattr(self, name)[mask] for name in columns})

    def select_energy(self, energy_min: Any, energy_max: Any) -> "Events":
        """Events with energy_min <= energy < energy_max: quantities, text such as '1 TeV', numbers in TeV."""
        low, high = to_value(energy_min, "TeV", "energy_min"), to_value(energy_max, "TeV", "energy_max")
        return self.select((self.energy >= low) & (self.energy < high))

    def select_time(self, interval: Any) -> "Events":
        """Events in [t0, t1); `interval` is a pair of astropy times or of text such as '2006-07-29T22:00'."""
        low, high = seconds_of(interval, self.reference)
        return self.select((self.time >= low) & (self.time < high))
