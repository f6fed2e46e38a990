"""Porosities are drawn as those of blocks vary, of another size than what was learnt from."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import torch

from matopt.generators.diffusion.porosities import PorosityLaw, normal_of, with_normal


def bodies(edge: int) -> torch.Tensor:
    random = np.random.default_rng(0)
    fields = [scipy.ndimage.gaussian_filter(random.standard_normal((edge,) * 3), 2.0, mode="wrap") for _ in range(12)]
    return torch.from_numpy(np.stack([field > -0.5 * field.std() for field in fields])[:, None]).float()


def blocks(density: torch.Tensor, edge: int) -> torch.Tensor:
    for axis in (2, 3, 4):
        density = torch.cat(density.split(edge, axis))
    return density


def test_larger_blocks_vary_less_and_as_much_as_they_do() -> None:
    material, normal = bodies(48), torch.randn(4000, generator=torch.Generator().manual_seed(0))
    law = PorosityLaw.learnt(blocks(material, 16))
    for edge, within in ((12, 0.2), (24, 0.35)):
        found, measured = law.porosities(normal, (edge,) * 3), 1 - blocks(material, edge).flatten(1).mean(1)
        assert float(found.std()) == pytest.approx(float(measured.std()), rel=within)
        assert float(found.mean()) == pytest.approx(float(measured.mean()), abs=2e-3)
    alike = law.porosities(normal, (16,) * 3).std()
    assert law.porosities(normal, (48,) * 3).std() < 0.4 * alike, "blocks of 27 times the volume"


def test_a_number_says_a_porosity_and_a_porosity_its_number() -> None:
    """In the tails too; the derivative is that of finite differences, and a stored law says the same."""
    law, shape = PorosityLaw.learnt(bodies(16)), (8, 8, 8)
    normal = torch.linspace(-6, 6, 49, dtype=torch.float64, requires_grad=True)
    porosity = law.porosities(normal, shape)
    assert (porosity.diff() < 0).all()
    torch.testing.assert_close(law.normals(porosity.detach(), shape), normal.detach(), rtol=0, atol=1e-6)
    (slope,) = torch.autograd.grad(porosity.sum(), normal)
    step = 1e-4
    ahead, behind = (law.porosities(normal.detach() + h, shape) for h in (step, -step))
    torch.testing.assert_close(slope, (ahead - behind) / (2 * step), rtol=1e-4, atol=1e-9)
    assert torch.equal(PorosityLaw.restored(law.state_dict()).porosities(normal, shape), porosity)
    assert torch.isfinite(law.normals(torch.tensor([0.0, 1.0]), shape)).all()


def test_noise_of_another_mean_says_another_number() -> None:
    noise = torch.randn(4000, 1, 8, 6, generator=torch.Generator().manual_seed(0))
    assert float(normal_of(noise).mean()) == pytest.approx(0, abs=0.05)
    assert float(normal_of(noise).std()) == pytest.approx(1, abs=0.05)
    wanted = torch.linspace(-3, 3, 4000)
    moved = with_normal(noise, wanted)
    torch.testing.assert_close(normal_of(moved), wanted, rtol=0, atol=1e-5)
    torch.testing.assert_close(moved.diff(dim=-1), noise.diff(dim=-1), rtol=0, atol=1e-5)


def test_what_does_not_vary_is_not_made_to() -> None:
    normal = torch.linspace(-3, 3, 7)
    assert torch.equal(PorosityLaw.learnt(torch.ones(3, 1, 8, 8)).porosities(normal, (8, 8)), torch.zeros(7))
    checkers = (torch.arange(8)[:, None] + torch.arange(8)).remainder(2).float().expand(3, 1, 8, 8)
    assert (PorosityLaw.learnt(checkers).porosities(normal, (64, 64)) - 0.5).abs().max() < 0.05
