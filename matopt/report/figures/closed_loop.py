"""What designs gain once the physics' answers to earlier ones are learnt from, beside as many solved samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.stats import t as student

from matopt.properties import Property
from matopt.report.figures.base import FIGURES, NO_DESIGN, Figure
from matopt.report.findings import Findings
from matopt.report.gains import gains, is_solved
from matopt.report.sections import DESIGN
from matopt.report.style import canvas, colour, note, unit, words, write_table
from matopt.report.tables import Table, number
from matopt.stages.records import DesignResult, SpaceResult

HEADER = ["taught by", "round", "solves", "seed", "promised gain", "true gain", "usable"]


@FIGURES.register("closed_loop")
class ClosedLoopFigure(Figure):
    """Two panels over the count of solves: true gains, and promises less truth."""

    section = DESIGN
    rank = 4
    caption = (
        "Rounds of design from the same starts. Before each round the predictor learns from the ends of all designs so "
        "far, as solved; or from as many solved samples of the generator instead, which nobody designed. Means over "
        "seeds and their 95 % intervals."
    )

    def lacks(self, findings: Findings) -> str:
        """Needs rounds."""
        if findings.design is None:
            return NO_DESIGN
        return "" if findings.design.rounds else "the study asks for no rounds"

    def draw(self, folder: Path, findings: Findings) -> Path:
        """Draw the panels; the data are all seeds of all rounds."""
        design = findings.design
        assert design is not None
        p = findings.property(design.property)
        path = folder / f"{self.name}.png"
        rows: list[tuple[object, ...]] = []
        with canvas(path, 2, size=(3.4, 2.8)) as (gained, gap):
            for index, (name, steps) in enumerate(_arms(design).items()):
                solves = [count for count, _ in steps]
                values = [_gains(run, design, p) for _, run in steps]
                for ax, numbers in ((gained, [true for _, true in values]), (gap, [a - b for a, b in values])):
                    middle, spread = zip(*map(_mean, numbers), strict=True)
                    ax.errorbar(solves, middle, spread, fmt="o-", ms=3, capsize=2, color=colour(index + 1), label=name)
                    if not np.isfinite(middle).any():
                        note(ax, "the physics could solve no start and end")
                for round_, (count, run) in enumerate(steps):
                    columns = *gains(run, design, p), is_solved(run)
                    rows += [(name, round_, count, seed, *row) for seed, row in enumerate(zip(*columns, strict=True))]
            gained.set(xlabel="solved microstructures learnt from", ylabel=f"true gain{unit(p)}")
            gap.axhline(0, color="0.8", lw=1)
            gap.set(xlabel="solved microstructures learnt from", ylabel=f"promised less true gain{unit(p)}")
            gained.legend()
        write_table(path.with_suffix(".csv"), HEADER, rows)
        return path

    def table(self, findings: Findings) -> Table | None:
        """List the rounds, and what each gained over the designs before the first, seed by seed."""
        design = findings.design
        if design is None:
            return None
        p = findings.property(design.property)
        header = ["learnt from", "solves", f"promised gain{unit(p)}", "true gain", "more than before the first round"]
        rows = []
        for name, steps in _arms(design).items():
            for count, run in steps if name == "designs" else steps[1:]:
                promised, true = _gains(run, design, p)
                first = steps[0][1]
                more = (gains(run, design, p)[1] - gains(first, design, p)[1])[is_solved(run) & is_solved(first)]
                middle, spread = _mean(more)
                rows.append(
                    [
                        f"{words(name)} too" if count else "the training set",
                        str(count),
                        number(_mean(promised)[0], ".3g"),
                        number(_mean(true)[0], ".3g"),
                        f"{number(middle, '+.2g')} ± {number(spread, '.2g')}" if count else "–",
                    ]
                )
        return Table(header, rows)


def _arms(design: DesignResult) -> dict[str, list[tuple[int, SpaceResult]]]:
    """The solves and the designs of each round, the one before the first included, by what the predictor was taught."""
    space = design.rounds[0].designs.space
    first = next(run for run in design.spaces if run.space == space)
    arms: dict[str, list[tuple[int, SpaceResult]]] = {}
    for found in design.rounds:
        arms.setdefault(found.taught_by, [(0, first)]).append((found.solves, found.designs))
    return arms


def _gains(run: SpaceResult, design: DesignResult, p: Property) -> tuple[np.ndarray, np.ndarray]:
    """Promised and true gains of the seeds that the physics could solve."""
    promised, true = gains(run, design, p)
    return promised[is_solved(run)], true[is_solved(run)]


def _mean(values: np.ndarray) -> tuple[float, float]:
    """Mean, and half of its 95 % interval (Student's t); NaN where there are too few."""
    n = len(values)
    spread = student.ppf(0.975, n - 1) * values.std(ddof=1) / n**0.5 if n > 1 else np.nan
    return float(values.mean()) if n else np.nan, float(spread)
