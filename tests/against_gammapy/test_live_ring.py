"""Ring backgrounds and stacks of on-off cubes against Gammapy's makers on made cubes."""

from typing import Any

import equinox as eqx
import numpy as np
import pytest
from astropy import units as u
from made_cubes import CENTRE, ENERGY, cube

pytest.importorskip("gammapy.makers")
# Gammapy and its dependencies warn about deprecations, and divide by empty rings
pytestmark = pytest.mark.filterwarnings("ignore")

from gammapy.datasets import MapDataset as ReferenceDataset  # noqa: E402
from gammapy.makers import AdaptiveRingBackgroundMaker, RingBackgroundMaker  # noqa: E402
from gammapy.maps import MapAxis, WcsGeom, WcsNDMap  # noqa: E402

import gammajax as gj  # noqa: E402
from gammajax.datasets.cube import MapDataset  # noqa: E402

HOLE = f"icrs;circle({CENTRE[0]}, {CENTRE[1]}, 0.17)"
FIELDS = ("counts", "counts_off", "acceptance", "acceptance_off")


def masked() -> MapDataset:
    """A cube without counts and background outside of its safe mask, as Gammapy's stacks are, and without responses.

    Gammapy does not look at the safe mask when it fills rings.
    """
    made = cube(level=4.0)
    safe = np.asarray(made.mask_safe)
    return MapDataset(
        name="masked", grid=made.grid, energy=ENERGY, energy_true=ENERGY, exposure=made.exposure[:3],
        counts=made.counts * safe, background=made.background * safe, mask_safe=safe,
    )  # fmt: skip


def geom_of(made, energy=ENERGY, name="energy"):
    axis = MapAxis.from_energy_edges(energy * u.TeV, name=name)
    size = made.grid.shape[::-1]
    return WcsGeom.create(skydir=CENTRE, binsz=0.05, npix=size, proj="TAN", frame="icrs", axes=[axis])


def reference(made, bins=slice(None), name="reference") -> Any:
    """The same cube, or a part of its energies, for Gammapy (without responses)."""
    edges = ENERGY if bins == slice(None) else ENERGY[bins.start : bins.stop + 1]
    geom = geom_of(made, edges)
    true = geom_of(made, ENERGY, "energy_true")
    maps: dict[str, Any] = {
        key: WcsNDMap(geom, np.asarray(getattr(made, key))[bins]) for key in ("counts", "background", "mask_safe")
    }
    exposure = WcsNDMap(true, np.asarray(made.exposure), unit="cm2 s")
    return ReferenceDataset(**maps, exposure=exposure, name=name)


def excluded(made):
    return WcsNDMap(geom_of(made).to_image(), ~made.grid.mask(HOLE))


def agree(found, expected, bins=slice(None), rounding=1e-12):
    """Sums over rings to 1e-6 (Gammapy keeps them in single precision); its zeros are roundings of an FFT."""
    ok = np.asarray(found.mask_safe)[bins]
    np.testing.assert_array_equal(ok, expected.mask_safe.data & (expected.acceptance_off.data > 1e-4))
    for field in FIELDS:
        values = np.asarray(getattr(found, field))[bins]
        np.testing.assert_allclose(values[ok], getattr(expected, field).data[ok], rtol=1e-6, atol=rounding)
    np.testing.assert_allclose(np.asarray(found.alpha)[bins][ok], expected.alpha.data[ok], rtol=1e-6, atol=rounding)


@pytest.mark.parametrize(("r_in", "width"), [(0.21, 0.12), (0.3, 0.25), (0.05, 0.1), (0.51, 0.9)])
@pytest.mark.parametrize("hole", [HOLE, None])
def test_rings(r_in, width, hole):
    made = masked()
    maker = RingBackgroundMaker(r_in * u.deg, width * u.deg, None if hole is None else excluded(made))
    expected = maker.run(reference(made))
    agree(gj.RingBackground(r_in, width, hole).on_off(made), expected)


@pytest.mark.parametrize("method", ["fixed_width", "fixed_r_in"])
def test_adaptive_rings(method):
    """Gammapy's maker takes one energy at a time, in single precision; its theta has no effect."""
    made = masked()
    options = {"threshold_alpha": 0.0173, "method": method}
    ring = gj.AdaptiveRingBackground(0.12, 0.6, 0.113, 0.055, exclusion_mask=HOLE, **options)
    found = ring.on_off(made)
    for k in range(3):
        maker = AdaptiveRingBackgroundMaker(
            0.12 * u.deg, 0.6 * u.deg, 0.113 * u.deg, 0.055 * u.deg, theta=0.22 * u.deg, exclusion_mask=excluded(made),
            **options,
        )  # fmt: skip
        assert len(maker.kernels(excluded(made))) == len(ring.radii)
        agree(found, maker.run(reference(made, slice(k, k + 1))), slice(k, k + 1), 1e-5)


def test_stack():
    """Three cubes with other counts and masks; bins without off counts have the mean alpha."""
    base, ring = masked(), gj.RingBackground(0.05, 0.1, HOLE)
    maker = RingBackgroundMaker(0.05 * u.deg, 0.1 * u.deg, excluded(base))
    parts, expected = [], None
    for seed in range(3):
        rng = np.random.default_rng(seed)
        safe = np.asarray(base.mask_safe) & (np.indices(base.mask_safe.shape)[2] > 4 * seed)
        background = np.asarray(base.background) * (1 + seed) / 20 * safe
        fields = (rng.poisson(background).astype(float), background, safe)
        made = eqx.tree_at(lambda d: (d.counts, d.background, d.mask_safe), base, fields)
        parts.append(ring.on_off(made))
        theirs = maker.run(reference(made, name=f"part-{seed}"))
        # zeros that are roundings of an FFT would be off counts
        theirs.counts_off.data = np.rint(theirs.counts_off.data)
        theirs.mask_safe.data &= np.asarray(parts[-1].mask_safe)
        expected = theirs.to_masked(name="stack") if expected is None else expected
        if seed:
            expected.stack(theirs)
    found = gj.stack_maps(parts)
    assert np.any((np.asarray(found.counts_off) == 0) & np.asarray(found.mask_safe))
    agree(found, expected)
