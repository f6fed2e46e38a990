"""What the page on predictors shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from matopt.predictors.base import PREDICTORS
from matopt.stages.simulate import simulate

PAGE = (Path(__file__).parents[1] / "docs" / "predictors.md").read_text()


def test_the_page_names_every_predictor() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == set(PREDICTORS.names())


@pytest.mark.slow
def test_the_intervals_of_the_page_hold_real_rock(shared_data: Path) -> None:
    (notebook,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict = {}
    exec(notebook.replace("berea.tif", str(shared_data / "berea.zip")), names)
    table = simulate(names["test"], ["youngs_modulus"])
    truth, usable = table.values[:, 0], table.is_usable[:, 0]
    lower, upper = (bound[:, 0].double().numpy() for bound in (names["lower"], names["upper"]))
    # Of 0.9, what 50 windows to calibrate by and 50 to test on leave open (three deviations, and windows that overlap).
    assert ((lower <= truth) & (truth <= upper))[usable].mean() > 0.7
