"""The float32 mode: chosen by JAX_ENABLE_X64=0 before import, so it is tested in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gammajax as gj

HERE = Path(__file__).parent


def in_float32(data=None):
    environment = {**os.environ, "JAX_ENABLE_X64": "0", "PYTHONPATH": str(HERE.parent)}
    command = [sys.executable, str(HERE / "single_precision_cases.py"), *([str(data)] if data else [])]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def compare(single, double):
    """Every number of the float32 run within 0.05 standard errors (or 5 %) of the float64 run."""
    assert single.keys() == double.keys()
    for name, found in single.items():
        wanted = double[name]
        assert found["success"], (name, found["message"])
        errors = np.array(wanted["errors"])
        np.testing.assert_array_less(np.abs(np.subtract(found["values"], wanted["values"])) / errors, 0.05, name)
        np.testing.assert_allclose(found["errors"], errors, rtol=0.01, err_msg=name)
        np.testing.assert_allclose(found["delta"], wanted["delta"], rtol=0.01, atol=0.01, err_msg=name)


def test_results_are_those_of_double_precision():
    import single_precision_cases as cases

    single, double = in_float32(), cases.run(None)
    coarse, fine = single.pop("coarse"), double.pop("coarse")
    compare(single, double)
    assert fine["success"]
    assert not coarse["success"]
    assert "float32 cannot resolve crab.spectral.day" in coarse["message"]
    assert "JAX_ENABLE_X64=1" in coarse["message"]


@pytest.mark.data
def test_joint_crab(gammajax_data):
    import single_precision_cases as cases

    compare(in_float32(gammajax_data), cases.run(gammajax_data))


def test_double_precision_is_the_default():
    assert np.asarray(gj.PowerLaw().index).dtype == np.float64
