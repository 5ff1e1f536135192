"""Parametric instruments: sensible numbers, clear refusals."""

from dataclasses import replace

import numpy as np
import pytest

from gammajax.errors import ConfigError
from gammajax.io.irf import GridAxis
from gammajax.simulate import HESS, INSTRUMENTS, LST, MAGIC


@pytest.mark.parametrize("instrument", INSTRUMENTS.values(), ids=INSTRUMENTS)
def test_numbers_are_those_of_a_cherenkov_telescope(instrument):
    """Areas near 1e5 m2, resolutions of 10..40 %, thresholds below which little area is left."""
    assert 5e8 < instrument.effective_area(1.0, 0.0) < 3e9
    assert instrument.effective_area(0.2 * instrument.threshold, 0.0) < 0.05 * instrument.area
    assert np.all(np.diff(instrument.effective_area(1.0, np.linspace(0, 2, 9))) < 0)
    resolution = instrument.energy_resolution(np.array([instrument.lo_thres, 1.0, 30.0]), 0.5)
    assert np.all((resolution > 0.1) & (resolution < 0.4))
    assert np.all(np.diff(resolution) < 0)
    assert 0.03 < instrument.psf_width(1.0, 0.5) < 0.12
    assert instrument.energy_bias(10 * instrument.threshold) < 1e-3 < instrument.energy_bias(instrument.threshold)


def test_instruments_differ_in_format():
    assert [i.is_pointlike for i in (HESS, MAGIC, LST)] == [False, True, True]
    assert HESS.offset_nodes
    assert not MAGIC.offset_nodes
    assert MAGIC.intervals > 1
    assert len({i.reference for i in (HESS, MAGIC, LST)}) == 3
    assert LST.first_obs_id > 2**31


def test_containment_of_the_cut():
    """A cut at three widths of the core keeps nearly all of the core and half of the tail."""
    rad = 3 * HESS.psf_width(1.0, 0.5)
    core, tail = -np.expm1(-4.5), -np.expm1(-0.5 * (3 / 2.5) ** 2)
    assert HESS.containment(rad, 1.0, 0.5) == pytest.approx((1 - HESS.tail) * core + HESS.tail * tail)
    assert np.isinf(HESS.cut(np.array([1.0])))
    assert MAGIC.cut(np.array([0.1, 1.0])).tolist() == [MAGIC.rad_max] * 2
    cut = LST.cut(np.geomspace(0.02, 10, 9))
    assert np.all(np.diff(cut) <= 0)
    assert np.all((cut >= 0.05) & (cut <= 0.25))


def test_background_ends_with_the_field_of_view():
    edge = HESS.field_of_view
    assert HESS.background_rate(1.0, edge) > 0
    assert HESS.background_rate(1.0, edge + 1e-9) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"psf_format": "psf_3gaus"}, "'psf_3gauss'"),
        ({"rad_max": 0.1, "rad_max_widths": 1.5}, "not both"),
        ({"deadc": 0.0}, "deadc"),
        ({"offset": GridAxis.from_points(np.zeros(1))}, "offset"),
    ],
)
def test_fields_that_make_no_sense_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        replace(HESS, **change)
