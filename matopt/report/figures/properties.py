"""Distributions of porosity and properties, authentic and artificial (report of Cang et al., figure 4a)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from matopt.properties import Property
from matopt.report.figures.base import FIGURES, NO_EVALUATION, Figure
from matopt.report.findings import Findings
from matopt.report.sections import SAMPLES
from matopt.report.style import axis_label, canvas, colour, display_values, note, words, write_table
from matopt.stages.evaluation import AUTHENTIC
from matopt.stages.records import SampleSet


@FIGURES.register("properties")
class PropertiesFigure(Figure):
    """A panel of violins for the porosity and for each property, a violin for each kind of microstructure."""

    section = SAMPLES
    rank = 2
    caption = (
        "Porosity and properties of authentic test microstructures and of artificial ones; the line is the median."
    )

    def lacks(self, findings: Findings) -> str:
        """Needs an evaluation."""
        return "" if findings.evaluation else NO_EVALUATION

    def draw(self, folder: Path, findings: Findings) -> Path:
        """Draw the panels; the data are all values that are shown."""
        evaluation = findings.evaluation
        assert evaluation is not None
        kinds = {AUTHENTIC: evaluation.authentic} | {g.name: g.samples for g in evaluation.generators}
        names = [words(name) for name in kinds]
        path = folder / f"{self.name}.png"
        table: list[tuple[object, ...]] = []
        with canvas(path, 1 + len(findings.properties)) as axes:
            data = {name: _finite(samples.porosity.double().numpy()) for name, samples in kinds.items()}
            _draw_violins(axes[0], list(data.values()), names, is_log=False)
            axes[0].set_title("porosity")
            table += [("porosity", name, float(v)) for name, values in data.items() for v in values]
            for column, (ax, p) in enumerate(zip(axes[1:], findings.properties, strict=True)):
                data = {name: _usable(samples, column, p) for name, samples in kinds.items()}
                _draw_violins(ax, list(data.values()), names, p.scale == "log")
                ax.set_title(axis_label(p))
                table += [(p.name, name, float(v)) for name, values in data.items() for v in values]
        write_table(path.with_suffix(".csv"), ["quantity", "generator", "value"], table)
        return path


def _usable(samples: SampleSet, column: int, property_: Property) -> np.ndarray:
    """Return the usable values of one property, in its display unit."""
    return _finite(display_values(property_, samples.values[samples.usable[:, column], column]))


def _finite(values: np.ndarray) -> np.ndarray:
    return values[np.isfinite(values)]


def _draw_violins(ax: Axes, data: Sequence[np.ndarray], names: Sequence[str], is_log: bool) -> None:
    shown = [np.log10(values[values > 0]) if is_log else values for values in data]
    for place, values in enumerate(shown):
        if len(values) < 2 or np.ptp(values) == 0:
            ax.plot(np.full(len(values), place), values, "_", color=colour(place))
            continue
        body: Any = ax.violinplot(values, positions=[place], widths=0.8, showmedians=True, showextrema=False)
        body["bodies"][0].set(facecolor=colour(place), alpha=0.35, edgecolor=colour(place))
        body["cmedians"].set_color(colour(place))
    ax.set_xticks(range(len(names)), names, rotation=25, ha="right")
    ax.set_xlim(-0.6, len(names) - 0.4)
    empty = [name for name, values in zip(names, shown, strict=True) if not len(values)]
    if empty:
        note(ax, "no usable value:\n" + "\n".join(empty))
    if len(empty) == len(names):
        ax.set_yticks([])
    elif is_log:
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
        ax.yaxis.set_major_formatter(lambda v, _: f"$10^{{{v:g}}}$" if v == round(v) else f"{10**v:.3g}")
