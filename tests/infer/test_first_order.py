"""First-order methods: they say when they have not found the minimum."""

import pytest
from made_spectra import log_parabola

import gammajax as gj
from gammajax.errors import ConfigError
from gammajax.infer.minimise import Status


@pytest.fixture(scope="module")
def best(spectra, source):
    return gj.fit(spectra, source)


def test_adam_far_from_the_minimum_does_not_claim_success(spectra, best):
    start = log_parabola().set("*.amplitude", 1e-12)
    early = gj.fit(spectra, start, method="adam", learning_rate=1e-2, max_steps=500)
    assert early.stat > best.stat + 10
    assert not early.success
    assert early.status in (Status.PLATEAU, Status.MAX_STEPS)


def test_adam_returns_the_best_point_it_met(spectra, source, best):
    wild = gj.fit(spectra, source, method="adam", learning_rate=0.5, max_steps=300)
    start = gj.Problem(spectra, source)
    assert wild.stat <= float(gj.stat(start, start.start))
    assert wild.stat >= best.stat - 1e-6


def test_lbfgs_finds_the_minimum_and_says_so(spectra, source, best):
    found = gj.fit(spectra, source.set("*.alpha", 2.2), method="lbfgs")
    assert found.success
    assert found.status is Status.CONVERGED
    assert found.stat == pytest.approx(best.stat, abs=1e-3)


@pytest.mark.parametrize("options", [{"max_steps": 0}, {"tolerance": 0.0}, {"tolerance": -1.0}])
def test_impossible_limits(spectra, source, options):
    with pytest.raises(ConfigError, match="must be"):
        gj.fit(spectra, source, **options)
