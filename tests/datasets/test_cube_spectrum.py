"""Spectra of regions from cubes: sums, means, responses at the centre, and what is refused."""

import dataclasses

import equinox as eqx
import numpy as np
import pytest
from made_cubes import CENTRE, cube, king

import gammajax as gj
from gammajax.errors import ConfigError, DatasetError

ON = "icrs;circle(83.58, 22.06, 0.17)"
RING = gj.RingBackground(0.3, 0.2, ON)


def test_sums_and_means():
    made = cube()
    pixels = made.grid.mask(ON)
    assert pixels.sum() > 20
    found = made.to_spectrum_dataset(ON)
    assert isinstance(found, gj.SpectrumDataset)
    for field in ("counts", "background"):
        np.testing.assert_allclose(getattr(found, field), np.asarray(getattr(made, field))[:, pixels].sum(axis=1))
    np.testing.assert_allclose(found.exposure, np.asarray(made.exposure)[:, pixels].mean(axis=1))
    np.testing.assert_array_equal(found.edisp, made.edisp.values[:, :, 0, 0])
    np.testing.assert_array_equal(found.energy, made.energy)
    np.testing.assert_array_equal(found.energy_true, made.energy_true)
    assert found.name == "cube"
    assert made.to_spectrum_dataset(ON, name="on").name == "on"


def test_energies_that_are_not_safe():
    made = cube()
    safe = np.ones(made.mask_safe.shape, bool)
    safe[0] = False
    found = eqx.tree_at(lambda d: d.mask_safe, made, safe).select_energy(1.0, 5.0).to_spectrum_dataset(ON)
    np.testing.assert_array_equal(found.mask_safe, [False, True, True])
    np.testing.assert_array_equal(found.mask_fit, [True, True, False])
    assert float(found.counts[0]) == 0.0
    assert float(found.background[0]) == 0.0
    assert float(found.background[2]) > 0.0


def test_containment():
    """The share of a King profile within the circle, to the width of the bins of the table."""
    made = cube()
    plain, corrected = made.to_spectrum_dataset(ON), made.to_spectrum_dataset(ON, containment_correction=True)
    true = np.asarray(made.energy_true)
    r = np.linspace(0.0, 0.17, 20001)
    for i, energy in enumerate(np.sqrt(true[1:] * true[:-1])):
        share = np.trapezoid(king(r, 0.09 * energy**-0.2) * 2 * np.pi * np.radians(r), np.radians(r))
        assert float(corrected.exposure[i] / plain.exposure[i]) == pytest.approx(share, rel=2e-3)
    whole = made.to_spectrum_dataset("icrs;circle(83.63, 22.01, 0.3)", containment_correction=True)
    assert float(whole.exposure[0]) > float(corrected.exposure[0])


def test_dispersion_between_the_pixels_of_its_grid():
    made = cube()
    coarse = made.grid.coarse(0.5)
    assert coarse.shape == (2, 3)
    share = np.linspace(1.0, 0.5, 3) * np.ones((2, 1))
    edisp = dataclasses.replace(made.edisp, grid=coarse, values=made.edisp.values * share)
    fields = ("grid", "energy", "energy_true", "exposure", "counts", "background", "mask_safe")
    new = gj.MapDataset(name="new", edisp=edisp, **{name: getattr(made, name) for name in fields})
    found = new.to_spectrum_dataset(ON)
    x, _ = coarse.pixel(83.58, 22.06)
    np.testing.assert_allclose(found.edisp, made.edisp.values[:, :, 0, 0] * (1.0 - 0.25 * x), rtol=1e-9)


