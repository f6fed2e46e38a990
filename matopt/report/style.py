"""How figures look: one place for colours, sizes and the way they are saved."""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from matopt.atomic_write import atomic_write
from matopt.properties import Property

# Okabe and Ito's palette: told apart by colour-blind readers, and in grey.
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")

_SETTINGS: Any = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "savefig.dpi": 160,
}


def colour(index: int) -> str:
    """The colour of the ``index``-th series; the first is the authentic one, black."""
    return COLOURS[index % len(COLOURS)]


def title(name: str) -> str:
    """A component's name as words."""
    return name.replace("_", " ")


@contextmanager
def figure(path: Path, columns: int, rows: int = 1, size: tuple[float, float] = (2.6, 2.4)) -> Generator[list[Axes]]:
    """Axes to draw on, saved to ``path`` (PNG) when the block ends well.

    Args:
        path: of the picture.
        columns: of axes.
        rows: of axes.
        size: of one pair of axes, in inches.
    """
    with mpl.rc_context(_SETTINGS):
        canvas = Figure(figsize=(columns * size[0], rows * size[1]), layout="constrained")
        yield list(canvas.subplots(rows, columns, squeeze=False).flat)
        with atomic_write(path) as partial:
            canvas.savefig(partial)


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a figure's data as CSV."""
    with atomic_write(path) as partial, partial.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def axis_label(property_: Property) -> str:
    """Symbol and display unit, for an axis."""
    unit = "" if property_.display_unit in ("", "1") else f" [{property_.display_unit}]"
    return f"{property_.words}\n${property_.symbol}${unit}"
