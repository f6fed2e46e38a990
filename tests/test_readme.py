"""What the README shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from matopt.physics.base import Physics, simulators
from matopt.registry import Component
from matopt.testing.traits import TraitConformance
from matopt.traits.base import TRAITS, Trait

README = (Path(__file__).parents[1] / "README.md").read_text()
TRAIT, NOTEBOOK = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


class TestTraitOfTheReadme(TraitConformance):
    @pytest.fixture
    def trait(self, tmp_path: Path) -> Trait:
        (tmp_path / "traits.py").write_text(TRAIT)
        (kind,) = re.findall(r'"(traits\.py:\w+)"', README)
        return TRAITS.build(Component(kind, {"weight": 0.1}), tmp_path)

    def test_it_holds_for_the_physics(self, trait: Trait) -> None:
        density = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0)).round()
        residual = trait.residual(Physics(simulators(["youngs_modulus"]), 1e-6), density)
        assert residual.tolist() == [0.0, 0.0]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_notebook_of_the_readme_runs_on_real_rock(shared_data: Path) -> None:
    names: dict[str, object] = {}
    exec(NOTEBOOK.replace("berea.tif", str(shared_data / "berea.zip")), names)
    start, end = names["designs"].microstructures(0), names["designs"].microstructures(-1)
    assert len(end) == 20
    assert abs(end.porosity - start.porosity).max() <= 0.01 + 1e-9
    assert names["checked"].counts()["youngs_modulus"]["ok"] >= 19
