"""One trial of the search: a generator, a predictor trained with what it draws, and the scores of both."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

from matopt.generators.base import Generator
from matopt.physics.base import Physics
from matopt.registry import Component
from matopt.stages.data import Dataset, LabelFunction, LabelledSet
from matopt.stages.models import (
    GeneratorTask,
    ModelContext,
    PredictorTask,
    fit_generator,
    fit_predictor,
    load_generator,
    load_predictor,
)
from matopt.stages.records import TrialResult
from matopt.stages.scores import predictor_scores, sample_scores
from matopt.training.report import Report, no_report


@dataclass(frozen=True)
class TrialSettings:
    """The settings of a trial: one point of the search.

    Attributes:
        generator, predictor, traits: what is fitted, with their settings.
        augmentation: how many artificial microstructures join the training set.
        seed: of everything in the trial.
        metrics: what it is scored by, besides the metrics of the registry.
    """

    generator: Component
    predictor: Component
    traits: tuple[Component, ...]
    augmentation: int
    seed: int
    metrics: tuple[Component, ...] = ()


def run_trial(
    settings: TrialSettings,
    dataset: Dataset,
    physics: Physics,
    label: LabelFunction,
    context: ModelContext,
    report: Report = no_report,
) -> TrialResult:
    """Fit the generator, label what it draws, fit the predictor with it, and score both on the validation set.

    Args:
        settings: the point of the search.
        dataset: the authentic microstructures; the test split is left alone.
        physics: the simulators, for the traits' reference.
        label: computes or looks up properties of the artificial microstructures, and of moved validation ones.
        context: where models are made.
        report: hears of both trainings.
    """
    start = perf_counter()
    generator_task = GeneratorTask(settings.generator, dataset.train, dataset.validation, settings.seed)
    generator_key = fit_generator(generator_task, context, report)
    generator = load_generator(generator_key, context)
    train = training_set(settings, dataset.train, generator, label)
    predictor_task = PredictorTask(settings.predictor, settings.traits, train, dataset.validation, settings.seed)
    predictor_key = fit_predictor(predictor_task, context, report)
    predictor = load_predictor(predictor_key, context)
    metrics = {
        **predictor_scores(predictor, dataset.validation, physics, label, settings.traits, context, settings.metrics),
        **sample_scores(generator, dataset.train, dataset.validation, settings.seed, context, settings.metrics),
    }
    return TrialResult(metrics, generator_key, predictor_key, perf_counter() - start)


def training_set(
    settings: TrialSettings, authentic: LabelledSet, generator: Generator, label: LabelFunction
) -> LabelledSet:
    """What a trial's predictor learns from: the authentic microstructures, and the artificial ones of the trial."""
    if not settings.augmentation:
        return authentic
    artificial = generator.draw(settings.augmentation, settings.seed)
    return authentic + LabelledSet(artificial, label(artificial))
