"""Compaction: the many small files of a store become few, each with an index, while others read and write.

A *run* is a Parquet file with an index; what has no index is *fresh*. Files are merged into a new run under a name that
never was: first its index appears, then its Parquet file, and only then are the files that went into it deleted. So
whatever is interrupted, and whoever merges the same files at the same time, each label is in a file that is listed. A
reader that finds a listed file gone lists again. What a crash left undeleted is told by the run, and deleted later.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from matopt.buckets.copies import forget, is_copy, restored
from matopt.data.labels.bucket_copy import BucketCopy
from matopt.data.labels.entries import SCHEMA, entries, whole
from matopt.data.labels.folders import RUN, index_of, indexed, labels_folder
from matopt.data.labels.image_files import merge_images
from matopt.data.labels.index import MERGED_AT_ONCE, DamagedIndex, write_index
from matopt.data.labels.lease import lease
from matopt.data.labels.merging import copied, left_behind, merged_file
from matopt.data.labels.moved_aside import LOST, REMADE, move_aside
from matopt.data.labels.parquet_parts import ABANDONED, Gone, list_parts, sweep
from matopt.errors import FailureError

FRESH = 64
"""How many fresh files are left alone: a reader holds their labels in memory."""

RATIO = 4
"""A run is merged with the smaller ones where it is not this many times as large as they are together."""

_FILES, _BYTES = 256, 1 << 25
"""The most that is merged into a first run at a time."""


def compact(root: Path, is_wanted: Callable[[], bool] = lambda: True) -> bool:
    """Merge what is due; returns whether this process did, and not another.

    Args:
        root: the store's folder.
        is_wanted: asked now and then; the work is given up where it says no.

    Raises:
        FailureError: the store cannot be read or written.
    """
    try:
        (root / "index").mkdir(exist_ok=True)
    except OSError:  # nobody's chore here: a store that does not exist, or that this process may only read
        return False
    with lease(root / "index" / ".compaction") as renew:
        if renew is None:
            return False

        def goes_on() -> bool:
            renew()
            return is_wanted()

        BucketCopy(root).refresh()  # what others merged is not merged again
        _tidy(root)
        while goes_on() and (chosen := _due(root)):
            try:
                _merge(root, chosen, goes_on)
            except Gone:
                continue  # another process, which took this lease for expired, merged it
            except DamagedIndex as error:
                if not move_aside(root, error.path, str(error), REMADE):
                    raise FailureError(f"{error.path} cannot be moved; delete it, and it is made again") from error
            except FailureError:
                if is_wanted():
                    raise
        if not is_copy(root):  # of a bucket's images some may be here alone, and others there
            with suppress(Gone):
                merge_images(root, FRESH, goes_on)
        return True


def _tidy(root: Path) -> None:
    """Delete what compactions that were killed left behind."""
    for path in left_behind(labels_folder(root)):
        _delete(path)
    for index in (root / "index").glob(f"{RUN}*.sqlite"):
        run = labels_folder(root) / f"{index.stem}.parquet"
        # A young one may be of a run that is about to appear.
        if not run.exists() and (age := _age(index)) is not None and age > ABANDONED:
            forget(index)
    sweep(root / "index")


def _due(root: Path) -> list[Path]:
    """Choose the files that are to be merged next; none where all is well."""
    parts, known = _sizes(list_parts(labels_folder(root))), indexed(root)
    fresh = {path: size for path, size in parts.items() if path.stem not in known}
    lost = [path for path in fresh if path.name.startswith(RUN)]
    if lost:
        return lost[:1]  # a run that has lost its index
    if len(fresh) >= FRESH:
        chosen, total = [], 0
        for path, size in fresh.items():
            if chosen and (total + size > _BYTES or len(chosen) == _FILES):
                break
            chosen.append(path)
            total += size
        return chosen
    runs = sorted((size, path) for path, size in parts.items() if path.stem in known)
    total, count = 0, 0
    for number, (size, _) in enumerate(runs):
        if number and size < RATIO * total:
            count = number + 1
        total += size
    return [path for _, path in runs[: min(count, MERGED_AT_ONCE)]]


def _sizes(paths: Iterable[Path]) -> dict[Path, int]:
    found = {}
    for path in paths:
        with suppress(FileNotFoundError):  # another process has merged it
            found[path] = path.stat().st_size
    return found


def _merge(root: Path, inputs: Sequence[Path], is_wanted: Callable[[], bool]) -> None:
    """Merge files into a new run, and delete them; those that are damaged are moved aside."""
    known = indexed(root)
    runs = [path for path in inputs if path.stem in known]
    fresh = [path for path in inputs if path.stem not in known]
    damaged: dict[Path, str] = {}
    with merged_file(labels_folder(root), SCHEMA, inputs, damaged) as (run, writer):
        rows = copied(fresh, SCHEMA.names, whole, writer, damaged, is_wanted)
        write_index(index_of(run), map(entries, rows), [index_of(path) for path in runs], is_wanted)
        for _ in copied(runs, SCHEMA.names, whole, writer, damaged, is_wanted):
            pass  # what their indexes have was merged
    for path in inputs:
        if path in damaged and restored(path):
            continue  # what was damaged was the copy: the next merging takes it
        if path in damaged and not move_aside(root, path, damaged[path], LOST):
            raise FailureError(f"{path} cannot be moved; the labels of {root} are left as they are")
        _delete(path)


def _delete(path: Path) -> None:
    forget(path)
    forget(index_of(path))  # afterwards: what is listed without one is read as a whole


def _age(path: Path) -> float | None:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return None
