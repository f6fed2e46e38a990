"""MLflow's database in a file: there whole, or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

SQLITE = "sqlite:///"


def ensure_database(uri: str) -> None:
    """Create the SQLite file of a tracking URI where there is none; other URIs are left to MLflow.

    MLflow creates its tables one by one, for seconds, and takes a file with some of them for a broken one ever after.
    So they are created in a file beside, which gets its name once it is whole.

    Args:
        uri: MLflow's tracking URI, ``sqlite:///path`` or another.
    """
    path = Path(uri.removeprefix(SQLITE))
    if not uri.startswith(SQLITE) or path.exists():
        return
    from mlflow import MlflowClient

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        whole = Path(folder) / path.name
        MlflowClient(f"{SQLITE}{whole}").search_experiments(max_results=1)
        try:
            os.link(whole, path)
        except FileExistsError:
            return  # another launch was first
        except OSError:  # a file system without hard links
            whole.replace(path)
