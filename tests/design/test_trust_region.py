"""The trust region is a quantile of what is usual among authentic microstructures that were held out."""

from __future__ import annotations

import pytest
import torch

from matopt.descriptors.style import StyleFeatures
from matopt.design.trust_region import MorphologyTrustRegion
from matopt.errors import InputError
from matopt.testing.images import random_microstructures


def test_the_limit_is_a_quantile_of_the_authentic_energy_distances() -> None:
    authentic = torch.tensor([0.0, 1.0, 5.0]).view(3, 1, 1, 1)
    region = MorphologyTrustRegion(lambda d: d.flatten(1), authentic, quantile=1.0)
    # Mean distances to the two others are 3, 2.5 and 4.5; over all pairs 10 / 3.
    assert region.limit == pytest.approx(2 * 4.5 - 10 / 3)
    assert region.distance(torch.tensor([[[[2.0]]], [[[8.0]]]])).tolist() == pytest.approx([4 - 10 / 3, 12 - 10 / 3])
    held_out = torch.tensor([2.0, 3.0, 8.0]).view(3, 1, 1, 1)
    assert MorphologyTrustRegion(lambda d: d.flatten(1), authentic, held_out, 1.0).limit == pytest.approx(12 - 10 / 3)


def test_as_many_fresh_microstructures_lie_inside_as_the_quantile_says() -> None:
    sets = [random_microstructures(n, (24, 24), seed).density() for seed, n in enumerate((40, 200, 200))]
    features = StyleFeatures(sets[0])
    fresh = MorphologyTrustRegion(features, sets[0], sets[1]).distance(sets[2])
    for quantile in (0.5, 0.9):
        limit = MorphologyTrustRegion(features, sets[0], sets[1], quantile).limit
        # Both shares are counted on 200: two deviations of their difference are at most .1.
        assert abs(float((fresh <= limit).float().mean()) - quantile) < 0.1


def test_too_few_microstructures_and_quantiles_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match="at least three authentic"):
        MorphologyTrustRegion(lambda d: d.flatten(1), torch.zeros(2, 1, 4, 4))
    with pytest.raises(InputError, match="at least three authentic"):
        MorphologyTrustRegion(lambda d: d.flatten(1), torch.zeros(5, 1, 4, 4), torch.zeros(2, 1, 4, 4))
    with pytest.raises(InputError, match="above 0 and at most 1; got 0"):
        MorphologyTrustRegion(lambda d: d.flatten(1), torch.zeros(3, 1, 4, 4), quantile=0)
