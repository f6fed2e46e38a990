"""What the commands print: tables in a terminal, the same columns as plain text elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from matopt.study.audit import StudyAudit
    from matopt.study.doctor import Finding
    from matopt.study.status import ComparisonRow, StudyStatus

_MARKS = {"ok": "[green]ok[/green]", "warning": "[yellow]warning[/yellow]", "failure": "[red]failure[/red]"}


def print_times(times: Mapping[str, Mapping[str, float]]) -> None:
    """Print where the time of each stage went, in seconds."""
    kinds = ("wall", "computing", "waiting", "overhead")
    rows = [[stage, *[f"{seconds[kind]:.0f}" for kind in kinds]] for stage, seconds in times.items()]
    print_rows(["stage", *[f"{kind} [s]" for kind in kinds]], rows)


def print_status(status: StudyStatus) -> None:
    """Print how one study stands."""
    console = _console()
    console.print(f"{status.name}: {escape(_state(status))}", highlight=False)
    for line in status.damaged:
        console.print(escape(line), highlight=False, soft_wrap=True)
    for line in status.changed:
        console.print(f"other than the last launch: {escape(line)}", highlight=False, soft_wrap=True)
    counts = ", ".join(f"{n} {state}" for state, n in status.trials.items() if n) or "none begun"
    console.print(f"trials: {counts}, of {status.trials_asked}", highlight=False)
    for number, reason in status.pruned.items():
        console.print(f"  trial {number} was {escape(reason)}", highlight=False)
    for number, error in status.failures.items():
        console.print(f"  trial {number} failed: {escape(error)}", highlight=False)
    if status.best is not None and status.best.outcome is not None:
        metrics = status.best.outcome.metrics
        scores = ", ".join(f"{name} {metrics[name]:.3f}" for name in status.objectives)
        console.print(f"best trial: {status.best.number} ({scores})", highlight=False)
    print_times(status.times)
    if status.undelivered:
        console.print(escape(status.undelivered), highlight=False)
    if status.report is not None:
        console.print(f"report: {status.report}", highlight=False, soft_wrap=True)


def print_studies(studies: Sequence[StudyStatus]) -> None:
    """Print many studies, a line each."""
    rows = []
    for status in studies:
        first = next(iter(status.objectives), "")
        outcome = status.best.outcome if status.best is not None else None
        score = f"{first} {outcome.metrics[first]:.3f}" if outcome is not None else ""
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(status.updated)) if status.updated else ""
        rows.append([status.name, _state(status), f"{_done(status)} of {status.trials_asked}", score, when])
    print_rows(["study", "state", "trials", "best", "last heard of"], rows)
    for status in studies:
        for line in status.damaged:
            _console().print(f"{status.name}: {escape(line)}", highlight=False, soft_wrap=True)


def _done(status: StudyStatus) -> int:
    return status.trials["complete"] + status.trials["pruned"]


def print_comparison(rows: Sequence[ComparisonRow]) -> None:
    """Print studies side by side, a column each."""
    names = sorted({name for row in rows for name in row.metrics})
    cells = [[name, *[f"{row.metrics[name]:.3f}" if name in row.metrics else "" for row in rows]] for name in names]
    print_rows(["best trial's", *[row.status.name for row in rows]], cells)
    for row in rows[1:]:
        for line in row.differences:
            _console().print(f"{row.status.name}: {escape(line)}", highlight=False, soft_wrap=True)


def print_findings(findings: Iterable[Finding]) -> bool:
    """Print what the doctor found, one after the other; returns whether studies can run."""
    console, can_run = _console(), True
    for finding in findings:
        console.print(f"{_MARKS[finding.state]:>8}  {finding.name}: {escape(finding.found)}", highlight=False)
        if finding.advice:
            console.print(f"          {escape(finding.advice)}", highlight=False)
        can_run &= finding.state != "failure"
    return can_run


def print_audit(found: StudyAudit) -> None:
    """Print what a model foretells of moves, and what it violates."""
    _console().print(f"{found.model}, on the test split", highlight=False)
    cells = [
        [s.property, s.kind, str(s.steps), f"{s.skill:.3f}", f"{s.low:.3f} to {s.high:.3f}", f"{s.correlation:.3f}"]
        for s in found.skills
    ]
    print_rows(["property", "moves", "in a row", "response skill", "95 %", "correlation"], cells)
    if found.violations:
        rows = [
            [
                v.trait,
                *(f"{residual:.3f}" for residual in (v.model_residual, v.physics_residual)),
                *(f"{rate:.0%}" for rate in (v.model_violation_rate, v.physics_violation_rate)),
            ]
            for v in found.violations
        ]
        print_rows(["trait", "residual", "of the physics", "violated", "by the physics"], rows)


def _state(status: StudyStatus) -> str:
    if status.is_finished:
        return "finished"
    progress = f"{status.stage}, {status.done} of {status.total}" if status.total else status.stage
    if status.is_running:
        return f"running on {status.lease}" + (f" ({progress})" if progress else "")
    why = [progress] if progress else []
    if status.lease is not None:
        why.append(f"it ran on {status.lease}")
    if status.error:
        why.append(status.error)
    state = "damaged" if status.damaged and not status.stage else "stopped"
    return f"{state} ({': '.join(why)})" if why else state


def print_rows(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, its first column to the left and the others to the right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(header):
        table.add_column(escape(name), justify="left" if number == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*[escape(cell) for cell in row])
    _console().print(table)


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=160)
