"""What the page on sensitivities shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import torch

PAGE = (Path(__file__).parents[2] / "docs" / "sensitivities.md").read_text()
(EXAMPLE,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_estimates_what_changes_do(shared_data: Path) -> None:
    names: dict = {}
    exec(EXAMPLE.replace("berea.tif", str(shared_data / "berea.zip")), names)
    assert names["told"].solution.is_ok.all()
    assert names["told"].flip.shape == names["density"].shape
    ratio = names["estimate"] / names["true"]
    assert torch.isfinite(ratio).all() and (ratio > 0.3).all() and (ratio < 3).all()
