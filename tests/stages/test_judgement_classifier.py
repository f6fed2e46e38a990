"""The classifier two-sample test: chance for rock against rock, and not without its single voxels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from matopt.data.windows.scan import Scan
from matopt.errors import InputError
from matopt.generators.base import LatentGenerator
from matopt.microstructures import Microstructures
from matopt.stages.judgement.active_dimensions import active_dimensions
from matopt.stages.judgement.blocks import blocked
from matopt.stages.judgement.resampling import AuthenticPool
from matopt.stages.judgement.two_sample_test import Classifier

VOXEL = 5.345e-6
SIZE, SET = 24, 400


def test_rock_passes_and_rock_after_a_3x3_median_does_not(berea: np.ndarray) -> None:
    scan = Scan(berea[220:].astype(np.uint8), VOXEL)
    classifier = Classifier(blocked(scan.windows(SIZE, slice_step=10), (30, 200, 200)), SET, repeats=1)
    low = Scan(berea[:200].astype(np.uint8), VOXEL).windows(SIZE, slice_step=10).split(rock=SET)[0]
    sets = {
        "rock": low.phases,
        "smoothed": ndimage.median_filter(low.phases, (1, 3, 3)),
    }
    found = {name: classifier.test(Microstructures(phases, VOXEL)) for name, phases in sets.items()}
    assert {test.null for test in found.values()} == {found["rock"].null}
    assert abs(found["rock"].accuracy - 0.5) < 0.1 and abs(found["rock"].null[0] - 0.5) < 0.1
    assert found["smoothed"].accuracy > 0.6 and found["smoothed"].excess > 0.08


def test_volumes_and_the_random_state_of_the_caller() -> None:
    noise = np.random.default_rng(0).standard_normal((120, 8, 8, 8))
    fine, coarse = (ndimage.gaussian_filter(noise, (0, *[width] * 3)) for width in (0.7, 1.1))
    fine, coarse = ((field > np.quantile(field, 0.3)).astype(np.uint8) for field in (fine, coarse))
    pool = AuthenticPool(Microstructures(fine[:80], 1e-6), np.arange(80))
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    found = Classifier(pool, 40, repeats=1).test(Microstructures(coarse[80:], 1e-6))
    assert torch.rand(1) == expected
    assert found.set_size == 40 and found.accuracy > 0.8 and found.null[0] < 0.75


def test_copies_of_few_microstructures_are_told_by_their_own_kind_unless_they_are_a_group() -> None:
    """The same texture on both sides: all that is to be learnt of the ten is which they are."""
    noise = np.random.default_rng(0).standard_normal((130, 16, 16))
    field = ndimage.gaussian_filter(noise, (0, 1, 1))
    phases = (field > np.quantile(field, 0.3)).astype(np.uint8)
    classifier = Classifier(AuthenticPool(Microstructures(phases[:120], 1e-6), np.arange(120)), 60, repeats=2)
    copies = Microstructures(np.tile(phases[120:], (6, 1, 1)), 1e-6)
    as_groups = classifier.test(copies, np.tile(np.arange(10), 6))
    assert classifier.test(copies).accuracy > as_groups.accuracy + 0.15
    with pytest.raises(InputError, match="one group for each of 60 samples"):
        classifier.test(copies, np.arange(10))


def test_sets_that_are_too_large_are_refused() -> None:
    pool = AuthenticPool(Microstructures(np.ones((20, 8, 8), np.uint8), 1e-6), np.arange(20))
    with pytest.raises(InputError, match="half of the authentic pool's groups holds 10"):
        Classifier(pool, 11)


def test_dimensions_that_no_microstructure_moves_are_not_active() -> None:
    class Corners:
        """Encodes the first voxel, a thousandth of the second, and nothing."""

        def encode(self, density: torch.Tensor) -> torch.Tensor:
            flat = density.flatten(1)
            return torch.stack([flat[:, 0], flat[:, 1] / 1000, 0 * flat[:, 2]], 1)

    density = torch.rand(50, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    generator: LatentGenerator = Corners()  # ty: ignore[invalid-assignment]
    assert active_dimensions(generator, density) == 1
