"""Cubes of real data that several tests take, and the reference numbers that belong to them."""

import json

import pytest
from astropy.coordinates import SkyCoord

import gammajax as gj

RXJ = SkyCoord("258.39d", "-39.76d")


def reference(folder, name):
    """Numbers made with Gammapy 2.1."""
    path = folder.parent / "reference" / f"{name}.json"
    if not path.is_file():
        pytest.skip("the reference numbers are not next to the data")
    return json.loads(path.read_text())


def rxj(folder, expected, **options):
    """RX J1713.7-3946: background scaled outside of the source, 2.5 deg around each pointing."""
    return gj.reduce_maps(
        gj.DataStore.from_dir(folder / "hess-dl3-dr1").observations(expected["obs_ids"]),
        gj.SkyGrid.create(RXJ, "6 deg", "0.02 deg", proj="TAN"),
        energy=gj.energy_edges("0.5 TeV", "20 TeV", bins=8),
        energy_true=gj.energy_edges("0.3 TeV", "40 TeV", bins=20),
        background=gj.FoVBackgroundScale("icrs;circle(258.39, -39.76, 0.9)"),
        safe_mask=gj.SafeMask("offset-max", "aeff-default", offset_max="2.5 deg"),
        **options,
    )


def galactic_centre(folder, expected, stack):
    """The Galactic centre of CTA-1DC; the reference counts are those above 0.3 TeV."""
    return gj.reduce_maps(
        gj.DataStore.from_dir(folder / "cta-1dc/index/gps").observations(expected["setup"]["obs_ids"]),
        gj.SkyGrid.create((0.0, 0.0), (10.0, 8.0), 0.02, frame="galactic"),
        energy=gj.energy_edges("0.1 TeV", "10 TeV", bins=10),
        energy_true=gj.energy_edges("0.08 TeV", "12 TeV", bins=14),
        safe_mask=["aeff-default", "offset-max"],
        offset_max="3.5 deg",
        stack=stack,
    )
