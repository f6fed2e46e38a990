"""Predictions of the test set against the physics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from matopt.properties import Property
from matopt.report.figures.base import FIGURES, NO_EVALUATION, Figure
from matopt.report.findings import Findings
from matopt.report.sections import AUGMENTATION
from matopt.report.style import axis_label, canvas, colour, display_values, note, write_table
from matopt.stages.records import Evaluation


@FIGURES.register("parity")
class ParityFigure(Figure):
    """A panel for each property, a point for each test microstructure: the best predictor over the physics."""

    section = AUGMENTATION
    rank = 2
    caption = "The best trial's predictor on the test set."

    def lacks(self, findings: Findings) -> str:
        """Needs an evaluation, with a test microstructure whose property could be simulated."""
        if findings.evaluation is None:
            return NO_EVALUATION
        points = (_points(findings.evaluation, column, p) for column, p in enumerate(findings.properties))
        return "" if any(len(x) for x, _ in points) else "no property of a test microstructure could be simulated"

    def draw(self, folder: Path, findings: Findings) -> Path:
        """Draw the panels; the data are their points."""
        evaluation = findings.evaluation
        assert evaluation is not None
        path = folder / f"{self.name}.png"
        rows: list[tuple[object, ...]] = []
        with canvas(path, len(findings.properties), size=(2.6, 2.6)) as axes:
            for column, (ax, p) in enumerate(zip(axes, findings.properties, strict=True)):
                x, y = _points(evaluation, column, p)
                _draw_points(ax, x, y, p.scale == "log")
                ax.set(title=axis_label(p), xlabel="physics", ylabel="predictor")
                rows += [(p.name, float(a), float(b)) for a, b in zip(x, y, strict=True)]
        write_table(path.with_suffix(".csv"), ["property", "physics", "predictor"], rows)
        return path


def _points(evaluation: Evaluation, column: int, property_: Property) -> tuple[np.ndarray, np.ndarray]:
    """Return physics and prediction where both are numbers, in display units."""
    x = display_values(property_, evaluation.authentic.values[:, column])
    y = display_values(property_, evaluation.predicted[:, column])
    known = evaluation.authentic.usable[:, column].numpy() & np.isfinite(x) & np.isfinite(y)
    return x[known], y[known]


def _draw_points(ax: Axes, x: np.ndarray, y: np.ndarray, is_log: bool) -> None:
    shown = (x > 0) & (y > 0) if is_log else np.full(len(x), True)
    if not shown.all():
        note(ax, f"{(~shown).sum()} of {len(x)} not above 0")
    if not shown.any():
        if not len(x):
            note(ax, "no usable value")
        ax.set(xticks=[], yticks=[])
        return
    x, y = x[shown], y[shown]
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    ax.plot([low, high], [low, high], color="0.7", lw=1)
    ax.plot(x, y, ".", color=colour(1), ms=4)
    if is_log:
        ax.set(xscale="log", yscale="log")
        # Of decades alone hardly one would be in sight, of all their tenths the labels would overlap.
        for axis in (ax.xaxis, ax.yaxis) if high < 20 * low else ():
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
