"""Every registered trait keeps to what traits are."""

from __future__ import annotations

import pytest

from matopt.testing.traits import TraitConformance
from matopt.traits.base import TRAITS, Trait


class TestRegistered(TraitConformance):
    @pytest.fixture(params=TRAITS.names())
    def trait(self, request: pytest.FixtureRequest) -> Trait:
        return TRAITS.find(request.param)()
