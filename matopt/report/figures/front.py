"""Designs between two wanted properties, as promised and as the physics has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from matopt.properties import Property
from matopt.report.figures.base import FIGURES, NO_DESIGN, Figure
from matopt.report.figures.designs import title
from matopt.report.findings import Findings
from matopt.report.front import SOURCES, FrontScale, are_solved, on_front, solved_values
from matopt.report.sections import DESIGN
from matopt.report.style import canvas, colour, display_values, note, unit, write_table
from matopt.report.tables import Table, number
from matopt.stages.records import DesignResult, SpaceResult

HEADER = ["space", "role", "seed", "step", "first promised", "first", "second promised", "second", "usable"]


@FIGURES.register("front")
class FrontFigure(Figure):
    """Two panels: the ends of all designs as promised and as solved, with their fronts."""

    section = DESIGN
    rank = 5
    caption = (
        "Ends of designs that weigh two properties, the first seed for one alone and the last for the other. Left as "
        "the predictor promised, right as the physics has them. Lines join the ends that no other of their colour "
        "exceeds in both; grey points are the starts. Gains are in deviations of the starts, of the logarithm where an "
        "axis has one, each seed's as it weighs the two; an area is what the ends dominate beyond the worst start, and "
        "grows with their number."
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
        scale = FrontScale.of(design, properties)
        with canvas(path, 2, size=(3.6, 3.2)) as panels:
            for ax, source in zip(panels, SOURCES, strict=True):
                starts = solved_values(runs[0], source, 0)
                if starts is not None:
                    ax.plot(*_shown(starts, properties).T, ".", ms=3, color="0.7", label="starts")
                for index, run in enumerate(runs):
                    ends = solved_values(run, source, -1)
                    if ends is None or not len(ends):
                        continue
                    shown, front = _shown(ends, properties), on_front(scale.merits(ends))
                    ax.plot(*shown.T, ".", ms=4, color=colour(index + 1), alpha=0.5)
                    ax.plot(*shown[front].T, ".-", ms=5, lw=1, color=colour(index + 1), label=title(run))
                x, y = (f"${p.symbol}${unit(p)}" for p in properties)
                ax.set(xlabel=x, ylabel=y, title="promised" if source == "promised" else "by the physics")
                # Where nothing positive was found, there is nothing that a logarithm could show.
                if np.isfinite(ax.xaxis.get_minpos()):
                    ax.set(xscale=properties[0].scale)
                if np.isfinite(ax.yaxis.get_minpos()):
                    ax.set(yscale=properties[1].scale)
                if not ax.get_legend_handles_labels()[0]:
                    note(ax, "the physics could solve no start and end")
            promised, solved = panels
            promised.sharex(solved)
            promised.sharey(solved)
            solved.autoscale()
            solved.figure.legend(*solved.get_legend_handles_labels(), loc="outside lower center", ncols=3)
        write_table(path.with_suffix(".csv"), HEADER, (row for run in runs for row in _rows(run, properties)))
        return path

    def table(self, findings: Findings) -> Table | None:
        """List what designs gained of what they were for, and what their fronts dominate."""
        if findings.design is None or findings.design.against is None:
            return None
        design, properties = _wanted(findings)
        header = ["designs", "ends", "promised gain", "true gain", "area promised", "area by the physics"]
        scale = FrontScale.of(design, properties)
        rows = []
        for run in (*design.spaces, *design.baselines):
            ends = solved_values(run, "true", -1)
            rows.append(
                [
                    title(run),
                    str(0 if ends is None else len(ends)),
                    *(number(_mean(scale.gains(run, source)), ".2f") for source in SOURCES),
                    *(number(scale.area(run, source), ".2f") for source in SOURCES),
                ]
            )
        return Table(header, rows)


def _wanted(findings: Findings) -> tuple[DesignResult, tuple[Property, Property]]:
    design = findings.design
    assert design is not None and design.against is not None
    return design, (findings.property(design.property), findings.property(design.against))


def _mean(gains: np.ndarray) -> float:
    known = gains[np.isfinite(gains)]
    return float(known.mean()) if len(known) else np.nan


def _shown(values: np.ndarray, properties: tuple[Property, Property]) -> np.ndarray:
    return values * [p.display_factor for p in properties]


def _rows(run: SpaceResult, properties: tuple[Property, Property]) -> Iterator[tuple[object, ...]]:
    other, usable = run.against, are_solved(run)
    assert other is not None
    first, second = properties
    for seed in range(len(run.true)):
        for column in (0, -1):
            columns = [(first, run.predicted), (first, run.true), (second, other.predicted), (second, other.true)]
            shown = ["" if v is None else float(display_values(p, v[seed, column])) for p, v in columns]
            yield run.space, run.role, seed, run.checked[column], *shown, bool(usable[seed])
