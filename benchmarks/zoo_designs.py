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
    """The designs of one model, ``(N,)`` each in GPa.

    Attributes:
        screened: what its choice gained over the mean of what it chose among.
        gained: what the choice and a climb from there gained.
        promised: what the model said of that.
        climbed: what a climb gained from starts that are the same for all models, over these starts.
    """

    screened: np.ndarray
    gained: np.ndarray
    promised: np.ndarray
    climbed: np.ndarray


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
    starts: int = 48
    choices: int = 40
    moves: int = 30

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
        """Let a model choose and climb, and climb without a choice. It is asked for values alone."""
        pool, stiffness = self.rock.pool.microstructures, self.rock.pool.labels.column("youngs_modulus")
        listed = np.unique(self.among)
        told = np.zeros(len(pool))
        told[listed] = _predicted(model, pool[listed])
        chosen, same = self.among[np.arange(self.starts), told[self.among].argmax(1)], self.among[:, 0]
        ends, value = self._climb(model, chosen, told)
        level = stiffness[self.among].mean(1)
        others, _ = self._climb(model, same, told)
        return Outcome(
            GIGA * (stiffness[chosen] - level),
            GIGA * (ends - level),
            GIGA * (value - told[self.among].mean(1)),
            GIGA * (others - stiffness[same]),
        )

    def blind(self) -> float:
        """What is gained from the same starts by taking every move, in GPa."""
        same = self.among[:, 0]
        phases = self.rock.pool.microstructures.phases[same].copy()
        for step in range(self.moves):
            phases = self._moved(phases, step)
        ends = self.rock.label(Microstructures(phases, self.rock.pool.microstructures.voxel_size))
        return float(GIGA * (ends.values[:, 0] - self.rock.pool.labels.values[same, 0]).mean())

    def _climb(self, model: PropertyModel, rows: np.ndarray, told: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """True stiffness at the ends, and what the model says of it. Ties stay where they are."""
        pool = self.rock.pool.microstructures
        phases, value = pool.phases[rows].copy(), told[rows]
        for step in range(self.moves):
            others = self._moved(phases, step)
            found = _predicted(model, Microstructures(others, pool.voxel_size))
            better = found > value
            phases[better], value[better] = others[better], found[better]
        return self.rock.label(Microstructures(phases, pool.voxel_size)).column("youngs_modulus"), value

    @staticmethod
    def _moved(phases: np.ndarray, step: int) -> np.ndarray:
        others = phases.copy()
        for row, sample in enumerate(others):
            exchange(sample, np.random.default_rng([2, step, row]))
        return others


def _predicted(model: PropertyModel, microstructures: Microstructures) -> np.ndarray:
    with torch.no_grad():
        parts = microstructures.density().split(128)
        return np.concatenate([model.predict(part)[:, 0].double().numpy() for part in parts])
