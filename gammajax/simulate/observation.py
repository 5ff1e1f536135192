"""One simulated run in memory."""

import zlib
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from astropy.time import Time

from gammajax.errors import ConfigError
from gammajax.geom.position import position as as_position
from gammajax.io.dl3 import EventTable, GTITable, RunInfo
from gammajax.io.dl3_write import Run
from gammajax.models.sky import SkyModel
from gammajax.numeric.sphere import separation
from gammajax.simulate.events import draw_background, draw_source, draw_times
from gammajax.simulate.instruments import Instrument
from gammajax.simulate.responses import Responses, responses
from gammajax.simulate.schedule import horizontal, starts, wobbles
from gammajax.units import to_value

GAP = 10.0
"""Pause between the good time intervals of one run [s]."""


def simulate_observation(
    instrument: Instrument,
    model: SkyModel,
    position: Any,
    *,
    key: Any,
    pointing: Any = None,
    start: Time | None = None,
    duration: Any = None,
    obs_id: int | None = None,
    target: str = "simulated source",
    tables: Responses | None = None,
) -> Run:
    """Events of a point source at `position` and of the background, seen by an instrument in one run.

    Parameters
    ----------
    model
        Its spectrum; `datasets_names` plays no part, and an amplitude of zero is a run of background only.
    key
        `jax.random.key(...)` or an integer. The same key, instrument and `obs_id` give the same run.
    pointing
        By default north of the source at the instrument's wobble distance.
    start
        By default when the source culminates at midnight.
    duration
        On-time: quantity, text, or a number in s; by default the instrument's usual one.
    tables
        `responses(instrument)`, where many runs share them.

    Returns the run, which `gammajax.io.dl3_write.write_run` writes; further columns are MC_ID (1: source, 0:
    background) and ENERGY_TRUE [TeV] (NaN for background). Raises `ConfigError` if the source lies outside
    the field of view or the duration is not positive.

    >>> run = simulate_observation(HESS, SkyModel(LogParabola()), "83.63 22.01", key=1)     # doctest: +SKIP
    """
    source = as_position(position)
    ontime = float(instrument.duration if duration is None else to_value(duration, "s", "duration"))
    if not 0 < ontime < np.inf:
        raise ConfigError(f"the duration of a run must be positive, got {ontime:g} s")
    aim = wobbles(source, instrument.wobble, 1)[0] if pointing is None else as_position(pointing, "pointing")
    offset = float(separation(*aim, *source))
    if offset >= instrument.field_of_view:
        raise ConfigError(
            f"the source is {offset:.2f} deg from the pointing, outside the field of view of "
            f"{instrument.name} ({instrument.field_of_view:g} deg)"
        )
    number = instrument.first_obs_id if obs_id is None else int(obs_id)
    rng = generator(key, instrument.name, number)
    tables = responses(instrument) if tables is None else tables

    first = starts(source[0], instrument.site, instrument.year, 1, ontime)[0]
    begin = cast(Time, Time(first, format="mjd", scale="utc"))
    gti = _gti(instrument, begin if start is None else start, ontime)
    livetime = ontime * instrument.deadc
    found = draw_source(rng, instrument, tables, model.spectral, source, offset, livetime)
    found = found + draw_background(rng, instrument, aim, ontime)
    time = draw_times(rng, gti.start, gti.stop, found.energy.size)
    order = np.argsort(time)
    return Run(
        info=_info(instrument, number, target, aim, source, gti),
        events=EventTable(
            time=time[order],
            ra=found.ra[order],
            dec=found.dec[order],
            energy=found.energy[order],
            event_id=np.arange(1, order.size + 1),
            reference=instrument.reference,
        ),
        gti=gti,
        responses=tables.written,
        site=instrument.site,
        columns={
            "MC_ID": np.isfinite(found.energy_true[order]).astype(np.int32),
            "ENERGY_TRUE": found.energy_true[order],
        },
        nodes=("offset",) if instrument.offset_nodes else (),
    )


def generator(key: Any, *salt: str | int) -> np.random.Generator:
    """A numpy generator from a JAX key or an integer, different for every `salt` (text or integers).

    >>> bool(generator(1, "hess").random() == generator(1, "hess").random() != generator(1, "lst").random())
    True
    """
    if isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        words = [int(word) for word in np.ravel(jax.random.key_data(key))]
    elif isinstance(key, int | np.integer) and key >= 0:
        words = [int(key)]
    else:
        raise ConfigError(f"key must be jax.random.key(...) or an integer of at least 0, got {key!r}")
    words += [zlib.crc32(x.encode()) if isinstance(x, str) else int(x) for x in salt]
    return np.random.default_rng(words)


def _gti(instrument: Instrument, start: Time, ontime: float) -> GTITable:
    """Intervals of equal length with short pauses, together `ontime` long."""
    first = float(instrument.reference.to_seconds(start))
    length = ontime / instrument.intervals
    low = first + np.arange(instrument.intervals) * (length + GAP)
    return GTITable(low, low + length, instrument.reference)


def _info(
    instrument: Instrument,
    obs_id: int,
    target: str,
    aim: tuple[float, float],
    source: tuple[float, float],
    gti: GTITable,
) -> RunInfo:
    middle: Any = instrument.reference.to_time(0.5 * (gti.start[0] + gti.stop[-1])).utc
    alt, az = horizontal(aim, instrument.site, float(middle.mjd))
    return RunInfo(
        obs_id=obs_id,
        telescope=f"{instrument.name.upper()}-like",
        instrument="simulation",
        target=target,
        obs_mode="POINTING",
        ra_pnt=aim[0],
        dec_pnt=aim[1],
        alt_pnt=alt,
        az_pnt=az,
        ra_obj=source[0],
        dec_obj=source[1],
        deadc=instrument.deadc,
        tstart=float(gti.start[0]),
        tstop=float(gti.stop[-1]),
        reference=instrument.reference,
    )
