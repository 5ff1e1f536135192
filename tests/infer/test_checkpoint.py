"""Runs that are killed, resumed and extended give the draws of a run that was not interrupted."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_spectra import log_parabola, on_off

import gammajax as gj
from gammajax.errors import ConfigError, FileFormatError
from gammajax.infer.checkpoint import fingerprints
from gammajax.io.hdf5 import read_tree, write_tree

OPTIONS = {"chains": 4, "warmup": 200}

KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
import pathlib
import gammajax as gj
from gammajax.infer import checkpoint
from made_spectra import log_parabola, on_off

written = 0
replace = pathlib.Path.replace

def replace_or_die(self, target):
    global written
    written += 1
    if written == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)

pathlib.Path.replace = replace_or_die
data = gj.asimov(on_off(), log_parabola())
gj.sample(data, log_parabola(), key=1, draws=1_000_000, checkpoint=sys.argv[2], chains=4, warmup=200)
"""


@pytest.fixture(scope="module")
def finished(asimov_spectra, truth_fit, tmp_path_factory):
    """A complete run with its file."""
    path = tmp_path_factory.mktemp("run") / "run.h5"
    return gj.sample(asimov_spectra, truth_fit, key=1, draws=100, checkpoint=path, **OPTIONS), path


def test_a_killed_run_goes_on_to_the_bit(asimov_spectra, tmp_path):
    """The process dies between writing its third checkpoint and giving it its name."""
    path = tmp_path / "run.h5"
    tests = Path(__file__).parents[1]
    process = subprocess.run(
        [sys.executable, "-c", KILLED, str(tests), str(path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr
    done = read_tree(path, "checkpoint").group("draws").array("values", 3).shape[0]
    assert done >= 200
    draws = done - OPTIONS["warmup"] + 250
    resumed = gj.sample(asimov_spectra, log_parabola(), key=1, draws=draws, checkpoint=path, **OPTIONS)
    whole = gj.sample(asimov_spectra, log_parabola(), key=1, draws=draws, **OPTIONS)
    np.testing.assert_array_equal(resumed.samples, whole.samples)
    for name, array in whole.stats.items():
        np.testing.assert_array_equal(resumed.stats[name], array)


def test_a_complete_run_is_extended(finished, asimov_spectra, truth_fit):
    first, path = finished
    longer = gj.sample(asimov_spectra, truth_fit, key=1, draws=450, checkpoint=path, **OPTIONS)
    whole = gj.sample(asimov_spectra, truth_fit, key=1, draws=450, **OPTIONS)
    np.testing.assert_array_equal(longer.samples, whole.samples)
    np.testing.assert_array_equal(longer.samples[:, :100], first.samples)
    before = path.read_bytes()
    again = gj.sample(asimov_spectra, truth_fit, key=1, draws=100, checkpoint=path, **OPTIONS)
    np.testing.assert_array_equal(again.samples, first.samples)
    assert path.read_bytes() == before


def test_another_start_of_the_same_problem_resumes(finished, asimov_spectra):
    """Where the fit began does not matter: the coordinates are those of the file."""
    first, path = finished
    other = log_parabola().set({"*.amplitude": 7e-12, "*.alpha": 3.0})
    again = gj.sample(asimov_spectra, other, key=1, draws=100, checkpoint=path, **OPTIONS)
    np.testing.assert_array_equal(again.samples, first.samples)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"key": 2}, r"options differ \(key .*\[0, 1\] there, .*\[0, 2\] here\)"),
        ({"warmup": 150}, r"options differ \(warmup 200 there, 150 here\)"),
        ({"chains": 2}, "options differ .chains 4 there, 2 here"),
        ({"target_accept": 0.9}, "target_accept 0.8 there, 0.9 here"),
        ({"datasets": on_off(seed=7)}, "another run: data differ; give another file"),
        ({"nodes": 6}, "data differ"),
        ({"models": log_parabola().set("*.reference", 2.0)}, "models differ"),
        ({"models": log_parabola().bound("*.beta", -1.0, 1.0)}, "models differ"),
        ({"models": log_parabola().prior("*.beta", gj.Normal(0.1, 0.1))}, "priors differ"),
        ({"models": gj.Models(vela=log_parabola()["crab"])}, "models differ"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(finished, asimov_spectra, change, said):
    given = {"datasets": asimov_spectra, "models": log_parabola(), "key": 1, "draws": 100, **OPTIONS} | change
    with pytest.raises(ConfigError, match=said):
        gj.sample(given.pop("datasets"), given.pop("models"), checkpoint=finished[1], **given)


def test_files_that_are_no_checkpoints(finished, asimov_spectra, truth_fit, tmp_path):
    run = {"key": 1, "draws": 100, **OPTIONS}
    text = tmp_path / "text.h5"
    text.write_text("no HDF5")
    with pytest.raises(FileFormatError, match="cannot be read as HDF5"):
        gj.sample(asimov_spectra, truth_fit, checkpoint=text, **run)
    posterior = finished[0].write(tmp_path / "posterior.h5")
    with pytest.raises(FileFormatError, match="expected a gammajax file of kind 'checkpoint'"):
        gj.sample(asimov_spectra, truth_fit, checkpoint=posterior, **run)

    def changed(name, **entries):
        tree = _plain(read_tree(finished[1], "checkpoint"))
        for group, content in entries.items():
            tree[group] = tree[group] | content if isinstance(content, dict) else content
        return write_tree(tmp_path / name, "checkpoint", tree)

    with pytest.raises(FileFormatError, match="checkpoint of version 99"):
        gj.sample(asimov_spectra, truth_fit, checkpoint=changed("new.h5", version=99), **run)
    broken = changed("shape.h5", state={"accept_prob": np.zeros(3)})
    with pytest.raises(FileFormatError, match=r"state/accept_prob is float64\(3,\), .* needs float64\(4,\)"):
        gj.sample(asimov_spectra, truth_fit, checkpoint=broken, **run)
    with pytest.raises(FileFormatError, match="state/z is missing"):
        gj.sample(asimov_spectra, truth_fit, checkpoint=changed("z.h5", state={"z": None}), **run)


def _plain(node):
    return {
        k: _plain(v) if hasattr(v, "content") else v for k, v in node.content.items() if k not in ("kind", "schema")
    }


def test_fingerprints_do_not_depend_on_the_start_but_on_everything_else(asimov_spectra):
    def prints(models):
        return fingerprints(gj.Problem(asimov_spectra, models), models.free_paths, {"chains": 4})

    one = prints(log_parabola())
    assert prints(log_parabola().set("*.alpha", 3.1)) == one
    frozen = prints(log_parabola().freeze("*.beta"))
    assert {k for k in one if one[k] != frozen[k]} == {"models"}
