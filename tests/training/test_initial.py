"""Networks as they are before they learn."""

from __future__ import annotations

import os

import pytest
import torch
from torch import nn

from matopt.generators.variational.networks import EncoderDecoder
from matopt.physics.permeability import Permeability
from matopt.predictors.convolutional.network import Network
from matopt.testing.simulators import samples
from matopt.training.initial import build


@pytest.mark.parametrize(
    "make",
    [
        lambda: Network((16, 16), 8, 2, True),
        lambda: Network((8, 8, 8), 4, 1),
        lambda: EncoderDecoder((32, 32), 4, None),
    ],
    ids=["sections", "volumes", "autoencoder"],
)
def test_parameters_are_those_of_pytorch_by_the_same_seed_and_nobodys_state_is_touched(make):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        expected: nn.Module = make()
    before = torch.random.get_rng_state()
    built = build(make, 5)
    assert torch.equal(torch.random.get_rng_state(), before)
    for name, parameter in expected.state_dict().items():
        assert torch.equal(built.state_dict()[name], parameter), name


def test_a_network_starts_at_zero_where_its_class_says_so_and_in_single_precision():
    class Flat(nn.Module):
        STARTS_AT_ZERO = ("last.weight",)

        def __init__(self) -> None:
            super().__init__()
            self.norm, self.last = nn.BatchNorm1d(3), nn.Linear(3, 2)

    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        built = build(Flat, 0)
    finally:
        torch.set_default_dtype(dtype)
    assert {p.dtype for p in built.parameters()} == {torch.float32}
    assert not built.last.weight.any() and built.last.bias.all()
    assert built.norm.running_var.tolist() == [1, 1, 1] and not built.norm.running_mean.any()


@pytest.mark.slow
def test_a_forked_process_computes_the_same():
    density = samples((5, 4, 6), torch.float32)
    reader, writer = os.pipe()
    child = os.fork()
    values = Permeability().solve(density, 1e-6).values
    if child == 0:
        os.write(writer, values.numpy().tobytes())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert os.read(reader, 1000) == values.numpy().tobytes()
