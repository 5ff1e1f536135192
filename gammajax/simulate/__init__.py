"""Simulated DL3: parametric instruments and a sky model in, GADF files out."""

from gammajax.simulate.archive import simulate_dl3
from gammajax.simulate.instruments import HESS, INSTRUMENTS, LST, MAGIC, Instrument
from gammajax.simulate.observation import simulate_observation
from gammajax.simulate.responses import Responses, responses

__all__ = [
    "HESS",
    "INSTRUMENTS",
    "LST",
    "MAGIC",
    "Instrument",
    "Responses",
    "responses",
    "simulate_dl3",
    "simulate_observation",
]
