"""The scores of trials and evaluations: every metric, computed of a predictor or of a generator's samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from matopt.generators.base import Generator
from matopt.microstructures import Microstructures
from matopt.physics.base import Physics
from matopt.predictors.base import Predictor
from matopt.registry import Component
from matopt.stages.audit import AuditRow, compare, residuals
from matopt.stages.data import LabelFunction, LabelledSet
from matopt.stages.keys import stage_key
from matopt.stages.metrics.base import METRICS, Metric, Predictions, PredictorMetric, SampleMetric, Samples
from matopt.stages.models import ModelContext, build_traits
from matopt.stages.responses.reference import responses
from matopt.stages.responses.skill import response_skill
from matopt.traits.base import PropertyModel

AUDITED = 24
"""How many microstructures the audit takes: the physics is solved at several probes of each."""

SAMPLED = 100
"""How many samples a generator is judged by."""


@dataclass(frozen=True, eq=False)
class PhysicsResiduals:
    """The residuals of the physics itself: trait -> ``(M,)``, at the audited microstructures and their probes."""

    by_trait: dict[str, np.ndarray]


def predictor_audit(
    predictor: PropertyModel,
    labelled: LabelledSet,
    physics: Physics,
    traits: Sequence[Component],
    context: ModelContext,
) -> list[AuditRow]:
    """Audit a predictor, or any model of the same properties, at held-out microstructures and their probes."""
    audited = labelled.spread(AUDITED).microstructures
    density = audited.density(context.device)
    built = build_traits(tuple(traits), context.folder)

    def solve() -> PhysicsResiduals:
        return PhysicsResiduals(residuals(physics, density, built))

    # The physics' own residuals are the same for every predictor, whatever the traits weigh in its training.
    key = stage_key(
        "physics residuals",
        audited.hashes,
        physics,
        [Component(trait.kind, {**trait.settings, "weight": None}) for trait in traits],
        code=residuals.__module__,
        folder=context.folder,
    )
    reference = context.artifacts.get(key, PhysicsResiduals, solve)
    return compare(residuals(predictor, density, built, properties=physics.properties), reference.by_trait)


def predictor_scores(
    predictor: Predictor,
    labelled: LabelledSet,
    physics: Physics,
    label: LabelFunction,
    traits: Sequence[Component],
    context: ModelContext,
    further: Sequence[Component] = (),
) -> dict[str, float]:
    """Compute the metrics of a predictor, and how far and how often it violates each trait.

    Args:
        predictor: the fitted predictor.
        labelled: held-out microstructures.
        physics: what its traits are held against.
        label: computes or looks up the properties of moved microstructures.
        traits: of the study.
        context: where the physics' residuals are kept.
        further: metrics besides those of the registry; those of a generator's samples are left out.

    Returns:
        Metric -> value; of one property or part ``<metric>/<name>``, of one trait ``trait/<trait>/<quantity>``.
    """
    audit = predictor_audit(predictor, labelled, physics, traits, context) if traits else []
    skills = response_skill(predictor, responses(labelled, label))
    predictions = Predictions(predictor, labelled, audit, skills)
    scores: dict[str, float] = {}
    for name, metric in _metrics(further, context).items():
        if isinstance(metric, PredictorMetric) and (traits or not metric.needs_traits):
            scores[name] = metric.value(predictions)
            single = {**metric.by_property(predictions), **metric.by_part(predictions)}
            scores |= {f"{name}/{part}": value for part, value in single.items()}
    for row in audit:
        scores[f"trait/{row.trait}/residual"] = row.model_residual
        scores[f"trait/{row.trait}/violation_rate"] = row.model_violation_rate
    return scores


def sample_scores(
    generator: Generator,
    train: LabelledSet,
    held_out: LabelledSet,
    seed: int,
    context: ModelContext,
    further: Sequence[Component] = (),
) -> dict[str, float]:
    """Compute the metrics of what a generator draws, against authentic microstructures that it has not seen.

    Args:
        generator: the fitted generator.
        train: what it was fitted to.
        held_out: what its samples are compared with.
        seed: of the samples.
        context: whose folder the metrics of a user's own are relative to.
        further: metrics besides those of the registry; those of a predictor are left out.

    Returns:
        Metric -> value.
    """
    raw = generator.sample(SAMPLED, seed)
    samples = Samples(
        raw,
        Microstructures.from_density(raw, generator.voxel_size).density(raw.device),
        held_out.microstructures.density(raw.device),
        train.microstructures.density(raw.device),
    )
    metrics = _metrics(further, context)
    return {name: metric.value(samples) for name, metric in metrics.items() if isinstance(metric, SampleMetric)}


def _metrics(further: Sequence[Component], context: ModelContext) -> dict[str, Metric]:
    components = [*map(Component, METRICS.names()), *further]
    return {component.kind: METRICS.build(component, context.folder) for component in components}
