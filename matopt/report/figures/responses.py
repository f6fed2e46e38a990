"""How well the predictor foretells what small moves of a microstructure do."""

from __future__ import annotations

from dataclasses import astuple, fields
from pathlib import Path

import numpy as np

from matopt.report.figures.base import FIGURES, NO_EVALUATION, Figure
from matopt.report.findings import Findings
from matopt.report.sections import TRAITS
from matopt.report.style import canvas, colour, words, write_table
from matopt.report.tables import Table, number
from matopt.stages.responses.skill import ResponseSkill

LOWEST = -1.0
"""Where the axis ends: how much worse than a constant a model is hardly matters."""


@FIGURES.register("responses")
class ResponsesFigure(Figure):
    """A bar for each property, kind of move and number of them: the predictor's response skill."""

    section = TRAITS
    caption = (
        "Response skill of the best trial's predictor, for one move of test microstructures and for several in a "
        "row, with 95 % intervals over microstructures: 1 is the physics, 0 a constant. Bars and intervals "
        "end at -1."
    )
    rank = 5

    def lacks(self, findings: Findings) -> str:
        """Needs an evaluation."""
        return NO_EVALUATION if findings.evaluation is None else ""

    def draw(self, folder: Path, findings: Findings) -> Path:
        """Draw the bars; the data are the skills with their correlations."""
        assert findings.evaluation is not None
        skills = findings.evaluation.skills
        names = [p.name for p in findings.properties if p.name in {r.property for r in skills}]
        kinds = list(dict.fromkeys((row.kind, row.steps) for row in skills))
        path = folder / f"{self.name}.png"
        height = 0.8 / max(1, len(kinds))
        with canvas(path, 1, size=(8.4, 1.2 + 0.8 * len(names))) as (ax,):
            for index, (kind, steps) in enumerate(kinds):
                rows = [row for row in skills if (row.kind, row.steps) == (kind, steps)]
                places = [-names.index(row.property) - height * (index - (len(kinds) - 1) / 2) for row in rows]
                low, values, high = np.clip([(row.low, row.skill, row.high) for row in rows], LOWEST, 1).T
                ax.barh(places, values, 0.9 * height, color=colour(index + 1), label=f"{words(kind)}, {steps}")
                ax.hlines(places, low, high, color="0.2", lw=0.8)
            ax.set_yticks(-np.arange(len(names)), [findings.property(name).words for name in names])
            ax.axvline(0, color="0.6", lw=0.8)
            ax.set(xlabel="response skill", xlim=(LOWEST, 1.0))
            ax.legend(loc="lower left")
        write_table(path.with_suffix(".csv"), [field.name for field in fields(ResponseSkill)], map(astuple, skills))
        return path

    def table(self, findings: Findings) -> Table | None:
        """Give the figures, those that the axis cannot show too."""
        assert findings.evaluation is not None
        return Table(
            ("property", "moves", "in a row", "skill (95 %)", "correlation", "samples"),
            [
                (
                    findings.property(r.property).words,
                    words(r.kind),
                    str(r.steps),
                    f"{number(r.skill)} ({number(r.low)} to {number(r.high)})",
                    number(r.correlation),
                    str(r.samples),
                )
                for r in findings.evaluation.skills
            ],
        )
