"""Rounds of design: what the physics found of the designs is learnt from before the next ones are made."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from matopt.registry import Component
from matopt.stages.ascent import DesignPlan, seed_of_round
from matopt.stages.data import Dataset, LabelledSet
from matopt.stages.models import ModelContext, PredictorTask, load_generator
from matopt.stages.records import Round, SpaceResult
from matopt.stages.trial import training_set
from matopt.stages.workers import Workers


class Redesign(Protocol):
    """What makes the designs of a round."""

    def __call__(self, plan: DesignPlan, space: Component, *, round: int) -> SpaceResult:
        """Make the designs of a plan in a space, in a round of this number."""
        ...


def closed_loop(
    plan: DesignPlan,
    first: SpaceResult,
    space: Component,
    dataset: Dataset,
    workers: Workers,
    context: ModelContext,
    redesign: Redesign,
) -> tuple[Round, ...]:
    """Teach the predictor the ends of its designs, and design again from the same starts, round by round.

    Beside each round stands another, whose predictor was taught as many solved samples of the generator in place of the
    designs: what the same solves are worth where nothing is designed. Both try the same candidates.

    Args:
        plan: of the designs before the first round.
        first: what came of it in this space.
        space: where designs vary.
        dataset: the authentic microstructures that the predictor learns from and is chosen by.
        workers: label and fit.
        context: where models are kept.
        redesign: makes the designs of a round.

    Returns:
        The rounds, those by designs and by samples in turn.
    """
    settings, trial = plan.settings, plan.trial
    generator = load_generator(plan.generator_key, context)
    before = training_set(trial, dataset.train, generator, workers.label)
    samples = generator.draw(settings.rounds * len(first.true), seed_of_round(plan, settings.rounds + 1))
    solved = {"designs": before, "samples": before}
    latest = first
    rounds: list[Round] = []
    for number in range(1, settings.rounds + 1):
        further = {
            "designs": latest.ends(samples.voxel_size),
            "samples": samples[(number - 1) * len(first.true) : number * len(first.true)],
        }
        for name, microstructures in further.items():
            solved[name] += LabelledSet(microstructures, workers.label(microstructures))
        tasks = [
            PredictorTask(trial.predictor, trial.traits, train, dataset.validation, trial.seed)
            for train in solved.values()
        ]
        for name, key in zip(solved, workers.fit_predictors(tasks), strict=True):
            found = redesign(replace(plan, predictor_key=key), space, round=number)
            rounds.append(Round(number, name, len(solved[name]) - len(before), found))
            if name == "designs":
                latest = found
    return tuple(rounds)
