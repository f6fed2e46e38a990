"""The artifact store: what the stages made, each kept under the key of what it was made from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, overload

import torch

from matopt.atomic_write import atomic_write
from matopt.buckets.copies import fetch, forget, is_copy, is_there, keep, listed, restored
from matopt.damaged import DamagedError, set_aside
from matopt.errors import FailureError, warn
from matopt.stages.codec import pack, unpack

T = TypeVar("T")

MODEL = "model"
"""What is kept where it is no record."""


@dataclass(frozen=True)
class Artifact:
    """One file of an artifact store: its key, its size in bytes, and when it was written, in seconds since 1970."""

    key: str
    size: int
    written: float


@dataclass(frozen=True)
class Use:
    """That a user looked a key up or kept something under it: the key, what is kept ("model" or a record), and when.

    Of several times it is the first since the user's :class:`ArtifactStore` was made.
    """

    key: str
    kind: str
    when: float


class ArtifactStore:
    """Keeps results on disk: one file a key, written whole or not at all, shared by all processes and studies.

    A result is a frozen record, or a payload: a dictionary of tensors and plain values. Both are read back without
    running any code of theirs. What is used by whom is noted beside, in empty files ``uses/<user>/<kind>/<key>``: keys
    follow from what a result is made of, and tell nobody which study made it.

    Args:
        root: the folder; on a cluster it must be one that every node sees, or a bucket's working copy.
        user: who uses it, as its uses are to be noted; None notes none.

    Attributes:
        waited: seconds that this process waited for others to make what it needs.
    """

    def __init__(self, root: Path, user: str | None = None) -> None:
        self.root = root
        self.user = user
        self.waited = 0.0
        self._noted: set[str] = set()

    def path(self, key: str) -> Path:
        """Name the file of ``key``, whether it is there or not."""
        return self.root / key[:2] / f"{key}.pt"

    def file(self, key: str) -> Path:
        """Name the file of ``key``; what a bucket has is copied here first."""
        path = self.path(key)
        if is_copy(path) and not path.is_file():
            fetch(path)
        return path

    def __contains__(self, key: str) -> bool:
        return self._holds(key, MODEL)

    def save(self, key: str, payload: Mapping[str, Any]) -> None:
        """Keep a payload under ``key``.

        Raises:
            FailureError: the folder cannot be written to.
        """
        self._save(key, MODEL, payload)

    @overload
    def load(self, key: str) -> dict[str, Any]: ...
    @overload
    def load(self, key: str, kind: type[T]) -> T: ...
    def load(self, key: str, kind: type | None = None) -> Any:
        """Read the payload of ``key``, or its record of class ``kind``, on the CPU.

        A damaged file is set aside, so that whoever makes it again finds its place free.

        Raises:
            DamagedError: its file is damaged.
            FailureError: there is none, or it cannot be read.
        """
        path = self.file(key)
        self._note(key, MODEL if kind is None else kind.__name__)
        try:
            payload = torch.load(path, map_location="cpu", weights_only=True)
            return payload if kind is None else unpack(kind, payload)
        except FileNotFoundError:
            raise FailureError(
                f"{path} is missing; if this node does not see {self.root}, set 'storage' to a shared folder"
            ) from None
        except OSError as error:
            raise FailureError(f"{path} cannot be read: {error.strerror or error}") from error
        except Exception as error:  # torch's and the codec's answers to what is none of theirs are of any kind
            if restored(path):
                return self.load(key, kind) if kind is not None else self.load(key)
            aside = set_aside(path)
            raise DamagedError(
                f"{path} was damaged ({type(error).__name__}), and is {aside.name} now; launch the study again, and it"
                " is made anew"
            ) from error

    def get(self, key: str, kind: type[T], make: Callable[[], T]) -> T:
        """Read the record of ``key``, made and kept where there was none, or a damaged one."""
        if self._holds(key, kind.__name__):
            try:
                return self.load(key, kind)
            except DamagedError:
                warn(f"{self.path(key)} was damaged: it is made anew")
        self._save(key, kind.__name__, pack(make()))
        return self.load(key, kind)

    def artifacts(self) -> Iterator[Artifact]:
        """List what is kept."""
        for kept in listed(self.root):
            if kept.path.match("??/*.pt") and kept.path.parents[1] == self.root:
                yield Artifact(kept.path.stem, kept.size, kept.modified)

    def uses(self) -> dict[str, list[Use]]:
        """List the uses that were noted, by user."""
        found: dict[str, list[Use]] = {}
        for note in listed(self._uses):
            use = Use(note.path.name, note.path.parent.name, note.modified)
            found.setdefault(note.path.parents[1].name, []).append(use)
        return found

    def delete(self, *keys: str) -> None:
        """Delete what is kept under the keys, and the notes of their uses."""
        gone = set(keys)
        for key in gone:
            forget(self.path(key))
        for note in listed(self._uses):
            if note.path.name in gone:
                forget(note.path)

    @property
    def _uses(self) -> Path:
        return self.root / "uses"

    def _holds(self, key: str, kind: str) -> bool:
        self._note(key, kind)  # first: what is noted is not collected between the look and the use
        return is_there(self.path(key))

    def _save(self, key: str, kind: str, payload: Mapping[str, Any]) -> None:
        self._note(key, kind)
        with atomic_write(self.path(key)) as partial:
            try:
                torch.save(dict(payload), partial)
            except RuntimeError as error:  # what torch makes of a full disk
                raise OSError(str(error)) from error

    def _note(self, key: str, kind: str) -> None:
        if self.user is None or key in self._noted:
            return
        note = self._uses / self.user / kind / key
        try:
            note.parent.mkdir(parents=True, exist_ok=True)
            keep(note, b"")
            note.touch()
        except OSError as error:
            raise FailureError(f"{note} cannot be written: {error.strerror or error}") from error
        self._noted.add(key)
