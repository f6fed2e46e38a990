"""What a figure of the report is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from matopt.registry import Registry
from matopt.report.findings import Findings
from matopt.report.sections import DESIGN, Section
from matopt.report.tables import Table


class Figure(ABC):
    """A picture of the report, with the data that it shows.

    The page shows every figure of the registry, and those that a study names (``report: {figures: [path.py:Name]}``),
    under the heading of their sections; within a section by rank, then by name.
    """

    name: str
    """Of its files, ``<name>.png`` and ``<name>.csv``; the registered name."""

    section: ClassVar[Section]
    """Where on the page it is; one of :mod:`matopt.report.sections`, or another, which comes behind these."""

    caption: ClassVar[str]
    """The text below it: what is drawn, one or two sentences."""

    rank: ClassVar[int] = 10

    def lacks(self, findings: Findings) -> str:
        """Say why the figure cannot be drawn ("the study asks for no evaluation"); empty where it can."""
        return ""

    @abstractmethod
    def draw(self, folder: Path, findings: Findings) -> Path:
        """Write ``<name>.png`` into ``folder`` and its data beside it, as ``<name>.csv``; returns the picture's path.

        It is asked only where :meth:`lacks` is empty.
        """

    def table(self, findings: Findings) -> Table | None:
        """Return what the page shows below the figure in numbers; None where there is nothing to add."""
        return None


class DesignFigure(Figure):
    """A figure of designs, whatever was wanted of them."""

    section = DESIGN

    def lacks(self, findings: Findings) -> str:
        """Needs a design."""
        return "" if findings.design and findings.design.spaces else NO_DESIGN


FIGURES: Registry[Figure] = Registry("figures", "matopt.report.figures")

NO_EVALUATION = "the study asks for no evaluation"
NO_DESIGN = "the study asks for no design"
