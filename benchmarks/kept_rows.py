"""Rows of a benchmark, kept in a file: what was measured is not measured again, unless the physics has changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from matopt.physics.base import SIMULATORS

BY = "measured by"
"""The column of the file that says by which benchmark and which simulators a row was measured; no row shows it."""


class KeptRows:
    """The rows that were measured so far, in the order in which they came.

    A row that another version of the benchmark or of a simulator measured counts as not measured, and is left out.

    Args:
        path: of the file; it need not be there.
        label: the columns by which rows are told apart.
        properties: whose simulators rows depend on, but for those that have a column ``property``.
        version: of the benchmark; raised when it measures otherwise.

    Attributes:
        path: as given.
    """

    def __init__(self, path: Path, label: Sequence[str], properties: Sequence[str] = (), version: int = 1) -> None:
        self.path, self._label, self._properties, self._version = path, tuple(label), properties, version
        there = json.loads(path.read_text()) if path.is_file() else []
        self._rows = [row for row in there if row[BY] == self._by(row)]
        if len(self._rows) < len(there):
            print(f"{len(there) - len(self._rows)} rows of {path.name} are of another version: left out", flush=True)

    @property
    def rows(self) -> list[dict]:
        """All rows."""
        return [{name: value for name, value in row.items() if name != BY} for row in self._rows]

    def find(self, **label: object) -> dict | None:
        """Give the row of a label; None where it has not been measured."""
        return next((row for row in self.rows if all(row[name] == label[name] for name in self._label)), None)

    def keep(self, row: dict) -> None:
        """Put a row in the place of that of its label, or behind all others; the file is written whole or not."""
        is_same = [all(r[name] == row[name] for name in self._label) for r in self._rows]
        place = is_same.index(True) if any(is_same) else len(self._rows)
        self._rows[place : place + 1] = [{**row, BY: self._by(row)}]
        temporary = self.path.with_suffix(".part")
        temporary.write_text("[\n" + ",\n".join(json.dumps(r) for r in self._rows) + "\n]\n")
        temporary.replace(self.path)

    def _by(self, row: dict) -> str:
        properties = [row["property"]] if "property" in row else self._properties
        simulators = [f"{name} {SIMULATORS.find(name).version}" for name in properties]
        return ", ".join([f"benchmark {self._version}", *simulators])
