"""How figures look: one place for colours, sizes, labels and the way they are saved."""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
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
    """Return the colour of the ``index``-th series; the first is the authentic one, black."""
    return COLOURS[index % len(COLOURS)]


def words(name: str) -> str:
    """Write the name of a component, a space or a study as words."""
    return name.replace("_", " ")


def unit(property_: Property) -> str:
    """Return the display unit in brackets, with a space before it; nothing where there is none."""
    return "" if property_.display_unit in ("", "1") else f" [{property_.display_unit}]"


def axis_label(property_: Property) -> str:
    """Write a property's name, symbol and display unit, for an axis or a panel."""
    return f"{property_.words}\n${property_.symbol}${unit(property_)}"


@contextmanager
def canvas(path: Path, columns: int, rows: int = 1, size: tuple[float, float] = (2.6, 2.4)) -> Generator[list[Axes]]:
    """Give axes to draw on, and save them to ``path`` (PNG) when the block ends well.

    Args:
        path: of the picture.
        columns: of axes.
        rows: of axes.
        size: of one pair of axes, in inches.
    """
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(columns * size[0], rows * size[1]), layout="constrained")
        yield list(figure.subplots(rows, columns, squeeze=False).flat)
        with atomic_write(path) as partial:
            figure.savefig(partial)


def show_microstructure(ax: Axes, density: torch.Tensor) -> None:
    """Draw one density ``(*S)``, grain light, pore dark; of a volume, its middle slice."""
    image = density.float().numpy()
    if image.ndim == 3:
        image = image[image.shape[0] // 2]
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(visible=True, color="0.6", linewidth=0.5)  # grain is as white as the page
    ax.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")


def note(ax: Axes, text: str) -> None:
    """Write a remark into axes: that there is nothing to draw, or what was left out."""
    ax.text(0.5, 0.97, text, transform=ax.transAxes, ha="center", va="top", fontsize=7, color="0.4")


def display_values(property_: Property, values: torch.Tensor) -> np.ndarray:
    """Convert SI values of any shape to the property's display unit, as float64."""
    return values.double().numpy() * property_.display_factor


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a figure's data as CSV."""
    with atomic_write(path) as partial, partial.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
