"""The designs of one space, as a task that any process can be given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from matopt.design.ascent import Designs, optimise
from matopt.design.judges import SolidFraction, WhiteNoise
from matopt.design.optimisers.base import OPTIMISERS, Optimiser
from matopt.design.optimisers.draw_and_screen import DrawAndScreen
from matopt.design.settings import Baseline, DesignSettings
from matopt.design.spaces.base import SPACES, Material
from matopt.microstructures import Microstructures
from matopt.physics.base import SIMULATORS, Physics
from matopt.properties import Property
from matopt.registry import Component
from matopt.stages.models import ModelContext, load_generator, load_predictor
from matopt.stages.trial import TrialSettings
from matopt.traits.base import PropertyModel

Role = Literal["design"] | Baseline
"""What a batch of designs is for: the designs by the predictor, or one of the baselines that they are held against."""


@dataclass(frozen=True)
class DesignPlan:
    """The designs of a study, by the models of its best trial.

    Attributes:
        settings: of the designs.
        generator_key, predictor_key: the fitted models.
        trial: what they were fitted as, which the closed loop fits again.
        simulators: the physics, for the baselines that ask it at every step.
        seed: of the starts and of the optimiser.
    """

    settings: DesignSettings
    generator_key: str
    predictor_key: str
    trial: TrialSettings
    simulators: tuple[Component, ...]
    seed: int = 0


@dataclass(frozen=True, eq=False)
class AscentTask:
    """The designs of one space in one role, to be improved as one batch.

    Attributes:
        plan: the designs of all spaces.
        space: which of them.
        role: by whose judgement, and under which constraint.
        authentic: the microstructures that the space makes its trust region from.
        held_out: others, by which the region's limit is found.
        draws: for each design of the role "best_of_solved".
        round: of the closed loop; each tries other candidates, from the same starts.
    """

    plan: DesignPlan
    space: Component
    role: Role
    authentic: Microstructures
    held_out: Microstructures
    draws: int = 1
    round: int = 0


def run_ascent(task: AscentTask, context: ModelContext) -> Designs:
    """Improve the designs of ``task``, which start from the same microstructures in every space and role: the
    generator's samples. What is kept as predicted is the predictor's, whoever judges.

    Raises:
        InputError: the generator lacks what the space needs.
    """
    plan, settings = task.plan, task.plan.settings
    predictor = load_predictor(plan.predictor_key, context)
    generator = load_generator(plan.generator_key, context)
    material = Material(generator, authentic=task.authentic, held_out=task.held_out, device=context.device)
    space = SPACES.build(task.space, context.folder)
    optimiser: Optimiser = OPTIMISERS.build(settings.optimiser, context.folder)
    judge: PropertyModel = predictor
    property_ = next(p for p in predictor.properties if p.name == settings.property)
    if task.role in ("free", "solid_fraction"):
        settings = replace(settings, porosity_tolerance=None)
    if task.role in ("nothing", "solid_fraction"):
        # Neither knows another property that it could weigh, or whose limits it could keep.
        settings = replace(settings, goal="maximize", limits={}, against=None)
        judge = WhiteNoise(property_, plan.seed)
    if task.role == "solid_fraction":
        judge = SolidFraction(property_, _sign(plan.settings, property_))
    if task.role in ("physics", "best_of_solved"):
        settings = replace(settings, seeds=min(settings.seeds, settings.physics_seeds))
        judge = _physics(plan, material.voxel_size, context.folder)
    if task.role == "best_of_solved":
        optimiser = DrawAndScreen(task.draws)
    if task.role not in ("design", "free"):
        settings = replace(settings, n_checked=2)
    region = space.trust_region(material, plan.seed)
    return optimise(
        judge,
        settings,
        space,
        optimiser,
        material,
        region,
        plan.seed,
        predictor,
        search_seed=seed_of_round(plan, task.round),
    )


def seed_of_round(plan: DesignPlan, number: int) -> int:
    """The seed of what a round of the closed loop draws: others count up from theirs, and come nowhere near."""
    return plan.seed + 100_000 * number


def _sign(settings: DesignSettings, property_: Property) -> float:
    """The direction in which the solid fraction goes blindly towards the goal."""
    is_stiffer = property_.increases_with_solid is not False
    return 1.0 if is_stiffer == (settings.goal == "maximize") else -1.0


def _physics(plan: DesignPlan, voxel_size: float, folder: Path) -> Physics:
    found = [SIMULATORS.build(simulator, folder) for simulator in plan.simulators]
    return Physics(tuple(s for s in found if s.property.name in plan.settings.names), voxel_size)
