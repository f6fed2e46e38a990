"""Where a study rests on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matopt.atomic_write import atomic_write
from matopt.errors import FailureError


@dataclass(frozen=True)
class Layout:
    """The folders of one study under a storage folder, which all studies and all nodes share.

    Attributes:
        storage: the storage folder, absolute.
        name: the study's name.
    """

    storage: Path
    name: str

    @property
    def labels(self) -> Path:
        """What the simulators computed, for all studies."""
        return self.storage / "labels"

    @property
    def artifacts(self) -> Path:
        """What the stages made, for all studies."""
        return self.storage / "artifacts"

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
        """The ledger of the trials."""
        return self.folder / "trials.journal"

    @property
    def spool(self) -> Path:
        """Tracking events that wait for their delivery."""
        return self.folder / "spool"

    @property
    def state(self) -> Path:
        """Stage, times and outcome of the last launch, JSON."""
        return self.folder / "state.json"

    @property
    def scratch(self) -> Path:
        """What the search's engine writes; deleted after each search."""
        return self.folder / "search"

    @property
    def report(self) -> Path:
        """The report's folder."""
        return self.folder / "report"

    @property
    def lock(self) -> Path:
        """Names the process that runs the study."""
        return self.folder / "launch.lock"

    def make(self) -> None:
        """Make the folders.

        Raises:
            FailureError: the storage folder cannot be written to.
        """
        try:
            for folder in (self.labels, self.artifacts, self.folder, self.spool):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FailureError(f"cannot write to {self.storage}: {error.strerror}; set 'storage' elsewhere") from error


def write_json(path: Path, value: Any) -> None:
    """Write JSON whole or not at all."""
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(value, indent=1))


def read_json(path: Path) -> Any:
    """The JSON value of a file, None where there is no file."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
