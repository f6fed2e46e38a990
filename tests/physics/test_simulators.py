"""What all simulators keep to, whatever they are given."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from matopt.physics.base import SIMULATORS, Physics, Simulator, simulators
from matopt.physics.diffusivity import Diffusivity
from matopt.properties import STATUSES
from matopt.testing.simulators import SimulatorConformance

ALL = simulators(SIMULATORS.names())
GRAINS_THAT_STOP_ALL = (Diffusivity(0.0), Diffusivity(0.0, "periodic"))


class TestRegistered(SimulatorConformance):
    @pytest.fixture(params=[*ALL, Diffusivity(boundary="periodic"), Diffusivity(flow="all")], ids=repr)
    def simulator(self, request: pytest.FixtureRequest) -> Simulator:
        return request.param


@st.composite
def densities(draw: st.DrawFn) -> torch.Tensor:
    """Two samples of any small shape: black and white, grey, or nearly black and white."""
    shape = draw(st.one_of(st.tuples(*[st.integers(1, 9)] * 2), st.tuples(*[st.integers(1, 4)] * 3)))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    solid = (random.random((2, 1, *shape)) < draw(st.floats(0, 1))).astype(np.float32)
    grey = draw(st.sampled_from([0.0, 0.01, 1.0]))
    return torch.from_numpy(np.clip(solid + grey * random.normal(size=solid.shape), 0, 1).astype(np.float32))


@pytest.mark.parametrize("simulator", [*ALL, *GRAINS_THAT_STOP_ALL, Diffusivity(5.0)], ids=repr)
@given(density=densities())
@settings(max_examples=25, deadline=None)
def test_every_density_has_a_finite_value_a_status_and_a_gradient_of_the_right_sign(simulator, density):
    given_density = density.clone()
    solution = simulator.solve(density.requires_grad_(), 1e-6)
    (gradient,) = torch.autograd.grad(solution.values.sum(), density)
    assert solution.values.isfinite().all() and solution.tensor.isfinite().all() and gradient.isfinite().all()
    assert (solution.values >= 0).all() and set(solution.status) <= set(STATUSES)
    assert (solution.values[torch.from_numpy(solution.status == "non_percolating")] == 0).all()
    sign = 1 if simulator.property.increases_with_solid else -1
    assert (sign * gradient >= -1e-4 * gradient.abs().max()).all()
    assert (density == given_density).all()


def test_a_simulator_is_found_by_the_name_of_its_property():
    assert [simulator.property.name for simulator in ALL] == SIMULATORS.names()
    assert {"diffusivity", "permeability", "youngs_modulus"} <= set(SIMULATORS.names())


def test_physics_predicts_like_a_model_and_passes_gradients_on(rock):
    physics = Physics(ALL, voxel_size=1e-6)
    density = rock.clone().requires_grad_()
    values = physics.predict(density)
    assert values.shape == (2, len(ALL))
    assert torch.autograd.grad(values.sum(), density)[0].isfinite().all()
