"""What the README shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from matopt.physics.base import Physics, simulators
from matopt.registry import Component
from matopt.traits.base import TRAITS

README = (Path(__file__).parents[1] / "README.md").read_text()
TRAIT, NOTEBOOK = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_trait_of_the_readme_holds_for_the_physics(tmp_path: Path) -> None:
    (tmp_path / "traits.py").write_text(TRAIT)
    (kind,) = re.findall(r'"(traits\.py:\w+)"', README)
    trait = TRAITS.build(Component(kind, {"weight": 0.1}), tmp_path)
    density = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0)).round()
    residual = trait.residual(Physics(simulators(["youngs_modulus"]), 1e-6), density)
    assert residual.tolist() == [0.0, 0.0]


@pytest.mark.slow
def test_the_notebook_of_the_readme_runs_on_real_rock(shared_data: Path) -> None:
    names: dict[str, object] = {}
    exec(NOTEBOOK.replace("berea.tif", str(shared_data / "berea.zip")), names)
    start, end = names["designs"].microstructures(0), names["designs"].microstructures(-1)
    assert len(end) == 100
    assert end.porosity.mean() < start.porosity.mean()
    assert names["checked"].counts()["youngs_modulus"]["ok"] >= 95
