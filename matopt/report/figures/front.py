"""Designs between two wanted properties, as promised and as the physics has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
import torch

from matopt.design.objective import towards
from matopt.properties import Property
from matopt.report.figures.base import FIGURES, NO_DESIGN, Figure
from matopt.report.figures.designs import title
from matopt.report.findings import Findings
from matopt.report.front import dominated_area, on_front
from matopt.report.gains import is_solved
from matopt.report.sections import DESIGN
from matopt.report.style import canvas, colour, display_values, note, unit, write_table
from matopt.report.tables import Table, number
from matopt.stages.records import DesignResult, SpaceResult

Source = Literal["promised", "true"]
SOURCES: tuple[Source, ...] = ("promised", "true")

HEADER = ["space", "role", "seed", "step", "first promised", "first", "second promised", "second", "usable"]


@FIGURES.register("front")
class FrontFigure(Figure):
    """Two panels: the ends of all designs as promised and as solved, with their fronts."""

    section = DESIGN
    rank = 5
    caption = (
        "Ends of designs that weigh two properties, the first seed for one alone and the last for the other. Left as "
        "the predictor promised, right as the physics has them. Lines join the ends that no other of their colour "
        "exceeds in both; grey points are the starts. Gains are in deviations of the starts, each seed's as it weighs "
        "the two; an area is what the ends dominate beyond the worst start, and grows with their number."
    )

    def lacks(self, findings: Findings) -> str:
        """Needs a second property."""
        if findings.design is None:
            return NO_DESIGN
        return "" if findings.design.against else "the study wants one property of its designs"

    def draw(self, folder: Path, findings: Findings) -> Path:
        """Draw the panels; the data are start and end of every seed, in display units."""
        design, properties = _wanted(findings)
        path = folder / f"{self.name}.png"
        runs = [*design.spaces, *design.baselines]
        with canvas(path, 2, size=(3.6, 3.2)) as panels:
            for ax, source in zip(panels, SOURCES, strict=True):
                starts = _values(runs[0], source, 0)
                if starts is not None:
                    ax.plot(*_shown(starts, properties).T, ".", ms=3, color="0.7", label="starts")
                for index, run in enumerate(runs):
                    ends = _values(run, source, -1)
                    if ends is None or not len(ends):
                        continue
                    shown, front = _shown(ends, properties), on_front(_merits(ends, design))
                    ax.plot(*shown.T, ".", ms=4, color=colour(index + 1), alpha=0.5)
                    ax.plot(*shown[front].T, ".-", ms=5, lw=1, color=colour(index + 1), label=title(run))
                x, y = (f"${p.symbol}${unit(p)}" for p in properties)
                ax.set(xlabel=x, ylabel=y, title="promised" if source == "promised" else "by the physics")
                if ax.get_legend_handles_labels()[0]:
                    ax.legend(fontsize=6)
                else:
                    note(ax, "the physics could solve no start and end")
        write_table(path.with_suffix(".csv"), HEADER, (row for run in runs for row in _rows(run, properties)))
        return path

    def table(self, findings: Findings) -> Table | None:
        """List what designs gained of what they were for, and what their fronts dominate."""
        if findings.design is None or findings.design.against is None:
            return None
        design = findings.design
        header = ["designs", "ends", "promised gain", "true gain", "area promised", "area by the physics"]
        scale = _Scale.of(design)
        rows = []
        for run in (*design.spaces, *design.baselines):
            ends = _values(run, "true", -1)
            rows.append(
                [
                    title(run),
                    str(0 if ends is None else len(ends)),
                    *(number(scale.gain(run, source, design), ".2f") for source in SOURCES),
                    *(number(scale.area(run, source, design), ".2f") for source in SOURCES),
                ]
            )
        return Table(header, rows)


def _wanted(findings: Findings) -> tuple[DesignResult, list[Property]]:
    design = findings.design
    assert design is not None and design.against is not None
    return design, [findings.property(name) for name in (design.property, design.against)]


def _is_solved(run: SpaceResult) -> np.ndarray:
    """``(N,)`` bool, whether the physics could solve start and end of each design, for both properties."""
    assert run.against is not None
    return is_solved(run) & (run.against.usable[:, 0] & run.against.usable[:, -1]).numpy()


def _values(run: SpaceResult, source: Source, column: int) -> np.ndarray | None:
    """``(K, 2)`` values of the solved designs at a step, SI; None where the judge foretold one property alone."""
    other = run.against
    assert other is not None
    first, second = (run.predicted, other.predicted) if source == "promised" else (run.true, other.true)
    if second is None:
        return None
    return torch.stack([first[:, column].double(), second[:, column].double()], 1).numpy()[_is_solved(run)]


def _merits(values: np.ndarray, design: DesignResult) -> np.ndarray:
    """``(K, 2)``, the larger the better, SI."""
    goals = (design.goal, design.against_goal)
    columns = [towards(goal, torch.from_numpy(values[:, i])).numpy() for i, goal in enumerate(goals)]
    return np.stack(columns, 1)


def _shown(values: np.ndarray, properties: list[Property]) -> np.ndarray:
    return values * [p.display_factor for p in properties]


@dataclass(frozen=True)
class _Scale:
    """What gains and areas are measured in: the starts of the first space, as the physics has them."""

    deviation: np.ndarray
    worst: np.ndarray

    @classmethod
    def of(cls, design: DesignResult) -> Self:
        starts = _values(design.spaces[0], "true", 0)
        if starts is None or not len(starts):
            return cls(np.full(2, np.nan), np.full(2, np.nan))
        merits = _merits(starts, design)
        deviation = merits.std(0)
        return cls(np.where(deviation > 0, deviation, np.nan), merits.min(0))

    def gain(self, run: SpaceResult, source: Source, design: DesignResult) -> float:
        """The mean gain from start to end, of both properties as each design weighs them."""
        start, end = _values(run, source, 0), _values(run, source, -1)
        if start is None or end is None or not len(end):
            return np.nan
        share = np.linspace(0, 1, len(run.true))[_is_solved(run)]
        gained = (_merits(end, design) - _merits(start, design)) / self.deviation
        return float((gained * np.stack([1 - share, share], 1)).sum(1).mean())

    def area(self, run: SpaceResult, source: Source, design: DesignResult) -> float:
        """What the ends dominate."""
        end = _values(run, source, -1)
        if end is None or not len(end) or not np.isfinite(self.deviation).all():
            return np.nan
        return dominated_area((_merits(end, design) - self.worst) / self.deviation, np.zeros(2))


def _rows(run: SpaceResult, properties: list[Property]) -> Iterator[tuple[object, ...]]:
    other, usable = run.against, _is_solved(run)
    assert other is not None
    first, second = properties
    for seed in range(len(run.true)):
        for column in (0, -1):
            values = [(first, run.predicted), (first, run.true), (second, other.predicted), (second, other.true)]
            shown = ["" if v is None else float(display_values(p, v[seed, column])) for p, v in values]
            yield run.space, run.role, seed, run.checked[column], *shown, bool(usable[seed])
