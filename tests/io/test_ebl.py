"""Tables of the extragalactic background light, made here in the format of the real files."""

import gzip

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy.io import fits

import gammajax as gj
from gammajax.errors import FileFormatError, MissingFile, ModelError
from gammajax.io.ebl import BUILTIN, find_ebl, read_ebl
from gammajax.params.tree import fill

ENERGY = np.geomspace(1e-3, 100.0, 41)
REDSHIFT = np.array([0.01, 0.05, 0.1, 0.2, 0.4])


def tau(z, e):
    return 3.0 * z * (e / 0.5) ** 1.5


def write(path, energy=ENERGY, redshift=REDSHIFT, table=None, variable=False):
    """Energies in keV without unit; the list of redshifts fixed or of variable length; single precision."""
    transmission = np.exp(-tau(redshift[:, None], energy)) if table is None else table
    step = np.sqrt(energy[1] / energy[0])
    n = redshift.size
    value = np.array([redshift.astype("f4"), None], dtype=object)[:1] if variable else redshift[None]
    hdus = [
        fits.PrimaryHDU(),
        fits.BinTableHDU.from_columns(
            [fits.Column("VALUE", f"PE({n})" if variable else f"{n}E", array=value)], name="PARAMETERS"
        ),
        fits.BinTableHDU.from_columns(
            [
                fits.Column("ENERG_LO", "E", array=energy / step * 1e9),
                fits.Column("ENERG_HI", "E", array=energy * step * 1e9),
            ],
            name="ENERGIES",
        ),
        fits.BinTableHDU.from_columns(
            [
                fits.Column("PARAMVAL", "E", array=redshift),
                fits.Column("INTPSPEC", f"{transmission.shape[1]}E", array=transmission),
            ],
            name="SPECTRA",
        ),
    ]
    fits.HDUList(hdus).writeto(path, overwrite=True)
    return path


@pytest.fixture
def model(tmp_path):
    return gj.EBLAbsorptionNorm.read(write(tmp_path / "ebl.fits"), redshift=0.1)


def at(model, z, alpha=1.0):
    return fill(model, jnp.array([z, alpha]))


@pytest.mark.parametrize("variable", [False, True])
def test_table(tmp_path, variable):
    found = read_ebl(write(tmp_path / "ebl.fits", variable=variable))
    np.testing.assert_allclose(found.energy, ENERGY, rtol=1e-6)
    np.testing.assert_allclose(found.redshift, REDSHIFT, rtol=1e-6)
    assert found.transmission.shape == (5, 41)
    assert (found.transmission == 0).any()


def test_redshift_listed_twice(tmp_path):
    """The first spectrum counts, and order does not matter."""
    z = np.array([0.2, 0.1, 0.2])
    table = np.exp(-tau(z[:, None], ENERGY) * np.array([1, 1, 5])[:, None])
    found = read_ebl(write(tmp_path / "ebl.fits", redshift=z, table=table))
    assert found.redshift == pytest.approx([0.1, 0.2])
    np.testing.assert_allclose(found.transmission[1], table[0], rtol=1e-6, atol=1e-38)


def test_nodes_and_between(model, tmp_path):
    content = read_ebl(tmp_path / "ebl.fits")
    for i, z in enumerate(content.redshift):
        np.testing.assert_allclose(at(model, z)(content.energy).value, content.transmission[i], atol=1e-13)
    energy = np.geomspace(0.01, 5.0, 60)
    np.testing.assert_allclose(at(model, 0.15)(energy).value, np.exp(-tau(0.15, energy)), atol=3e-3)
    np.testing.assert_allclose(at(model, 0.15, 0.5)(energy).value, np.exp(-tau(0.15, energy) / 2), atol=3e-3)


def test_derivatives_do_not_jump_at_nodes(model):
    flat = jax.jit(jax.grad(lambda x, e: jnp.log(fill(model, x).dnde(e)), argnums=(0, 1)))
    for z, e in ((REDSHIFT[2], 0.7), (0.13, ENERGY[22]), (REDSHIFT[0], 0.7), (0.4, 0.7), (0.13, ENERGY[0])):
        sides = [flat(jnp.array([z * (1 + d), 1.0]), jnp.asarray(e * (1 + d))) for d in (-1e-6, 1e-6)]
        np.testing.assert_allclose(sides[0][0], sides[1][0], rtol=1e-3)
        np.testing.assert_allclose(sides[0][1], sides[1][1], rtol=1e-3, atol=1e-9)


def test_beyond_the_table(model):
    assert at(model, 0.0)([0.1, 1.0, 10.0]).value.tolist() == [1.0, 1.0, 1.0]
    low = -np.log(model([1e-4, 5e-4]).value)
    assert np.all(low >= 0)
    assert low[1] == pytest.approx(tau(0.1, 5e-4), rel=0.1)
    # Transmissions that single precision cannot hold go on falling.
    depth = jax.vmap(model.optical_depth)(jnp.array([50.0, 90.0, 1000.0]))
    assert np.all(np.diff(depth) > 0)
    assert depth[1] == pytest.approx(tau(0.1, 90.0), rel=0.02)
    energy = jnp.geomspace(1e-8, 1e6, 50)
    for z in (0.0, 0.1, 0.4, 0.8):
        slope = jax.vmap(jax.grad(at(model, z).dnde))(energy)
        assert np.all(np.isfinite(slope))


