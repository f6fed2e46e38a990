"""The report's page: one HTML file that holds all figures, beside their PNG and CSV files."""

from __future__ import annotations

import base64
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from matopt.atomic_write import atomic_write
from matopt.properties import Property
from matopt.report.design_figures import draw_ascent, draw_morphing
from matopt.report.evaluation_figures import (
    draw_augmentation,
    draw_parity,
    draw_properties,
    draw_samples,
    draw_traits,
)
from matopt.report.search_figures import draw_search
from matopt.report.style import title
from matopt.report.tables import augmentation_table, design_table, samples_table, trials_table
from matopt.study.records import TrialRecord


@dataclass(frozen=True)
class Findings:
    """What a finished study found, as its report tells it.

    Attributes:
        name: the study's.
        config: the study's configuration as text.
        properties: the columns of every table of values.
        objectives: the names of the search's objectives.
        trials: every trial of the search.
        best: the number of the trial that the evaluation and the design took over.
        evaluation: what :func:`matopt.stages.evaluation.evaluate` returned.
        design: what :func:`matopt.stages.design.design` returned; empty where no space was asked for.
        design_property: the name of the property that was maximised.
    """

    name: str
    config: str
    properties: tuple[Property, ...]
    objectives: tuple[str, ...]
    trials: Sequence[TrialRecord]
    best: int
    evaluation: Mapping[str, Any]
    design: Mapping[str, Any]
    design_property: str


def write_report(folder: Path, findings: Findings) -> list[Path]:
    """Draw every figure and write the page; returns the page's path, then the figures'.

    Args:
        folder: takes ``index.html``, and a PNG and a CSV file for each figure.
        findings: what the study found.

    Raises:
        FailureError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    evaluation, design, properties = findings.evaluation, findings.design, findings.properties
    designed, designs = None, None
    paths = [
        draw_samples(folder, evaluation),
        draw_properties(folder, evaluation, properties),
        draw_augmentation(folder, evaluation, properties),
        draw_parity(folder, evaluation, properties),
        draw_traits(folder, evaluation),
        draw_search(folder, findings.trials, findings.objectives, findings.best),
    ]
    if design:
        designed = next(p for p in properties if p.name == findings.design_property)
        paths += [draw_morphing(folder, design, designed), draw_ascent(folder, design, designed)]
        designs = design_table(design, designed)

    template = jinja2.Template((files("matopt.report") / "page.html").read_text(), autoescape=True)
    text = template.render(
        findings=findings,
        title=title,
        images={path.stem: base64.b64encode(path.read_bytes()).decode() for path in paths},
        trials_done=sum(t.outcome is not None for t in findings.trials),
        samples=samples_table(evaluation),
        augmentation=augmentation_table(evaluation, properties),
        design=designs,
        designed=designed,
        trials=trials_table(findings.trials, findings.objectives),
        versions=_versions(),
    )
    page = folder / "index.html"
    with atomic_write(page) as partial:
        partial.write_text(text)
    return [page, *paths]


def _versions() -> str:
    libraries = ("matopt", "torch", "ray", "optuna", "mlflow", "numpy", "scipy")
    return ", ".join(f"{name} {version(name)}" for name in libraries) + f", Python {platform.python_version()}."
