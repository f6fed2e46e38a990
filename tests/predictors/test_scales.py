"""Standard scores of property values."""

from __future__ import annotations

import numpy as np
import torch

from matopt.predictors.convolutional.scales import Scales
from matopt.properties import OK, Property, PropertyTable

PROPERTIES = (Property("a", "a", "Pa", "Pa"), Property("b", "b", "m^2", "m^2", scale="log"))


def test_values_come_back_from_their_standard_scores() -> None:
    values = np.array([[5e9, 1e-15], [9e10, 3e-12], [4e10, 2e-13]])
    table = PropertyTable(PROPERTIES, values, np.full((3, 2), OK), np.zeros((3, 2)))
    scales = Scales.fitted(table)
    scores, usable = scales.to_scores(table)
    assert usable.all() and scores.shape == (3, 2, 1)
    scores = scores[..., 0]
    torch.testing.assert_close(scores.mean(0), torch.zeros(2), atol=1e-6, rtol=0)
    torch.testing.assert_close(scores.std(0, correction=0), torch.ones(2))
    torch.testing.assert_close(scales.to_values(scores).double(), torch.from_numpy(values), rtol=1e-5, atol=0)
