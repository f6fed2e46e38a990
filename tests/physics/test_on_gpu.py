"""The simulators on a GPU say what they say on a CPU."""

from __future__ import annotations

import pytest
import torch

from matopt.physics.base import Simulator, simulators
from matopt.physics.permeability import Permeability

pytestmark = pytest.mark.gpu

SIMULATORS = [*simulators(["diffusivity", "permeability", "youngs_modulus"])]
ACROSS = Permeability("transverse", flow="all", grain_permeability=1e-13)


@pytest.mark.parametrize("simulator", [*SIMULATORS, ACROSS], ids=repr)
@pytest.mark.parametrize("shape", [(48, 40), (12, 10, 14)])
def test_values_and_gradients_are_those_of_the_processor(simulator: Simulator, shape: tuple[int, ...]):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    generator = torch.Generator().manual_seed(0)
    density = (torch.rand(3, 1, *shape, dtype=torch.float64, generator=generator) < 0.6).double()
    found = []
    for device in ("cpu", "cuda"):
        on_device = density.to(device).requires_grad_()
        solution = simulator.solve(on_device, 1e-6)
        (gradient,) = torch.autograd.grad(solution.values.sum(), on_device)
        found.append((solution.values.detach().cpu(), gradient.cpu(), list(solution.status)))
    assert found[0][2] == found[1][2]
    assert torch.allclose(found[0][0], found[1][0], rtol=1e-6, atol=0)
    assert torch.allclose(found[0][1], found[1][1], rtol=1e-3, atol=1e-3 * found[0][1].abs().max().item())
