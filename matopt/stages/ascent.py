"""The ascent of a batch of designs, as a task that any process can be given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from matopt.stages.data import Labelled
from matopt.stages.models import Workshop


@dataclass(frozen=True)
class AscentTask:
    """Designs to be ascended as one batch.

    Attributes:
        property: the name of what is maximised.
        space: "latent" or "pixel".
        seeds: how many.
        generator_key, predictor_key: the fitted models.
        authentic: the microstructures whose morphology the designs are held to.
        options: further settings of :func:`matopt.design.ascent.ascend`.
        seed: of the starts.
    """

    property: str
    space: str
    seeds: int
    generator_key: str
    predictor_key: str
    authentic: Labelled
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0


def ascend(task: AscentTask, workshop: Workshop) -> dict[str, Any]:
    """Run the ascent of ``task``; the trajectories as tensors and plain values."""
    raise AssertionError
