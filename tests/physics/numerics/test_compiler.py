"""How loops are compiled."""

from __future__ import annotations

import numpy as np

from matopt.physics.numerics.compiler import compiled


def test_loops_run_where_nothing_can_be_kept_on_disk():
    names: dict = {}
    exec(compile("def double(x):\n    return 2 * x", "no such file", "exec"), names)  # beside which nothing can be put
    double = compiled(names["double"])
    assert double(np.float32(2)) == 4
    assert not double.stats.cache_path
