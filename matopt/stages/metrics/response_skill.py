"""How much of what a move does to a microstructure a predictor foretells."""

from __future__ import annotations

from collections.abc import Mapping

from matopt.stages.metrics.base import METRICS, Predictions, PredictorMetric
from matopt.stages.responses.reference import KINDS
from matopt.stages.responses.skill import mean_skill


@METRICS.register("response_skill")
class ResponseSkill(PredictorMetric):
    """Share of the changes under small moves that is foretold: 1 for the physics, 0 for a constant, not clipped.

    The mean over kinds of move and properties; also of one property, and of one kind of move, as "constant_porosity".
    See :mod:`matopt.stages.responses.skill`.
    """

    direction = "maximize"
    is_by_property = True
    parts = tuple(KINDS)

    def value(self, predictions: Predictions) -> float:
        """Average over the kinds of move and the properties."""
        return mean_skill(predictions.skills)

    def by_property(self, predictions: Predictions) -> Mapping[str, float]:
        """Average over the kinds of move, for each property that responds."""
        names = dict.fromkeys(row.property for row in predictions.skills)
        return {name: mean_skill(predictions.skills, property_=name) for name in names}

    def by_part(self, predictions: Predictions) -> Mapping[str, float]:
        """Average over the properties, for each kind of move that has a response."""
        kinds = dict.fromkeys(row.kind for row in predictions.skills)
        return {kind: mean_skill(predictions.skills, kind) for kind in kinds}
