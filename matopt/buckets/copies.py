"""Files of a working copy, and the objects that they are copies of.

The object is what counts: it is put there before the file appears, and deleted before the file goes. What is asked of a
path that is no copy is done to the file alone.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from matopt.buckets.address import Place, make_copy, place_of
from matopt.errors import FailureError

if TYPE_CHECKING:
    from matopt.buckets.bucket import Bucket

_AT_ONCE = 16


@dataclass(frozen=True)
class Kept:
    """A file of a storage, wherever it is: its path here, its size in bytes, and when it was written."""

    path: Path
    size: int
    modified: float


def is_copy(path: Path) -> bool:
    """Whether a path is one of a working copy."""
    return place_of(path) is not None


def keep(path: Path, content: Path | bytes | None = None) -> None:
    """Put a file's object into its bucket: the file's own content, another file's, or these bytes.

    Raises:
        FailureError: the store cannot be had.
    """
    if (place := place_of(path)) is not None:
        _bucket(place).put(place.key, path if content is None else content)


def is_there(path: Path) -> bool:
    """Whether there is such a file in the storage, here or not.

    Raises:
        FailureError: the store cannot be had.
    """
    return path.is_file() if place_of(path) is None else modified(path) is not None


def modified(path: Path) -> float | None:
    """Tell when an object was put there, by its store's clock; None where there is none.

    Raises:
        FailureError: the store cannot be had.
    """
    place = place_of(path)
    found = None if place is None else _bucket(place).head(place.key)
    return None if found is None else found.modified


def fetch(path: Path) -> bool:
    """Copy an object to where its file is to be, whole or not at all; False where there is no object.

    Raises:
        FailureError: the store cannot be had, or the file not be written.
    """
    place = place_of(path)
    if place is None:
        return path.is_file()
    make_copy(path.parent)
    temporary = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        modified = _bucket(place).download(place.key, temporary)
        if modified is None:
            return False
        os.utime(temporary, (modified, modified))
        temporary.replace(path)
    except OSError as error:
        raise FailureError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return True


def restored(path: Path) -> bool:
    """Copy an object anew whose file is damaged; False where that is no better: where the object itself is damaged.

    Raises:
        FailureError: as :func:`fetch`.
    """
    if not is_copy(path):
        return False
    before = path.read_bytes() if path.is_file() else b""
    return fetch(path) and path.read_bytes() != before


def fetch_all(paths: Iterable[Path]) -> None:
    """Copy many objects at once to where their files are to be.

    Raises:
        FailureError: as :func:`fetch`.
    """
    chosen = list(paths)
    if len(chosen) < 2:
        for path in chosen:
            fetch(path)
        return
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for _ in threads.map(fetch, chosen):
            pass


def forget(path: Path) -> None:
    """Delete a file and its object, where there are such.

    Raises:
        FailureError: the store cannot be had.
    """
    if (place := place_of(path)) is not None:
        _bucket(place).delete(place.key)
    path.unlink(missing_ok=True)


def listed(folder: Path) -> list[Kept]:
    """List the files below a folder of the storage, here or not.

    Raises:
        FailureError: the store cannot be had.
    """
    place = place_of(folder)
    if place is None:
        found = ((path, _look(path)) for path in folder.rglob("*") if not path.is_dir())
        return [Kept(path, *look) for path, look in found if look is not None]
    start = len(place.key) + 1 if place.key else 0
    objects = _bucket(place).objects(place.key)
    return [Kept(folder / found.key[start:], found.size, found.modified) for found in objects]


def follow(folder: Path, is_wanted: Callable[[Path], bool]) -> set[Path]:
    """Copy what is new or other below a folder of a bucket, and leave what is here alone; returns what is there.

    Raises:
        FailureError: the store cannot be had.
    """
    there = listed(folder)
    fetch_all(kept.path for kept in there if is_wanted(kept.path) and not _is_like(kept))
    return {kept.path for kept in there}


def _bucket(place: Place) -> Bucket:
    # Imported where there is a bucket: a machine that computes alone needs no library of object stores.
    from matopt.buckets.bucket import bucket_at

    return bucket_at(place.bucket)


def _is_like(kept: Kept) -> bool:
    look = _look(kept.path)
    return look is not None and (look[0], int(look[1])) == (kept.size, int(kept.modified))  # some tell whole seconds


def _look(path: Path) -> tuple[int, float] | None:
    try:
        found = path.lstat()
    except FileNotFoundError:  # there is none, or no more
        return None
    return found.st_size, found.st_mtime