def test_beyond_a_table_that_falls_nothing_is_amplified():
    """Above the last redshift tau is linear: of a table that falls at its end it would turn negative."""
    energy, z = np.geomspace(0.1, 10.0, 5), np.array([0.1, 0.2, 0.3])
    falling = np.exp(-np.array([0.5, 1.0, 0.4])[:, None] * energy**0.2)
    ends = np.exp(-np.array([0.5, 1.0, 1.5])[:, None] * np.array([0.1, 0.5, 1.0, 1.5, 0.2]))
    for table, redshift in ((falling, 3.0), (ends, 0.2), (falling, -0.1)):
        model = gj.EBLAbsorptionNorm(energy, z, table, redshift=redshift)
        found = model(np.geomspace(1e-3, 1e6, 30)).value
        assert np.all(found <= 1.0)


def test_bounds_of_the_redshift(model):
    models = gj.Models(a=gj.SkyModel(gj.PowerLaw() * model))
    row = models.rows["a.spectral.model2.redshift"]
    assert (row.lower, row.frozen) == (0.0, True)
    assert row.upper == pytest.approx(0.4)
    with pytest.raises(gj.GammajaxError, match="redshift starts at 0.5, outside"):
        models.set("*.redshift", 0.5)


def test_inline_table_in_yaml(model):
    bare = gj.EBLAbsorptionNorm(*model.transmission, redshift=0.2)
    models = gj.Models(a=gj.SkyModel(gj.PowerLaw() * bare))
    from gammajax.models.serialise import Writer

    content = Writer(models.rows).component("a", models["a"])["spectral"]["model2"]
    assert set(content) == {"type", "parameters", "energy", "param", "values"}
    again = gj.EBLAbsorptionNorm(**gj.EBLAbsorptionNorm.from_yaml(content, "a"), redshift=0.2)
    energy = np.geomspace(0.01, 50.0, 20)
    np.testing.assert_allclose(again(energy).value, bare(energy).value, rtol=1e-9)


def test_where_files_are_found(tmp_path, monkeypatch):
    for key in ("GAMMAJAX_DATA", "GAMMAPY_DATA"):
        monkeypatch.delenv(key, raising=False)
    with pytest.raises(MissingFile, match=r"EBL table dominguez .* needs \$GAMMAJAX_DATA or \$GAMMAPY_DATA to be set"):
        gj.EBLAbsorptionNorm.read_builtin("dominguez")
    monkeypatch.setenv("GAMMAPY_DATA", str(tmp_path))
    with pytest.raises(MissingFile, match="dominges .* is not in .*built-in are .*nearest: 'dominguez'"):
        gj.EBLAbsorptionNorm.read_builtin("dominges")
    (tmp_path / "ebl").mkdir()
    file = write(tmp_path / "plain.fits")
    (tmp_path / "ebl" / BUILTIN["dominguez"]).write_bytes(gzip.compress(file.read_bytes()))
    expected = tmp_path / "ebl" / "ebl_dominguez11.fits.gz"
    for name in ("dominguez", "/elsewhere/ebl_dominguez11.fits.gz", "ebl_dominguez11.fits"):
        assert find_ebl(name) == expected
    assert find_ebl("$GAMMAPY_DATA/plain.fits") == file
    assert float(gj.EBLAbsorptionNorm.read_builtin("dominguez", redshift=0.2).redshift) == 0.2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"table": np.ones((5, 40))}, "41 energies and spectra of 40 entries"),
        ({"table": np.full((5, 41), 2.0)}, "transmissions outside 0 to 1"),
        ({"redshift": -REDSHIFT}, "redshifts that are negative"),
        ({"energy": ENERGY[::-1]}, "energies that are not positive and increasing"),
        ({"redshift": REDSHIFT[:1]}, "1 redshifts; at least 2"),
    ],
)
def test_malformed_files(tmp_path, change, message):
    options = {"table": np.full((len(change.get("redshift", REDSHIFT)), 41), 0.5)} | change
    with pytest.raises(FileFormatError, match=f"ebl.fits has .*{message}"):
        read_ebl(write(tmp_path / "ebl.fits", **options))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((ENERGY, REDSHIFT, np.ones((41, 5))), r"table of shape \(41, 5\); expected \(redshift, energy\)"),
        ((ENERGY[:1], REDSHIFT, np.ones((5, 1))), "at least 2 of each"),
        ((ENERGY, REDSHIFT[::-1], np.ones((5, 41))), "redshifts must be increasing"),
        ((ENERGY, REDSHIFT, np.full((5, 41), 1.5)), "between 0 and 1"),
    ],
)
def test_malformed_arrays(arguments, message):
    with pytest.raises(ModelError, match=message):
        gj.EBLAbsorptionNorm(*arguments)
