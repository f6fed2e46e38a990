"""How well designs are told from rock of the same porosity: by a classifier, and by their modulus alone."""

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
        modulus: ``(M,)`` of the test windows, GPa.
    """

    def __init__(self, rock: Microstructures, slices: np.ndarray, modulus: np.ndarray) -> None:
        self._pool = AuthenticPool(rock, slices)
        self._density = rock.density()
        self._porosity = rock.porosity
        self._trend = np.polyfit(self._porosity, modulus, 2)
        self._residual = self._residual_of(self._porosity, modulus)

    def excess(self, designs: Microstructures) -> float | None:
        """The accuracy of designs against rock, less that of rock against rock; None of fewer than :data:`FEWEST`."""
        if len(designs) < FEWEST:
            return None
        alone = np.arange(len(designs))
        found = []
        for repeat, (first, second) in enumerate(self._pairs(designs.porosity)):
            groups = self._pool.groups
            rock = self._density[first], groups[first]
            told = cross_validated_accuracy(designs.density(), alone, *rock, repeat)
            found.append(told - cross_validated_accuracy(self._density[second], groups[second], *rock, repeat))
        return float(np.mean(found))

    def excess_by_modulus(self, porosity: np.ndarray, modulus: np.ndarray) -> float:
        """The same of a judge who knows nothing of a design but modulus and porosity: whoever is too stiff is a design.

        Args:
            porosity: ``(N,)`` of the designs.
            modulus: ``(N,)`` of the designs, by the physics, GPa.
        """
        residual = self._residual_of(porosity, modulus)
        pairs = [(self._residual[first], self._residual[second]) for first, second in self._pairs(porosity)]
        return float(np.mean([bounded(residual, rock) - bounded(other, rock) for rock, other in pairs]))

    def largest_gain(self, excess: float, gain: float) -> float:
        """The largest mean gain of a population whose modulus alone tells it from rock by no more than ``excess``.

        Of two populations the best judge tells ``1/2 + d/2``, d the share of one that must be exchanged to make it the
        other (their total variation). So a share of ``2 excess`` of rock may be designs that gain ``gain`` each, at
        best in place of the softest windows of their porosity.
        """
        share = 2 * excess
        softest = np.sort(self._residual)[: round(share * len(self._residual))]
        return float(share * (gain - softest.mean()))

    def _residual_of(self, porosity: np.ndarray, modulus: np.ndarray) -> np.ndarray:
        """How much stiffer than rock of the porosity, by a parabola."""
        return modulus - np.polyval(self._trend, porosity)

    def _pairs(self, porosity: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Pairs of test windows of these porosities, the two of different slices."""
        halves = self._pool.halves(seed=0, pairs=REPEATS)
        return [(self._matched(first, porosity), self._matched(second, porosity)) for first, second in halves]

    def _matched(self, windows: np.ndarray, porosity: np.ndarray) -> np.ndarray:
        """As many of the windows as there are porosities, all different, as near to them as can be."""
        off = np.abs(porosity[:, None] - self._porosity[windows][None])
        return windows[linear_sum_assignment(off)[1]]


def bounded(designs: np.ndarray, rock: np.ndarray) -> float:
    """The best accuracy of calling designs what is above a bound; one half at least."""
    bounds = np.concatenate([designs, rock])
    hits = (designs > bounds[:, None]).mean(1) + (rock <= bounds[:, None]).mean(1)
    return float(max(hits.max() / 2, 0.5))
