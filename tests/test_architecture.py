"""The rules of docs/architecture.md, read from the source."""

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest

import gammajax
from gammajax.params.field import Model
from gammajax.params.priors import Prior

PACKAGE = Path(gammajax.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))


def _rooms() -> dict[str, int]:
    """Rooms in the order of the table in docs/architecture.md; rooms of one row may import each other."""
    text = (PACKAGE.parent / "docs" / "architecture.md").read_text()
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {
        name.strip().strip("`").removesuffix(".py").strip("/"): i
        for i, row in enumerate(rows)
        for name in row.split(",")
    }


ROOMS = _rooms()

SAMPLING = ("sample", "posterior", "quantity", "variational")

ONLY_IN = {
    "matplotlib": lambda path: path.parts[0] == "plot",
    "h5py": lambda path: path.parts[0] == "io",
    "numpyro": lambda path: (
        path.parts[0] == "infer" and path.stem in ("sample", "posterior", "quantity", "variational")
    ),
    "blackjax": lambda path: path == Path("infer/evidence.py"),
    "gammapy": lambda path: False,
    # Private modules of JAX may go with any release: no file may import them.
    "jax._src": lambda path: False,
}


def imports(path: Path) -> list[str]:
    """All modules that a file imports, those inside functions too; `from a import b` counts as a.b."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def room(relative: Path) -> str:
    return relative.parts[0].removesuffix(".py")


def test_every_room_has_a_place_in_the_order():
    here = {room(path.relative_to(PACKAGE)) for path in FILES} - {"__init__", "__main__"}
    assert here == set(ROOMS)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    relative = path.relative_to(PACKAGE)
    mine = ROOMS.get(room(relative), len(ROOMS))
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "gammajax" and len(parts) > 1 and parts[1] in ROOMS:
            assert ROOMS[parts[1]] <= mine, f"{relative} imports {name}, which comes after it"
        for package, allowed in ONLY_IN.items():
            if name == package or name.startswith(f"{package}."):
                assert allowed(relative), f"{relative} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_are_short(path):
    assert len(path.read_text().splitlines()) <= 500


def _all_modules():
    for info in pkgutil.walk_packages(gammajax.__path__, "gammajax."):
        if not info.name.endswith("__main__"):
            importlib.import_module(info.name)


def test_concrete_classes_have_no_subclasses():
    """Final or abstract: a class that defines what its base only declares is never derived from."""
    _all_modules()

    def walk(cls):
        for sub in cls.__subclasses__():
            if not sub.__module__.startswith("gammajax."):
                continue
            yield sub
            yield from walk(sub)

    for base, method in ((Model, "dnde"), (Prior, "log_prob")):
        for cls in walk(base):
            own = getattr(cls, method, None)
            if own is None or own.__qualname__.startswith(("SpectralModel.", "Prior.")):
                continue
            inside = [s for s in cls.__subclasses__() if s.__module__.startswith("gammajax.")]
            assert not inside, f"{cls.__name__} is concrete, but {inside} derive from it"


def test_public_names_exist():
    for name in gammajax.__all__:
        assert getattr(gammajax, name) is not None


def test_unknown_public_name():
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        gammajax.fitt  # noqa: B018


def test_test_files_have_names_of_their_own():
    """pytest imports test files by their base names: two of one name cannot be collected together."""
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert sorted({name for name in names if names.count(name) > 1}) == []
