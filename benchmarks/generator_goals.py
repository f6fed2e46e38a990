"""What generators are to reach, and the page of what they have reached."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import page
from scipy import stats
from textures import BASELINES, CEILING, PROCESSES

Rows = Sequence[dict]


@dataclass(frozen=True)
class Goal:
    """A figure of a generator that is to be at most, or at least, so much; the mean over seeds counts.

    Attributes:
        name: in the table.
        column: of the rows.
        limit: what it has to reach.
        material: on which.
        size: of the windows.
        is_least: whether larger is better.
    """

    name: str
    column: str
    limit: float
    material: str
    size: int
    is_least: bool = False

    def value(self, rows: Rows, model: str) -> float:
        """The mean over seeds; not a number where it has not been measured."""
        label = {"material": self.material, "size": self.size, "model": model}
        found = [r[self.column] for r in rows if label.items() <= r.items() and self.column in r]
        return sum(found) / len(found) if found else math.nan

    def is_met(self, value: float) -> bool:
        return value >= self.limit if self.is_least else value <= self.limit


BEREA = "berea"
GOALS = (
    Goal("classifier accuracy over its null, berea 64", "excess", 0.02, BEREA, 64),
    Goal("classifier accuracy over its null, berea 128", "excess", 0.04, BEREA, 128),
    Goal("distances within authentic pairs, berea 64", "within, of ten", 9, BEREA, 64, True),
    Goal("distances within authentic pairs, berea 128", "within, of ten", 9, BEREA, 128, True),
    *(Goal(f"distances within authentic pairs, {name}", "within, of ten", 8, name, 64, True) for name in PROCESSES),
    Goal("grey images, berea 64", "grey", 0.02, BEREA, 64),
    Goal("grey images, berea 128", "grey", 0.02, BEREA, 128),
    Goal("copies, lower end of the interval, berea 64", "copies, from", 0.05, BEREA, 64),
    Goal("copies, lower end of the interval, berea 128", "copies, from", 0.05, BEREA, 128),
    Goal("training, berea 64 [s]", "fit [s]", 300, BEREA, 64),
    Goal("training, berea 128 [s]", "fit [s]", 900, BEREA, 128),
    Goal("1000 samples, berea 64 [s]", "1000 samples [s]", 30, BEREA, 64),
)


def best(rows: Rows) -> str:
    """The generator that the classifier tells least from Berea 64^2."""
    models = sorted({r["model"] for r in rows} - {*BASELINES, CEILING})
    excess = {model: GOALS[0].value(rows, model) for model in models}
    return min((m for m in models if not math.isnan(excess[m])), key=lambda m: excess[m], default="")


def goals(rows: Rows) -> dict[str, tuple[float | None, float, bool]]:
    """Value, goal and whether it is met, by name, for the best generator; None where it has not been measured."""
    model = best(rows)
    values = {goal: goal.value(rows, model) for goal in GOALS}
    return {g.name: (None if math.isnan(v) else round(v, 4), g.limit, g.is_met(v)) for g, v in values.items()}


def markdown(rows: Rows) -> str:
    """The page: goals, then a table for each material and size."""
    reached = []
    for goal, (name, (value, limit, is_met)) in zip(GOALS, goals(rows).items(), strict=True):
        ceiling = goal.value(rows, CEILING)
        reached.append(
            {
                "figure": name,
                "goal": limit,
                "value": "not measured" if value is None else float(value),
                "met": "yes" if is_met else "no",
                CEILING: "" if math.isnan(ceiling) else ceiling,
            }
        )
    parts = [
        "# Generators, judged",
        "What the columns mean is said in `docs/judging.md`. Seconds are of one thread.",
        f"## Goals\n\nThe best generator: {best(rows) or 'none yet'}.\n\n{page.table(reached)}",
    ]
    for place in dict.fromkeys((r["material"], r["size"]) for r in rows):
        here = [r for r in rows if (r["material"], r["size"]) == place]
        columns = [c for c in dict.fromkeys(c for r in here for c in r) if c not in ("material", "size")]
        parts.append(f"## {place[0]}, {place[1]}^2")
        parts.append(page.table([{c: r.get(c, "") for c in columns} for r in here]))
        if repeated := over_seeds(here, columns):
            parts.append(f"Means over seeds, with 95 % intervals (Student's t):\n\n{page.table(repeated)}")
    return "\n\n".join(parts) + "\n"


def over_seeds(rows: Rows, columns: Sequence[str]) -> list[dict]:
    """The mean of every figure over the seeds of a generator, with its interval; where there are two or more."""
    found = []
    for model in dict.fromkeys(r["model"] for r in rows):
        seeds = [r for r in rows if r["model"] == model]
        if len(seeds) < 2:
            continue
        summary = {"model": model, "seeds": len(seeds)}
        for column in columns:
            values = [r.get(column, "") for r in seeds]
            if column != "seed" and all(isinstance(v, float | int) for v in values):
                half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
                summary[column] = f"{np.mean(values):.3g} ± {half:.2g}"
        found.append(summary)
    return found
