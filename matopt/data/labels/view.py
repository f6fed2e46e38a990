"""What one process has open of a store: the indexes of the runs, and in memory the few labels that are in none."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from matopt.buckets.copies import restored
from matopt.data.labels.bucket_copy import BucketCopy
from matopt.data.labels.compaction import FRESH, compact
from matopt.data.labels.entries import IMAGE_BYTES, SCHEMA, Entry, entries, unpack, whole
from matopt.data.labels.folders import RUN, index_of, indexed, labels_folder
from matopt.data.labels.index import DamagedIndex, Index
from matopt.data.labels.moved_aside import LOST, REMADE, move_aside
from matopt.data.labels.parquet_parts import Damaged, Gone, list_parts, read_part
from matopt.errors import FailureError

Answer = TypeVar("Answer")

_UNCOMPACTED = 16 * FRESH
"""Fresh files that are too many to be held in memory: those of a store that an earlier matopt made, mostly."""

_TRIES = 20


class View:
    """The labels of a store, as they are whenever they are asked for. Damaged files are moved aside with a word.

    Args:
        root: the store's folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._copy = BucketCopy(root)
        self._listed: set[Path] = set()
        self._is_read = False
        self._runs: dict[Path, Index] = {}
        self._fresh: dict[Path, dict[bytes, bytes]] = {}
        self._held: dict[bytes, bytes] = {}
        self._held_images: set[bytes] = set()
        self._distrusted: set[Path] = set()

    @property
    def n_fresh(self) -> int:
        """How many files have no index, and are held in memory."""
        return len(self._fresh)

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Entry]:
        """Look up those keys that have an entry.

        Raises:
            FailureError: the store cannot be read.
        """
        return self._asked(lambda: self._find(keys))

    def known_images(self, images: Iterable[bytes]) -> set[bytes]:
        """Tell which images have a label of any simulation.

        Raises:
            FailureError: the store cannot be read.
        """
        return self._asked(lambda: {image for image in images if self._knows(image)})

    def _find(self, keys: Sequence[bytes]) -> dict[bytes, Entry]:
        found = {key: unpack(key, self._held[key]) for key in keys if key in self._held}
        for index in self._runs.values():
            if not (left := [key for key in keys if key not in found]):
                break
            found |= index.find(left)
        return found

    def _knows(self, image: bytes) -> bool:
        return image in self._held_images or any(index.knows_image(image) for index in self._runs.values())

    def _asked(self, question: Callable[[], Answer]) -> Answer:
        for attempt in range(_TRIES):
            try:
                self._refresh(is_last=attempt == _TRIES - 1)
                return question()
            except Gone:  # merged meanwhile: look again
                self._is_read = False
                time.sleep(0.005 * attempt)  # a network folder may list what another host has deleted for a while
            except DamagedIndex as error:
                self._distrusted.add(error.path)
                self._is_read = False
                move_aside(self._root, error.path, str(error), REMADE)
        raise FailureError(f"{self._root} changes faster than it can be read; try again")

    def _refresh(self, is_last: bool) -> None:
        listed = self._list()
        if self._is_read and listed == self._listed:
            return
        self._listed, self._is_read = listed, False
        stems = indexed(self._root)
        known = {path for path in listed if path.stem in stems and index_of(path) not in self._distrusted}
        if len(listed - known - self._fresh.keys()) >= _UNCOMPACTED and self._compacted():
            raise Gone(self._root)
        self._forget(listed, known)
        for path in sorted(known - self._runs.keys(), key=_size, reverse=True):
            try:
                self._runs[path] = Index(index_of(path))
            except Gone:
                if not is_last:
                    raise
        for path in sorted(listed - known - self._fresh.keys()):
            self._read(path, is_last)
        self._is_read = True

    def _list(self) -> set[Path]:
        """List the files. A listing in which one vanished may lack the one that it went into, which the next has."""
        self._copy.refresh()
        before = self._listed
        while not before <= (now := set(list_parts(labels_folder(self._root)))):
            before = now
        return now

    def _forget(self, listed: set[Path], known: set[Path]) -> None:
        for path in self._runs.keys() - known:
            self._runs.pop(path).close()
        if left := self._fresh.keys() - (listed - known):
            for path in left:
                del self._fresh[path]
            self._held = {key: entry for held in self._fresh.values() for key, entry in held.items()}
            self._held_images = {key[:IMAGE_BYTES] for key in self._held}

    def _read(self, path: Path, is_last: bool) -> None:
        """Read a file that has no index."""
        if path.name.startswith(RUN) and not is_last and self._compacted():
            raise Gone(path)  # as a run it was too large to be held
        found: dict[bytes, bytes] = {}
        try:
            found.update(entries(whole(read_part(path, SCHEMA.names))))
        except Damaged as error:
            if restored(path):
                raise Gone(path) from error  # what was damaged was the copy
            move_aside(self._root, path, str(error), LOST)
        except Gone:
            if not is_last:
                raise
        self._fresh[path] = found
        self._held |= found
        self._held_images.update(key[:IMAGE_BYTES] for key in found)

    def _compacted(self) -> bool:
        try:
            return compact(self._root)
        except FailureError:  # a full disk: what is there is read all the same
            return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError as error:
        raise Gone(path) from error
