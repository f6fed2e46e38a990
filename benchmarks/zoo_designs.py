"""Designs made with a model, and what the physics says of their ends: stiffness up at constant porosity."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from zoo import Rock

from matopt.data.moves import exchange
from matopt.microstructures import Microstructures
from matopt.traits.base import PropertyModel

WITHIN = 0.005
"""How far the porosity of what a design is chosen among is from that of its start: all differ by less than .01."""

GIGA = 1e-9


@dataclass(frozen=True, eq=False)
class Outcome:
    """The designs of one model, ``(N,)`` each in GPa, over the mean of what each was chosen among.

    Attributes:
        screened: what the choice alone gained.
        gained: what the choice and the climb gained.
        promised: what the model said of both.
    """

    screened: np.ndarray
    gained: np.ndarray
    promised: np.ndarray


@dataclass(frozen=True, eq=False)
class Contest:
    """The same starts, choices and moves for every model.

    Attributes:
        rock: whose pool is designed from: windows that no model has learnt from, and no skill is measured at.
        starts: how many designs.
        choices: windows of the same porosity, of which a model takes the best.
        moves: how many exchanges of solid it may then take or leave.
    """

    rock: Rock
    starts: int = 24
    choices: int = 40
    moves: int = 40

    @cached_property
    def among(self) -> np.ndarray:
        """``(starts, choices)`` rows of the pool, each row of one porosity."""
        porosity = self.rock.pool.microstructures.porosity
        random, rows = np.random.default_rng(0), []
        for start in random.permutation(len(porosity)):
            alike = np.flatnonzero(np.abs(porosity - porosity[start]) <= WITHIN)
            if len(alike) >= self.choices:
                rows.append(random.choice(alike, self.choices, replace=False))
            if len(rows) == self.starts:
                return np.stack(rows)
        raise SystemExit(f"only {len(rows)} windows of the pool have {self.choices} others of their porosity")

    def run(self, model: PropertyModel) -> Outcome:
        """Let a model choose and climb. It is asked for values alone; ties stay where they are."""
        pool, stiffness = self.rock.pool.microstructures, self.rock.pool.labels.column("youngs_modulus")
        listed = np.unique(self.among)
        told = np.zeros(len(pool))
        told[listed] = _predicted(model, pool[listed])
        chosen = self.among[np.arange(self.starts), told[self.among].argmax(1)]
        phases, value = pool.phases[chosen].copy(), told[chosen]
        for step in range(self.moves):
            others = phases.copy()
            for row, sample in enumerate(others):
                exchange(sample, np.random.default_rng([2, step, row]))
            found = _predicted(model, Microstructures(others, pool.voxel_size))
            better = found > value
            phases[better], value[better] = others[better], found[better]
        ends = self.rock.label(Microstructures(phases, pool.voxel_size)).column("youngs_modulus")
        level = stiffness[self.among].mean(1)
        promised = value - told[self.among].mean(1)
        return Outcome(GIGA * (stiffness[chosen] - level), GIGA * (ends - level), GIGA * promised)


def _predicted(model: PropertyModel, microstructures: Microstructures) -> np.ndarray:
    with torch.no_grad():
        parts = microstructures.density().split(128)
        return np.concatenate([model.predict(part)[:, 0].double().numpy() for part in parts])
