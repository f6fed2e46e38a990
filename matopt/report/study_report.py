"""The report of a study: its figures, checked before the study runs, and its results as the page tells them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml

from matopt.report.figures.base import FIGURES, Figure
from matopt.report.findings import Findings
from matopt.report.page import write_report
from matopt.study.config.components import KIND, check_component, resolve_paths
from matopt.study.config.study import Study
from matopt.study.config.study_file import Problem
from matopt.study.results import LaunchResult


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
    )


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
        figure = FIGURES.build(resolve_paths(FIGURES, component, study.folder), study.folder)
        if figure.name in taken:
            problems.append(Problem(key, f"a figure {figure.name!r} is drawn already; give this one another name"))
        taken.add(figure.name)
        figures.append(figure)
    if problems:
        raise study.text.error(problems)
    return figures
