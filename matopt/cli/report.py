"""The report of a study: its figures, checked before the study runs, and its results as the page tells them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml

from matopt.report.figures.base import FIGURES, Figure
from matopt.report.findings import Findings
from matopt.report.page import write_report
from matopt.report.style import words
from matopt.stages.metrics.base import METRICS, PredictorMetric
from matopt.study.config.components import KIND, build_component, check_component
from matopt.study.config.study import Study
from matopt.study.config.study_file import Problem
from matopt.study.records import LaunchResult


def report_writer(study: Study) -> Callable[[LaunchResult], list[Path]]:
    """Make what a launch writes its report with, after a check of the figures that the study names.

    Returns:
        A function that writes the report of a finished study into its folder, and returns the files, the page first.

    Raises:
        InputError: a figure that is none, or whose name another has; a line for each, with its place in the file.
    """
    further = _further_figures(study)

    def write(result: LaunchResult) -> list[Path]:
        return write_report(result.layout.report, findings_of(result), further)

    return write


def findings_of(result: LaunchResult) -> Findings:
    """Gather what the report tells from the results of a study."""
    return Findings(
        name=result.study.config.name,
        config=yaml.safe_dump(result.study.as_json, sort_keys=False),
        properties=result.properties,
        objectives=tuple(result.study.objectives),
        trials=tuple(result.trials),
        best=result.best.number,
        evaluation=result.evaluation,
        design=result.design,
        labels=_labels(result),
    )


def _labels(result: LaunchResult) -> dict[str, str]:
    """Find how metrics are written: as their classes say, and of one property with its name."""
    labels: dict[str, str] = {}
    for kind in (*METRICS.names(), *(metric.kind for metric in result.study.metrics)):
        metric = METRICS.find(kind, result.study.folder)
        label = metric.label or words(metric.name)
        labels[kind] = label
        if issubclass(metric, PredictorMetric):
            single = {p.name: p.words for p in result.properties} if metric.is_by_property else {}
            single |= {part: words(part) for part in metric.parts}
            labels |= {f"{kind}/{part}": f"{label} {written}" for part, written in single.items()}
    return labels


def _further_figures(study: Study) -> list[Figure]:
    """Build the figures that a study names besides those that every report has."""
    figures: list[Figure] = []
    problems: list[Problem] = []
    taken = set(FIGURES.names())
    for index, given in enumerate(study.config.report.figures):
        key = ("report", "figures", index)
        settings = {KIND: given} if isinstance(given, str) else given
        component, found = check_component(FIGURES, Figure, settings, study.folder)
        problems += [Problem((*key, *(part for part in p.key if part != KIND)), p.message) for p in found]
        if component is None:
            continue
        figure = build_component(FIGURES, component, study.folder)
        if figure.name in taken:
            problems.append(Problem(key, f"a figure {figure.name!r} is drawn already; give this one another name"))
        taken.add(figure.name)
        figures.append(figure)
    if problems:
        raise study.text.error(problems)
    return figures
