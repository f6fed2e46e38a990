"""What the page on judging shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "judging.md").read_text()
(EXAMPLE,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.slow
def test_the_example_judges_a_generator(shared_data: Path) -> None:
    names: dict[str, object] = {}
    short = EXAMPLE.replace("MorphologyVAE()", "MorphologyVAE(steps=20, detail_steps=0)")
    exec(short.replace("berea.tif", str(shared_data / "berea.zip")), names)
    assert names["judgement"].set_size == 150
    assert names["judgement"].within_of_ten <= 5  # after twenty steps
    assert names["test"].accuracy > 0.7
