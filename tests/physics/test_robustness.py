"""Tiny samples of every shape: nothing that is drawn has a value out of bounds, a lost status or an endless solve."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from closed_forms import reuss, uniaxial_modulus, voigt
from hypothesis import given, settings
from hypothesis import strategies as st

from matopt.physics.base import Simulator
from matopt.physics.diffusivity import Diffusivity
from matopt.physics.permeability import Permeability
from matopt.physics.youngs_modulus import YoungsModulus
from matopt.properties import STATUSES


@st.composite
def samples(draw: st.DrawFn) -> torch.Tensor:
    """``(N, 1, *S)``, axes of 1 to 6 voxels: black and white, grey, or in between, in either precision."""
    dimensions = draw(st.integers(2, 3))
    shape = draw(st.tuples(*[st.integers(1, 6)] * dimensions))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(1, 3))
    solid = random.random((count, 1, *shape)) < draw(st.sampled_from([0.0, 0.2, 0.5, 0.8, 0.95, 1.0]))
    shade = draw(st.sampled_from([0.0, 1e-6, 0.1, 1.0]))
    density = np.clip(solid + shade * random.normal(size=solid.shape), 0, 1)
    return torch.from_numpy(density).to(draw(st.sampled_from([torch.float32, torch.float64])))


SIMULATORS = (
    Diffusivity(),
    Diffusivity(0.0),
    Diffusivity(0.0, "periodic"),
    Diffusivity(5.0, "periodic"),
    YoungsModulus(1.0, 0.3),
    YoungsModulus(1.0, 0.07, "mirror"),
    Permeability(),
    Permeability(boundary="periodic"),
    Permeability("transverse", flow="all"),
    Permeability("transverse", flow="all", boundary="periodic"),
    Permeability(boundary="sealed"),
    Permeability("transverse", flow="y", boundary="mirror"),
    Permeability("transverse", flow="all", grain_permeability=1e-3),
)


@pytest.mark.parametrize("simulator", SIMULATORS, ids=repr)
@given(density=samples(), cap=st.sampled_from([1, 3, 500]))
@settings(max_examples=25, deadline=None)
def test_a_value_is_finite_and_within_its_bounds_and_the_cap_holds(simulator: Simulator, density, cap):
    simulator = type(simulator)(**{**vars(simulator), "max_iterations": cap})
    given_density = density.clone()
    solution = simulator.solve(density, 1.0)
    assert (density == given_density).all()
    assert len(solution.values) == len(solution.status) == len(solution.residual) == len(density)
    assert set(solution.status) <= set(STATUSES)
    assert np.isfinite(solution.residual).all() and (solution.residual >= 0).all()
    assert (solution.iterations <= cap).all()
    assert solution.values.dtype == density.dtype
    assert solution.values.isfinite().all() and solution.tensor.isfinite().all() and (solution.values >= 0).all()
    is_ok = torch.from_numpy(solution.is_ok)
    assert (solution.residual[solution.is_ok] <= simulator.tolerance).all()
    assert (solution.values[torch.from_numpy(solution.status == "non_percolating")] == 0).all()
    solid, dimensions = density.double().mean(dim=tuple(range(1, density.ndim))), density.ndim - 2
    if isinstance(simulator, Diffusivity):
        low, high = reuss(solid, simulator.grain(dimensions), 1.0), voigt(solid, simulator.grain(dimensions), 1.0)
    elif isinstance(simulator, YoungsModulus):
        low, high = 0 * solid, voigt(solid, uniaxial_modulus(1.0, simulator.poisson_ratio, dimensions))
    else:
        return
    assert (solution.values <= high * (1 + 1e-5) + 1e-6)[is_ok].all()
    assert (solution.values >= low * (1 - 1e-5) - 1e-6)[is_ok].all()
