"""Fixtures for all tests: double precision, the folder of real data, a simulated archive."""

import gc
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import pytest

jax.config.update("jax_enable_x64", True)
# A response that slips into a compiled function as a constant is a warning, and warnings are errors here.
jax.config.update("jax_captured_constants_warn_bytes", 1 << 20)
jax.config.update("jax_numpy_rank_promotion", "raise")


def pytest_configure(config: pytest.Config) -> None:
    """Share compiled programs between workers, processes that tests start, and runs (in pytest's cache folder)."""
    folder = os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(config.cache.mkdir("xla")))
    seconds = os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", float(seconds))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by what they need, so that `-m "data or gammapy"` finds them."""
    for item in items:
        if "gammajax_data" in getattr(item, "fixturenames", ()):
            item.add_marker("data")
        if item.path.parent.name == "against_gammapy":
            item.add_marker("gammapy")


@pytest.fixture(scope="session")
def gammajax_data() -> Path:
    """The folder of real data (layout of gammapy-data); the test is skipped where there is none."""
    folder = os.environ.get("GAMMAJAX_DATA") or os.environ.get("GAMMAPY_DATA")
    if not folder:
        pytest.skip("set GAMMAJAX_DATA to a data folder to run this test")
    return Path(folder)


_MOST_MAPS = 20_000


@pytest.fixture(scope="module", autouse=True)
def _room_for_programs():
    """Compiled programs hold memory maps; Linux grants a process 65530 of them, and XLA crashes without one more."""
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > _MOST_MAPS:
        jax.clear_caches()
        gc.collect()


@dataclass(frozen=True)
class Archive:
    """Simulated DL3 of a known source: one sub-folder per instrument (`names`), two runs each."""

    folder: Path
    names: tuple[str, ...]
    model: Any
    position: Any
    truth: dict[str, float]


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """A Crab-like source seen by the three ready instruments; not to be written to."""
    from astropy.coordinates import SkyCoord

    from gammajax.models.sky import SkyModel
    from gammajax.models.spectral import LogParabola
    from gammajax.simulate import INSTRUMENTS, simulate_dl3

    truth = {"amplitude": 3.8e-11, "reference": 1.0, "alpha": 2.5, "beta": 0.10}
    model = SkyModel(LogParabola(**truth))
    position = SkyCoord("83.63d", "22.01d")
    folder = tmp_path_factory.mktemp("dl3")
    simulate_dl3(folder, INSTRUMENTS, model, position, key=1, runs=2, target="Crab")
    return Archive(folder, tuple(INSTRUMENTS), model, position, truth)


@pytest.fixture(scope="session")
def source():
    """A log parabola; truth of the small spectra."""
    from made_spectra import log_parabola

    return log_parabola()


@pytest.fixture(scope="session")
def spectra():
    """Three small on-off spectra with random counts."""
    from made_spectra import on_off

    return on_off()


@pytest.fixture(scope="session")
def asimov_spectra(spectra, source):
    """The same with the counts that the log parabola predicts."""
    import gammajax as gj

    return gj.asimov(spectra, source)


@pytest.fixture(scope="session")
def truth_fit(asimov_spectra, source):
    """Fit of the Asimov counts."""
    import gammajax as gj

    return gj.fit(asimov_spectra, source)
