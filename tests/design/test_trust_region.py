"""The trust region is a quantile of what is usual among authentic microstructures."""

from __future__ import annotations

import pytest
import torch

from matopt.design.trust_region import MorphologyTrustRegion
from matopt.errors import InputError


def test_the_limit_is_a_quantile_of_the_authentic_energy_distances() -> None:
    authentic = torch.tensor([0.0, 1.0, 5.0]).view(3, 1, 1, 1)
    region = MorphologyTrustRegion(lambda d: d.flatten(1), authentic, quantile=1.0)
    # Mean distances to the two others are 3, 2.5 and 4.5; over all pairs 10 / 3.
    assert region.limit == pytest.approx(2 * 4.5 - 10 / 3)
    assert region.distance(torch.tensor([[[[2.0]]], [[[8.0]]]])).tolist() == pytest.approx([4 - 10 / 3, 12 - 10 / 3])


def test_too_few_microstructures_and_quantiles_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match="at least three authentic"):
        MorphologyTrustRegion(lambda d: d.flatten(1), torch.zeros(2, 1, 4, 4))
    with pytest.raises(InputError, match="above 0 and at most 1; got 0"):
        MorphologyTrustRegion(lambda d: d.flatten(1), torch.zeros(3, 1, 4, 4), quantile=0)
