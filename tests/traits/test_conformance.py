"""Every registered trait keeps to what traits are."""

from __future__ import annotations

from typing import ClassVar

import pytest

from matopt.physics.base import Simulator
from matopt.physics.diffusivity import Diffusivity
from matopt.physics.permeability import Permeability
from matopt.physics.youngs_modulus import YoungsModulus
from matopt.testing.traits import TraitConformance
from matopt.traits.base import TRAITS, Trait

NEEDS_EVEN_EDGES = "scaling"


class TestRegistered(TraitConformance):
    @pytest.fixture(params=[name for name in TRAITS.names() if name != NEEDS_EVEN_EDGES])
    def trait(self, request: pytest.FixtureRequest) -> Trait:
        return TRAITS.find(request.param)()


class TestOfEvenEdges(TraitConformance):
    shapes: ClassVar = ((8, 6), (6, 4, 4))

    @pytest.fixture
    def trait(self) -> Trait:
        return TRAITS.find(NEEDS_EVEN_EDGES)()

    @pytest.fixture
    def simulators(self) -> tuple[Simulator, ...]:
        # Grey resists by the size of its voxels, so that walls around it are nearer once it is coarsened.
        return (YoungsModulus(), Diffusivity(), Permeability(boundary="periodic"))
