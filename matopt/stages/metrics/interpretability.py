"""How far a predictor has acquired the traits of the physics."""

from __future__ import annotations

from matopt.stages.audit import interpretability
from matopt.stages.metrics.base import METRICS, Predictions, PredictorMetric


@METRICS.register("interpretability")
class Interpretability(PredictorMetric):
    """Similarity of the predictor's traits and those of the physics, the mean over traits, from 0 to 1.

    See :mod:`matopt.stages.audit`.
    """

    direction = "maximize"
    needs_traits = True

    def value(self, predictions: Predictions) -> float:
        """Average over the traits."""
        return interpretability(predictions.audit)