def test_on_off():
    made = RING.on_off(cube(level=4.0))
    pixels = made.grid.mask(ON)
    found = made.to_spectrum_dataset(ON)
    assert isinstance(found, gj.SpectrumDatasetOnOff)
    inside = {
        name: np.asarray(getattr(made, name))[:, pixels]
        for name in ("counts", "counts_off", "acceptance", "background")
    }
    np.testing.assert_allclose(found.counts, inside["counts"].sum(axis=1))
    np.testing.assert_allclose(found.counts_off, inside["counts_off"].sum(axis=1))
    np.testing.assert_allclose(found.acceptance, inside["acceptance"].mean(axis=1))
    np.testing.assert_allclose(found.background, inside["background"].sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(found.excess, found.counts - found.background)


def test_on_off_without_off_counts():
    """Alpha is that of the acceptances."""
    made = RING.on_off(cube())
    made = eqx.tree_at(lambda d: d.counts_off, made, made.counts_off.at[1].set(0.0))
    pixels = made.grid.mask(ON)
    found = made.to_spectrum_dataset(ON)
    on, off = (np.asarray(x)[1, pixels].sum() for x in (made.acceptance, made.acceptance_off))
    assert float(found.alpha[1]) == pytest.approx(on / off, rel=1e-12)
    assert float(found.background[1]) == 0.0


def test_the_seam_of_a_map_of_the_whole_sky():
    grid = gj.SkyGrid.create((0.0, 0.0), binsz=5.0)
    shape = (1, *grid.shape)
    edges = [1.0, 10.0]
    made = gj.MapDataset(
        name="sky", grid=grid, energy=edges, energy_true=edges, exposure=np.ones(shape), counts=np.ones(shape)
    )
    found = made.to_spectrum_dataset("icrs;circle(180, 0, 12)")
    assert float(found.counts[0]) == grid.mask("icrs;circle(180, 0, 12)").sum() > 10


@pytest.mark.parametrize(
    ("region", "message"),
    [
        (f"icrs;circle({CENTRE[0]}, {CENTRE[1]}, 2)", "reaches beyond the edge of SkyGrid"),
        ("icrs;circle(82.9, 22.01, 0.2)", "reaches beyond the edge of"),
        ("icrs;circle(13, 22, 0.2)", "at 13.0000 [+]22.0000 deg .ICRS. lies outside of SkyGrid"),
        ("icrs;circle(13, 22, 0.0002)", "lies outside of SkyGrid"),
        ("icrs;circle(83.63, 22.01, 0.001)", "holds no centre of a pixel"),
        ("83.63 22.01", "needs a region with a radius"),
        (
            "icrs;circle(83.2, 21.7, 0.2)",
            "mask_safe cuts the region in 3 bins of energy, the first from 1 to 2",
        ),
    ],
)
def test_regions_that_are_refused(region, message):
    with pytest.raises(DatasetError, match=message):
        cube().to_spectrum_dataset(region)
    with pytest.raises(DatasetError, match=message):
        RING.on_off(cube()).to_spectrum_dataset(region)


def test_corrections_that_are_refused():
    with pytest.raises(DatasetError, match="for circles only, not for a Shape"):
        cube().to_spectrum_dataset("icrs;box(83.63, 22.01, 0.2, 0.2, 0)", containment_correction=True)
    made = cube()
    fields = ("grid", "energy", "energy_true", "exposure", "edisp")
    bare = gj.MapDataset(name="bare", **{name: getattr(made, name) for name in fields})
    with pytest.raises(DatasetError, match="bare has no PSF"):
        bare.to_spectrum_dataset(ON, containment_correction=True)
    with pytest.raises(ConfigError):
        made.to_spectrum_dataset("no region")


def test_a_fit_of_the_spectrum_of_a_cube():
    """Counts predicted for a point source in the cube, brought back by the spectrum of a circle around it."""
    models = gj.Models(
        src=gj.SkyModel(gj.PowerLaw(amplitude=3e-11, index=2.3), gj.PointSpatial(lon_0=83.58, lat_0=22.06)),
        bkg=gj.FoVBackground(datasets_names="cube"),
    )
    asimov = gj.asimov([cube()], models)[0]
    spectrum = asimov.to_spectrum_dataset("icrs;circle(83.58, 22.06, 0.2)", containment_correction=True)
    fit = gj.fit([spectrum], gj.Models(src=gj.SkyModel(gj.PowerLaw(amplitude=1e-11, index=2.0))))
    assert fit.models.value("src.spectral.index") == pytest.approx(2.3, abs=0.05)
    assert fit.models.value("src.spectral.amplitude") == pytest.approx(3e-11, rel=0.05)
