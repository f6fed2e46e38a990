"""Violations of each trait by the predictor and by the physics."""

from __future__ import annotations

from dataclasses import astuple, fields
from pathlib import Path

import numpy as np

from matopt.report.figures.base import FIGURES, NO_EVALUATION, Figure
from matopt.report.findings import Findings
from matopt.report.sections import TRAITS
from matopt.report.style import canvas, colour, words, write_table
from matopt.report.tables import Table, number
from matopt.stages.audit import AuditRow


@FIGURES.register("traits")
class TraitsFigure(Figure):
    """Two bars for each trait: the mean residuals of predictor and physics."""

    section = TRAITS
    caption = "Mean violation of each trait, on the test set and around it, by the predictor and by the physics."

    def lacks(self, findings: Findings) -> str:
        """Needs an evaluation, and traits."""
        if findings.evaluation is None:
            return NO_EVALUATION
        return "" if findings.evaluation.audit else "the study names no traits"

    def draw(self, folder: Path, findings: Findings) -> Path:
        """Draw the bars; the data are the rows of the audit."""
        assert findings.evaluation is not None
        audit = findings.evaluation.audit
        path = folder / f"{self.name}.png"
        with canvas(path, 1, size=(8.4, 1.0 + 0.45 * len(audit))) as (ax,):
            places = np.arange(len(audit))[::-1]
            ax.barh(places + 0.17, [r.model_residual for r in audit], 0.32, color=colour(1), label="predictor")
            ax.barh(places - 0.17, [r.physics_residual for r in audit], 0.32, color=colour(0), label="physics")
            ax.set_yticks(places, [words(r.trait) for r in audit])
            ax.set(xlabel="mean residual (0: the trait holds)")
            ax.legend()
        write_table(path.with_suffix(".csv"), [field.name for field in fields(AuditRow)], map(astuple, audit))
        return path

    def table(self, findings: Findings) -> Table | None:
        """Give the residuals, and the shares of densities that violate each trait."""
        assert findings.evaluation is not None
        return Table(
            ("trait", "residual", "of the physics", "violated", "by the physics"),
            [
                (
                    words(r.trait),
                    number(r.model_residual),
                    number(r.physics_residual),
                    number(r.model_violation_rate, ".0%"),
                    number(r.physics_violation_rate, ".0%"),
                )
                for r in findings.evaluation.audit
            ],
        )
