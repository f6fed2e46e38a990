"""Samples of each generator below authentic microstructures (report of Cang et al., figure 1)."""

from __future__ import annotations

from pathlib import Path

from matopt.report.figures.base import FIGURES, NO_EVALUATION, Figure
from matopt.report.findings import Findings
from matopt.report.sections import SAMPLES
from matopt.report.style import canvas, show_microstructure, words, write_table
from matopt.report.tables import Table, number
from matopt.stages.evaluation import AUTHENTIC

COLUMNS = 12
"""How many microstructures of each kind are shown at most."""


@FIGURES.register("samples")
class SamplesFigure(Figure):
    """A contact sheet: a row of test microstructures, and one of raw samples for each generator."""

    section = SAMPLES
    rank = 1
    caption = (
        "First row: authentic test microstructures. Below: samples of each generator, in the order drawn, none left "
        "out."
    )

    def lacks(self, findings: Findings) -> str:
        """Needs an evaluation."""
        return "" if findings.evaluation else NO_EVALUATION

    def draw(self, folder: Path, findings: Findings) -> Path:
        """Draw a row for each kind; the data are the generators' scores."""
        evaluation = findings.evaluation
        assert evaluation is not None
        rows = [(AUTHENTIC, evaluation.authentic.sheet), *((g.name, g.samples.sheet) for g in evaluation.generators)]
        columns = min(COLUMNS, *(len(sheet) for _, sheet in rows))
        path = folder / f"{self.name}.png"
        with canvas(path, columns, len(rows), size=(0.85, 0.85)) as axes:
            for row, (name, sheet) in enumerate(rows):
                for column in range(columns):
                    ax = axes[row * columns + column]
                    show_microstructure(ax, sheet[column])
                    if column == 0:
                        ax.set_ylabel(words(name).replace(" ", "\n"), fontsize=7)
        scores = [(g.name, metric, value) for g in evaluation.generators for metric, value in g.scores.items()]
        write_table(path.with_suffix(".csv"), ["generator", "score", "value"], scores)
        return path

    def table(self, findings: Findings) -> Table | None:
        """List each generator's scores against the test split."""
        generators = findings.evaluation.generators if findings.evaluation else ()
        metrics = list(dict.fromkeys(metric for g in generators for metric in g.scores))
        rows = [[words(g.name), *[number(g.scores[m]) for m in metrics]] for g in generators]
        return Table(["generator", *map(findings.label, metrics)], rows) if rows else None
