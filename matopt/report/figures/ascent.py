"""Property and porosity along the way of designs, by predictor and physics (report of Cang et al., figure 6)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from matopt.report.figures.base import FIGURES, DesignFigure
from matopt.report.findings import Findings
from matopt.report.style import canvas, colour, display_values, unit, words, write_table
from matopt.report.tables import Table, number
from matopt.stages.records import DesignResult, SpaceResult

LEAST_RANGE = 0.1
"""Of porosity in a panel, so that one that is held looks like it."""


@FIGURES.register("ascent")
class AscentFigure(DesignFigure):
    """Two panels for each space, and for its designs that may change their porosity: the property over the steps, and
    the porosity over the property."""

    rank = 2
    caption = (
        "The same microstructures as the predictor and as the physics have them: medians, and ranges from 10 to 90 "
        "percent, of the seeds. Where porosity is free, what counts is its slope over the property: a predictor that "
        "has understood what porosity does has that of the physics."
    )

    def draw(self, folder: Path, findings: Findings) -> Path:
        """Draw the panels; the data are the values of every seed at the steps that the physics was asked about."""
        assert findings.design is not None
        p = findings.property(findings.design.property)
        path = folder / f"{self.name}.png"
        runs = _paths(findings.design)
        rows: list[tuple[object, ...]] = []
        with canvas(path, 2, len(runs), size=(3.2, 2.4)) as axes:
            for block, run in enumerate(runs):
                over_steps, over_value = axes[2 * block : 2 * block + 2]
                porosity = run.porosity
                middle = np.median(porosity, axis=0)
                for name, number_, values in (("predicted", 1, run.predicted), ("physics", 0, run.true)):
                    shown = display_values(p, values)
                    _draw_over_steps(over_steps, run.checked, shown, number_, name)
                    over_value.plot(np.median(shown, axis=0), middle, "o-", ms=3, color=colour(number_))
                over_steps.set(xlabel="step", ylabel=f"{_title(run)}\n${p.symbol}${unit(p)}")
                low, high = middle.min(), middle.max()
                room = max(LEAST_RANGE - (high - low), 0.1 * (high - low)) / 2
                over_value.set_ylim(low - room, high + room)
                over_value.set(xlabel=f"${p.symbol}${unit(p)}, median", ylabel="porosity, median")
                rows += [
                    (
                        run.space, run.role, seed, step, *(float(display_values(p, v[seed, column])) for v in
                        (run.predicted, run.true)), porosity[seed, column], bool(run.usable[seed, column]),
                    )
                    for seed in range(len(porosity))
                    for column, step in enumerate(run.checked)
                ]  # fmt: skip
            # Ranges may fill a panel: the lines are named below all of them.
            axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
        header = ["space", "role", "seed", "step", "predicted", "physics", "porosity", "usable"]
        write_table(path.with_suffix(".csv"), header, rows)
        return path

    def table(self, findings: Findings) -> Table | None:
        """Compare the slopes of porosity over the property where porosity was free."""
        if findings.design is None:
            return None
        p = findings.property(findings.design.property)
        free = [run for run in findings.design.baselines if run.role == "free"]
        if not free:
            return None
        per = unit(p).strip(" []")
        header = ["space", f"slope of porosity{' per ' + per if per else ''}, predicted", "physics", "ratio"]
        rows = []
        for run in free:
            porosity = run.porosity
            slopes = [_slope(display_values(p, values), porosity) for values in (run.predicted, run.true)]
            ratio = slopes[0] / slopes[1] if slopes[1] else np.nan
            rows.append([words(run.space), *(number(s, ".3g") for s in slopes), number(ratio, ".2f")])
        return Table(header, rows)


def _paths(design: DesignResult) -> list[SpaceResult]:
    return [*design.spaces, *(run for run in design.baselines if run.role == "free")]


def _title(run: SpaceResult) -> str:
    return words(run.space) + (", porosity free" if run.role == "free" else "")


def _draw_over_steps(ax: Axes, checked: tuple[int, ...], values: np.ndarray, number_: int, name: str) -> None:
    """Draw median and range of ``(N, C)`` values at the C steps."""
    median = np.median(values, axis=0)
    spread = np.abs(np.percentile(values, [10, 90], axis=0) - median)
    ax.errorbar(checked, median, spread, fmt="o-", ms=3, capsize=2, color=colour(number_), label=name)


def _slope(values: np.ndarray, porosity: np.ndarray) -> float:
    """The least-squares slope of the change of ``(N, C)`` porosities over that of values, all seeds and steps alike."""
    change, lost = values - values[:, :1], porosity - porosity[:, :1]
    total = float((change**2).sum())
    return float((change * lost).sum()) / total if total > 0 else float("nan")
