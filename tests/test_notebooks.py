"""The notebooks run from top to bottom: on data that they simulate, and on the real data where those are there.

Their code cells are executed in this process, so that every warning is an error, and the last value of each cell is
rendered as a notebook would show it.
"""

import ast
import json
import os
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = ["joint_crab", "pks2155_ebl", "systematics", "own_model", "rxj1713_cube", "fermi_galactic_centre"]


def content(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.ipynb").read_text())


def run(name: str, shown: Any = None) -> dict[str, Any]:
    """Run all code cells; `shown(number, value)` gets what each ends with. Returns the names that are left."""
    names: dict[str, Any] = {"__name__": "__main__"}
    cells = [cell for cell in content(name)["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(cells):
        where = f"{name}.ipynb, code cell {number}"
        tree = ast.parse("".join(cell["source"]), where)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, where, "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), where, "eval"), names)
            render(value)
            if shown is not None:
                shown(number, value)
    return names


def render(value: Any) -> None:
    """What a notebook calls to show a value."""
    for method in ("_repr_png_", "_repr_html_", "__repr__"):
        if hasattr(value, method):
            getattr(value, method)()


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    return tmp_path


def check(name: str, names: dict[str, Any]) -> None:
    """Every fit of a notebook converged, every posterior is to be trusted."""
    import gammajax as gj

    found = [value for value in names.values() if isinstance(value, gj.Fit | gj.Posterior)]
    for value in found:
        assert value.trusted if isinstance(value, gj.Posterior) else value.success, value.message
    assert any(isinstance(value, gj.Fit) for value in found)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_on_simulated_data(name, elsewhere, monkeypatch):
    monkeypatch.delenv("GAMMAJAX_DATA", raising=False)
    names = run(name)
    assert not names["real"]
    check(name, names)


@pytest.mark.notebook
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_on_real_data(name, elsewhere, monkeypatch, gammajax_data):
    monkeypatch.setenv("GAMMAJAX_DATA", str(gammajax_data))
    names = run(name)
    assert names["real"]
    check(name, names)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_stored_clean(name):
    """No outputs, no execution counts, no machine's own metadata; identifiers that do not change."""
    found = content(name)
    assert (found["nbformat"], found["nbformat_minor"]) == (4, 5)
    assert set(found["metadata"]) == {"kernelspec", "language_info"}
    assert found["metadata"]["language_info"] == {"name": "python"}
    cells = found["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)
    for cell in cells:
        assert cell["metadata"] == {}
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    assert (FOLDER / f"{name}.ipynb").read_text() == text


def test_all_are_tested():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted(NOTEBOOKS)


def test_nothing_of_this_machine():
    here = os.path.expanduser("~")
    for path in FOLDER.glob("*.ipynb"):
        assert here not in path.read_text() or here == "/"
