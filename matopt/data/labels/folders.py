"""Where a label store keeps what: its tables, and beside them the indexes of the runs."""

from __future__ import annotations

from pathlib import Path

RUN = "run-"
"""How the names of merged files begin."""


def labels_folder(root: Path) -> Path:
    """Name the folder of a store's labels."""
    return root / "labels"


def index_of(run: Path) -> Path:
    """Name the index of a run, outside of the tables: whoever reads these takes all files that they hold."""
    return run.parents[1] / "index" / f"{run.stem}.sqlite"


def indexed(root: Path) -> set[str]:
    """List the stems of the runs that have an index."""
    return {path.stem for path in (root / "index").glob(f"{RUN}*.sqlite")}
