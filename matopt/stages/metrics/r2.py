"""How well a predictor predicts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from matopt.stages.metrics.base import METRICS, Predictions, PredictorMetric


@METRICS.register("r2")
class R2(PredictorMetric):
    """Coefficient of determination, the mean over the properties; see :func:`matopt.stages.r2.r2`."""

    direction = "maximize"
    label = "R²"
    is_by_property = True

    def value(self, predictions: Predictions) -> float:
        """Average over the properties."""
        return float(np.mean(list(predictions.r2.values())))

    def by_property(self, predictions: Predictions) -> Mapping[str, float]:
        """Give that of each property."""
        return predictions.r2
