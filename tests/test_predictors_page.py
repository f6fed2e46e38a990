"""What the page on predictors shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from matopt.predictors.base import PREDICTORS
from matopt.stages.simulate import simulate

PAGE = (Path(__file__).parents[1] / "docs" / "predictors.md").read_text()

FIELDS, INTERVALS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_names_every_predictor() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == set(PREDICTORS.names())


def test_fields_are_learnt_as_the_page_shows() -> None:
    names: dict = {}
    exec(FIELDS, names)
    assert names["model"].has_fields == (True, True)


@pytest.mark.slow
def test_the_intervals_of_the_page_hold_real_rock(shared_data: Path) -> None:
    names: dict = {}
    exec(INTERVALS.replace("berea.tif", str(shared_data / "berea.zip")), names)
    table = simulate(names["test"], ["youngs_modulus"])
    truth, usable = table.values[:, 0], table.is_usable[:, 0]
    lower, upper = (bound[:, 0].double().numpy() for bound in (names["lower"], names["upper"]))
    # Of 0.9, what 50 windows to calibrate by and 50 to test on leave open (three deviations, and windows that overlap).
    assert ((lower <= truth) & (truth <= upper))[usable].mean() > 0.7
