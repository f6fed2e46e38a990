"""A key changes with everything that a result follows from, and with nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_study import GENERATOR, PREDICTOR, TRAITS

from matopt.design.settings import DesignSettings
from matopt.microstructures import Microstructures
from matopt.physics.base import Physics, simulators
from matopt.properties import Property, PropertyTable
from matopt.registry import Component, content_key
from matopt.stages.artifacts import ArtifactStore
from matopt.stages.ascent import DesignPlan
from matopt.stages.data import Dataset, LabelledSet
from matopt.stages.design import design_key
from matopt.stages.evaluation import EvaluationSettings, evaluation_key
from matopt.stages.keys import component_identity, stage_key
from matopt.stages.models import GeneratorTask, ModelContext, PredictorTask
from matopt.stages.trial import TrialSettings


def labelled(n: int, seed: int) -> LabelledSet:
    values = np.random.default_rng(seed).random((n, 1))
    images = Microstructures((values[:, :, None] * np.ones((8, 8)) > 0.5).astype(np.uint8), 1e-6)
    return LabelledSet(
        images, PropertyTable((Property("p", "p", "1", "1"),), values, np.full((n, 1), "ok"), np.zeros((n, 1)))
    )


DATASET = Dataset(labelled(6, 0), labelled(4, 1), labelled(4, 2))
PHYSICS = Physics(simulators(["diffusivity", "permeability"]), 1e-6)
HERE = ModelContext(ArtifactStore(Path("nowhere")), Path("nowhere"))


def changed(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value / 2 if 0 < value < 1 else value + 1
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, Component):
        return replace(value, settings={**value.settings, "another": 1})
    if isinstance(value, LabelledSet):
        return value[:-1]
    if isinstance(value, tuple):
        return (*value[:-1], changed(value[-1]))
    if isinstance(value, dict):
        (name, first), *others = value.items()
        return {name: changed(first), **dict(others)}
    if isinstance(value, TrialSettings):
        return replace(value, augmentation=value.augmentation + 1)
    if isinstance(value, DesignSettings):
        return replace(value, steps=value.steps + 1)
    return replace(value, tolerance=2 * value.tolerance)  # a simulator


def of(stage: str) -> Callable[[Any], str]:
    return lambda task: stage_key(stage, task, code="matopt.stages.models", folder=HERE.folder)


DESIGN = DesignSettings(
    property="youngs_modulus", goal=3e10, limits={"permeability": (1.0, 2.0)}, against="diffusivity", against_goal=1.0,
    start_porosity=0.2,
)  # fmt: skip
SETTINGS = [
    (GeneratorTask(GENERATOR, DATASET.train, DATASET.validation, 0), of("generator")),
    (PredictorTask(PREDICTOR, TRAITS, DATASET.train, DATASET.validation, 0), of("predictor")),
    (
        EvaluationSettings({"vae": GENERATOR}, PREDICTOR, TRAITS, (5, 10), 2, "predictor", 0, (Component("mine"),)),
        lambda settings: evaluation_key(settings, DATASET, PHYSICS, HERE),
    ),
    (
        DesignPlan(
            DESIGN,
            "generator",
            "predictor",
            TrialSettings(GENERATOR, PREDICTOR, TRAITS, 10, 0),
            (Component("youngs_modulus"),),
            0,
        ),
        lambda plan: design_key(plan, DATASET, HERE),
    ),
    (DESIGN, of("design")),
    (DATASET, of("dataset")),
    (PHYSICS, of("physics")),
]


@pytest.mark.parametrize(("settings", "key"), SETTINGS, ids=[type(settings).__name__ for settings, _ in SETTINGS])
def test_every_field_of_what_a_stage_is_given_changes_its_key(settings: Any, key: Callable[[Any], str]) -> None:
    others = [replace(settings, **{f.name: changed(getattr(settings, f.name))}) for f in fields(settings)]
    assert len({key(settings), *map(key, others)}) == len(others) + 1
    assert key(replace(settings)) == key(settings)


def test_the_stage_is_part_of_the_key() -> None:
    assert of("a")(DATASET) != of("b")(DATASET)


def test_the_evaluation_follows_from_all_splits_and_the_physics() -> None:
    settings = EvaluationSettings({"vae": GENERATOR}, PREDICTOR, TRAITS, (5,), 2, "predictor", 0)
    keys = {
        evaluation_key(settings, DATASET, PHYSICS, HERE),
        evaluation_key(settings, DATASET, replace(PHYSICS, voxel_size=2e-6), HERE),
    }
    for name in ("train", "validation", "test"):
        other = replace(DATASET, **{name: getattr(DATASET, name)[1:]})
        keys.add(evaluation_key(settings, other, PHYSICS, HERE))
    assert len(keys) == 5


def test_the_order_of_settings_makes_no_other_key() -> None:
    assert content_key({"a": 1, "b": 2.5}) == content_key({"b": 2.5, "a": 1})
    assert content_key({"a": 1}) != content_key({"a": 2})


def test_an_edited_file_of_the_user_is_another_component(tmp_path: Path) -> None:
    component = Component("mine.py:Mine", {"weight": 0.1})
    (tmp_path / "mine.py").write_text("class Mine: pass")
    before = component_identity(component, tmp_path)
    (tmp_path / "mine.py").write_text("class Mine: x = 1")
    assert component_identity(component, tmp_path) != before


def test_a_task_with_an_edited_file_of_the_user_has_another_key(tmp_path: Path) -> None:
    task = PredictorTask(PREDICTOR, (Component("mine.py:Mine"),), DATASET.train, DATASET.validation, 0)
    keys = set()
    for text in ("class Mine: pass", "class Mine: x = 1"):
        (tmp_path / "mine.py").write_text(text)
        keys.add(stage_key("predictor", task, code="matopt.stages.models", folder=tmp_path))
    assert len(keys) == 2


@dataclass(frozen=True)
class Strange:
    thing: object


def test_what_has_no_content_is_refused() -> None:
    with pytest.raises(TypeError, match="object has no content key"):
        stage_key("stage", Strange(object()), code="matopt.stages.models", folder=HERE.folder)
