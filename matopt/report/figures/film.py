"""Designs on their way, as a picture that moves."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from matopt.atomic_write import atomic_write
from matopt.properties import Property
from matopt.report.figures.base import FIGURES, DesignFigure
from matopt.report.figures.morphing import at_quartiles
from matopt.report.findings import Findings
from matopt.report.style import canvas, colour, display_values, show_microstructure, unit, words, write_table
from matopt.stages.records import SpaceResult

FRAME, LAST = 700, 2100
"""Milliseconds that a step is shown, and the end."""


@FIGURES.register("film")
class FilmFigure(DesignFigure):
    """An animated PNG: a frame for each step that the physics was asked about, a row for each space."""

    rank = 6
    caption = (
        "The way of the designs, step by step: seeds at the quartiles of the change, and true changes of all seeds "
        "over the change of their porosity, or of the other property that was wanted. Designs whose porosity moves to "
        "the left turn pores into grain."
    )

    def draw(self, folder: Path, findings: Findings) -> Path:
        """Draw the frames; the data are the points of the last panels."""
        design = findings.design
        assert design is not None
        p = findings.property(design.property)
        other = None if design.against is None else findings.property(design.against)
        path = folder / f"{self.name}.png"
        picked = {run.space: at_quartiles(run.true.double().numpy()) for run in design.spaces}
        images = max(map(len, picked.values()))
        frames = max(len(run.checked) for run in design.spaces)
        with TemporaryDirectory() as scratch:
            drawn = [Path(scratch) / f"{frame}.png" for frame in range(frames)]
            for frame, picture in enumerate(drawn):
                with canvas(picture, images + 1, len(design.spaces), size=(1.7, 1.7)) as axes:
                    rows = np.array(axes, dtype=object).reshape(len(design.spaces), images + 1)
                    for row, run in zip(rows, design.spaces, strict=True):
                        column = min(frame, len(run.checked) - 1)
                        _draw_row(row, run, picked[run.space], column, p, other)
            first, *others = [Image.open(picture).convert("RGB") for picture in drawn]
            times = [FRAME] * (frames - 1) + [LAST]
            with atomic_write(path) as partial:
                first.save(partial, "PNG", save_all=True, append_images=others, duration=times, loop=0)
        write_table(
            path.with_suffix(".csv"),
            ["space", "seed", "step", "true change", f"change of {'porosity' if other is None else words(other.name)}"],
            (
                (run.space, seed, step, true[seed, column], beside[seed, column])
                for run in design.spaces
                for true, beside in [_moved(run, p, other)]
                for seed in range(len(true))
                for column, step in enumerate(run.checked)
            ),
        )
        return path


def _draw_row(
    row: np.ndarray, run: SpaceResult, seeds: np.ndarray, column: int, p: Property, other: Property | None
) -> None:
    *images, panel = row
    values = _values(run, p, other)
    for ax in images:
        ax.set_axis_off()
    for ax, seed in zip(images, seeds, strict=False):
        ax.set_axis_on()
        show_microstructure(ax, run.snapshots[seed, column])
        ax.set_title(", ".join(f"${q.symbol}$ {of[seed, column]:.3g}" for q, of in values.items()), fontsize=7)
    images[0].set_ylabel(f"{words(run.space)}, step {run.checked[column]}", fontsize=7)
    _draw_points(panel, *_moved(run, p, other), column)
    beside = "porosity" if other is None else f"${other.symbol}${unit(other)}"
    panel.set_xlabel(f"change of {beside}", fontsize=7)
    panel.set_ylabel(f"change of ${p.symbol}${unit(p)}", fontsize=7)


def _draw_points(ax: Axes, true: np.ndarray, beside: np.ndarray, column: int) -> None:
    """Draw ``(N, C)`` changes over others up to one of the C steps, in axes that fit all of them."""
    ax.plot(beside[:, : column + 1].T, true[:, : column + 1].T, "-", lw=0.5, color="0.8")
    ax.plot(beside[:, column], true[:, column], ".", ms=4, color=colour(1))
    ax.tick_params(labelsize=6)
    ax.locator_params(axis="x", nbins=3)
    for values, limits in ((beside, ax.set_xlim), (true, ax.set_ylim)):
        known = values[np.isfinite(values)]
        low, high = (known.min(), known.max()) if len(known) else (0.0, 0.0)
        room = 0.1 * (high - low) or 0.01
        limits(low - room, high + room)


def _values(run: SpaceResult, p: Property, other: Property | None) -> dict[Property, np.ndarray]:
    """``(N, C)`` values of each wanted property, by the physics."""
    found = {p: display_values(p, run.true)}
    if other is not None:
        assert run.against is not None
        found[other] = display_values(other, run.against.true)
    return found


def _moved(run: SpaceResult, p: Property, other: Property | None) -> tuple[np.ndarray, np.ndarray]:
    """``(N, C)`` changes of the property, by the physics, and of the other one, else of porosity, from the start."""
    values = list(_values(run, p, other).values())
    true, beside = values if other is not None else (*values, run.porosity)
    return true - true[:, :1], beside - beside[:, :1]
