"""A space and an optimiser of a user's own, one file each, design as matopt's own do."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_study import CountingLabel

from matopt.design.settings import DesignSettings
from matopt.microstructures import Microstructures
from matopt.physics.base import Physics
from matopt.registry import Component
from matopt.stages.artifacts import ArtifactStore
from matopt.stages.ascent import DesignPlan
from matopt.stages.data import Dataset
from matopt.stages.design import design, design_key
from matopt.stages.models import GeneratorTask, ModelContext, PredictorTask, fit_generator, fit_predictor
from matopt.stages.simulate import simulate
from matopt.stages.trial import TrialSettings
from matopt.stages.workers import LocalWorkers

TESTS = Path(__file__).parents[1]


@pytest.fixture
def context(shared_artifacts: ArtifactStore, tmp_path: Path) -> ModelContext:
    for name in ("design/dilation.py", "design/random_steps.py", "study/tiny_components.py"):
        shutil.copy(TESTS / name, tmp_path)
    return ModelContext(shared_artifacts, tmp_path)


@pytest.fixture
def plan(dataset: Dataset, context: ModelContext) -> DesignPlan:
    data = dataset.train, dataset.validation
    trial = TrialSettings(Component("tiny_components.py:Noise"), Component("tiny_components.py:Linear"), (), 0, seed=0)
    generator = fit_generator(GeneratorTask(trial.generator, *data, seed=0), context)
    predictor = fit_predictor(PredictorTask(trial.predictor, (), *data, seed=0), context)
    settings = DesignSettings(
        property="youngs_modulus",
        seeds=5,
        spaces=(Component("dilation.py:Dilation", {"largest": 3.0}),),
        optimiser=Component("random_steps.py:RandomSteps"),
        steps=30,
        n_checked=2,
        porosity_tolerance=None,
    )
    return DesignPlan(settings, generator, predictor, trial, (Component("youngs_modulus"),))


@pytest.mark.parametrize("optimiser", ["random_steps.py:RandomSteps", "adam"])
def test_designs_in_a_users_space_are_checked_by_the_physics(
    optimiser: str, dataset: Dataset, physics: Physics, context: ModelContext, plan: DesignPlan
) -> None:
    settings = replace(plan.settings, optimiser=Component(optimiser))
    found = design(replace(plan, settings=settings), dataset, LocalWorkers(CountingLabel(), context), context)
    (space,) = found.spaces
    assert space.space == "dilation.py:Dilation"
    assert space.predicted.shape == (5, 2)
    assert (space.predicted[:, -1] > space.predicted[:, 0]).all()
    assert space.distance.isnan().all()
    assert not found.baselines, "the space does not know the material"
    start, end = (Microstructures(space.snapshots[:, column].numpy(), physics.voxel_size) for column in (0, 1))
    assert (start.phases <= end.phases).all() and (start.phases < end.phases).any((1, 2)).all()
    assert np.allclose(space.true[:, 1], simulate(end, ["youngs_modulus"]).column("youngs_modulus"))
    assert (space.true[:, 1] > space.true[:, 0]).all()


def test_designs_follow_from_the_text_of_the_users_files(
    dataset: Dataset, context: ModelContext, plan: DesignPlan
) -> None:
    keys = {design_key(plan, dataset, context)}
    for name in ("dilation.py", "random_steps.py"):
        with (context.folder / name).open("a") as file:
            file.write("# edited\n")
        keys.add(design_key(plan, dataset, context))
    assert len(keys) == 3
