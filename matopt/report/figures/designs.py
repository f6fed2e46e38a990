"""What designs gained, promised and true, beside what can be had without a model or by the physics alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from matopt.properties import Property
from matopt.report.figures.base import FIGURES, DesignFigure
from matopt.report.findings import Findings
from matopt.report.gains import gains, is_solved
from matopt.report.style import canvas, colour, display_values, note, unit, words, write_table
from matopt.report.tables import Table, number
from matopt.stages.records import DesignResult, SpaceResult

NAMES = {
    "design": "",
    "free": "porosity free",
    "solid_fraction": "blind: solid fraction",
    "nothing": "no judge",
    "physics": "physics in the loop",
    "best_of_solved": "best of solved samples",
}


@FIGURES.register("designs")
class DesignsFigure(DesignFigure):
    """Two panels: the true gain of each design over what was promised, and over the change of its porosity."""

    rank = 3
    caption = (
        "Gains from start to end, one point a seed. Left: by the physics over what the predictor promised; on the line "
        "a promise is kept. Right: medians and ranges from 10 to 90 percent of the designs and of what they are held "
        "against, over the change of porosity: a gain to the left of the middle may be more rock and nothing else."
    )

    def draw(self, folder: Path, findings: Findings) -> Path:
        """Draw the panels; the data are start and end of every seed."""
        design = findings.design
        assert design is not None
        p = findings.property(design.property)
        path = folder / f"{self.name}.png"
        runs = [*design.spaces, *design.baselines]
        rows: list[tuple[object, ...]] = []
        with canvas(path, 2, size=(3.6, 3.2)) as (kept, cost):
            for index, run in enumerate(runs):
                promised, true, lost = _gains(run, design, p)
                shade = colour(index + 1)
                if run.role == "design":
                    kept.plot(promised, true, ".", ms=4, color=shade, label=title(run))
                if len(true):
                    middle = np.median(true)
                    low, high = np.percentile(true, [10, 90])
                    spread = [[middle - low], [high - middle]]
                    marker = "o" if run.role == "design" else "s^vD<>"[index % 6]
                    cost.errorbar(
                        [np.median(lost)], [middle], spread, fmt=marker, ms=4, capsize=2, color=shade, label=title(run)
                    )
                rows += [(run.space, run.role, *row) for row in _rows(run, p)]
            kept.axline((0, 0), slope=1, color="0.8", lw=1)
            kept.set(xlabel=f"promised gain{unit(p)}", ylabel=f"true gain{unit(p)}")
            cost.axvline(0, color="0.8", lw=1)
            cost.axhline(0, color="0.8", lw=1)
            cost.set(xlabel="change of porosity", ylabel=f"true gain{unit(p)}")
            for ax in (kept, cost):
                if ax.get_legend_handles_labels()[0]:
                    ax.legend(fontsize=6)
                else:
                    note(ax, "the physics could solve no start and end")
        header = ["space", "role", "seed", "predicted start", "predicted end", "physics start", "physics end"]
        header += ["porosity start", "porosity end", "solves", "inside", "usable"]
        write_table(path.with_suffix(".csv"), header, rows)
        return path

    def table(self, findings: Findings) -> Table | None:
        """List the gains, what they cost, and whether the ends are still the material."""
        design = findings.design
        if design is None:
            return None
        p = findings.property(design.property)
        header = [
            "designs",
            f"promised gain{unit(p)}",
            "true gain (10 to 90 %)",
            "seeds that gained",
            "porosity",
            "judged, each",
            "by",
            "inside the region",
            "morphology distance",
        ]
        return Table(header, [_summary(run, design, p) for run in (*design.spaces, *design.baselines)])


def title(run: SpaceResult) -> str:
    """Name designs by their space and what they are for."""
    return ", ".join(filter(None, (words(run.space), NAMES.get(run.role, words(run.role)))))


def _gains(run: SpaceResult, design: DesignResult, p: Property) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Promised gain, true gain and change of porosity of the seeds whose start and end the physics could solve."""
    solved, porosity = is_solved(run), run.porosity
    promised, true = gains(run, design, p)
    return promised[solved], true[solved], (porosity[:, -1] - porosity[:, 0])[solved]


def _inside(run: SpaceResult) -> torch.Tensor:
    """``(N,)`` bool, whether the ends lie in the trust region; False without one."""
    return run.distance[:, -1] <= (torch.nan if run.limit is None else run.limit)


def _rows(run: SpaceResult, p: Property) -> list[tuple[object, ...]]:
    predicted, true = display_values(p, run.predicted), display_values(p, run.true)
    porosity = run.porosity
    inside, usable = _inside(run), is_solved(run)
    return [
        (
            seed, predicted[seed, 0], predicted[seed, -1], true[seed, 0], true[seed, -1], porosity[seed, 0],
            porosity[seed, -1], int(run.solves[seed]), bool(inside[seed]), bool(usable[seed]),
        )
        for seed in range(len(predicted))
    ]  # fmt: skip


def _summary(run: SpaceResult, design: DesignResult, p: Property) -> list[str]:
    promised, true, _ = _gains(run, design, p)
    porosity = run.porosity
    low, middle, high = np.percentile(true, [10, 50, 90]) if len(true) else [np.nan] * 3
    return [
        title(run),
        number(np.median(promised) if len(promised) else np.nan, ".3g"),
        f"{number(middle, '.3g')} ({number(low, '.3g')} to {number(high, '.3g')})",
        f"{(true > 0).sum()} of {len(true)}",
        f"{number(np.median(porosity[:, 0]))} → {number(np.median(porosity[:, -1]))}",
        number(float(run.solves.double().mean()), ".0f"),
        {"physics": "the physics", "best_of_solved": "the physics", "nothing": "nothing"}.get(run.role, "")
        or ("its porosity" if run.role == "solid_fraction" else "the predictor"),
        f"{100 * float(_inside(run).double().mean()):.0f} %" if run.limit is not None else "–",
        f"{number(run.morphology_distance[0])} → {number(run.morphology_distance[-1])}",
    ]
