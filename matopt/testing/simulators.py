"""What every simulator must do, as tests to inherit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pytest
import torch

from matopt.physics.base import Simulator
from matopt.properties import STATUSES, Property
from matopt.testing.modes import side_by_side

VOXEL_SIZE = 1e-6
"""Metres."""

SHAPES = ((8, 7), (5, 4, 6))
"""Of sections and of volumes."""


def samples(shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """``(6, 1, *shape)`` made-up densities: pores, grain, two rocks, one with grey voxels, and greys alone."""
    random = torch.rand(4, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    first, second, third, grey = random
    partly_grey = torch.where(third < 0.4, 1.0, torch.where(third > 0.6, 0.0, third))
    parts = [torch.zeros(shape), torch.ones(shape), first < 0.7, second < 0.3, partly_grey, 0.1 + 0.8 * grey]
    return torch.stack([part.to(dtype) for part in parts])[:, None]


class SimulatorConformance:
    """The contract of :class:`matopt.physics.base.Simulator`.

    Inherit it, and give the simulator by a fixture::

        class TestMine(SimulatorConformance):
            @pytest.fixture
            def simulator(self):
                return Mine()

    Where the simulator does not solve sections, or not volumes, set ``shapes`` to those that it does.
    """

    shapes: ClassVar[Sequence[tuple[int, ...]]] = SHAPES
    """What is solved: sections and volumes."""

    @pytest.fixture
    def simulator(self) -> Simulator:
        """The simulator that is tested."""
        raise NotImplementedError("override the fixture 'simulator'")

    @pytest.fixture
    def precise(self, simulator: Simulator) -> Simulator:
        """The simulator with a tolerance that makes its values and gradients exact, for finite differences."""
        settings = vars(simulator)
        return type(simulator)(**settings | {"tolerance": 1e-10}) if "tolerance" in settings else simulator

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test of a shape for all shapes."""
        if "shape" in metafunc.fixturenames:
            metafunc.parametrize("shape", self.shapes, ids=str)

    def test_the_property_is_named_and_saved_with_models(self, simulator: Simulator) -> None:
        """It has a name that can be a key, and comes back from plain values equal to itself."""
        p = simulator.property
        assert p.name.isidentifier() and p.symbol and p.unit and p.display_unit and p.display_factor > 0
        assert json.dumps(p.plain()) and simulator.property == p == Property.from_plain(p.plain())

    def test_settings_are_json_and_follow_the_version(self, simulator: Simulator) -> None:
        """Labels are kept under the settings: a higher version must compute them anew."""
        settings = simulator.settings()
        assert json.loads(json.dumps(settings)) == settings == simulator.settings()
        newer = type(type(simulator).__name__, (type(simulator),), {"version": simulator.version + 1})
        assert newer(**vars(simulator)).settings() != settings

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
    def test_every_sample_has_a_value_a_status_and_a_residual(
        self, simulator: Simulator, shape: tuple[int, ...], dtype: torch.dtype
    ) -> None:
        """Values are finite numbers, not NaN, in the precision that was given; 0 where nothing percolates."""
        density = samples(shape, dtype)
        solution = simulator.solve(density, VOXEL_SIZE)
        n = len(density)
        assert solution.values.shape == (n,) and solution.tensor.shape[:1] == (n,)
        assert solution.status.shape == solution.residual.shape == solution.iterations.shape == (n,)
        assert solution.values.dtype == dtype and solution.values.device == density.device
        assert solution.values.isfinite().all() and solution.tensor.isfinite().all()
        assert np.isfinite(solution.residual).all() and (solution.residual >= 0).all()
        assert set(solution.status) <= set(STATUSES)
        assert (solution.values[torch.from_numpy(solution.status == "non_percolating")] == 0).all()

    def test_densities_are_not_edited(self, simulator: Simulator, shape: tuple[int, ...]) -> None:
        """What the caller gave is as it was."""
        density = samples(shape)
        before = density.clone()
        simulator.solve(density, VOXEL_SIZE)
        assert torch.equal(density, before)

    def test_the_modes_of_pytorch_do_not_matter(self, simulator: Simulator, shape: tuple[int, ...]) -> None:
        """Nor what other threads solve: values are the same to the last bit."""
        density = samples(shape, torch.float32)
        solution = simulator.solve(density, VOXEL_SIZE)
        for told in side_by_side([lambda: simulator.solve(density, VOXEL_SIZE)] * 2):
            assert torch.equal(told.values, solution.values) and torch.equal(told.tensor, solution.tensor)

    def test_a_batch_equals_its_singles(self, simulator: Simulator, shape: tuple[int, ...]) -> None:
        """Samples have nothing to do with each other, up to what the tolerance leaves open."""
        density = samples(shape)
        whole = simulator.solve(density, VOXEL_SIZE)
        singles = [simulator.solve(sample[None], VOXEL_SIZE) for sample in density]
        assert list(whole.status) == [str(single.status[0]) for single in singles]
        assert torch.allclose(whole.values, torch.cat([single.values for single in singles]), rtol=1e-4, atol=0)

    def test_an_empty_batch_has_an_empty_solution(self, simulator: Simulator, shape: tuple[int, ...]) -> None:
        """No samples are no error."""
        solution = simulator.solve(torch.zeros(0, 1, *shape), VOXEL_SIZE)
        assert len(solution.values) == len(solution.tensor) == len(solution.status) == len(solution.residual) == 0

    @pytest.mark.parametrize("wrong", [1.1, -0.1, torch.nan, torch.inf])
    def test_densities_that_are_no_solid_fractions_are_refused(
        self, simulator: Simulator, shape: tuple[int, ...], wrong: float
    ) -> None:
        """A number outside [0, 1], or that is none, stops the solve."""
        density = samples(shape)
        density.view(-1)[3] = wrong
        with pytest.raises(ValueError, match="density"):
            simulator.solve(density, VOXEL_SIZE)

    def test_densities_of_another_shape_are_refused(self, simulator: Simulator, shape: tuple[int, ...]) -> None:
        """There is one channel, and an axis of samples."""
        for wrong in (torch.zeros(shape), torch.zeros(2, 2, *shape)):
            with pytest.raises(ValueError, match="density"):
                simulator.solve(wrong, VOXEL_SIZE)

    def test_gradients_are_finite_and_belong_to_their_sample(
        self, simulator: Simulator, shape: tuple[int, ...]
    ) -> None:
        """On black and white samples too, where a derivative may be one-sided."""
        density = samples(shape).requires_grad_()
        values = simulator.solve(density, VOXEL_SIZE).values
        (gradient,) = torch.autograd.grad(values[-1], density)
        assert gradient.isfinite().all() and (gradient[:-1] == 0).all() and gradient[-1].abs().max() > 0

    def test_gradients_match_finite_differences(self, precise: Simulator, shape: tuple[int, ...]) -> None:
        """Between grey densities, along a random direction."""
        generator = torch.Generator().manual_seed(1)
        density = 0.2 + 0.6 * torch.rand(2, 1, *shape, dtype=torch.float64, generator=generator)
        direction = torch.rand(density.shape, dtype=torch.float64, generator=generator)
        step = 1e-3 * direction
        density.requires_grad_()
        (gradient,) = torch.autograd.grad(precise.solve(density, VOXEL_SIZE).values.sum(), density)
        with torch.no_grad():
            ahead, behind = (precise.solve(density + s * step, VOXEL_SIZE).values for s in (1, -1))
        expected = (gradient * direction).flatten(1).sum(1)
        assert torch.allclose((ahead - behind) / 2e-3, expected, rtol=1e-3, atol=1e-6 * expected.abs().max().item())

    def test_values_rise_or_fall_with_the_solid_fraction_as_stated(
        self, simulator: Simulator, shape: tuple[int, ...]
    ) -> None:
        """No derivative has the other sign than ``Property.increases_with_solid`` says, at any voxel of any sample."""
        increases = simulator.property.increases_with_solid
        if increases is None:
            pytest.skip("the property states no direction")
        density = samples(shape).requires_grad_()
        (gradient,) = torch.autograd.grad(simulator.solve(density, VOXEL_SIZE).values.sum(), density)
        signed = gradient.flatten(1) if increases else -gradient.flatten(1)
        assert (signed >= -1e-3 * signed.abs().amax(1, keepdim=True)).all()

    def test_symmetries_that_are_stated_hold(self, precise: Simulator, shape: tuple[int, ...]) -> None:
        """Samples that are shifted, or have axes exchanged, have the values that the property and the tensor say."""
        dimensions = len(shape)
        density = samples((min(shape),) * dimensions)[2:]
        symmetry = precise.property.symmetry(dimensions)
        solution = precise.solve(density, VOXEL_SIZE)
        moved = [density.flip(axis) for axis in range(2, 2 + dimensions)]
        moved += [density.transpose(2 + a, 2 + b) for a in symmetry.alike for b in symmetry.alike if a < b]
        if symmetry.shifts:
            moved.append(density.roll((1, 2), (2, 3)))
        for image in moved:
            torch.testing.assert_close(precise.solve(image, VOXEL_SIZE).values, solution.values, rtol=1e-5, atol=0)
        exchanged = precise.exchanged(solution.tensor.numpy(), dimensions)
        assert exchanged.shape == (len(density), dimensions - 1)
        for axis, told in enumerate(torch.from_numpy(exchanged).unbind(1), start=1):
            values = precise.solve(density.transpose(2, 2 + axis), VOXEL_SIZE).values
            is_told = told.isfinite() & torch.from_numpy(solution.is_ok)
            torch.testing.assert_close(told[is_told], values[is_told], rtol=1e-4, atol=0)

    def test_contributions_of_voxels_add_up_to_the_value(self, precise: Simulator, shape: tuple[int, ...]) -> None:
        """Their mean over the voxels is the value; none is negative, and in samples without a value all are zero."""
        told = precise.property.contributions
        if told is None:
            pytest.skip("the property states no contributions")
        density = samples(shape)
        before, found = density.clone(), told(density, VOXEL_SIZE)
        if found is None:
            pytest.skip("the property states none of these dimensions")
        solution = precise.solve(density, VOXEL_SIZE)
        is_ok = torch.from_numpy(solution.is_ok)
        assert found.shape == density.shape and not found.requires_grad and torch.equal(density, before)
        torch.testing.assert_close(found.flatten(1).mean(1)[is_ok], solution.values[is_ok], rtol=1e-5, atol=0)
        assert (found >= 0).all() and (found[~is_ok] == 0).all()
        none = told(density[:0], VOXEL_SIZE)
        assert none is not None and none.shape == (0, 1, *shape)

    def test_uniform_samples_are_within_the_bounds_that_are_stated(
        self, precise: Simulator, shape: tuple[int, ...]
    ) -> None:
        """Bounds are of isotropic microstructures: a uniform grey is one. They are in order for any sample."""
        bounds = precise.property.bounds
        if bounds is None:
            pytest.skip("the property states no bounds")
        lower, upper = bounds(samples(shape))
        assert lower.shape == upper.shape == (6,) and lower.isfinite().all() and upper.isfinite().all()
        assert (lower <= upper * (1 + 1e-9)).all()
        levels = torch.linspace(0, 1, 5, dtype=torch.float64).view(-1, 1, *[1] * len(shape))
        density = levels.repeat(1, 1, *shape)
        lower, upper = bounds(density)
        solution = precise.solve(density, VOXEL_SIZE)
        values, rounding = solution.values, 1e-6 * upper.abs().max()
        is_ok = torch.from_numpy(solution.is_ok)
        assert (values >= lower - rounding)[is_ok].all() and (values <= upper + rounding)[is_ok].all()
