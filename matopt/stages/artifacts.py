"""The artifact store: what the stages made, each kept under the key of what it was made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, overload

import torch

from matopt.atomic_write import atomic_write
from matopt.damaged import DamagedError, set_aside
from matopt.errors import FailureError, warn
from matopt.stages.codec import pack, unpack

T = TypeVar("T")


class ArtifactStore:
    """Keeps results on disk: one file a key, written whole or not at all, shared by all processes and studies.

    A result is a frozen record, or a payload: a dictionary of tensors and plain values. Both are read back without
    running any code of theirs.

    Args:
        root: the folder; on a cluster it must be one that every node sees.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, key: str) -> Path:
        """Name the file of ``key``, whether it is there or not."""
        return self.root / key[:2] / f"{key}.pt"

    def __contains__(self, key: str) -> bool:
        return self.path(key).is_file()

    def save(self, key: str, payload: Mapping[str, Any]) -> None:
        """Keep a payload under ``key``.

        Raises:
            FailureError: the folder cannot be written to.
        """
        with atomic_write(self.path(key)) as partial:
            try:
                torch.save(dict(payload), partial)
            except RuntimeError as error:  # what torch makes of a full disk
                raise OSError(str(error)) from error

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
        path = self.path(key)
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
            aside = set_aside(path)
            raise DamagedError(
                f"{path} was damaged ({type(error).__name__}), and is {aside.name} now; launch the study again, and it"
                " is made anew"
            ) from error

    def get(self, key: str, kind: type[T], make: Callable[[], T]) -> T:
        """Read the record of ``key``, made and kept where there was none, or a damaged one."""
        if key in self:
            try:
                return self.load(key, kind)
            except DamagedError:
                warn(f"{self.path(key)} was damaged: it is made anew")
        self.save(key, pack(make()))
        return self.load(key, kind)
