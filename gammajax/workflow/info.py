"""`gammajax info`: what is in a folder or file."""

from pathlib import Path

from gammajax.data import DataStore
from gammajax.datasets.collection import Datasets
from gammajax.errors import FileFormatError, MissingFile
from gammajax.io.yaml import read_yaml
from gammajax.models.collection import Models
from gammajax.tables import as_text


def describe(path: str | Path) -> str:
    """A table of the runs of a DL3 folder, of the datasets or models of a YAML, or of a PHA file.

    Raises `MissingFile` or `FileFormatError` if it is none of these.
    """
    path = Path(path)
    if path.is_dir():
        store = DataStore.from_dir(path)
        runs = store.observations()
        lines = [as_text(runs.info())] if len(runs) else []
        return "\n".join([repr(store), *lines, *(f"missing: {message}" for message in runs.failures.values())])
    if not path.is_file():
        raise MissingFile(f"{path} does not exist")
    if path.suffix in (".yaml", ".yml"):
        content = read_yaml(path)
        if "datasets" in content and "components" not in content:
            return repr(Datasets.read(path))
        if "components" in content:
            return repr(Models.read(path))
        raise FileFormatError(f"{path} has neither 'datasets' nor 'components' at top level")
    return repr(Datasets.read_ogip([path]))
