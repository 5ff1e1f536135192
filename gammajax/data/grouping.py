"""Runs in groups of like responses or like zenith angle, for stacked or joint analyses."""

import hashlib
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from astropy.table import Table
from scipy.cluster.hierarchy import fcluster, linkage

from gammajax.checks import names as features_named
from gammajax.data.observation import Observation
from gammajax.data.observations import Observations
from gammajax.errors import ConfigError, FileFormatError, nearest
from gammajax.geom.position import position as as_position
from gammajax.numeric.sphere import separation
from gammajax.units import to_number, to_value

FEATURES = ("aeff", "edisp-bias", "edisp-res", "psf-radius")
"""What responses are compared by: ln(effective area), mean and spread of E_reco / E_true - 1, 68 % radius [deg]."""


def group_observations(
    observations: Observations,
    by: str = "zenith",
    *,
    n_groups: int | None = None,
    edges: Any = None,
    distance: float | None = None,
    energy_true: Any = "1 TeV",
    position: Any = None,
    offset: Any = 0.5,
    names: str | Sequence[str] = FEATURES,
) -> dict[str, Observations]:
    """The runs in groups: name -> runs.

    Parameters
    ----------
    by
        "zenith": by zenith angle, in the bins `edges` [deg] or in `n_groups` with about as many runs each.
        "identical": runs whose effective area, dispersion and PSF are the same numbers.
        "irf": hierarchical clustering (Ward) of `response_features`, each scaled to unit variance, into `n_groups`,
        or with groups further apart than `distance`.
    energy_true, position, offset, names
        Of the features; see `response_features`.

    Raises `ConfigError` for options that do not go together and for runs outside the edges.

    >>> groups = group_observations(runs, by="zenith", edges=[0, 20, 40, 60])         # doctest: +SKIP
    """
    if by not in _GROUPS:
        raise ConfigError(f"runs are grouped by {', '.join(_GROUPS)}, got {by!r}; nearest: {nearest(by, _GROUPS)}")
    if not len(observations):
        return {}
    if n_groups is not None and not 1 <= n_groups <= len(observations):
        raise ConfigError(f"n_groups must be in 1..{len(observations)} (runs), got {n_groups}")
    if by == "irf":
        features = response_features(
            observations, energy_true=energy_true, position=position, offset=offset, names=names
        )
        labels = _clusters(features, n_groups, distance)
    elif by == "zenith":
        labels = _zenith_bins(observations, n_groups, edges)
    else:
        labels = _identical(observations)
    return observations.group_by(labels)


def response_features(
    observations: Observations,
    *,
    energy_true: Any = "1 TeV",
    position: Any = None,
    offset: Any = 0.5,
    names: str | Sequence[str] = FEATURES,
) -> Table:
    """One row per run: obs_id and the features `names`, at one or several true energies.

    They are taken at the offset of `position` (a `SkyCoord`, text in deg or (ra, dec)) where one is given, else at
    `offset` [deg]. Point-like runs have no PSF and leave "psf-radius" out. Raises `ConfigError` for an unknown
    feature, `FileFormatError` naming a run whose response is empty there.
    """
    names = features_named(names, "names")
    unknown = [name for name in names if name not in FEATURES]
    if unknown:
        raise ConfigError(f"there is no feature {unknown[0]!r}; choose from {', '.join(FEATURES)}")
    energies = np.atleast_1d(to_value(energy_true, "TeV", "energy_true"))
    place = None if position is None else as_position(position)
    rows = []
    for run in observations:
        at = to_number(offset, "deg", "offset") if place is None else float(separation(*run.pointing_radec, *place))
        rows.append({"obs_id": run.obs_id} | _features(run, energies, at, names))
    shared = [name for name in rows[0] if all(name in row for row in rows)] if rows else []
    return Table({name: [row[name] for row in rows] for name in shared})


