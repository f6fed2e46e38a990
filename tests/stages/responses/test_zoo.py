"""The response skill puts models in the order of what their designs come to; R2 does not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional

from matopt.data.moves import exchange
from matopt.microstructures import Microstructures
from matopt.physics.base import Physics, simulators
from matopt.properties import PropertyTable
from matopt.stages.data import LabelledSet
from matopt.stages.r2 import r2
from matopt.stages.responses.reference import CONSTANT_POROSITY, responses
from matopt.stages.responses.skill import mean_skill, response_skill
from matopt.stages.simulate import simulate
from matopt.testing.images import random_microstructures

PHYSICS = Physics(simulators(["youngs_modulus"]), 1e-6)


def label(microstructures: Microstructures) -> PropertyTable:
    return simulate(microstructures, PHYSICS.simulators)


@pytest.fixture(scope="module")
def windows() -> LabelledSet:
    found = random_microstructures(60, (20, 20), seed=0)
    labelled = LabelledSet(found, label(found))
    return labelled[labelled.labels.is_usable[:, 0]][:40]


class Model:
    def __init__(self, predict) -> None:
        self.properties = PHYSICS.properties
        self.predict = predict


def zoo(windows: LabelledSet) -> dict[str, Model]:
    density = windows.microstructures.density()
    powers = windows.microstructures.porosity[:, None] ** np.arange(3)
    weights = torch.from_numpy(np.linalg.lstsq(powers, windows.labels.values, rcond=None)[0])
    true = torch.from_numpy(windows.labels.values)

    def reversed_off_data(d: torch.Tensor) -> torch.Tensor:
        apart = torch.cdist(d.flatten(1), density.flatten(1))
        on_data = apart.min(1, keepdim=True).values == 0
        nearest = true[apart.argmin(1)]
        return torch.where(on_data, nearest, 2 * nearest - PHYSICS.predict(d))

    def of_porosity(d: torch.Tensor) -> torch.Tensor:
        return (1 - d.double().flatten(1).mean(1, keepdim=True)) ** torch.arange(3) @ weights

    return {
        "physics": Model(PHYSICS.predict),
        "coarse": Model(lambda d: PHYSICS.predict(functional.avg_pool2d(d, 2))),
        "constant": Model(lambda d: torch.full((len(d), 1), 3e10)),
        "porosity": Model(of_porosity),
        "reversed": Model(reversed_off_data),
    }


def climbed(model: Model, windows: LabelledSet, moves: int = 10) -> float:
    """What moves at constant porosity gain in the physics, in GPa, where a model takes those that it likes."""
    phases = windows.microstructures.phases[:14].copy()
    for step in range(moves):
        others = phases.copy()
        for row, sample in enumerate(others):
            exchange(sample, np.random.default_rng([step, row]))
        with torch.no_grad():
            before, after = (model.predict(Microstructures(p, 1e-6).density()) for p in (phases, others))
        better = (after > before)[:, 0].numpy()
        phases[better] = others[better]
    return float(1e-9 * (label(Microstructures(phases, 1e-6)).values[:, 0] - windows.labels.values[:14, 0]).mean())


def test_the_skill_orders_models_as_their_designs_do_and_r2_does_not(windows: LabelledSet) -> None:
    found = responses(windows, label)
    rows = {name: response_skill(model, found) for name, model in zoo(windows).items()}
    skill = {name: mean_skill(r) for name, r in rows.items()}
    steady = {name: mean_skill(r, CONSTANT_POROSITY) for name, r in rows.items()}
    fit = {name: r2(m, windows.microstructures, windows.labels)["youngs_modulus"] for name, m in zoo(windows).items()}
    gain = {name: climbed(model, windows) for name, model in zoo(windows).items()}

    assert skill["physics"] == pytest.approx(1, abs=1e-3) and skill["constant"] == 0
    assert skill["physics"] > max(skill["coarse"], skill["porosity"]) > 0 > skill["reversed"]
    assert steady["constant"] == 0 and steady["porosity"] == pytest.approx(0, abs=1e-9) and steady["coarse"] > 0.1
    assert gain["physics"] > gain["coarse"] > 0 > gain["reversed"] and abs(gain["constant"]) < 1e-3
    # Right wherever it was ever tested, and ruinous a step beside it.
    assert fit["reversed"] == pytest.approx(1) and gain["reversed"] < -0.25 * gain["physics"]
    names = list(gain)
    ranked, by_r2 = (
        stats.spearmanr([round(score[n], 3) for n in names], [round(gain[n], 3) for n in names]).statistic
        for score in (steady, fit)
    )
    assert ranked >= 0.9 > by_r2
