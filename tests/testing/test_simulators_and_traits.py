"""The suites pass a simulator and a trait of a user's own, and fail those that break one rule each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from matopt.errors import InputError
from matopt.physics.base import Simulator, Solution
from matopt.physics.numerics.batching import check_density
from matopt.properties import Property
from matopt.testing.simulators import SimulatorConformance
from matopt.testing.traits import TraitConformance
from matopt.traits.base import Trait

REFUSED = (AssertionError, pytest.fail.Exception)


def between(density: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    solid = density.flatten(1).mean(1)
    return 0.5 * solid, 2 * solid


@dataclass(frozen=True)
class Solid(Simulator):
    """The solid fraction, times a factor."""

    factor: float = 1.0

    @property
    def property(self) -> Property:
        return Property("solid", "s", "1", "1", increases_with_solid=True, bounds=between)

    def solve(self, density: torch.Tensor, voxel_size: float) -> Solution:
        check_density(density)
        values = self.factor * density.flatten(1).mean(1)
        n = len(values)
        return Solution(values, values.detach()[:, None], np.full(n, "ok"), np.zeros(n), np.ones(n, np.int64))


class TestSolid(SimulatorConformance):
    @pytest.fixture
    def simulator(self) -> Simulator:
        return Solid()


class Editing(Solid):
    def solve(self, density, voxel_size):
        solution = super().solve(density, voxel_size)
        density.mul_(0.5)
        return solution


class WithoutVersion(Solid):
    def settings(self):
        return {"factor": self.factor}


class NotANumber(Solid):
    def solve(self, density, voxel_size):
        solution = super().solve(density, voxel_size)
        return replace(solution, values=torch.where(solution.values == 0, torch.nan, solution.values))


class Anything(Solid):
    def solve(self, density, voxel_size):
        return super().solve(density.nan_to_num().clamp(0, 1), voxel_size)


class Mixing(Solid):
    def solve(self, density, voxel_size):
        solution = super().solve(density, voxel_size)
        return replace(solution, values=solution.values + 0.1 * solution.values.sum())


class WrongGradient(Solid):
    def solve(self, density, voxel_size):
        solution = super().solve(density, voxel_size)
        return replace(solution, values=2 * solution.values - solution.values.detach())


class Falling(Solid):
    def solve(self, density, voxel_size):
        solution = super().solve(density, voxel_size)
        return replace(solution, values=1 - solution.values)


SIMULATORS_THAT_BREAK_A_RULE = [
    (Editing(), "test_densities_are_not_edited", ((4, 3),)),
    (WithoutVersion(), "test_settings_are_json_and_follow_the_version", ()),
    (NotANumber(), "test_every_sample_has_a_value_a_status_and_a_residual", ((4, 3), torch.float32)),
    (Anything(), "test_densities_that_are_no_solid_fractions_are_refused", ((4, 3), torch.nan)),
    (Mixing(), "test_a_batch_equals_its_singles", ((4, 3),)),
    (Mixing(), "test_gradients_are_finite_and_belong_to_their_sample", ((4, 3),)),
    (WrongGradient(), "test_gradients_match_finite_differences", ((4, 3),)),
    (Falling(), "test_values_rise_or_fall_with_the_solid_fraction_as_stated", ((4, 3),)),
    (Solid(2.1), "test_uniform_samples_are_within_the_bounds_that_are_stated", ((4, 3),)),
]


@pytest.mark.parametrize(("simulator", "test", "given"), SIMULATORS_THAT_BREAK_A_RULE, ids=lambda x: type(x).__name__)
def test_a_simulator_that_breaks_a_rule_fails_its_test(simulator, test, given):
    suite = SimulatorConformance()
    getattr(suite, test)(Solid(), *given)
    with pytest.raises(REFUSED):
        getattr(suite, test)(simulator, *given)


class AtMostOne(Trait):
    """A solid fraction is at most one."""

    name = "at_most_one"

    def applies_to(self, properties):
        return any(p.name == "solid" for p in properties)

    def residual(self, model, density):
        if not self.applies_to(model.properties):
            raise InputError(f"{self.name}: the model has no solid fraction")
        column = [p.name for p in model.properties].index("solid")
        return (model.predict(density)[:, column] - 1).relu()


class TestAtMostOne(TraitConformance):
    @pytest.fixture
    def trait(self) -> Trait:
        return AtMostOne()

    @pytest.fixture
    def simulators(self) -> tuple[Simulator, ...]:
        return (Solid(),)


class Negative(AtMostOne):
    def residual(self, model, density):
        return super().residual(model, density) - 0.1


class Indifferent(AtMostOne):
    def residual(self, model, density):
        return 0 * super().residual(model, density)


class Untrainable(AtMostOne):
    def residual(self, model, density):
        return super().residual(model, density).detach()


class ForAll(AtMostOne):
    def applies_to(self, properties):
        return True


class AtMostATenth(AtMostOne):
    def residual(self, model, density):
        super().residual(model, density)
        return (model.predict(density)[:, 0] - 0.1).relu()


TRAITS_THAT_BREAK_A_RULE = [
    (Negative(), "test_a_residual_is_a_number_from_0_up_for_each_sample", (Solid().property,), ((4, 3), 1.0)),
    (Indifferent(), "test_a_model_that_obeys_nothing_violates_it", (Solid().property,), ((4, 3),)),
    (Untrainable(), "test_it_can_be_trained_for", (Solid().property,), ((4, 3),)),
    (ForAll(), "test_it_works_exactly_where_it_applies", (Solid().property,), ((4, 3),)),
    (AtMostATenth(), "test_the_physics_obeys_it_in_uniform_samples", (Solid(),), ((4, 3),)),
]


@pytest.mark.parametrize(("trait", "test", "of", "given"), TRAITS_THAT_BREAK_A_RULE, ids=lambda x: type(x).__name__)
def test_a_trait_that_breaks_a_rule_fails_its_test(trait, test, of, given):
    suite = TraitConformance()
    getattr(suite, test)(AtMostOne(), of, *given)
    with pytest.raises((*REFUSED, RuntimeError, ValueError)):
        getattr(suite, test)(trait, of, *given)
