"""Frequencies of 3 x 3 patterns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from matopt.descriptors.patterns import PatternRoots, pattern_frequencies


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return (torch.rand(3, 1, *shape, generator=torch.Generator().manual_seed(seed)) < 0.6).float()


def test_turned_and_mirrored_images_have_the_same_frequencies() -> None:
    density = noise(17, 17)
    found = pattern_frequencies(density)
    assert found.shape == (3, 102)
    torch.testing.assert_close(found.sum(1), torch.ones(3))
    for turned in (density.rot90(1, (2, 3)), density.flip(2), density.transpose(2, 3)):
        torch.testing.assert_close(pattern_frequencies(turned), found)


def test_the_patterns_are_counted_one_by_one() -> None:
    density = noise(9, 8)[:1]
    windows = np.lib.stride_tricks.sliding_window_view(density[0, 0].numpy(), (3, 3)).reshape(-1, 3, 3)
    counts: dict[bytes, int] = {}
    for w in windows:
        key = min(np.ascontiguousarray(np.rot90(t, k)).tobytes() for t in (w, w.T) for k in range(4))
        counts[key] = counts.get(key, 0) + 1
    found = pattern_frequencies(density)[0] * len(windows)
    assert sorted(found[found > 0].round().tolist()) == sorted(map(float, counts.values()))


def test_a_volume_of_equal_slices_has_the_patterns_of_the_slice_in_a_third_of_its_planes() -> None:
    slice_ = noise(8, 8)[:1]
    volume = slice_[:, :, None].expand(-1, -1, 8, -1, -1)
    across = pattern_frequencies(volume) - pattern_frequencies(slice_) / 3
    assert (across > -1e-6).all() and across.sum() == pytest.approx(2 / 3, abs=1e-5)


def test_style_features_keep_common_patterns_and_put_rare_ones_together() -> None:
    reference = noise(24, 24)
    density = noise(24, 24, seed=1)
    found = PatternRoots(reference)(0.2 + 0.6 * density)  # grey voxels are thresholded
    common = (pattern_frequencies(reference) > 0).float().mean(0) >= 0.5
    assert found.shape[1] == common.sum() + 1 < 102
    torch.testing.assert_close(found[:, :-1].square(), pattern_frequencies(density)[:, common])
    torch.testing.assert_close(found.square().sum(1), torch.ones(3))
