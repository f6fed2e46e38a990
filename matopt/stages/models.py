"""Generators and predictors as artifacts: fitted once for what they are fitted from, loaded wherever they are used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TypeVar

import torch

from matopt.generators.base import GENERATORS, Generator
from matopt.predictors.base import PREDICTORS, Predictor
from matopt.registry import Component, Registry
from matopt.stages.artifacts import ArtifactStore
from matopt.stages.claims import claimed
from matopt.stages.data import LabelledSet
from matopt.stages.keys import stage_key
from matopt.training.report import Recorded, Report, no_report, prefixed, stopping
from matopt.traits.base import TRAITS, Trait

Model = TypeVar("Model", Generator, Predictor)


@dataclass(frozen=True)
class ModelContext:
    """Where models are fitted and kept: the same on a laptop and in an actor.

    Attributes:
        artifacts: where fitted models are kept.
        folder: what a class in a user's file (``path.py:Name``) is relative to: the study file's folder.
        device: where models are trained and run.
    """

    artifacts: ArtifactStore
    folder: Path
    device: str = "cpu"


@dataclass(frozen=True)
class GeneratorTask:
    """A generator, and the authentic microstructures that it is to be fitted to."""

    generator: Component
    train: LabelledSet
    validation: LabelledSet
    seed: int


@dataclass(frozen=True)
class PredictorTask:
    """A predictor, and the labelled microstructures and traits that it is to be fitted to."""

    predictor: Component
    traits: tuple[Component, ...]
    train: LabelledSet
    validation: LabelledSet
    seed: int


def fit_generator(task: GeneratorTask, context: ModelContext, report: Report = no_report) -> str:
    """Fit the generator of ``task``, unless it is kept already; returns its key in the artifact store.

    Raises:
        Stopped: the report asked for it; nothing is kept.
    """

    def fit(generator: Generator, report: Report) -> None:
        train, validation = task.train.microstructures, task.validation.microstructures
        generator.fit(train, validation, report, task.seed)

    key = stage_key("generator", task, code=__name__, folder=context.folder)
    _fit_once(key, GENERATORS, task.generator, context, fit, "generator", report)
    return key


def load_generator(key: str, context: ModelContext) -> Generator:
    """Load the fitted generator of ``key``, on the context's device."""
    return _load(key, GENERATORS, context)


def fit_predictor(task: PredictorTask, context: ModelContext, report: Report = no_report) -> str:
    """Fit the predictor of ``task``, unless it is kept already; returns its key in the artifact store.

    Raises:
        Stopped: the report asked for it; nothing is kept.
    """

    def fit(predictor: Predictor, report: Report) -> None:
        predictor.fit(
            task.train.microstructures,
            task.train.labels,
            (task.validation.microstructures, task.validation.labels),
            build_traits(task.traits, context.folder),
            report,
            task.seed,
        )

    key = stage_key("predictor", task, code=__name__, folder=context.folder)
    _fit_once(key, PREDICTORS, task.predictor, context, fit, "predictor", report)
    return key


def load_predictor(key: str, context: ModelContext) -> Predictor:
    """Load the fitted predictor of ``key``, on the context's device."""
    return _load(key, PREDICTORS, context)


def build_traits(traits: tuple[Component, ...], folder: Path) -> list[Trait]:
    """Build the traits that ``traits`` describe; ``folder`` is what classes in a user's files are relative to."""
    return [TRAITS.build(trait, folder) for trait in traits]


def _fit_once(
    key: str,
    family: Registry[Model],
    component: Component,
    context: ModelContext,
    fit: Callable[[Model, Report], None],
    prefix: str,
    report: Report,
) -> None:
    """Build a model, fit it and keep it under ``key``; where it is there, or another process makes it, take that.

    A model that is there reports what its training did, if anybody listens.
    """
    told = stopping(prefixed(report, prefix))
    if key not in context.artifacts:
        with claimed(context.artifacts, key, lambda: told(0)):
            if key not in context.artifacts:
                model = family.build(component, context.folder).to(context.device)
                recorded, start = Recorded(told), perf_counter()
                fit(model, recorded)
                payload = {
                    "kind": component.kind,
                    "settings": dict(component.settings),
                    "state": model.state_dict(),
                    "seconds": perf_counter() - start,
                    "reports": recorded.heard,
                    "torch": str(torch.__version__),
                }
                context.artifacts.save(key, payload)
                return
    if report is not no_report:
        for step, scalars in context.artifacts.load(key)["reports"]:
            told(step, **scalars)


def _load(key: str, family: Registry[Model], context: ModelContext) -> Model:
    payload = context.artifacts.load(key)
    model = family.build(Component(payload["kind"], payload["settings"]), context.folder)
    model.load_state_dict(payload["state"])
    return model.to(context.device)
