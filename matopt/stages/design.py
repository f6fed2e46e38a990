"""The design stage: seeds ascended in each space, and their ends, and the way there, checked by the physics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from matopt.descriptors.style import StyleFeatures, morphology_distance
from matopt.microstructures import Microstructures
from matopt.stages.ascent import AscentTask
from matopt.stages.data import Dataset
from matopt.stages.keys import stage_key
from matopt.stages.models import ModelContext
from matopt.stages.records import DesignResult, SpaceResult
from matopt.stages.workers import Workers


@dataclass(frozen=True)
class DesignSettings:
    """What is designed.

    Attributes:
        property: the name of what is maximised.
        spaces: "latent", "pixel" or both.
        seeds: designs in each space, ascended as one batch.
        generator_key, predictor_key: the best trial's models.
        options: further settings of the ascent.
        seed: of the starts.
    """

    property: str
    spaces: tuple[str, ...]
    seeds: int
    generator_key: str
    predictor_key: str
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0


def design_key(settings: DesignSettings, dataset: Dataset, context: ModelContext) -> str:
    """The key of the design stage's result."""
    return stage_key("design", settings, dataset.train, folder=context.folder)


def design(settings: DesignSettings, dataset: Dataset, workers: Workers) -> DesignResult:
    """Ascend the seeds in each space and let the simulators say what became of them."""
    authentic = dataset.train.microstructures.density()
    features = StyleFeatures(authentic)
    spaces = []
    for space in settings.spaces:
        task = AscentTask(
            settings.property,
            space,
            settings.seeds,
            settings.generator_key,
            settings.predictor_key,
            dataset.train.microstructures,
            settings.options,
            settings.seed,
        )
        path = dict(workers.ascend(task))
        checked_steps, ending = tuple(path.pop("checked")), tuple(path.pop("ending"))
        snapshots = path["snapshots"]
        voxel_size = dataset.train.microstructures.voxel_size
        true, usable, fraction, distance = [], [], [], []
        for column in range(snapshots.shape[1]):
            checked = Microstructures.from_density(snapshots[:, column, None].float(), voxel_size)
            table = workers.label(checked)
            index = table.names.index(settings.property)
            true.append(table.values[:, index])
            usable.append(table.is_usable[:, index])
            fraction.append(1 - checked.porosity)
            distance.append(morphology_distance(features, checked.density(), authentic))
        spaces.append(
            SpaceResult(
                space,
                **path,
                checked=checked_steps,
                ending=ending,
                true=torch.from_numpy(np.stack(true, 1)),
                usable=torch.from_numpy(np.stack(usable, 1)),
                true_volume_fraction=torch.from_numpy(np.stack(fraction, 1)),
                morphology_distance=tuple(distance),
            )
        )
    return DesignResult(settings.property, tuple(spaces))
