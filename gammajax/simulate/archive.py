"""A folder of simulated DL3 files."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from astropy.time import Time

from gammajax.checks import whole
from gammajax.errors import ConfigError, nearest
from gammajax.geom.position import position as as_position
from gammajax.io.dl3_write import write_index, write_run
from gammajax.models.sky import SkyModel
from gammajax.simulate.instruments import INSTRUMENTS, Instrument
from gammajax.simulate.observation import simulate_observation
from gammajax.simulate.responses import responses
from gammajax.simulate.schedule import starts, wobbles
from gammajax.units import to_value


def simulate_dl3(
    folder: str | Path,
    instruments: Instrument | str | Iterable[Instrument | str],
    model: SkyModel,
    position: Any,
    *,
    key: Any,
    runs: int = 4,
    duration: Any = None,
    wobble: Any = None,
    target: str = "simulated source",
) -> Path:
    """Simulate wobble observations of a point source and write them as GADF DL3.

    Parameters
    ----------
    folder
        Gets one sub-folder per instrument, called by its name, which `DataStore.from_dir` reads (here and in
        Gammapy).
    instruments
        `Instrument`s, or names of `INSTRUMENTS`; one or several.
    model, position
        The spectrum and where the source is: a `SkyCoord`, text such as "83.63 22.01" [deg], or (ra, dec) [deg].
    key
        `jax.random.key(...)` or an integer. The same key gives the same files, byte by byte; a run does not
        depend on which other runs are simulated.
    runs
        Number of runs per instrument, pointed alternately north, south, east and west of the source.
    duration, wobble
        On-time of a run and distance of the pointings: quantities, text, or numbers in s and deg; by default
        what the instrument is used to.

    Returns the folder. Raises `ConfigError` for unknown instruments, two of the same name, no runs, or a
    source outside the field of view; `UnitMismatch`.

    >>> simulate_dl3("demo", ["hess", "magic", "lst"], crab, position, key=1)      # doctest: +SKIP
    """
    folder = Path(folder)
    chosen = [instruments] if isinstance(instruments, Instrument | str) else list(instruments)
    chosen = [_instrument(item) for item in chosen]
    if len({instrument.name for instrument in chosen}) < len(chosen):
        raise ConfigError(f"two instruments have the same name: {', '.join(i.name for i in chosen)}")
    runs = whole(runs, "runs")
    for instrument in chosen:
        _simulate_one(folder, instrument, model, position, key, runs, duration, wobble, target)
    return folder


def _simulate_one(
    folder: Path,
    instrument: Instrument,
    model: SkyModel,
    position: Any,
    key: Any,
    runs: int,
    duration: Any,
    wobble: Any,
    target: str,
) -> None:
    ontime = float(instrument.duration if duration is None else to_value(duration, "s", "duration"))
    distance = float(instrument.wobble if wobble is None else to_value(wobble, "deg", "wobble"))
    source = as_position(position)
    begins = starts(source[0], instrument.site, instrument.year, runs, ontime)
    folder, tables, infos, places = folder / instrument.name, responses(instrument), [], []
    for i, (aim, begin) in enumerate(zip(wobbles(source, distance, runs), begins, strict=True)):
        run = simulate_observation(
            instrument,
            model,
            position,
            key=key,
            pointing=aim,
            start=cast(Time, Time(begin, format="mjd", scale="utc")),
            duration=ontime,
            obs_id=instrument.first_obs_id + i,
            target=target,
            tables=tables,
        )
        infos.append(run.info)
        places += write_run(folder / f"run_{run.info.obs_id}.fits", run)
    write_index(folder, infos, places)


def _instrument(item: Instrument | str) -> Instrument:
    if isinstance(item, Instrument):
        return item
    if item not in INSTRUMENTS:
        raise ConfigError(f"there is no instrument {item!r}; nearest: {nearest(item, INSTRUMENTS)}")
    return INSTRUMENTS[item]
