"""What trials and evaluations are judged by: predictions, traits, and the morphology of samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import wasserstein_distance

from matopt.descriptors.correlation import radial_correlation
from matopt.descriptors.greyness import grey_share
from matopt.descriptors.phases import volume_fraction
from matopt.descriptors.style import StyleFeatures, morphology_distance
from matopt.descriptors.style_blocks import FilterGrams, SegmentStatistics
from matopt.generators.base import Generator
from matopt.microstructures import Microstructures
from matopt.physics.base import Physics
from matopt.predictors.base import Predictor
from matopt.registry import Component
from matopt.stages.audit import AuditRow, compare, interpretability, residuals
from matopt.stages.data import LabelledSet
from matopt.stages.keys import stage_key
from matopt.stages.models import ModelContext, build_traits
from matopt.stages.r2 import r2

AUDITED = 24
"""How many microstructures the audit takes: the physics is solved at several probes of each."""

SAMPLED = 100
"""How many samples a generator is judged by."""


@dataclass(frozen=True, eq=False)
class PhysicsResiduals:
    """The residuals of the physics itself: trait -> ``(M,)``, at the audited microstructures and their probes."""

    by_trait: dict[str, np.ndarray]


def predictor_audit(
    predictor: Predictor, labelled: LabelledSet, physics: Physics, traits: Sequence[Component], context: ModelContext
) -> list[AuditRow]:
    """The audit of a predictor, trait by trait, at and around microstructures."""
    audited = labelled.microstructures[:AUDITED]
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
        folder=context.folder,
    )
    reference = context.artifacts.get(key, PhysicsResiduals, solve)
    return compare(residuals(predictor, density, built), reference.by_trait)


def predictor_scores(
    predictor: Predictor, labelled: LabelledSet, physics: Physics, traits: Sequence[Component], context: ModelContext
) -> dict[str, float]:
    """R2 of each property and their mean; interpretability, and each trait's residual and similarity to the physics."""
    by_property = r2(predictor, labelled.microstructures, labelled.labels)
    scores = {"r2": float(np.mean(list(by_property.values())))}
    scores |= {f"r2/{name}": value for name, value in by_property.items()}
    if traits:
        rows = predictor_audit(predictor, labelled, physics, traits, context)
        scores["interpretability"] = interpretability(rows)
        scores |= {f"trait/{row.trait}/residual": row.model_residual for row in rows}
        scores |= {f"trait/{row.trait}/similarity": row.similarity for row in rows}
    return scores


def sample_scores(generator: Generator, train: LabelledSet, held_out: LabelledSet, seed: int) -> dict[str, float]:
    """How near the samples of a generator come to authentic microstructures that it has not seen.

    Returns:
        ``morphology_distance`` of the binarised samples, ``porosity_distance`` (first Wasserstein distance),
        ``s2_error`` (relative L2 error of the radial two-point correlation's mean) and ``grey_share`` (of raw pixels
        between 0.1 and 0.9).
    """
    raw = generator.sample(SAMPLED, seed)
    density = Microstructures.from_density(raw, generator.voxel_size).density(raw.device)
    authentic = held_out.microstructures.density(raw.device)
    dimensions = raw.ndim - 2
    # Other random filters than those that a generator may have been trained by.
    blocks = [FilterGrams(dimensions, seed=1), SegmentStatistics(dimensions)]
    features = StyleFeatures(train.microstructures.density(raw.device), blocks)
    radius = min(density.shape[2:]) // 3
    s2, reference = (radial_correlation(d, radius)[1].mean(0) for d in (density, authentic))
    return {
        "morphology_distance": morphology_distance(features, density, authentic),
        "porosity_distance": float(
            wasserstein_distance(volume_fraction(density).cpu(), held_out.microstructures.porosity)
        ),
        "s2_error": float((s2 - reference).norm() / reference.norm()),
        "grey_share": float(grey_share(raw).mean()),
    }
