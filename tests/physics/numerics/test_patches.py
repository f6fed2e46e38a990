"""Patches hold what changes, with room around it."""

from __future__ import annotations

import pytest
import torch

from matopt.physics.numerics.patches import around


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("shape", [(11, 16), (7, 9, 6)])
def test_a_patch_holds_all_that_changes_and_its_margin_where_there_is_room(shape, periodic):
    generator = torch.Generator().manual_seed(0)
    changed = torch.rand(40, *shape, generator=generator) > 1 - 3 / torch.tensor(shape).prod()
    sample = torch.arange(40) % 3
    seen, margin = [], 2
    for patches in around(changed, sample, margin, periodic, voxels=1000):
        cut = patches.cut(changed, patches.move)
        assert torch.equal(cut.flatten(1).sum(1), changed[patches.move].flatten(1).sum(1))
        assert torch.equal(patches.sample, sample[patches.move])
        for axis, (extent, n) in enumerate(zip(patches.shape, shape, strict=True)):
            begins, ends = patches.reaches(axis)
            layers = cut.movedim(axis + 1, 1).flatten(2).any(2)
            if extent < n:
                at_start, at_end = layers[:, :margin].any(1), layers[:, extent - margin :].any(1)
                assert not (at_start & ~begins if not periodic else at_start).any()
                assert not (at_end & ~ends if not periodic else at_end).any()
        seen += patches.move.tolist()
    assert sorted(seen) == changed.flatten(1).any(1).nonzero()[:, 0].tolist()


def test_a_change_across_the_seam_has_one_small_patch():
    changed = torch.zeros(1, 20, 20, dtype=torch.bool)
    changed[0, [0, 19], [0, 19]] = True
    (patches,) = around(changed, torch.zeros(1, dtype=torch.int64), 1, True, 1000)
    assert patches.shape == (4, 4)
    assert patches.cut(changed).sum() == 2
