"""Designs along their way, voxels against the generator's space (report of Cang et al., figure 5)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from matopt.report.figures.base import FIGURES, DesignFigure
from matopt.report.findings import Findings
from matopt.report.style import canvas, display_values, show_microstructure, words, write_table

SEEDS = 3
"""How many seeds of each space are shown at most."""


@FIGURES.register("morphing")
class MorphingFigure(DesignFigure):
    """A row for each of a few seeds in each space: its microstructure at the steps that the physics was asked about."""

    rank = 1
    caption = (
        "Seeds on their way from left to right, those at the quartiles of the gain. The numbers are what the physics "
        "gives the image, and its porosity: where that is held, nothing is gained by turning pores into grain."
    )

    def draw(self, folder: Path, findings: Findings) -> Path:
        """Draw the rows; the data are the numbers above the images."""
        design = findings.design
        assert design is not None
        p = findings.property(design.property)
        path = folder / f"{self.name}.png"
        picked = {s.space: at_quartiles(s.true.double().numpy()) for s in design.spaces}
        columns = max(len(s.checked) for s in design.spaces)
        table: list[tuple[object, ...]] = []
        with canvas(path, columns, sum(map(len, picked.values())), size=(1.1, 1.25)) as axes:
            left = iter(axes)
            for block, s in enumerate(design.spaces):
                values = display_values(p, s.true)
                for row, seed in enumerate(picked[s.space]):
                    for column, ax in enumerate([next(left) for _ in range(columns)]):
                        if column >= len(s.checked):
                            ax.set_axis_off()
                            continue
                        show_microstructure(ax, s.snapshots[seed, column])
                        porosity = float(s.porosity[seed, column])
                        ax.set_title(f"${p.symbol}$ {values[seed, column]:.3g}, $\\phi$ {porosity:.3f}", fontsize=6)
                        table.append((s.space, int(seed), s.checked[column], values[seed, column], porosity))
                        if row == 0 and block == 0:
                            ax.annotate(
                                f"step {s.checked[column]}", (0.5, 1.32), xycoords="axes fraction", ha="center",
                                fontsize=7,
                            )  # fmt: skip
                        if column == 0:
                            ax.set_ylabel(words(s.space), fontsize=8)
        write_table(
            path.with_suffix(".csv"), ["space", "seed", "step", f"{p.name} [{p.display_unit}]", "porosity"], table
        )
        return path


def at_quartiles(true: np.ndarray) -> np.ndarray:
    """Pick the seeds at the quartiles of the gain, so that neither best nor worst is; all where they are few."""
    order = np.argsort(true[:, -1] - true[:, 0])
    if len(order) <= SEEDS:
        return order
    return order[np.linspace(0, len(order) - 1, SEEDS + 2).astype(int)[1:-1]]
