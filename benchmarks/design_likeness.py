"""How well a classifier tells designs from rock of the same porosity."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from matopt.microstructures import Microstructures
from matopt.stages.judgement.resampling import AuthenticPool
from matopt.stages.judgement.two_sample_test import cross_validated_accuracy

FEWEST = 50
"""With fewer designs a classifier learns nothing that an accuracy of so few could tell."""

REPEATS = 2


class Likeness:
    """Two-sample tests of designs and test windows, matched in porosity one by one.

    Designs that hold the porosity of their start are not of the porosities of the rock; without the match a classifier
    would tell them by that alone.

    Args:
        rock: test windows.
        slices: the number of the slice of each; windows of one slice are alike.
    """

    def __init__(self, rock: Microstructures, slices: np.ndarray) -> None:
        self._pool = AuthenticPool(rock, slices)
        self._density = rock.density()
        self._porosity = rock.porosity

    def excess(self, designs: Microstructures) -> float | None:
        """The accuracy of designs against rock, less that of rock against rock; None of fewer than :data:`FEWEST`."""
        if len(designs) < FEWEST:
            return None
        porosity = designs.porosity
        alone = np.arange(len(designs))
        found = []
        for repeat, halves in enumerate(self._pool.halves(seed=0, pairs=REPEATS)):
            first, second = (self._matched(half, porosity) for half in halves)
            groups = self._pool.groups
            rock = self._density[first], groups[first]
            told = cross_validated_accuracy(designs.density(), alone, *rock, repeat)
            found.append(told - cross_validated_accuracy(self._density[second], groups[second], *rock, repeat))
        return float(np.mean(found))

    def _matched(self, windows: np.ndarray, porosity: np.ndarray) -> np.ndarray:
        """As many of the windows as there are porosities, all different, as near to them as can be."""
        off = np.abs(porosity[:, None] - self._porosity[windows][None])
        return windows[linear_sum_assignment(off)[1]]
