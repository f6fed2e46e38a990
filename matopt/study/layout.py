"""Where studies rest on disk: the one place that knows the files and folders under a storage folder."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matopt.atomic_write import atomic_write
from matopt.buckets.address import make_copy
from matopt.buckets.copies import is_copy, listed
from matopt.damaged import DamagedError
from matopt.errors import FailureError
from matopt.study.config.study import Study


@dataclass(frozen=True)
class Layout:
    """Names the files and folders of one study under a storage folder, which all studies and all nodes share.

    Attributes:
        storage: the storage folder, absolute; of a bucket its working copy.
        name: the study's name.
    """

    storage: Path
    name: str

    @staticmethod
    def of(study: Study) -> Layout:
        """Say where ``study`` rests."""
        return Layout(study.storage, study.config.name)

    @property
    def labels(self) -> Path:
        """The label store of all studies: what the simulators computed."""
        return self.storage / "labels"

    @property
    def artifacts(self) -> Path:
        """The artifact store of all studies: what the stages made."""
        return self.storage / "artifacts"

    @property
    def database(self) -> Path:
        """MLflow's SQLite store, of all studies that name no tracking server."""
        return mlflow_database(self.storage)

    @property
    def mlflow_artifacts(self) -> Path:
        """What MLflow keeps beside :attr:`database` for this study."""
        return self.storage / "mlflow-artifacts" / self.name

    @property
    def folder(self) -> Path:
        """The study's own folder."""
        return self.storage / "studies" / self.name

    @property
    def config(self) -> Path:
        """The configuration of the last launch, JSON."""
        return self.folder / "study.json"

    @property
    def journal(self) -> Path:
        """The ledger of the trials, an Optuna journal."""
        return self.folder / "trials.journal"

    @property
    def spools(self) -> Path:
        """Tracking events that wait for their delivery: a folder for each tracking server."""
        return self.folder / "spool"

    def spool(self, uri: str | None) -> Path:
        """Name the folder of what is for the tracking server ``uri`` alone; None is the database."""
        return self.spools / (hashlib.blake2b(uri.encode(), digest_size=4).hexdigest() if uri else "embedded")

    @property
    def state(self) -> Path:
        """Stage, times and outcome of the last launch, JSON."""
        return self.folder / "state.json"

    @property
    def scratch(self) -> Path:
        """What Ray Tune writes; deleted after each search."""
        return self.folder / "search"

    @property
    def report(self) -> Path:
        """The report's folder."""
        return self.folder / "report"

    @property
    def lease(self) -> Path:
        """The study's lease: names the process that launches it."""
        return self.folder / "launch.lease"

    def make(self) -> None:
        """Make the folders.

        Raises:
            FailureError: the storage folder cannot be written to.
        """
        if is_copy(self.storage):
            make_copy(self.storage)
        try:
            for folder in (self.labels, self.artifacts, self.folder, self.spools):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FailureError(f"cannot write to {self.storage}: {error.strerror}; set 'storage' elsewhere") from error


def studies(storage: Path) -> list[Layout]:
    """List the studies that have a folder under a storage folder, or in its bucket, by name.

    Raises:
        FailureError: the folder cannot be read, or the bucket not be had.
    """
    root = storage.resolve()
    if is_copy(root):
        place = root / "studies"
        return [Layout(root, name) for name in sorted({k.path.relative_to(place).parts[0] for k in listed(place)})]
    try:
        return [Layout(root, folder.name) for folder in sorted((root / "studies").iterdir()) if folder.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise FailureError(f"{root} cannot be read: {error.strerror or error}") from error


def mlflow_database(storage: Path) -> Path:
    """Name the SQLite file that MLflow keeps the studies of a storage folder in."""
    return storage / "mlflow.db"


def node_probe(storage: Path, token: str) -> Path:
    """Name a file that lies there while the nodes of a cluster are asked whether they see the storage folder."""
    return storage / f".seen-{token}"


def write_json(path: Path, value: Any) -> None:
    """Write JSON whole or not at all."""
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(value, indent=1))


def read_json(path: Path) -> dict[str, Any] | None:
    """Read the JSON object of a file; None where there is no file.

    Raises:
        DamagedError: the file holds something else.
        FailureError: it cannot be read.
    """
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise FailureError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path} is damaged: it is no JSON") from error
    if not isinstance(found, dict):
        raise DamagedError(f"{path} is damaged: it holds a {type(found).__name__}, no JSON object")
    return found
