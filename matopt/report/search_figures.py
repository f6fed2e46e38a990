"""The figure of the search: what the trials reached, one objective against another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matopt.report.style import colour, figure, title, write_table
from matopt.study.records import TrialRecord


def draw_search(folder: Path, trials: Sequence[TrialRecord], objectives: Sequence[str], best: int) -> Path:
    """Each complete trial by its first two objectives (by its number, where there is only one), the best marked."""
    path = folder / "search.png"
    done = [(t, t.outcome.metrics) for t in trials if t.outcome is not None]
    with figure(path, 1, size=(3.6, 2.8)) as (ax,):
        for trial, metrics in done:
            y = metrics[objectives[0]]
            x = metrics[objectives[1]] if len(objectives) > 1 else trial.number
            is_best = trial.number == best
            ax.plot(x, y, "o", ms=7 if is_best else 4, color=colour(2) if is_best else colour(1))
            ax.annotate(str(trial.number), (x, y), xytext=(4, 4), textcoords="offset points", fontsize=7)
        ax.set(xlabel=title(objectives[1]) if len(objectives) > 1 else "trial", ylabel=title(objectives[0]))
        ax.margins(0.15)
    params = sorted({name for t, _ in done for name in t.params})
    names = sorted({name for _, metrics in done for name in metrics})
    rows = [[t.number, *[t.params.get(p, "") for p in params], *[m.get(n, "") for n in names]] for t, m in done]
    write_table(folder / "search.csv", ["trial", *params, *names], rows)
    return path
