"""What the trials of the search reached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.ticker import MaxNLocator

from matopt.report.figures.base import FIGURES, Figure
from matopt.report.findings import Findings
from matopt.report.sections import SEARCH
from matopt.report.style import canvas, colour, write_table
from matopt.report.tables import Table, number


@FIGURES.register("search")
class SearchFigure(Figure):
    """A point for each complete trial: one objective over the other, or over its number where there is only one."""

    section = SEARCH
    caption = "The trials."

    def lacks(self, findings: Findings) -> str:
        """Needs a complete trial."""
        return "" if any(t.outcome for t in findings.trials) else "no trial is complete"

    def draw(self, folder: Path, findings: Findings) -> Path:
        """Draw the points, the best trial's marked; the data are all metrics of the trials."""
        path = folder / f"{self.name}.png"
        first, second = findings.objectives[0], findings.objectives[1] if len(findings.objectives) > 1 else None
        done = [(t, t.outcome.metrics) for t in findings.trials if t.outcome is not None]
        with canvas(path, 1, size=(3.6, 2.8)) as (ax,):
            for trial, metrics in done:
                x, y = metrics[second] if second else trial.number, metrics[first]
                is_best = trial.number == findings.best
                ax.plot(x, y, "o", ms=7 if is_best else 4, color=colour(2) if is_best else colour(1))
                ax.annotate(str(trial.number), (x, y), xytext=(4, 4), textcoords="offset points", fontsize=7)
            ax.set(xlabel=findings.label(second) if second else "trial", ylabel=findings.label(first))
            ax.margins(0.15)
            if second is None:
                ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
        params = sorted({name for t, _ in done for name in t.params})
        names = sorted({name for _, metrics in done for name in metrics})
        rows = [[t.number, *[t.params.get(p, "") for p in params], *[m.get(n, "") for n in names]] for t, m in done]
        write_table(path.with_suffix(".csv"), ["trial", *params, *names], rows)
        return path

    def table(self, findings: Findings) -> Table | None:
        """List every trial: its point, its objectives, its time or its error."""
        params = sorted({name for t in findings.trials for name in t.params})
        rows = []
        for t in findings.trials:
            values = [_short(t.params.get(name, "")) for name in params]
            if t.outcome is None:
                rows.append([str(t.number), t.state, *values, *[""] * len(findings.objectives), t.error])
            else:
                scores = [number(t.outcome.metrics[o]) for o in findings.objectives]
                rows.append([str(t.number), t.state, *values, *scores, f"{t.outcome.seconds:.0f} s"])
        return Table(["trial", "state", *params, *map(findings.label, findings.objectives), "time"], rows)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
