"""R2, the coefficient of determination of a predictor."""

from __future__ import annotations

import numpy as np
import torch

from matopt.errors import InputError
from matopt.microstructures import Microstructures
from matopt.predictors.base import Predictor
from matopt.properties import PropertyTable

BATCH = 256
"""How many microstructures are predicted at once."""


def r2(predictor: Predictor, microstructures: Microstructures, table: PropertyTable) -> dict[str, float]:
    """Compute the coefficient of determination of each property: 1 - residual / total sum of squares.

    Taken on the scale that the property is learnt on: of its SI values where :attr:`Property.scale` is "linear", of
    their logarithms where it is "log". Only rows with status ``ok`` count. A predictor that always answers the mean
    of ``table`` has 0.

    Raises:
        InputError: other properties than the predictor's, a row missing, or a property with no two different usable
            values, of which there is no R2.
    """
    if table.names != [p.name for p in predictor.properties] or len(table) != len(microstructures):
        raise InputError("r2: the table needs a row for each microstructure and the predictor's properties in order")
    predicted = _predicted(predictor, microstructures)
    scores = {}
    for column, p in enumerate(table.properties):
        usable = table.is_usable[:, column]
        truth = p.on_scale(table.values[usable, column])
        total = ((truth - truth.mean()) ** 2).sum() if usable.any() else 0.0
        if total == 0:
            raise InputError(f"r2: {p.name} has no two different values with status ok")
        scores[p.name] = float(1 - ((p.on_scale(predicted[usable, column]) - truth) ** 2).sum() / total)
    return scores


def _predicted(predictor: Predictor, microstructures: Microstructures) -> np.ndarray:
    """Predict ``(N, P)`` values in SI units, in batches and without gradients."""
    with torch.no_grad():
        batches = [
            predictor.predict(microstructures[start : start + BATCH].density()).double().cpu().numpy()
            for start in range(0, len(microstructures), BATCH)
        ]
    return np.concatenate(batches)
