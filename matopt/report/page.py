"""The report's page: one HTML file that holds all figures, beside their PNG and CSV files."""

from __future__ import annotations

import base64
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import jinja2

import matopt
from matopt.atomic_write import atomic_write
from matopt.errors import FailureError
from matopt.registry import Component
from matopt.report.design_table import write_designs
from matopt.report.figures.base import FIGURES, Figure
from matopt.report.findings import Findings
from matopt.report.sections import SECTIONS, Section
from matopt.report.style import words
from matopt.report.tables import Table
from matopt.study.records import prunings


@dataclass(frozen=True)
class Drawn:
    """Holds what the page shows of one figure.

    Attributes:
        title: its name in words.
        caption: the text below it.
        image: the picture as base64 text.
        picture: the name of its PNG file.
        data: the name of its CSV file; empty where it wrote none.
        table: what is shown below it.
    """

    title: str
    caption: str
    image: str
    picture: str
    data: str
    table: Table | None


@dataclass(frozen=True)
class Chapter:
    """Holds what the page shows of one section.

    Attributes:
        section: its heading and text.
        drawn: its figures.
        omitted: a sentence for each reason why others are not there.
    """

    section: Section
    drawn: list[Drawn]
    omitted: list[str]


def write_report(folder: Path, findings: Findings, further: Sequence[Figure] = ()) -> list[Path]:
    """Draw every figure that the findings allow, and write the page.

    Args:
        folder: takes ``index.html``, a PNG and a CSV file for each figure, and the table of all designs.
        findings: what the study found.
        further: figures besides those of the registry.

    Returns:
        The page's path, then the pictures'.

    Raises:
        FailureError: the folder cannot be written to, or a figure could not be drawn; the page then has the others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figures = [*(FIGURES.build(Component(name)) for name in FIGURES.names()), *further]
    figures.sort(key=lambda figure: (figure.rank, figure.name))
    failures: list[str] = []
    chapters = [
        _chapter(section, [f for f in figures if f.section == section], folder, findings, failures)
        for section in dict.fromkeys((*SECTIONS, *(figure.section for figure in figures)))
    ]

    designs = None if findings.design is None else write_designs(folder, findings.design)
    page = folder / "index.html"
    template = jinja2.Template((files("matopt.report") / "page.html").read_text(), autoescape=True)
    text = template.render(
        name=words(findings.name),
        summary=_summary(findings),
        chapters=chapters,
        designs=None if designs is None else designs.name,
        config=findings.config,
        versions=_versions(),
    )
    with atomic_write(page) as partial:
        partial.write_text(text, encoding="utf-8")
    if failures:
        raise FailureError(f"the report lacks {', '.join(failures)}; {page} has the other figures")
    return [page, *(folder / drawn.picture for chapter in chapters for drawn in chapter.drawn)]


def _chapter(
    section: Section, figures: Sequence[Figure], folder: Path, findings: Findings, failures: list[str]
) -> Chapter:
    """Draw the figures of a section that the findings allow; ``failures`` gets a text for each that raised."""
    drawn: list[Drawn] = []
    omitted: dict[str, list[str]] = {}
    for figure in figures:
        try:
            reason = figure.lacks(findings)
            if not reason:
                drawn.append(_drawn(figure, findings, figure.draw(folder, findings)))
        except FailureError:
            raise
        except Exception as error:  # a user's figure may raise anything, and the others are worth having
            reason = " ".join(f"drawing it raised {type(error).__name__}: {error}".split())
            failures.append(f"{figure.name} ({reason})")
        if reason:
            omitted.setdefault(reason, []).append(words(figure.name))
    sentences = [f"Not shown: {' and '.join(names)}, as {reason}." for reason, names in omitted.items()]
    return Chapter(section, drawn, sentences)


def _drawn(figure: Figure, findings: Findings, picture: Path) -> Drawn:
    data = picture.with_suffix(".csv")
    return Drawn(
        words(figure.name),
        figure.caption,
        base64.b64encode(picture.read_bytes()).decode(),
        picture.name,
        data.name if data.is_file() else "",
        figure.table(findings),
    )


def _summary(findings: Findings) -> str:
    """Say in a sentence what the study did, and what it was not asked for."""
    done = sum(trial.outcome is not None for trial in findings.trials)
    parts = [f"{_count(done, 'trial')} complete of {len(findings.trials)}"]
    if pruned := prunings(findings.trials):
        parts.append(pruned)
    if findings.evaluation is not None:
        compared, tested = len(findings.evaluation.generators), len(findings.evaluation.authentic.porosity)
        parts.append(f"{_count(compared, 'generator')} compared on {_count(tested, 'authentic test microstructure')}")
    if findings.design is not None:
        spaces = " and ".join(words(s.space) for s in findings.design.spaces)
        parts.append(f"designs for {findings.property(findings.design.property).words} in {spaces} space")
    absent = [word for word, part in (("evaluation", findings.evaluation), ("design", findings.design)) if part is None]
    text = ", ".join(parts) + "."
    return text + (f" The study asks for no {' and no '.join(absent)}." if absent else "")


def _count(n: int, thing: str) -> str:
    return f"{n} {thing}" + ("" if n == 1 else "s")


def _versions() -> str:
    libraries = ("torch", "ray", "optuna", "mlflow", "numpy", "scipy")
    versions = [f"matopt {matopt.__version__}", *(f"{name} {version(name)}" for name in libraries)]
    return ", ".join(versions) + f", Python {platform.python_version()}."
