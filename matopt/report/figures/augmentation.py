"""What artificial microstructures are worth to a predictor (report of Cang et al., figure 4b)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator

from matopt.report.figures.base import FIGURES, NO_EVALUATION, Figure
from matopt.report.findings import Findings
from matopt.report.sections import AUGMENTATION
from matopt.report.style import canvas, colour, words, write_table
from matopt.report.tables import Table, number
from matopt.stages.evaluation import AUTHENTIC
from matopt.stages.records import Evaluation


@FIGURES.register("augmentation")
class AugmentationFigure(Figure):
    """A panel of learning curves for each property: test R2 over the number of artificial microstructures."""

    section = AUGMENTATION
    rank = 1
    caption = (
        "Test R² against the number of artificial microstructures: mean and standard deviation over draws; the level "
        "line is the authentic training set alone."
    )

    def lacks(self, findings: Findings) -> str:
        """Needs an evaluation."""
        return "" if findings.evaluation else NO_EVALUATION

    def draw(self, folder: Path, findings: Findings) -> Path:
        """Draw the panels; the data are the R2 of every predictor that was fitted."""
        evaluation = findings.evaluation
        assert evaluation is not None
        path = folder / f"{self.name}.png"
        n_panels = len(findings.properties)
        with canvas(path, n_panels, size=(max(2.6, 3.2 / n_panels), 2.4)) as axes:
            for ax, p in zip(axes, findings.properties, strict=True):
                for index, name in enumerate(_names(evaluation)):
                    draws = _draws(evaluation, name, p.name)
                    mean = np.array([np.mean(d) for d in draws.values()])
                    spread = np.array([_spread(d) for d in draws.values()])
                    if name != AUTHENTIC:
                        ax.errorbar(
                            list(draws), mean, spread, marker="o", ms=3, capsize=2, color=colour(index),
                            label=words(name),
                        )  # fmt: skip
                    elif draws:
                        ax.axhline(mean[0], color=colour(0), lw=1, label="authentic alone")
                        ax.axhspan(mean[0] - spread[0], mean[0] + spread[0], color=colour(0), alpha=0.1, lw=0)
                ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
                ax.set(title=p.words, xlabel="artificial microstructures added", ylabel="test $R^2$")
            axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(axes))
        names = [p.name for p in findings.properties]
        rows = [(c.generator, c.size, c.draw, name, c.r2[name]) for c in evaluation.curve for name in names]
        write_table(path.with_suffix(".csv"), ["generator", "size", "draw", "property", "r2"], rows)
        return path

    def table(self, findings: Findings) -> Table | None:
        """List mean and standard deviation over draws, by generator and size."""
        if findings.evaluation is None:
            return None
        rows = []
        for name in _names(findings.evaluation):
            by_property = [_draws(findings.evaluation, name, p.name) for p in findings.properties]
            for size in by_property[0]:
                cells = [_with_spread(draws[size]) for draws in by_property]
                rows.append([words(name), str(size), *cells])
        return Table(["added from", "added", *[f"R² {p.words}" for p in findings.properties]], rows)


def _names(evaluation: Evaluation) -> list[str]:
    return [AUTHENTIC, *(g.name for g in evaluation.generators)]


def _draws(evaluation: Evaluation, generator: str, property_: str) -> dict[int, list[float]]:
    """Return the R2 of all draws by size, smallest first."""
    points = [c for c in evaluation.curve if c.generator == generator]
    return {size: [c.r2[property_] for c in points if c.size == size] for size in sorted({c.size for c in points})}


def _spread(draws: list[float]) -> float:
    return float(np.std(draws, ddof=1)) if len(draws) > 1 else 0.0


def _with_spread(draws: list[float]) -> str:
    spread = f" ± {number(_spread(draws))}" if len(draws) > 1 else ""
    return number(float(np.mean(draws))) + spread
