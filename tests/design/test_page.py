"""What the page on design shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from matopt.design.optimisers.moves import Moves

PAGE = (Path(__file__).parents[2] / "docs" / "design.md").read_text()
(EXAMPLE,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.slow
def test_the_example_designs_at_a_held_porosity() -> None:
    names: dict = {"moves": Moves(draws=2)}
    exec(EXAMPLE.replace("seeds=4, steps=5", "seeds=2, steps=2, optimiser=moves"), names)
    stiffer, softer, opened = names["stiffer"], names["softer"], names["open_"]
    assert np.abs(stiffer.volume_fraction - stiffer.volume_fraction[:, :1]).max() < 0.0101
    assert np.abs(opened.volume_fraction - opened.volume_fraction[:, :1]).max() < 0.0501
    # A start beyond the trust region comes nearer to it, whatever that costs.
    for designs, gain in ((stiffer, names["promised"]), (softer, softer.predicted[:, 0] - softer.predicted[:, -1])):
        start, end = designs.distance[:, 0], designs.distance[:, -1]
        assert ((gain >= 0) | (start > designs.limit)).all() and (end <= np.maximum(start, designs.limit)).all()
        assert (start <= designs.limit).any()
    assert len(names["ends"]) == 2
