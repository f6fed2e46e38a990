"""What every trait must do, as tests to inherit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import pytest
import torch

from matopt.errors import InputError
from matopt.physics.base import SIMULATORS, Physics, Simulator
from matopt.properties import Property
from matopt.testing.simulators import SHAPES, VOXEL_SIZE, samples
from matopt.traits.base import Trait

NOTHING_KNOWN = Property("nothing_known", "n", "1", "1")
"""A property without a direction, bounds or constants, of which a trait can know nothing."""


class RandomModel(torch.nn.Module):
    """A property model that obeys nothing: values of either sign that go with random weights of the voxels.

    Args:
        properties: P columns.
        size: of their values, SI units.
        seed: of the weights.
    """

    def __init__(self, properties: Sequence[Property], size: float = 1.0, seed: int = 0) -> None:
        super().__init__()
        self.properties = tuple(properties)
        self.size = torch.nn.Parameter(torch.tensor(size, dtype=torch.float64))
        self._seed = seed

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        """``(N, P)`` values, twice differentiable in ``density`` ``(N, 1, *S)``."""
        generator = torch.Generator().manual_seed(self._seed)
        weights = torch.randn(density[0].numel(), len(self.properties), dtype=torch.float64, generator=generator)
        return self.size * ((density.double().flatten(1) + 0.5) ** 2 @ weights)


class TraitConformance:
    """The contract of :class:`matopt.traits.base.Trait`.

    Inherit it, and give the trait by a fixture::

        class TestMine(TraitConformance):
            @pytest.fixture
            def trait(self):
                return Mine()

    Override ``simulators`` as well where the trait is about properties that matopt has no simulators of.
    """

    shapes: ClassVar[Sequence[tuple[int, ...]]] = SHAPES
    """What is looked at: sections and volumes."""

    @pytest.fixture
    def trait(self) -> Trait:
        """The trait that is tested."""
        raise NotImplementedError("override the fixture 'trait'")

    @pytest.fixture
    def simulators(self) -> tuple[Simulator, ...]:
        """The physics that the trait is about: all that is registered."""
        return tuple(SIMULATORS.find(name)() for name in SIMULATORS.names())

    @pytest.fixture
    def properties(self, simulators: tuple[Simulator, ...]) -> tuple[Property, ...]:
        """The properties of the models that are looked at."""
        return tuple(simulator.property for simulator in simulators)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test of a shape for all shapes."""
        if "shape" in metafunc.fixturenames:
            metafunc.parametrize("shape", self.shapes, ids=str)

    def test_it_has_a_name_and_a_weight(self, trait: Trait) -> None:
        """Both are keys of training and of reports."""
        assert trait.name.isidentifier() and trait.weight >= 0

    def test_it_applies_to_the_physics(self, trait: Trait, properties: tuple[Property, ...]) -> None:
        """A study of all the properties may name it, whatever their order, and others beside them change nothing."""
        assert trait.applies_to(properties) and trait.applies_to(properties[::-1])
        assert trait.applies_to((NOTHING_KNOWN, *properties))

    def test_it_works_exactly_where_it_applies(
        self, trait: Trait, properties: tuple[Property, ...], shape: tuple[int, ...]
    ) -> None:
        """What is refused when a study is checked would fail in training, and nothing else would."""
        for chosen in [(p,) for p in (NOTHING_KNOWN, *properties)]:
            if trait.applies_to(chosen):
                assert len(trait.residual(RandomModel(chosen), samples(shape))) == len(samples(shape))
            else:
                with pytest.raises(InputError, match=trait.name):
                    trait.residual(RandomModel(chosen), samples(shape))

    @pytest.mark.parametrize("size", [1e-15, 1.0, 1e15])
    def test_a_residual_is_a_number_from_0_up_for_each_sample(
        self, trait: Trait, properties: tuple[Property, ...], shape: tuple[int, ...], size: float
    ) -> None:
        """However far a model is from the physics."""
        density = samples(shape)
        residual = trait.residual(RandomModel(properties, size), density)
        assert residual.shape == (len(density),) and residual.isfinite().all() and (residual >= 0).all()

    def test_a_model_that_obeys_nothing_violates_it(
        self, trait: Trait, properties: tuple[Property, ...], shape: tuple[int, ...]
    ) -> None:
        """A residual that is always 0 measures nothing."""
        found = [trait.residual(RandomModel(properties, 1e15, seed), samples(shape)).max().item() for seed in range(5)]
        assert max(found) > 0.01

    def test_it_can_be_trained_for(
        self, trait: Trait, properties: tuple[Property, ...], shape: tuple[int, ...]
    ) -> None:
        """The residual has a finite gradient with respect to the parameters of the model."""
        model = RandomModel(properties)
        trait.residual(model, samples(shape)).sum().backward()
        assert model.size.grad is not None and model.size.grad.isfinite()

    def test_it_can_be_measured_where_gradients_are_off(
        self, trait: Trait, properties: tuple[Property, ...], shape: tuple[int, ...]
    ) -> None:
        """The audit asks for numbers alone, and gets the same."""
        density = samples(shape)
        with torch.no_grad():
            measured = trait.residual(RandomModel(properties), density)
        assert not measured.requires_grad
        assert torch.allclose(measured, trait.residual(RandomModel(properties), density).detach())

    def test_samples_have_nothing_to_do_with_each_other(
        self, trait: Trait, properties: tuple[Property, ...], shape: tuple[int, ...]
    ) -> None:
        """A batch's residuals are those of its samples, and densities are left as they were."""
        density = samples(shape)
        before, model = density.clone(), RandomModel(properties)
        together = trait.residual(model, density)
        assert torch.equal(density, before)
        assert torch.allclose(together, torch.cat([trait.residual(model, sample[None]) for sample in density]))

    def test_the_physics_obeys_it_in_uniform_samples(
        self, trait: Trait, simulators: tuple[Simulator, ...], shape: tuple[int, ...]
    ) -> None:
        """They are isotropic and alike at every voxel: whatever the physics obeys shows there without scatter."""
        levels = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64).view(-1, 1, *[1] * len(shape))
        residual = trait.residual(Physics(simulators, VOXEL_SIZE), levels.repeat(1, 1, *shape))
        assert (residual <= 1e-3).all()
