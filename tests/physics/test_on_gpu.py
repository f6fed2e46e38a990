"""The simulators on a GPU say what they say on a CPU."""

from __future__ import annotations

import pytest
import torch

from matopt.physics.base import SIMULATORS as REGISTERED
from matopt.physics.base import Simulator, simulators
from matopt.physics.diffusivity import Diffusivity
from matopt.physics.permeability import Permeability
from matopt.physics.youngs_modulus import YoungsModulus

pytestmark = pytest.mark.gpu

SIMULATORS = [
    *simulators(REGISTERED.names()),
    Diffusivity(0.0, "periodic"),
    YoungsModulus(boundary="mirror"),
    Permeability("transverse", flow="all"),
    Permeability("transverse", flow="all", boundary="periodic"),
    Permeability("transverse", flow="all", grain_permeability=1e-13),
]
SHAPES = [(48, 40), (12, 10, 14)]


@pytest.fixture(autouse=True)
def _cuda() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")


def made(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """Three samples: two rocks, and one that does not percolate."""
    generator = torch.Generator().manual_seed(0)
    density = (torch.rand(3, 1, *shape, dtype=torch.float64, generator=generator) < 0.6).to(dtype)
    density[2] = (torch.arange(shape[0]) % 2).view(-1, *[1] * (len(shape) - 1))
    return density


@pytest.mark.parametrize("simulator", SIMULATORS, ids=repr)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dtype", "rel"), [(torch.float64, 1e-6), (torch.float32, 1e-3)])
def test_values_and_gradients_are_those_of_the_processor(simulator: Simulator, shape, dtype, rel):
    found = []
    for device in ("cpu", "cuda"):
        density = made(shape, dtype).to(device).requires_grad_()
        solution = simulator.solve(density, 1e-6)
        assert solution.values.device == solution.tensor.device == density.device
        (gradient,) = torch.autograd.grad(solution.values.sum(), density)
        assert gradient.device == density.device
        found.append((solution.values.detach().cpu(), solution.tensor.cpu(), gradient.cpu(), list(solution.status)))
    (values, tensor, gradient, status), (on_gpu, tensor_on_gpu, gradient_on_gpu, status_on_gpu) = found
    assert status == status_on_gpu
    assert torch.allclose(values, on_gpu, rtol=rel, atol=0)
    assert torch.allclose(tensor, tensor_on_gpu, rtol=rel, atol=1e-3 * tensor.abs().max().item())
    assert torch.allclose(gradient, gradient_on_gpu, rtol=0.01, atol=1e-2 * gradient.abs().max().item())


@pytest.mark.parametrize("simulator", SIMULATORS, ids=repr)
def test_a_batch_on_a_gpu_equals_its_singles(simulator: Simulator):
    density = made((24, 20), torch.float64).cuda()
    singles = torch.cat([simulator.solve(sample[None], 1e-6).values for sample in density])
    assert torch.allclose(simulator.solve(density, 1e-6).values, singles, rtol=1e-6, atol=0)


def test_a_batch_that_the_gpu_cannot_hold_is_halved_until_it_fits(monkeypatch):
    taken = []
    solve = Diffusivity._solve

    def limited(self: Diffusivity, density: torch.Tensor):
        if len(density) > 2:
            torch.empty(2**50, dtype=torch.uint8, device="cuda")
        taken.append(len(density))
        return solve(self, density)

    density = made((24, 20), torch.float64).cuda().repeat(3, 1, 1, 1)
    whole = Diffusivity().solve(density, 1.0).values
    monkeypatch.setattr(Diffusivity, "_solve", limited)
    assert torch.allclose(Diffusivity().solve(density, 1.0).values, whole, rtol=1e-6)
    assert max(taken) == 2 and sum(taken) == len(density)
