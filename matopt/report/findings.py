"""What the report tells of: the results of a finished study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from matopt.properties import Property
from matopt.stages.records import DesignResult, Evaluation
from matopt.study.records import TrialRecord


@dataclass(frozen=True, eq=False)
class Findings:
    """The results of a finished study. Figures draw them, and the page tells them.

    Attributes:
        name: the study's.
        config: the study's configuration as text.
        properties: the P columns of every table of values.
        objectives: the metrics that the search optimised; the first one picked the best trial.
        trials: all trials of the search.
        best: the number of the trial whose models the evaluation and the design took over.
        evaluation: None where the study asks for none.
        design: None where the study asks for none.
        labels: metric -> how it is written, where that is not the words of its name.
    """

    name: str
    config: str
    properties: tuple[Property, ...]
    objectives: tuple[str, ...]
    trials: tuple[TrialRecord, ...]
    best: int
    evaluation: Evaluation | None = None
    design: DesignResult | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    def property(self, name: str) -> Property:
        """Return the property of this name; ``KeyError`` where the study has none."""
        return {p.name: p for p in self.properties}[name]

    def label(self, metric: str) -> str:
        """Write a metric as tables and axes have it."""
        return self.labels.get(metric, metric.replace("_", " "))
