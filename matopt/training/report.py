"""Reports of a training's progress, by which it may also be stopped."""

from __future__ import annotations

from typing import Protocol


class Report(Protocol):
    """A callback that hears of a training's progress. Ray, MLflow and progress bars each hang on the other end."""

    def __call__(self, step: int, /, **scalars: float) -> bool:
        """Take the figures of ``step``; True asks the training to stop. Without figures it is a sign of life alone."""
        ...


def no_report(step: int, /, **scalars: float) -> bool:
    """Ignore the figures and never stop: the report of a training that nobody watches."""
    return False


def prefixed(report: Report, prefix: str) -> Report:
    """Wrap a report so that it hears the figure "x" as "prefix/x"."""

    def named(step: int, /, **scalars: float) -> bool:
        return report(step, **{f"{prefix}/{name}": value for name, value in scalars.items()})

    return named


class Recorded:
    """Reports a training, and keeps what it reported.

    Attributes:
        heard: each report's step and figures.
    """

    def __init__(self, report: Report) -> None:
        self.heard: list[tuple[int, dict[str, float]]] = []
        self._report = report

    def __call__(self, step: int, /, **scalars: float) -> bool:
        """Report and keep a step."""
        self.heard.append((step, {name: float(value) for name, value in scalars.items()}))
        return self._report(step, **scalars)


class Stopped(Exception):
    """Raised where a report asked a training to stop."""


def stopping(report: Report) -> Report:
    """Wrap a report so that its request to stop raises :class:`Stopped`: nothing half trained is then kept."""

    def all_or_nothing(step: int, /, **scalars: float) -> bool:
        if report(step, **scalars):
            raise Stopped(f"stopped at step {step}")
        return False

    return all_or_nothing


class OneAfterTheOther:
    """Reports several trainings as one; once told to stop, the following ones are short and not reported.

    Attributes:
        is_stopped: whether it was told to stop.
    """

    def __init__(self, report: Report) -> None:
        self.is_stopped = False
        self._report = report
        self._before = self._step = 0

    def begin_next(self) -> None:
        """Count the steps of the next training on from the one before."""
        self._before = self._step

    def __call__(self, step: int, /, **scalars: float) -> bool:
        """Report a step of the training that runs."""
        if not self.is_stopped:
            self._step = self._before + step
            self.is_stopped = self._report(self._step, **scalars)
        return self.is_stopped
