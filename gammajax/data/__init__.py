"""DL3 observations: events, good time intervals, runs, and the stores that list them."""

from gammajax.data.events import Events
from gammajax.data.gti import GTI
from gammajax.data.observation import Observation
from gammajax.data.store import DataStore, Observations

__all__ = ["GTI", "DataStore", "Events", "Observation", "Observations"]
