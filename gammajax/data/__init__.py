"""DL3 observations: events, good time intervals, runs, and the stores that list them."""

from gammajax.data.events import Events
from gammajax.data.gti import GTI
from gammajax.data.observation import Observation
from gammajax.data.observations import Observations
from gammajax.data.phase import Ephemeris, phase_fold
from gammajax.data.store import DataStore

__all__ = ["GTI", "DataStore", "Ephemeris", "Events", "Observation", "Observations", "phase_fold"]
