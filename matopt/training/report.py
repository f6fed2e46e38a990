"""All that a training loop knows of the world."""

from __future__ import annotations

from typing import Protocol


class Report(Protocol):
    """Hears of a training's progress. Ray, MLflow and progress bars each hang on the other end."""

    def __call__(self, step: int, /, **scalars: float) -> bool:
        """Take the figures of ``step``; True asks the training to stop."""
        ...


def no_report(step: int, /, **scalars: float) -> bool:
    """A report that nobody hears."""
    return False


def prefixed(report: Report, prefix: str) -> Report:
    """The same report, with every figure's name behind ``prefix/``."""

    def named(step: int, /, **scalars: float) -> bool:
        return report(step, **{f"{prefix}/{name}": value for name, value in scalars.items()})

    return named


class Stopped(Exception):
    """A report asked a training to stop."""


def stopping(report: Report) -> Report:
    """The same report, but what would ask to stop raises :class:`Stopped`: for a training that is kept whole or not."""

    def all_or_nothing(step: int, /, **scalars: float) -> bool:
        if report(step, **scalars):
            raise Stopped(f"stopped at step {step}")
        return False

    return all_or_nothing
