"""MLflow's database in a file: there whole, or not at all."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, unquote

_SQLITE = "sqlite:///"
_FILE, _QUERY = "file:", "?uri=true"


def database_uri(path: Path) -> str:
    """Write MLflow's tracking URI of a SQLite file, whatever characters its path has.

    Where a character means something in a URI the path is quoted twice, as MLflow reads the URI once and SQLite reads
    what is left. MLflow makes the folders of whatever has a slash in it, so that none is left.
    """
    text = str(path)
    if not set("?#%") & set(text):
        return f"{_SQLITE}{text}"
    return f"{_SQLITE}{_FILE}{quote(quote(text, safe=''), safe='')}{_QUERY}"


def follow_artifacts(uri: str, experiment: str, before: str, now: str) -> None:
    """Write into a database where the artifacts of an experiment lie, after its storage folder was moved.

    MLflow stores whole addresses, of each run and each version of a model too, and has no call to change them.

    Args:
        uri: of :func:`database_uri`.
        experiment: its id.
        before: the address that the database has.
        now: the address where they are.
    """
    columns = {"runs": ["artifact_uri"], "model_versions": ["source", "storage_location"]}
    with closing(sqlite3.connect(_path(uri), timeout=30)) as database, database:
        database.execute("UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (now, experiment))
        for table, names in columns.items():
            for name in names:
                database.execute(
                    f"UPDATE {table} SET {name} = ? || substr({name}, ?) WHERE substr({name}, 1, ?) = ?",
                    (now, len(before) + 1, len(before) + 1, f"{before}/"),
                )


def ensure_database(uri: str) -> None:
    """Create the SQLite file of a tracking URI where there is none; other URIs are left to MLflow.

    MLflow creates its tables one by one, for seconds, and takes a file with some of them for a broken one ever after.
    So they are created in a file beside, which gets its name once it is whole.

    Args:
        uri: MLflow's tracking URI, of :func:`database_uri` or another.
    """
    if not uri.startswith(_SQLITE):
        return
    path = _path(uri)
    if path.exists():
        return
    from mlflow import MlflowClient

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        whole = Path(folder) / path.name
        MlflowClient(database_uri(whole)).search_experiments(max_results=1)
        try:
            os.link(whole, path)
        except FileExistsError:
            return  # another launch was first
        except OSError:  # a file system without hard links
            whole.replace(path)


def _path(uri: str) -> Path:
    text = uri.removeprefix(_SQLITE)
    return Path(unquote(unquote(text.removeprefix(_FILE).removesuffix(_QUERY))) if text.startswith(_FILE) else text)
