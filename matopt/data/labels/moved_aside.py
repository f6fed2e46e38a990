"""Damaged files of a label store: moved aside with a word, never deleted."""

from __future__ import annotations

from pathlib import Path

from matopt.buckets.copies import forget, keep
from matopt.errors import warn

LOST = "labels that are lost with it are computed again"
REMADE = "is made again from the labels"


def damaged_folder(root: Path) -> Path:
    """Name the folder of a store's damaged files."""
    return root / "damaged"


def move_aside(root: Path, path: Path, reason: str, consequence: str) -> bool:
    """Move a damaged file out of the tables, and say so.

    Returns:
        False where it cannot be moved; it is left then, and that is said.
    """
    target = damaged_folder(root) / path.name
    try:
        target.parent.mkdir(exist_ok=True)
        path.rename(target)
        keep(target)
        forget(path)
    except FileNotFoundError:  # another process was quicker, and said so
        return True
    except OSError as error:
        warn(f"{path} is damaged ({reason}), and cannot be moved aside: {error.strerror}; {consequence}")
        return False
    warn(f"{path} is damaged ({reason}); it was moved to {target}, and {consequence}")
    return True
