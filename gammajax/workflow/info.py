"""`gammajax info`: what is in a folder or file."""

from collections.abc import Iterator
from pathlib import Path

from gammajax.data import DataStore, Observations
from gammajax.datasets.collection import Datasets
from gammajax.errors import FileFormatError, MissingFile
from gammajax.io.paths import is_file, is_folder
from gammajax.io.yaml import read_yaml
from gammajax.models.collection import Models
from gammajax.tables import as_text


def describe(path: str | Path) -> str:
    """A table of the runs of a DL3 folder, of the datasets or models of a YAML, or of a PHA file.

    Runs that are absent or cannot be read are named below the table. Raises `MissingFile` or `FileFormatError` if
    it is none of these.
    """
    path = Path(path)
    if is_folder(path):
        store = DataStore.from_dir(path)
        runs = store.observations()
        return "\n".join([repr(store), *_listing(runs)])
    if not is_file(path):
        raise MissingFile(f"{path} does not exist")
    if path.suffix in (".yaml", ".yml"):
        content = read_yaml(path)
        if "datasets" in content and "components" not in content:
            return repr(Datasets.read(path))
        if "components" in content:
            return repr(Models.read(path))
        raise FileFormatError(f"{path} has neither 'datasets' nor 'components' at top level")
    return repr(Datasets.read_ogip([path]))


def _listing(runs: Observations) -> Iterator[str]:
    table = runs.info()
    problems = [f"run {row['obs_id']}: {row['problem']}" for row in table if row["problem"]]
    table.remove_column("problem")
    if len(runs):
        yield as_text(table)
    yield from (f"problem: {message}" for message in problems)
    yield from (f"missing: {message}" for message in runs.failures.values())
