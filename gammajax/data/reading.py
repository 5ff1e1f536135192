"""Reading what a run needs from its files, with one opening of each, shared where runs share files."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from gammajax.data.events import Events
from gammajax.data.gti import GTI
from gammajax.errors import FileFormatError, GammajaxError
from gammajax.io.dl3 import HDULocation, RunInfo, event_table, find_events, find_gti, gti_table, run_info
from gammajax.io.fits import open_fits
from gammajax.io.irf import Response, response_from_hdus
from gammajax.io.paths import is_file
from gammajax.irf import (
    Background2D,
    Background3D,
    EffectiveArea,
    EnergyDispersion,
    PSF3Gauss,
    PSFKing,
    PSFTable,
    RadMax,
)

CLASSES = {
    "aeff_2d": EffectiveArea,
    "edisp_2d": EnergyDispersion,
    "psf_table": PSFTable,
    "psf_3gauss": PSF3Gauss,
    "psf_king": PSFKing,
    "bkg_2d": Background2D,
    "bkg_3d": Background3D,
    "rad_max_2d": RadMax,
}
"""The class of each kind of response."""


def read_run(obs_id: int, locations: Mapping[str, HDULocation]) -> tuple[RunInfo, Events, GTI]:
    """EVENTS and GTI, with one opening if they share a file; a GTI that no index lists is sought there."""
    if "events" not in locations:
        raise FileFormatError(
            f"run {obs_id} has no events in its index or files; it has {', '.join(locations) or 'nothing'}"
        )
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


def file_version(path: Path) -> tuple[int, int]:
    """What tells an edited file from the one read before; (0, 0) for an absent one."""
    if not is_file(path):
        return 0, 0
    state = path.stat()
    return state.st_mtime_ns, state.st_size


@lru_cache(maxsize=16)
def read_responses(path: Path, wanted: tuple[tuple[str, str, str], ...], version: tuple[int, int]) -> dict[str, Any]:
    """Responses of one file, for all runs that share it: type -> (response, is_pointlike, RAD_MAX keyword).

    A response that cannot be read is kept as its error, so that the others of the file are of use.
    """
    del version
    found: dict[str, Any] = {}
    with open_fits(path) as hdus:
        for kind, hdu_class, name in wanted:
            try:
                response = response_from_hdus(hdus, path, hdu_class, name)
                _check_content(response)
            except GammajaxError as error:
                found[kind] = error
            else:
                found[kind] = (
                    CLASSES[hdu_class].from_response(response),
                    response.is_pointlike,
                    response.rad_max,
                )
    return found


_ADDED = ("AMPL_2", "AMPL_3", "SIGMA_2", "SIGMA_3")
"""Columns that may well be zero throughout: the further Gaussians of a PSF."""


def _check_content(response: Response) -> None:
    """Raise `FileFormatError` for a table with nothing above zero: with it a run has nothing to predict."""
    for name, values in response.values.items():
        if name not in _ADDED and not (values > 0).any():
            raise FileFormatError(
                f"{response.source} column {name} has nothing above zero (all zero, negative or NaN): the response is "
                "empty, leave the run out"
            )
