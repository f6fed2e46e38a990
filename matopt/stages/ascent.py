"""The designs of one space, as a task that any process can be given."""

from __future__ import annotations

from dataclasses import dataclass, replace

from matopt.design.ascent import Designs, optimise
from matopt.design.optimisers.base import OPTIMISERS
from matopt.design.settings import DesignSettings
from matopt.design.spaces.base import SPACES, Material
from matopt.microstructures import Microstructures
from matopt.registry import Component
from matopt.stages.models import ModelContext, load_generator, load_predictor


@dataclass(frozen=True)
class DesignPlan:
    """The designs of a study, by the models of its best trial.

    Attributes:
        settings: of the designs.
        generator_key, predictor_key: the fitted models.
        seed: of the starts and of the optimiser.
    """

    settings: DesignSettings
    generator_key: str
    predictor_key: str
    seed: int = 0


@dataclass(frozen=True, eq=False)
class AscentTask:
    """The designs of one space, to be raised as one batch.

    Attributes:
        plan: the designs of all spaces.
        space: which of them.
        authentic: the microstructures that the space makes its trust region from.
    """

    plan: DesignPlan
    space: Component
    authentic: Microstructures


def run_ascent(task: AscentTask, context: ModelContext) -> Designs:
    """Raise the designs of ``task``, which start from the same microstructures in every space: the generator's samples.

    Snapshots are kept in half precision.

    Raises:
        InputError: the generator lacks what the space needs.
    """
    plan = task.plan
    predictor = load_predictor(plan.predictor_key, context)
    generator = load_generator(plan.generator_key, context)
    material = Material(generator, authentic=task.authentic, device=context.device)
    space = SPACES.build(task.space, context.folder)
    optimiser = OPTIMISERS.build(plan.settings.optimiser, context.folder)
    region = space.trust_region(material, plan.seed)
    designs = optimise(predictor, plan.settings, space, optimiser, material, region, plan.seed)
    return replace(designs, snapshots=designs.snapshots.half())
