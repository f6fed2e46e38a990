"""What the page on interpretability shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from matopt.traits.base import TRAITS

PAGE = (Path(__file__).parents[1] / "docs" / "interpretability.md").read_text()
NOTEBOOK, OWN = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_names_every_trait() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == set(TRAITS.names())


def test_the_model_of_the_page_is_called_with_densities() -> None:
    names: dict = {}
    exec(OWN, names)
    assert names["Own"]()(torch.full((2, 1, 4, 4), 0.5)).shape == (2, 1)


@pytest.mark.slow
def test_the_notebook_of_the_page_runs_on_real_rock(shared_data: Path) -> None:
    names: dict = {}
    exec(NOTEBOOK.replace("berea.tif", str(shared_data / "berea.zip")), names)
    skills = names["matopt"].response_skill(names["model"], names["found"])
    assert max(row.skill for row in skills if row.property == "permeability") > 0.3
    physics, few = names["physics"], names["test"][:2].density()
    rows = {row.trait: row for row in names["matopt"].audit(physics, physics, few, names["traits"])}
    assert rows["symmetry"].physics_residual < 1e-4
