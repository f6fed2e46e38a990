"""The coefficient of determination."""

from __future__ import annotations

import numpy as np
import pytest

from matopt.errors import InputError
from matopt.microstructures import Microstructures
from matopt.predictors.cnn import CNN
from matopt.properties import NOT_CONVERGED, OK, Property, PropertyTable
from matopt.stages.r2 import r2

PROPERTIES = (Property("a", "a", "Pa", "Pa"), Property("b", "b", "m^2", "m^2", scale="log"))


def constant_model(value: tuple[float, float]) -> CNN:
    """A predictor that has learnt one value: the head's weights are zero."""
    train = Microstructures(np.eye(8, dtype=np.uint8)[None].repeat(4, 0), 1e-6)
    values = np.tile(value, (4, 1))
    labels = PropertyTable(PROPERTIES, values, np.full((4, 2), OK), np.zeros((4, 2)))
    model = CNN(steps=1, width=4).fit(train, labels)
    assert model._network is not None
    for p in model._network.parameters():
        p.data.zero_()
    return model


def test_the_mean_on_each_scale_scores_zero() -> None:
    test = Microstructures(np.random.default_rng(0).integers(0, 2, (4, 8, 8)).astype(np.uint8), 1e-6)
    values = np.array([[1.0, 1e-14], [2.0, 1e-13], [3.0, 1e-12], [99.0, 1e-30]])
    status = np.full((4, 2), OK, dtype="<U15")
    status[3] = NOT_CONVERGED
    table = PropertyTable(PROPERTIES, values, status, np.zeros((4, 2)))
    assert r2(constant_model((2.0, 1e-13)), test, table) == pytest.approx({"a": 0, "b": 0}, abs=1e-6)
    # One deviation off the mean of each scale: 1 - sum of squares (2 + 3 * shift^2) / 2.
    assert r2(constant_model((3.0, 1e-12)), test, table) == pytest.approx({"a": -1.5, "b": -1.5}, abs=1e-4)


def test_a_property_that_does_not_vary_has_no_score() -> None:
    test = Microstructures(np.zeros((3, 8, 8), np.uint8), 1e-6)
    table = PropertyTable(PROPERTIES, np.ones((3, 2)), np.full((3, 2), OK), np.zeros((3, 2)))
    with pytest.raises(InputError, match="a has no two different values"):
        r2(constant_model((1.0, 1.0)), test, table)
