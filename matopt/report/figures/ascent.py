"""Property and solid fraction over the steps of the ascent (seed report, figure 6)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from matopt.properties import Property
from matopt.report.figures.base import FIGURES, NO_DESIGN, Figure
from matopt.report.findings import Findings
from matopt.report.sections import DESIGN
from matopt.report.style import canvas, colour, display_values, unit, words, write_table
from matopt.report.tables import Table, number
from matopt.stages.records import SpaceResult


@FIGURES.register("ascent")
class AscentFigure(Figure):
    """Three panels for each space: the property and the solid fraction over the steps, and what they changed by."""

    section = DESIGN
    rank = 2
    caption = (
        "Median and range from 10 to 90 percent of the seeds. Right: the change of porosity against that of the "
        "property, one point a seed, by the physics."
    )

    def lacks(self, findings: Findings) -> str:
        """Needs a design."""
        return "" if findings.design and findings.design.spaces else NO_DESIGN

    def draw(self, folder: Path, findings: Findings) -> Path:
        """Draw the panels; the data are the values of every seed at the steps that the physics was asked about."""
        design = findings.design
        assert design is not None
        p = findings.property(design.property)
        path = folder / f"{self.name}.png"
        with canvas(path, 3, len(design.spaces), size=(2.9, 2.4)) as axes:
            for block, s in enumerate(design.spaces):
                value, fraction, change = axes[block * 3 : block * 3 + 3]
                predicted, true = display_values(p, s.predicted), display_values(p, s.true)
                solid, true_solid = s.volume_fraction.double().numpy(), s.true_volume_fraction.double().numpy()
                _draw_path(value, predicted, "predicted")
                _draw_checks(value, s.checked, true, "physics")
                _draw_path(fraction, solid, "raw")
                _draw_checks(fraction, s.checked, true_solid, "binarised")
                value.set(ylabel=f"{words(s.space)}\n${p.symbol}${unit(p)}")
                fraction.set(ylabel="solid fraction")
                _draw_changes(change, true, 1 - true_solid, p)
        header = ["space", "seed", "step", "predicted", "physics", "solid fraction", "usable"]
        write_table(path.with_suffix(".csv"), header, [row for s in design.spaces for row in _rows(s, p)])
        return path

    def table(self, findings: Findings) -> Table | None:
        """List what the ascent gained in each space, as the predictor promised and as the physics has it."""
        if findings.design is None:
            return None
        p = findings.property(findings.design.property)
        header = [
            "space",
            f"start{unit(p)}",
            "end, predicted",
            "end, physics",
            "gain, physics (10 to 90 %)",
            "seeds that gained",
            "porosity",
            "morphology distance",
        ]
        return Table(header, [_summary(s, p) for s in findings.design.spaces])


def _draw_path(ax: Axes, values: np.ndarray, label: str) -> None:
    """Draw median and range of ``(N, T + 1)`` values over the steps."""
    steps = np.arange(values.shape[1])
    ax.fill_between(steps, *np.percentile(values, [10, 90], axis=0), color=colour(1), alpha=0.2, lw=0)
    ax.plot(steps, np.median(values, axis=0), color=colour(1), label=label)


def _draw_checks(ax: Axes, checked: tuple[int, ...], values: np.ndarray, label: str) -> None:
    """Draw median and range of ``(N, C)`` values at the C steps that the physics was asked about."""
    median = np.median(values, axis=0)
    spread = np.abs(np.percentile(values, [10, 90], axis=0) - median)
    ax.errorbar(checked, median, spread, fmt="o", ms=3, capsize=2, color=colour(0), label=label)
    ax.set_xlabel("step")
    ax.legend()


def _draw_changes(ax: Axes, true: np.ndarray, porosity: np.ndarray, property_: Property) -> None:
    """Draw a point for each seed: the change of porosity over that of the property, from start to end."""
    ax.axhline(0, color="0.8", lw=1)
    ax.axvline(0, color="0.8", lw=1)
    ax.plot(true[:, -1] - true[:, 0], porosity[:, -1] - porosity[:, 0], ".", ms=4, color=colour(2))
    ax.set(xlabel=f"change of ${property_.symbol}${unit(property_)}, physics", ylabel="change of porosity")


def _rows(space: SpaceResult, property_: Property) -> list[tuple[object, ...]]:
    predicted, true = display_values(property_, space.predicted), display_values(property_, space.true)
    return [
        (
            space.space, seed, step, predicted[seed, step], true[seed, column],
            float(space.true_volume_fraction[seed, column]), bool(space.usable[seed, column]),
        )
        for seed in range(len(predicted))
        for column, step in enumerate(space.checked)
    ]  # fmt: skip


def _summary(space: SpaceResult, property_: Property) -> list[str]:
    predicted, true = display_values(property_, space.predicted), display_values(property_, space.true)
    porosity = 1 - space.true_volume_fraction.double().numpy()
    gain = true[:, -1] - true[:, 0]
    low, high = np.percentile(gain, [10, 90])
    return [
        words(space.space),
        number(np.median(true[:, 0]), ".3g"),
        number(np.median(predicted[:, -1]), ".3g"),
        number(np.median(true[:, -1]), ".3g"),
        f"{number(np.median(gain), '.3g')} ({number(low, '.3g')} to {number(high, '.3g')})",
        f"{(gain > 0).sum()} of {len(gain)}",
        f"{number(np.median(porosity[:, 0]))} → {number(np.median(porosity[:, -1]))}",
        f"{number(space.morphology_distance[0])} → {number(space.morphology_distance[-1])}",
    ]
