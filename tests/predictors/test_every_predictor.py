"""What every predictor must do."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature

import pytest

from matopt.predictors.base import PREDICTORS, Predictor
from matopt.testing.predictors import PredictorConformance

SMALL = {"steps": 40, "width": 4, "members": 2, "settings": {"steps": 20, "width": 4}}
"""What makes a training short, of whatever a predictor takes."""


class TestEveryPredictor(PredictorConformance):
    @pytest.fixture(scope="class", params=PREDICTORS.names())
    def make(self, request: pytest.FixtureRequest) -> Callable[[], Predictor]:
        kind = PREDICTORS.find(request.param)
        settings = {name: value for name, value in SMALL.items() if name in signature(kind).parameters}
        return lambda: kind(**settings)
