"""The many small files of images become few, for whoever reads them: look-ups of labels do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from matopt.data.labels.merging import copied, left_behind, merged_file
from matopt.data.labels.moved_aside import move_aside
from matopt.data.labels.parquet_parts import Damaged, Part, list_parts
from matopt.errors import FailureError

_SMALL, _TOGETHER = 1 << 24, 1 << 28
"""Bytes below which a file is merged, and of all that are merged at a time."""

_COLUMNS = ["hash", "phases"]


def merge_images(root: Path, few: int, is_wanted: Callable[[], bool]) -> None:
    """Merge the files of each shape that has more than a few small ones."""
    for folder in sorted((root / "images").glob("*")):
        for path in left_behind(folder):
            path.unlink(missing_ok=True)
        while is_wanted() and len(small := _small(folder)) > few:
            _merge(root, folder, small, is_wanted)


def _small(folder: Path) -> list[Path]:
    chosen, total = [], 0
    for path in list_parts(folder):
        size = path.stat().st_size
        if size < _SMALL and total + size <= _TOGETHER:
            chosen.append(path)
            total += size
    return chosen


def _merge(root: Path, folder: Path, inputs: list[Path], is_wanted: Callable[[], bool]) -> None:
    damaged: dict[Path, str] = {}
    readable = [path for path in inputs if (_schema(path, damaged)) is not None]
    if readable:
        schema = _schema(readable[0], damaged)
        with merged_file(folder, schema, inputs, damaged) as (_, writer):
            for _ in copied(readable, _COLUMNS, lambda table: table, writer, damaged, is_wanted):
                pass
    for path in inputs:
        lost = "images that are lost with it are missing from the table; labels are not"
        if path in damaged and not move_aside(root, path, damaged[path], lost):
            raise FailureError(f"{path} cannot be moved; the images of {root} are left as they are")
        path.unlink(missing_ok=True)


def _schema(path: Path, damaged: dict[Path, str]) -> pa.Schema | None:
    try:
        with Part(path, _COLUMNS) as part:
            return part.schema
    except Damaged as error:
        damaged[path] = str(error)
        return None
