"""Tables of the page: a heading and rows of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A heading and rows of text, as the page shows them."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def number(value: float, form: str = ".3f") -> str:
    """Format a value for a table; a dash stands for one that is not finite."""
    return f"{value:{form}}" if math.isfinite(value) else "–"
