"""The ascent of a batch of designs, as a task that any process can be given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from matopt.descriptors.style import StyleFeatures
from matopt.design.ascent import ascend
from matopt.design.hold import MorphologyHold
from matopt.errors import InputError
from matopt.generators.base import LatentGenerator
from matopt.microstructures import Microstructures
from matopt.stages.models import ModelContext, load_generator, load_predictor


@dataclass(frozen=True)
class AscentTask:
    """Designs to be ascended as one batch.

    Attributes:
        property: the name of what is maximised.
        space: "latent" or "pixel".
        seeds: how many.
        generator_key, predictor_key: the fitted models.
        authentic: the microstructures whose morphology designs in latent space are held to.
        options: further settings of :func:`matopt.design.ascent.ascend`.
        seed: of the starts.
    """

    property: str
    space: str
    seeds: int
    generator_key: str
    predictor_key: str
    authentic: Microstructures
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0


def run_ascent(task: AscentTask, context: ModelContext) -> dict[str, Any]:
    """Ascend the designs of ``task``, in both spaces from the same microstructures: samples of the generator.

    In latent space designs stay as near to an authentic microstructure as the median authentic one is to its nearest
    neighbour; a wider hold lets them go to nearly solid grain. In pixel space nothing holds them, as in figure 5 of the
    seed report.

    Returns:
        The fields of :class:`matopt.design.ascent.Designs` that trajectories are made of, as tensors and plain values.
    """
    predictor = load_predictor(task.predictor_key, context)
    generator = load_generator(task.generator_key, context)
    shared: dict[str, Any] = {"seed": task.seed, "device": context.device, **task.options}
    if task.space == "latent":
        if not isinstance(generator, LatentGenerator):
            raise InputError("design: this generator has no latent space; set design.spaces to [pixel]")
        authentic = task.authentic.density(context.device)
        hold = MorphologyHold(StyleFeatures(authentic), authentic, quantile=0.5)
        designs = ascend(predictor, task.property, within=generator, hold=hold, seeds=task.seeds, **shared)
    else:
        designs = ascend(predictor, task.property, starts=generator.draw(task.seeds, task.seed), **shared)
    return {
        "predicted": torch.from_numpy(designs.predicted),
        "volume_fraction": torch.from_numpy(designs.volume_fraction),
        "distance": torch.from_numpy(designs.distance),
        "checked": designs.checked.tolist(),
        "snapshots": designs.snapshots.half(),
        "ending": designs.ending.tolist(),
    }
