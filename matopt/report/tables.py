"""The report's tables: figures in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from matopt.properties import Property
from matopt.report.style import title
from matopt.stages.evaluation import AUTHENTIC
from matopt.study.records import TrialRecord


@dataclass(frozen=True)
class Table:
    """A heading and rows of text."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def samples_table(evaluation: Mapping[str, Any]) -> Table:
    """Each generator's scores against the test set."""
    generators = evaluation["generators"]
    names = list(next(iter(generators.values()))["scores"])
    rows = [[title(g), *[f"{kind['scores'][n]:.3f}" for n in names]] for g, kind in generators.items()]
    return Table(["generator", *[title(n) for n in names]], rows)


def augmentation_table(evaluation: Mapping[str, Any], properties: Sequence[Property]) -> Table:
    """Test R2, mean and standard deviation over draws."""
    curve = evaluation["curve"]
    rows = []
    for name in [AUTHENTIC, *evaluation["generators"]]:
        for size in sorted({r["size"] for r in curve if r["generator"] == name}):
            cells = [title(name), str(size)]
            for p in properties:
                draws = [r["r2"][p.name] for r in curve if r["generator"] == name and r["size"] == size]
                spread = f" ± {np.std(draws, ddof=1):.3f}" if len(draws) > 1 else ""
                cells.append(f"{np.mean(draws):.3f}{spread}")
            rows.append(cells)
    return Table(["added from", "added", *[f"R² {p.words}" for p in properties]], rows)


def design_table(design: Mapping[str, Any], property_: Property) -> Table:
    """What the ascent gained in each space, as the predictor promised and as the physics has it."""
    rows = []
    for space, d in design.items():
        predicted = np.asarray(d["predicted"]) * property_.display_factor
        true = np.asarray(d["true"]) * property_.display_factor
        solid = np.asarray(d["true_volume_fraction"])
        gain = true[:, -1] - true[:, 0]
        rows.append(
            [
                space,
                f"{np.median(true[:, 0]):.3g}",
                f"{np.median(predicted[:, -1]):.3g}",
                f"{np.median(true[:, -1]):.3g}",
                f"{np.median(gain):.3g} ({np.percentile(gain, 10):.3g} to {np.percentile(gain, 90):.3g})",
                f"{(gain > 0).sum()} of {len(gain)}",
                f"{np.median(1 - solid[:, 0]):.3f} → {np.median(1 - solid[:, -1]):.3f}",
                f"{d['morphology_distance'][0]:.3f} → {d['morphology_distance'][-1]:.3f}",
            ]
        )
    unit = property_.display_unit
    return Table(
        [
            "space",
            f"start [{unit}]",
            "end, predicted",
            "end, physics",
            "gain, physics (10 to 90 %)",
            "seeds that gained",
            "porosity",
            "morphology distance",
        ],
        rows,
    )


def trials_table(trials: Sequence[TrialRecord], objectives: Sequence[str]) -> Table:
    """Every trial: its point, its objectives, its time."""
    params = sorted({name for t in trials for name in t.params})
    rows = []
    for t in trials:
        values = [_short(t.params.get(name, "")) for name in params]
        if t.outcome is None:
            rows.append([str(t.number), t.state, *values, *[""] * len(objectives), t.error])
        else:
            scores = [f"{t.outcome.metrics[o]:.3f}" for o in objectives]
            rows.append([str(t.number), t.state, *values, *scores, f"{t.outcome.seconds:.0f} s"])
    return Table(["trial", "state", *params, *[title(o) for o in objectives], "time"], rows)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
