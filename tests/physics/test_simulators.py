"""What all simulators keep to, whatever they are given."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from matopt.physics.base import SIMULATORS, Physics, simulators
from matopt.physics.diffusivity import Diffusivity
from matopt.properties import STATUSES

NAMES = ["diffusivity", "permeability", "youngs_modulus"]


@st.composite
def densities(draw: st.DrawFn) -> torch.Tensor:
    """Two samples of any small shape: black and white, grey, or nearly black and white."""
    shape = draw(st.one_of(st.tuples(*[st.integers(1, 9)] * 2), st.tuples(*[st.integers(1, 4)] * 3)))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    solid = (random.random((2, 1, *shape)) < draw(st.floats(0, 1))).astype(np.float32)
    grey = draw(st.sampled_from([0.0, 0.01, 1.0]))
    return torch.from_numpy(np.clip(solid + grey * random.normal(size=solid.shape), 0, 1).astype(np.float32))


@pytest.mark.parametrize("simulator", [*simulators(NAMES), Diffusivity(0.0), Diffusivity(0.0, "periodic")], ids=repr)
@given(density=densities())
@settings(max_examples=25, deadline=None)
def test_every_density_has_a_finite_value_a_status_and_a_gradient_of_the_right_sign(simulator, density):
    given_density = density.clone()
    solution = simulator.solve(density.requires_grad_(), 1e-6)
    (gradient,) = torch.autograd.grad(solution.values.sum(), density)
    assert solution.values.isfinite().all() and solution.tensor.isfinite().all() and gradient.isfinite().all()
    assert (solution.values >= 0).all() and set(solution.status) <= set(STATUSES)
    assert (solution.values[torch.from_numpy(solution.status == "non_percolating")] == 0).all()
    # More grain is never softer, and never lets more through.
    sign = 1 if simulator.property.name == "youngs_modulus" else -1
    assert (sign * gradient >= -1e-4 * gradient.abs().max()).all()
    assert (density == given_density).all()


def test_the_simulators_of_all_properties_are_found_by_name():
    assert {simulator.property.name for simulator in simulators(NAMES)} == set(NAMES) <= set(SIMULATORS.names())


def test_physics_predicts_like_a_model_and_passes_gradients_on(rock):
    physics = Physics(simulators(NAMES), voxel_size=1e-6)
    density = rock.clone().requires_grad_()
    values = physics.predict(density)
    assert values.shape == (2, 3)
    assert torch.autograd.grad(values.sum(), density)[0].isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_batch_has_an_empty_solution(name):
    solution = simulators([name])[0].solve(torch.zeros(0, 1, 8, 8), 1e-6)
    assert len(solution.values) == len(solution.tensor) == len(solution.status) == len(solution.residual) == 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "bad",
    [torch.full((1, 1, 4, 4), 1.1), torch.full((1, 1, 4, 4), torch.nan), torch.zeros(4, 4), torch.zeros(1, 2, 4, 4)],
)
def test_densities_of_another_shape_or_range_are_refused(name, bad):
    with pytest.raises(ValueError, match="density must"):
        simulators([name])[0].solve(bad, 1e-6)
