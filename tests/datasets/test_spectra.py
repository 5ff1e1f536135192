import numpy as np
import pytest
from astropy import units as u
from made_spectra import EDGES, TRUE, kernel, on_off, responses

import gammajax as gj
from gammajax.datasets.grouping import group
from gammajax.datasets.groups import CashGroup, WStatGroup
from gammajax.errors import DatasetError, UnitMismatch, UnknownDataset


def make(**changed):
    return gj.SpectrumDatasetOnOff(**{"name": "run", **responses(0), **changed})


def test_units_are_converted():
    there = make(
        energy=EDGES * 1e3 * u.GeV,
        exposure=responses(0)["exposure"] * 1e-4 * u.Unit("m2 s"),
        livetime=1 * u.h,
    )
    here = make()
    np.testing.assert_allclose(there.energy, here.energy)
    np.testing.assert_allclose(there.exposure, here.exposure)
    assert float(there.livetime) == 3600


def test_background_and_excess():
    data = make(
        counts=np.full(12, 10.0),
        counts_off=np.full(12, 20.0),
        acceptance=1.0,
        acceptance_off=np.r_[0.0, np.full(11, 10.0)],
    )
    np.testing.assert_allclose(data.alpha, np.r_[0.0, np.full(11, 0.1)])
    np.testing.assert_allclose(data.background, np.r_[0.0, np.full(11, 2.0)])
    np.testing.assert_allclose(data.excess, np.r_[10.0, np.full(11, 8.0)])


def test_select_energy_takes_whole_bins():
    data = make(mask_safe=np.arange(12) > 0)
    chosen = data.select_energy(EDGES[2] * (1 + 1e-8), "50 TeV")
    assert chosen.mask.tolist() == [2 <= i < 10 for i in range(12)]
    assert np.sum(data.mask) == 11
    assert np.sum(chosen.select_energy(0.001, 1e3).mask) == 11
    with pytest.raises(DatasetError, match="run: energy_min = 5 TeV is not below energy_max = 2 TeV"):
        data.select_energy(5, 2)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"counts": np.ones(11)}, DatasetError, r"run: counts has shape \(11,\), its axes ask for \(12,\)"),
        (
            {"counts": np.r_[np.nan, np.ones(11)]},
            DatasetError,
            "run: counts holds 1 values that are not finite",
        ),
        ({"counts_off": -np.ones(12)}, DatasetError, "run: counts_off holds 12 negative values"),
        (
            {"edisp": kernel().T},
            DatasetError,
            r"run: edisp has shape \(12, 20\), its axes ask for \(20, 12\)",
        ),
        ({"edisp": None}, DatasetError, "run: edisp may be left out only if"),
        (
            {"energy": EDGES[::-1]},
            DatasetError,
            "run: energy needs at least two increasing positive bin edges",
        ),
        ({"energy_true": [0.0, 1.0]}, DatasetError, "run: energy_true needs at least two"),
        ({"mask_safe": np.ones(5)}, DatasetError, r"run: mask_safe has shape \(5,\)"),
        ({"mask_fit": np.ones((12, 1))}, DatasetError, r"run: mask_fit has shape \(12, 1\)"),
        ({"acceptance_off": np.ones(5)}, DatasetError, r"run: acceptance_off has shape \(5,\)"),
        ({"exposure": np.ones(20) * u.TeV}, UnitMismatch, "run: exposure is of kind"),
        ({"energy": EDGES * u.deg}, UnitMismatch, "run: energy is of kind energy"),
        ({"livetime": "3 deg"}, UnitMismatch, "run: livetime is of kind time"),
    ],
)
def test_inconsistent_datasets(changed, error, message):
    with pytest.raises(error, match=message):
        make(**changed)


def test_collection():
    data = on_off()
    assert data.names == ["d0", "d1", "d2"]
    assert data["d1"] is data[1]
    assert data[1:].names == ["d1", "d2"]
    assert (data[:1] + data[2:]).names == ["d0", "d2"]
    with pytest.raises(UnknownDataset, match="no dataset 'd7'; nearest"):
        data["d7"]
    with pytest.raises(DatasetError, match="given more than once: d0"):
        data + data[:1]
    row = data.table[1]
    assert row["n_bins"] == 10
    assert row["counts"] == data[1].counts[2:].sum()
    assert "d2" in repr(data)
    assert "<table" in data._repr_html_()
    assert repr(gj.Datasets([])) == "Datasets: none"


def test_groups():
    small = on_off(n=1, energy=EDGES[:4], energy_true=TRUE[:5], prefix="small")
    middle = on_off(n=1, energy=EDGES[:10], prefix="middle")
    counting = gj.SpectrumDataset(name="c", counts=np.ones(12), **responses(0))
    first, second, third = group([*small, *on_off(), counting, *middle])
    assert isinstance(first, CashGroup)
    assert first.index.tolist() == [4]
    assert isinstance(second, WStatGroup)
    assert second.index.tolist() == [1, 2, 3, 5]
    assert third.index.tolist() == [0]
    assert second.nodes.shape == (1, 20, 4)
    assert not second.mask[3, 9:].any()
    assert np.all(second.edisp[3, :, 9:] == 0)
