"""What the trainings of the search's trials foretold, and which trials were pruned for it."""

from __future__ import annotations

from pathlib import Path

from matopt.report.figures.base import FIGURES, Figure
from matopt.report.findings import Findings
from matopt.report.sections import SEARCH
from matopt.report.style import canvas, colour, write_table
from matopt.study.search.rungs import PROGRESS


@FIGURES.register("curves")
class CurvesFigure(Figure):
    """A curve for each trial: what its predictor's training foretold of an objective, as it went on."""

    section = SEARCH
    caption = (
        "What the predictors' trainings foretold of the trials, on the validation set. Where a curve ends in a cross "
        "its trial was pruned, as too many others were better there. The curve of the best trial is thick."
    )
    rank = 20

    def lacks(self, findings: Findings) -> str:
        """Needs a search that prunes."""
        return "" if any(t.curve for t in findings.trials) else "the search prunes no trials"

    def draw(self, folder: Path, findings: Findings) -> Path:
        """Draw the curves, a panel an objective."""
        path = folder / f"{self.name}.png"
        trials = [t for t in findings.trials if t.curve]
        names = list(dict.fromkeys(name for t in trials for name in t.curve if name != PROGRESS))
        rows = []
        with canvas(path, len(names), size=(3.6, 2.8)) as axes:
            for ax, name in zip(axes, names, strict=True):
                for t in trials:
                    x, y = [100 * share for share in t.curve[PROGRESS]], t.curve.get(name, ())
                    if not len(y):
                        continue
                    is_best = t.number == findings.best
                    ax.plot(x, y, color=colour(2 if is_best else 1), lw=2.0 if is_best else 0.7)
                    if t.state == "pruned":
                        ax.plot(x[-1], y[-1], "x", ms=5, color=colour(0))
                    rows += [[t.number, t.state, name, *point] for point in zip(x, y, strict=True)]
                ax.set(xlabel="training [%]", ylabel=findings.label(name))
        write_table(path.with_suffix(".csv"), ["trial", "state", "objective", "training [%]", "foretold"], rows)
        return path
