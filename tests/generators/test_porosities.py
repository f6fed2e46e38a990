"""Porosities are drawn as those of blocks vary, of another size than what was learnt from."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import torch

from matopt.generators.diffusion.porosities import PorosityLaw


def bodies(edge: int) -> torch.Tensor:
    random = np.random.default_rng(0)
    fields = [scipy.ndimage.gaussian_filter(random.standard_normal((edge,) * 3), 2.0, mode="wrap") for _ in range(12)]
    return torch.from_numpy(np.stack([field > -0.5 * field.std() for field in fields])[:, None]).float()


def blocks(density: torch.Tensor, edge: int) -> torch.Tensor:
    for axis in (2, 3, 4):
        density = torch.cat(density.split(edge, axis))
    return density


def test_larger_blocks_vary_less_and_as_much_as_they_do() -> None:
    material = bodies(48)
    law = PorosityLaw.learnt(blocks(material, 16))
    for edge, within in ((12, 0.2), (24, 0.35)):
        found, measured = law.draw(4000, (edge,) * 3, seed=0), 1 - blocks(material, edge).flatten(1).mean(1)
        assert float(found.std()) == pytest.approx(float(measured.std()), rel=within)
        assert float(found.mean()) == pytest.approx(float(measured.mean()), abs=2e-3)
    alike = law.draw(4000, (16,) * 3, seed=0).std()
    assert law.draw(4000, (48,) * 3, seed=0).std() < 0.4 * alike, "blocks of 27 times the volume"


def test_the_same_seed_draws_the_same_and_a_stored_law_too() -> None:
    law = PorosityLaw.learnt(bodies(16))
    drawn = law.draw(5, (8, 8, 8), seed=2)
    assert torch.equal(PorosityLaw.restored(law.state_dict()).draw(5, (8, 8, 8), seed=2), drawn)
    assert not torch.equal(law.draw(5, (8, 8, 8), seed=3), drawn)


def test_what_does_not_vary_is_not_made_to() -> None:
    assert torch.equal(PorosityLaw.learnt(torch.ones(3, 1, 8, 8)).draw(4, (8, 8), seed=0), torch.zeros(4))
    checkers = (torch.arange(8)[:, None] + torch.arange(8)).remainder(2).float().expand(3, 1, 8, 8)
    assert (PorosityLaw.learnt(checkers).draw(4, (64, 64), seed=0) - 0.5).abs().max() < 0.05
