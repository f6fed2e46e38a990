"""The design stage: seeds raised in each space, and their ends, and the way there, checked by the physics."""

from __future__ import annotations

import numpy as np
import torch

from matopt.descriptors.style import StyleFeatures, morphology_distance
from matopt.design.ascent import Designs
from matopt.stages.ascent import AscentTask, DesignPlan
from matopt.stages.data import Dataset
from matopt.stages.keys import stage_key
from matopt.stages.models import ModelContext
from matopt.stages.records import DesignResult, SpaceResult
from matopt.stages.workers import Workers


def design_key(plan: DesignPlan, dataset: Dataset, context: ModelContext) -> str:
    """The key of the design stage's result."""
    return stage_key("design", plan, dataset.train, folder=context.folder)


def design(plan: DesignPlan, dataset: Dataset, workers: Workers) -> DesignResult:
    """Raise the seeds in each space, and let the simulators say what became of them."""
    authentic = dataset.train.microstructures
    features = StyleFeatures(authentic.density())
    spaces = []
    for space in plan.settings.spaces:
        designs = workers.ascend(AscentTask(plan, space, authentic))
        spaces.append(_checked(space.kind, designs, authentic.density(), features, workers))
    return DesignResult(plan.settings.property, tuple(spaces))


def _checked(
    space: str, designs: Designs, authentic: torch.Tensor, features: StyleFeatures, workers: Workers
) -> SpaceResult:
    """Ask the physics for the property of the binarised designs, at each step of which densities are kept."""
    true, usable, fraction, distance = [], [], [], []
    for column in range(len(designs.checked)):
        microstructures = designs.microstructures(column)
        table = workers.label(microstructures)
        index = table.names.index(designs.property.name)
        true.append(table.values[:, index])
        usable.append(table.is_usable[:, index])
        fraction.append(1 - microstructures.porosity)
        distance.append(morphology_distance(features, microstructures.density(), authentic))
    return SpaceResult(
        space=space,
        predicted=torch.tensor(designs.predicted),
        volume_fraction=torch.tensor(designs.volume_fraction),
        distance=torch.tensor(designs.distance),
        checked=tuple(designs.checked.tolist()),
        snapshots=designs.snapshots,
        ending=tuple(designs.ending.tolist()),
        true=torch.from_numpy(np.stack(true, 1)),
        usable=torch.from_numpy(np.stack(usable, 1)),
        true_volume_fraction=torch.from_numpy(np.stack(fraction, 1)),
        morphology_distance=tuple(distance),
    )
