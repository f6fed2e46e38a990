"""What a storage folder holds, and what of it nothing names any more."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from matopt.buckets.copies import listed
from matopt.data.labels.moved_aside import damaged_folder
from matopt.stages.artifacts import MODEL, ArtifactStore, Use
from matopt.stages.dataset import SavedDataset
from matopt.study.layout import Layout, read_json, studies
from matopt.study.lease_file import read_lease
from matopt.study.search.ledger import read_records
from matopt.study.study_copy import refresh

_DAY = 86400.0


@dataclass(frozen=True)
class Amount:
    """How many files of how many bytes."""

    files: int = 0
    size: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.files + other.files, self.size + other.size)


@dataclass(frozen=True)
class StorageUse:
    """What a storage folder holds.

    Attributes:
        kinds: the amount of each kind of things.
        studies: of each study, the amount of each kind that it uses; what several use is counted for each of them.
        damaged: label files that were found damaged and moved aside.
    """

    kinds: dict[str, Amount]
    studies: dict[str, dict[str, Amount]]
    damaged: list[Path]


@dataclass(frozen=True)
class Unnamed:
    """An artifact that nothing names: its key, its size in bytes, and why it may go."""

    key: str
    size: int
    why: str


def storage_use(storage: Path) -> StorageUse:
    """Measure a storage folder."""
    layout = Layout(storage.resolve(), "")
    store = ArtifactStore(layout.artifacts)
    artifacts = {artifact.key: artifact for artifact in store.artifacts()}
    uses = {user: [use for use in noted if use.key in artifacts] for user, noted in store.uses().items()}
    kind_of = {use.key: _kind(use) for noted in uses.values() for use in noted}
    kinds = {
        "labels": _under(layout.labels / "labels") + _under(layout.labels / "index"),
        "images of the labels": _under(layout.labels / "images"),
        **dict.fromkeys(("models", "datasets", "results", "models or results of unknown studies"), Amount()),
    }
    for key, artifact in artifacts.items():
        kind = kind_of.get(key, "models or results of unknown studies")
        kinds[kind] += Amount(1, artifact.size)
    kinds["MLflow"] = _under(layout.mlflow_artifacts) + _database(layout)
    kinds["ledgers and reports"] = _under(layout.folder)
    table = {}
    for study in studies(layout.storage):
        its = dict.fromkeys(("models", "datasets", "results"), Amount())
        for use in uses.get(study.name, ()):
            its[_kind(use)] += Amount(1, artifacts[use.key].size)
        table[study.name] = {
            **its,
            "MLflow": _under(study.mlflow_artifacts),
            "ledgers and reports": _under(study.folder),
        }
    return StorageUse(kinds, table, sorted(kept.path for kept in listed(damaged_folder(layout.labels))))


def unnamed(storage: Path, older_than_days: float | None = None) -> list[Unnamed]:
    """List the artifacts that nothing names, the largest first.

    A study names what its last launch used, and the models of the trials of its searches; all that it ever used, where
    its last launch is running or did not come to its end. Labels are no artifacts, and always kept.

    Args:
        storage: the folder.
        older_than_days: what no study is known to have used, as before uses were noted, is listed if it is older; None
            lists none of it.
    """
    layout = Layout(storage.resolve(), "")
    store = ArtifactStore(layout.artifacts)
    uses, named = store.uses(), set()
    all_studies = studies(layout.storage)
    for study in all_studies:
        refresh(study)
    there = {study.name: study for study in all_studies if study.config.is_file()}
    for name, study in there.items():
        named |= _named(study, uses.get(name, []))
    users: dict[str, list[str]] = {}
    for user, noted in uses.items():
        for use in noted:
            users.setdefault(use.key, []).append(user)
    found = []
    for artifact in store.artifacts():
        if artifact.key in named:
            continue
        earlier = [user for user in users.get(artifact.key, []) if user in there]
        if earlier:
            why = f"used by earlier launches of {', '.join(sorted(earlier))} alone"
        elif artifact.key in users:
            why = f"used by {', '.join(sorted(users[artifact.key]))} alone, which is gone"
        elif older_than_days is not None and time.time() - artifact.written > older_than_days * _DAY:
            why = f"used by no known study, and older than {older_than_days:g} days"
        else:
            continue
        found.append(Unnamed(artifact.key, artifact.size, why))
    return sorted(found, key=lambda artifact: -artifact.size)


def prune(storage: Path, chosen: Iterable[Unnamed], older_than_days: float | None = None) -> Amount:
    """Delete artifacts, unless something names them by now; returns what was freed."""
    still = {artifact.key for artifact in unnamed(storage, older_than_days)}
    store = ArtifactStore(Layout(storage.resolve(), "").artifacts)
    gone = [artifact for artifact in chosen if artifact.key in still]
    store.delete(*(artifact.key for artifact in gone))
    return sum((Amount(1, artifact.size) for artifact in gone), Amount())


def _named(study: Layout, uses: list[Use]) -> set[str]:
    """What a study names."""
    state = read_json(study.state) or {}
    is_finished = state.get("launches", 0) > 0 and not state.get("stage") and read_lease(study) is None
    # Each launch writes it, before it uses anything; a bucket's clock may show whole seconds.
    began = int(study.config.stat().st_mtime) if is_finished else 0
    named = {use.key for use in uses if use.when >= began}
    for search in set(state.get("searches", {}).values()):
        for record in read_records(study.journal, search):
            if record.outcome is not None:
                named |= {record.outcome.generator_key, record.outcome.predictor_key}
    return named


def _kind(use: Use) -> str:
    return {MODEL: "models", SavedDataset.__name__: "datasets"}.get(use.kind, "results")


def _database(layout: Layout) -> Amount:
    try:
        return Amount(1, layout.database.stat().st_size)
    except FileNotFoundError:
        return Amount()


def _under(folder: Path) -> Amount:
    return sum((Amount(1, kept.size) for kept in listed(folder)), Amount())
