"""Files that hold what was never written into them: after a power cut, on a bad disk, by somebody's editor."""

from __future__ import annotations

from pathlib import Path

from matopt.atomic_write import unwritable
from matopt.buckets.copies import forget, is_copy, keep
from matopt.errors import FailureError


class DamagedError(FailureError):
    """A file of matopt's own is damaged."""


def set_aside(path: Path) -> Path:
    """Rename a damaged file, so that a new one can take its place and nothing of it is lost; returns its new name.

    Raises:
        FailureError: the folder cannot be written to.
    """
    aside = path.with_name(f"{path.name}.damaged")
    try:
        path.replace(aside)
    except OSError as error:
        raise unwritable(path, error) from error
    if is_copy(path):
        keep(aside)
        forget(path)
    return aside
