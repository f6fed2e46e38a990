"""Gradients in half precision are those in full precision, whatever the shape."""

from __future__ import annotations

import pytest
import torch

from matopt.generators.diffusion.denoiser import LocalDenoiser
from matopt.generators.variational.networks import EncoderDecoder
from matopt.training.half_precision import half_precision


def gradients(network: torch.nn.Module, loss) -> list[torch.Tensor]:
    network.zero_grad()
    used = [torch.full((1 << 16,), torch.nan) for _ in range(20)]
    del used  # so that memory that is not written holds no numbers
    loss().backward()
    return [p.grad.clone() for p in network.parameters() if p.grad is not None]


def assert_alike(network: torch.nn.Module, loss, monkeypatch: pytest.MonkeyPatch) -> None:
    halves = [gradients(network, loss) for _ in range(2)]
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    whole = gradients(network, loss)
    for half in halves:
        for found, expected in zip(half, whole, strict=True):
            assert (found - expected).norm() <= 0.2 * expected.norm()


SHAPES = [(16, 16), (8, 8, 8), (8, 16, 16), (16, 8, 16), (16, 16, 16)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_denoiser_learns_in_half_precision_what_it_would_in_full(shape, monkeypatch):
    network = LocalDenoiser.seeded(len(shape), channels=24, seed=0)
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():  # some are 0 in the beginning, and hide the others' gradients
            parameter.add_(torch.randn(parameter.shape, generator=random), alpha=0.05)
    y = torch.randn(4, 1, *shape, generator=random)
    sigma = torch.tensor([0.1, 0.3, 1.0, 3.0])
    assert_alike(network, lambda: ((network.network_logit(y, sigma) - 1.0) ** 2).mean(), monkeypatch)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if min(shape) >= 16])
def test_a_decoder_learns_in_half_precision_what_it_would_in_full(shape, monkeypatch):
    network = EncoderDecoder.seeded(shape, 8, None, seed=0)
    random = torch.Generator().manual_seed(0)
    z, target = torch.randn(4, 8, generator=random), torch.randn(4, 1, *shape, generator=random)

    def loss() -> torch.Tensor:
        with half_precision(z.device, network.least_edge, network.least_channels):
            logits = network.logits(z)
        return ((logits - target) ** 2).mean()

    assert_alike(network, loss, monkeypatch)
