"""Probes of densities."""

from __future__ import annotations

import pytest
import torch

from matopt.training.probes import half_probed, probes, with_probes


@pytest.mark.parametrize("shape", [(16, 16), (8, 8, 8)], ids=["2D", "3D"])
def test_probes_are_densities_off_the_data(shape: tuple[int, ...]) -> None:
    density = (torch.rand(4, 1, *shape, generator=torch.Generator().manual_seed(0)) < 0.7).float()
    before = density.clone()
    moved = probes(density)
    assert torch.equal(density, before)
    for probe in moved.values():
        assert probe.shape == density.shape
        assert probe.min() >= 0 and probe.max() <= 1
        assert not torch.equal(probe, density)
    assert (moved["thinned"] <= density).all() and (density <= moved["thickened"]).all()
    assert 0.02 < (moved["speckled"] != density).float().mean() < 0.08
    assert torch.equal(probes(density)["speckled"], moved["speckled"])
    assert not torch.equal(probes(density, seed=1)["speckled"], moved["speckled"])
    assert torch.equal(with_probes(density)[:4], density) and len(with_probes(density)) == 24
    assert torch.equal(half_probed(density, 2)[:2], density[:2])
    assert torch.equal(half_probed(density, 2)[2:], moved["thickened"][2:])
