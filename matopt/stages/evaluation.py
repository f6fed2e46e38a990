"""The evaluation stage: what augmentation is worth to a predictor, on the test set, which nothing before has seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from matopt.microstructures import Microstructures
from matopt.physics.base import Physics
from matopt.registry import Component
from matopt.stages.data import Dataset, LabelledSet
from matopt.stages.keys import stage_key
from matopt.stages.models import GeneratorTask, ModelContext, PredictorTask, load_generator, load_predictor
from matopt.stages.r2 import r2
from matopt.stages.records import CurvePoint, Evaluation, GeneratorResult, SampleSet
from matopt.stages.responses.reference import responses
from matopt.stages.responses.skill import response_skill
from matopt.stages.scores import predictor_audit, sample_scores
from matopt.stages.workers import Workers

AUTHENTIC = "authentic"
"""The name of the baseline without augmentation."""

SHEET = 24
"""How many microstructures of each kind are kept for the contact sheets."""


@dataclass(frozen=True)
class EvaluationSettings:
    """Which generators are compared, and by fits of which predictor.

    Attributes:
        generators: by name, with their settings.
        predictor, traits: of every fit of the comparison.
        sizes: how many artificial microstructures are added.
        draws: independent random draws of each size.
        predictor_key: the best trial's predictor, whose predictions and traits are examined on the test set.
        seed: of the generators; the draws follow from it.
        metrics: what samples are scored by, besides the metrics of the registry.
    """

    generators: Mapping[str, Component]
    predictor: Component
    traits: tuple[Component, ...]
    sizes: tuple[int, ...]
    draws: int
    predictor_key: str
    seed: int
    metrics: tuple[Component, ...] = ()


def evaluation_key(settings: EvaluationSettings, dataset: Dataset, physics: Physics, context: ModelContext) -> str:
    """Make the key of the evaluation's result."""
    return stage_key("evaluation", settings, dataset, physics, code=__name__, folder=context.folder)


def evaluate(
    settings: EvaluationSettings, dataset: Dataset, physics: Physics, workers: Workers, context: ModelContext
) -> Evaluation:
    """Compare generators by their samples and by what their samples are worth to a predictor.

    For each generator a pool of as many artificial microstructures as the largest size is drawn and labelled. For each
    size and draw, that many are taken from the pool at random, and a predictor is fitted to them and the authentic
    training set. The baseline is fitted to the authentic set alone, from as many initialisations as there are draws
    (report of Cang et al., section 3.2 and figure 4).
    """
    names = list(settings.generators)
    keys = workers.fit_generators(
        [GeneratorTask(settings.generators[n], dataset.train, dataset.validation, settings.seed) for n in names]
    )
    pools: dict[str, LabelledSet] = {}
    generators: list[GeneratorResult] = []
    for name, key in zip(names, keys, strict=True):
        generator = load_generator(key, context)
        raw = generator.sample(max(settings.sizes), settings.seed)
        artificial = Microstructures.from_density(raw, generator.voxel_size)
        pools[name] = LabelledSet(artificial, workers.label(artificial))
        scores = sample_scores(generator, dataset.train, dataset.test, settings.seed, context, settings.metrics)
        generators.append(GeneratorResult(name, key, scores, _samples(pools[name], raw[:SHEET, 0].cpu().half())))

    best = load_predictor(settings.predictor_key, context)
    with torch.no_grad():
        predicted = best.predict(dataset.test.microstructures.density(context.device)).cpu()
    return Evaluation(
        properties=tuple(dataset.test.labels.names),
        authentic=_samples(dataset.test, torch.from_numpy(dataset.test.microstructures.phases[:SHEET])),
        generators=tuple(generators),
        curve=_curve(settings, dataset, pools, workers, context),
        predicted=predicted,
        audit=tuple(predictor_audit(best, dataset.test, physics, settings.traits, context)),
        skills=response_skill(best, responses(dataset.test, workers.label)),
    )


def _curve(
    settings: EvaluationSettings,
    dataset: Dataset,
    pools: Mapping[str, LabelledSet],
    workers: Workers,
    context: ModelContext,
) -> tuple[CurvePoint, ...]:
    """Fit a predictor for every draw, generator and size, and score each on the test split."""
    places: list[tuple[str, int, int]] = []
    tasks: list[PredictorTask] = []

    def add(name: str, size: int, draw: int, train: LabelledSet) -> None:
        places.append((name, size, draw))
        tasks.append(
            PredictorTask(settings.predictor, settings.traits, train, dataset.validation, settings.seed + draw)
        )

    for draw in range(settings.draws):
        add(AUTHENTIC, 0, draw, dataset.train)
        for name, pool in pools.items():
            for size in settings.sizes:
                # The same rows of each pool, so that generators differ in what they drew and in nothing else.
                chosen = np.random.default_rng([settings.seed, size, draw]).permutation(len(pool))[:size]
                add(name, size, draw, dataset.train + pool[chosen])
    points = []
    for place, key in zip(places, workers.fit_predictors(tasks), strict=True):
        predictor = load_predictor(key, context)
        points.append(CurvePoint(*place, r2(predictor, dataset.test.microstructures, dataset.test.labels)))
    return tuple(points)


def _samples(labelled: LabelledSet, sheet: torch.Tensor) -> SampleSet:
    return SampleSet(
        sheet=sheet,
        porosity=torch.from_numpy(labelled.microstructures.porosity),
        values=torch.from_numpy(labelled.labels.values),
        usable=torch.from_numpy(labelled.labels.is_usable),
    )
