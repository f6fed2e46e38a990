"""The design stage: seeds improved in each space and by each baseline, their ends and the way there checked by the
physics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from matopt.descriptors.style import StyleFeatures, morphology_distance
from matopt.design.ascent import Designs
from matopt.design.spaces.base import SPACES
from matopt.properties import PropertyTable
from matopt.registry import Component
from matopt.stages.ascent import AscentTask, DesignPlan, Role
from matopt.stages.closed_loop import closed_loop
from matopt.stages.data import Dataset
from matopt.stages.keys import stage_key
from matopt.stages.models import ModelContext
from matopt.stages.records import Against, DesignResult, Round, SpaceResult
from matopt.stages.workers import Workers


def design_key(plan: DesignPlan, dataset: Dataset, context: ModelContext) -> str:
    """The key of the design stage's result."""
    return stage_key("design", plan, dataset.train, dataset.validation, code=__name__, folder=context.folder)


def design(plan: DesignPlan, dataset: Dataset, workers: Workers, context: ModelContext) -> DesignResult:
    """Improve the seeds in each space and by each baseline, and let the simulators say what became of them."""
    run = _Run(dataset, workers)
    settings = plan.settings
    spaces = [run.found(plan, space) for space in settings.spaces]
    baselines = []
    in_material = [space for space in settings.spaces if SPACES.find(space.kind, context.folder).knows_material]
    for space in in_material:
        for role in ("free", "solid_fraction", "nothing", "physics"):
            if role in settings.baselines and not (role == "solid_fraction" and isinstance(settings.goal, float)):
                baselines.append(run.found(plan, space, role))
        if "best_of_solved" in settings.baselines:
            solved = [b.solves for b in baselines if b.space == space.kind and b.role == "physics"]
            draws = int(solved[0].double().mean()) if solved else settings.steps
            baselines.append(run.found(plan, space, "best_of_solved", draws))
    rounds: tuple[Round, ...] = ()
    if settings.rounds and in_material:
        space = in_material[0]
        first = spaces[settings.spaces.index(space)]
        rounds = closed_loop(plan, first, space, dataset, workers, context, run.found)
    return DesignResult(
        property=settings.property,
        goal=settings.goal,
        porosity_tolerance=settings.porosity_tolerance,
        spaces=tuple(spaces),
        baselines=tuple(baselines),
        rounds=rounds,
        against=settings.against,
        against_goal=settings.against_goal,
    )


class _Run:
    """Designs, run and checked one space and role at a time."""

    def __init__(self, dataset: Dataset, workers: Workers) -> None:
        self._workers = workers
        self._authentic = dataset.train.microstructures
        self._held_out = dataset.validation.microstructures
        self._features = StyleFeatures(self._authentic.density())

    def found(
        self, plan: DesignPlan, space: Component, role: Role = "design", draws: int = 1, round: int = 0
    ) -> SpaceResult:
        """Run one batch of designs, and ask the physics for the property at each step that is kept."""
        task = AscentTask(plan, space, role, self._authentic, self._held_out, max(1, draws), round)
        return self._checked(space.kind, role, self._workers.ascend(task), plan.settings.against)

    def _checked(self, space: str, role: Role, designs: Designs, against: str | None) -> SpaceResult:
        tables, distance = [], []
        held_out = self._held_out.density()
        for column in range(len(designs.checked)):
            microstructures = designs.microstructures(column)
            tables.append(self._workers.label(microstructures))
            distance.append(morphology_distance(self._features, microstructures.density(), held_out))
        return recorded(space, role, designs, tables, tuple(distance), against)


def recorded(
    space: str,
    role: Role,
    designs: Designs,
    tables: Sequence[PropertyTable],
    morphology_distance: tuple[float, ...],
    against: str | None = None,
) -> SpaceResult:
    """Put designs and what the physics says of them into a record.

    Args:
        space: where they vary.
        role: what they are for.
        designs: N of them.
        tables: of the N microstructures at each step that is kept.
        morphology_distance: of the microstructures, at each of these steps.
        against: the name of the other property that is wanted.
    """
    kept = designs.checked
    true, usable = _solved(tables, designs.property.name)
    other = None
    if against is not None:
        foretold = designs.predicted_against
        other = Against(None if foretold is None else torch.tensor(foretold[:, kept]), *_solved(tables, against))
    return SpaceResult(
        space=space,
        role=role,
        checked=tuple(kept.tolist()),
        predicted=torch.tensor(designs.predicted[:, kept]),
        true=true,
        usable=usable,
        volume_fraction=torch.tensor(designs.volume_fraction[:, kept]),
        distance=torch.tensor(designs.distance[:, kept]),
        limit=designs.limit,
        snapshots=designs.snapshots,
        solves=torch.tensor(designs.solves),
        morphology_distance=morphology_distance,
        against=other,
    )


def _solved(tables: Sequence[PropertyTable], name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """``(N, C)`` values of a property and whether they are usable, of a table for each of C steps."""
    columns = [(t.values[:, t.names.index(name)], t.is_usable[:, t.names.index(name)]) for t in tables]
    values, usable = (torch.from_numpy(np.stack(column, 1)) for column in zip(*columns, strict=True))
    return values, usable
