import pytest
from made_spectra import log_parabola

import gammajax as gj
from gammajax.errors import NoSuchParameter
from gammajax.params.paths import Path


def test_attributes_make_up_a_path():
    models = log_parabola()
    alpha = models.paths.crab.spectral.alpha
    assert alpha == "crab.spectral.alpha"
    assert models.set(alpha, 2.7).value(alpha) == 2.7
    assert sorted(dir(models.paths)) == ["crab"]
    assert dir(models.paths.crab.spectral) == ["alpha", "amplitude", "beta", "reference"]
    assert dir(alpha) == []


def test_names_that_are_no_identifiers():
    models = gj.Models({"PKS 2155-304": gj.SkyModel(gj.PowerLaw())})
    assert models.paths["PKS 2155-304"].spectral.index in models.free_paths
    assert models.paths._ipython_key_completions_() == list(models) == models._ipython_key_completions_()


def test_a_wrong_step_names_the_nearest():
    paths = Path("", ("crab.spectral.beta", "crab.spectral.alpha"))
    with pytest.raises(NoSuchParameter, match=r"no parameter path begins with 'crab.spectral.bta'; nearest: 'beta'"):
        paths.crab.spectral.bta  # noqa: B018
    assert not hasattr(paths, "pks")
    assert paths.crab[:2] == "cr"