def _features(run: Observation, energies: np.ndarray, offset: float, names: Sequence[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for energy in energies.tolist():
        suffix = f" {energy:g} TeV" if energies.size > 1 else ""
        area = float(run.aeff.evaluate(energy, offset))
        if "aeff" in names:
            found[f"aeff{suffix}"] = np.log(area) if area > 0 else np.nan
        if {"edisp-bias", "edisp-res"} & set(names):
            mu = np.asarray(run.edisp.migra.points)
            weight = np.asarray(run.edisp.evaluate(energy, mu, offset)) * np.diff(np.asarray(run.edisp.migra.edges))
            total = weight.sum()
            mean = (weight @ mu) / total if total > 0 else np.nan
            moments = {
                "edisp-bias": mean - 1.0,
                "edisp-res": np.sqrt(weight @ (mu - mean) ** 2 / total) if total else 0,
            }
            found |= {f"{name}{suffix}": float(x) for name, x in moments.items() if name in names}
        if "psf-radius" in names and run.psf is not None:
            found[f"psf-radius{suffix}"] = float(run.psf.containment_radius(0.68, energy, offset))
    if not np.isfinite(list(found.values())).all():
        where = f"{', '.join(f'{energy:g}' for energy in energies)} TeV, offset {offset:.2f} deg"
        raise FileFormatError(
            f"run {run.obs_id} has an empty response at {where} ({found}); choose another energy_true or offset"
        )
    return found


def _clusters(features: Table, n_groups: int | None, distance: float | None) -> list[str]:
    if (n_groups is None) == (distance is None):
        raise ConfigError("grouping by 'irf' needs either n_groups or distance")
    data = np.array([features[name] for name in features.colnames if name != "obs_id"], dtype=float).T
    if not data.shape[1]:
        raise ConfigError("there is no feature that all runs have: point-like runs have no PSF")
    if len(data) == 1:
        return ["group_1"]
    spread = data.std(axis=0)
    scaled = (data - data.mean(axis=0)) / np.where(spread > 1e-12 * np.abs(data).max(axis=0), spread, np.inf)
    tree = linkage(scaled, method="ward")
    criterion, t = ("maxclust", n_groups) if distance is None else ("distance", distance)
    return [f"group_{label}" for label in fcluster(tree, t=t, criterion=criterion)]


def _zenith_bins(observations: Observations, n_groups: int | None, edges: Any) -> list[str]:
    if (n_groups is None) == (edges is None):
        raise ConfigError("grouping by 'zenith' needs either n_groups or edges")
    zenith = np.array([run.zenith for run in observations])
    if edges is None:
        order = np.argsort(np.argsort(zenith, kind="stable"))
        return [f"zenith_{i * (n_groups or 1) // len(zenith)}" for i in order]
    bounds = np.atleast_1d(to_value(edges, "deg", "edges"))
    if bounds.size < 2 or np.any(np.diff(bounds) <= 0):
        raise ConfigError(f"edges must be at least two increasing angles, got {bounds}")
    outside = [run.obs_id for run, z in zip(observations, zenith, strict=True) if not bounds[0] <= z < bounds[-1]]
    if outside:
        raise ConfigError(f"the zenith angles of the runs {outside} lie outside the edges {bounds} deg")
    index = np.searchsorted(bounds, zenith, side="right") - 1
    return [f"zenith_{bounds[i]:g}_{bounds[i + 1]:g}" for i in index]


def _identical(observations: Observations) -> list[str]:
    known: dict[str, str] = {}
    labels = []
    for run in observations:
        digest = hashlib.sha256()
        for leaf in jax.tree.leaves((run.aeff, run.edisp, run.psf, run.rad_max)):
            digest.update(np.asarray(leaf).tobytes() + str(np.shape(leaf)).encode())
        labels.append(known.setdefault(digest.hexdigest(), f"response_{len(known) + 1}"))
    return labels


_GROUPS = ("zenith", "irf", "identical")
