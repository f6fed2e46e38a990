"""Generators and predictors as artifacts: fitted once for what they are fitted from, loaded wherever they are used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from matopt.generators.base import GENERATORS, Generator
from matopt.predictors.base import PREDICTORS, Predictor
from matopt.registry import Component
from matopt.stages.artifacts import ArtifactStore
from matopt.stages.data import LabelledSet
from matopt.stages.keys import stage_key
from matopt.training.report import Report, no_report, prefixed, stopping
from matopt.traits.base import TRAITS, Trait


@dataclass(frozen=True)
class ModelContext:
    """Where models are made: the same on a laptop and in an actor.

    Attributes:
        artifacts: where they are kept.
        folder: what a class in a user's file (``path.py:Name``) is relative to: the study file's folder.
        device: where they are trained and run.
    """

    artifacts: ArtifactStore
    folder: Path
    device: str = "cpu"


@dataclass(frozen=True)
class GeneratorTask:
    """A generator to be fitted to the authentic microstructures."""

    generator: Component
    train: LabelledSet
    validation: LabelledSet
    seed: int


@dataclass(frozen=True)
class PredictorTask:
    """A predictor to be fitted to labelled microstructures, and to traits by their weights."""

    predictor: Component
    traits: tuple[Component, ...]
    train: LabelledSet
    validation: LabelledSet
    seed: int


def fit_generator(task: GeneratorTask, context: ModelContext, report: Report = no_report) -> str:
    """Fit the generator of ``task``, unless it was; returns its key.

    Raises:
        Stopped: the report asked for it; nothing is kept.
    """
    key = stage_key("generator", task, folder=context.folder)
    if key in context.artifacts:
        return key
    generator = GENERATORS.build(task.generator, context.folder).to(context.device)
    start = perf_counter()
    generator.fit(
        task.train.microstructures,
        task.validation.microstructures,
        stopping(prefixed(report, "generator")),
        task.seed,
    )
    context.artifacts.save(key, _payload(task.generator, generator, perf_counter() - start))
    return key


def load_generator(key: str, context: ModelContext) -> Generator:
    """The fitted generator of ``key``, on the context's device."""
    payload = context.artifacts.load(key)
    generator = GENERATORS.build(_component(payload), context.folder)
    generator.load_state_dict(payload["state"])
    return generator.to(context.device)


def fit_predictor(task: PredictorTask, context: ModelContext, report: Report = no_report) -> str:
    """Fit the predictor of ``task``, unless it was; returns its key.

    Raises:
        Stopped: the report asked for it; nothing is kept.
    """
    key = stage_key("predictor", task, folder=context.folder)
    if key in context.artifacts:
        return key
    predictor = PREDICTORS.build(task.predictor, context.folder).to(context.device)
    start = perf_counter()
    predictor.fit(
        task.train.microstructures,
        task.train.labels,
        (task.validation.microstructures, task.validation.labels),
        build_traits(task.traits, context.folder),
        stopping(prefixed(report, "predictor")),
        task.seed,
    )
    context.artifacts.save(key, _payload(task.predictor, predictor, perf_counter() - start))
    return key


def load_predictor(key: str, context: ModelContext) -> Predictor:
    """The fitted predictor of ``key``, on the context's device."""
    payload = context.artifacts.load(key)
    predictor = PREDICTORS.build(_component(payload), context.folder)
    predictor.load_state_dict(payload["state"])
    return predictor.to(context.device)


def build_traits(traits: tuple[Component, ...], folder: Path) -> list[Trait]:
    """The traits that these components describe."""
    return [TRAITS.build(trait, folder) for trait in traits]


def _payload(component: Component, model: Generator | Predictor, seconds: float) -> dict[str, object]:
    return {
        "kind": component.kind,
        "settings": dict(component.settings),
        "state": model.state_dict(),
        "seconds": seconds,
        "torch": str(torch.__version__),
    }


def _component(payload: dict[str, Any]) -> Component:
    return Component(payload["kind"], payload["settings"])
