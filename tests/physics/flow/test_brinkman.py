"""Flow through grains that let a little through, in sections and volumes."""

from __future__ import annotations

import math

import pytest
import torch

from matopt.errors import InputError
from matopt.physics.permeability import Permeability


def transverse(grain_permeability: float, **settings) -> Permeability:
    return Permeability("transverse", grain_permeability=grain_permeability, tolerance=1e-10, **settings)


@pytest.mark.parametrize("grain", [1e-2, 1e-6])
def test_grain_alone_has_its_own_permeability(grain):
    density = torch.ones(1, 1, 6, 9, dtype=torch.float64)
    solution = transverse(grain, flow="all").solve(density, 1.0)
    assert list(solution.status) == ["ok"]
    assert torch.allclose(solution.tensor[0], grain * torch.eye(2, dtype=torch.float64), atol=1e-12 * grain)


def test_layers_resist_in_series():
    density = torch.zeros(1, 1, 8, 5, dtype=torch.float64)
    density[:, :, 2:5] = 1
    assert transverse(1e-3).solve(density, 1.0).values.item() == pytest.approx(1e-3 * 8 / 3)


def test_flow_along_a_permeable_layer_has_its_closed_form():
    # A pore of height 2 b between grain of height 2 c: u'' = -1 and u'' = u / k - 1, u and u' continuous.
    size, b, c, k = 256, 0.25, 0.25, 0.01
    root = math.sqrt(k)
    slip = k + b * root / math.tanh(c / root)  # velocity at the interface
    exact = 2 * (b * slip + b**3 / 3) + 2 * (k * c + (slip - k) * root * math.tanh(c / root))
    density = torch.ones(1, 1, 3, size, dtype=torch.float64)
    density[..., : size // 2] = 0
    assert transverse(k).solve(density, 1 / size).values.item() == pytest.approx(exact, rel=1e-4)


def test_grain_that_lets_hardly_anything_through_is_no_slip():
    density = torch.ones(1, 1, 3, 40, dtype=torch.float64)
    density[..., :32] = 0
    tight, brinkman = transverse(0.0).solve(density, 1.0).values, transverse(1e-7).solve(density, 1.0).values
    # The walls of Brinkman's grain lie at the first velocity that it holds, half a voxel inside.
    assert brinkman.item() == pytest.approx(tight.item() * (33 / 32) ** 3, rel=0.01)


@pytest.mark.parametrize("shape", [(6, 5), (4, 3, 5)])
@pytest.mark.parametrize("settings", [{"flow": "y"}, {"boundary": "mirror"}], ids=str)
def test_gradients_match_finite_differences(shape, settings):
    generator = torch.Generator().manual_seed(0)
    density = torch.rand(2, 1, *shape, dtype=torch.float64, generator=generator)
    simulator = Permeability("transverse", grain_permeability=0.05, tolerance=1e-12, **settings)
    assert torch.autograd.gradcheck(
        lambda d: simulator.solve(d, 1.0).values, density.requires_grad_(), atol=1e-6, fast_mode=True
    )


def test_real_windows_are_right_in_single_precision_however_tight_the_grain(berea_windows):
    for grain in (1e-12, 1e-15):
        simulator = Permeability("transverse", grain_permeability=grain)
        solution = simulator.solve(berea_windows[:4], 5.345e-6)
        exact = Permeability("transverse", grain_permeability=grain, tolerance=1e-7).solve(
            berea_windows[:4].double(), 5.345e-6
        )
        assert solution.is_ok.all() and (solution.values > grain).all()
        assert solution.values.tolist() == pytest.approx(exact.values.tolist(), rel=0.01)


def test_a_section_without_grain_has_no_finite_permeability():
    solution = transverse(1e-3).solve(torch.zeros(1, 1, 4, 4, dtype=torch.float64), 1.0)
    assert list(solution.status) == ["not_converged"] and solution.residual[0] == 1 and solution.values[0] == 0


def test_settings_that_do_not_go_together_are_refused():
    with pytest.raises(InputError, match="section='transverse'"):
        Permeability(flow="y").solve(torch.zeros(1, 1, 4, 4), 1.0)
    with pytest.raises(InputError, match="no axis z"):
        Permeability("transverse", flow="z").solve(torch.zeros(1, 1, 4, 4), 1.0)
    with pytest.raises(InputError, match="at least 0, in m"):
        Permeability(grain_permeability=-1.0)
    with pytest.raises(InputError, match="must be one of"):
        Permeability(flow="w")
    with pytest.raises(InputError, match="permeable grain has no walls"):
        Permeability(grain_permeability=1e-15, boundary="sealed")
    with pytest.raises(InputError, match="'fixed' is called 'sealed'"):
        Permeability(boundary="fixed")
