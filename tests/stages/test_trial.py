"""A trial fits, draws, labels and scores, without a look at the test split."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_study import GENERATOR, PREDICTOR, TRAITS, CountingLabel

from matopt.physics.base import Physics
from matopt.registry import Component
from matopt.stages.data import Dataset
from matopt.stages.models import (
    GeneratorTask,
    ModelContext,
    PredictorTask,
    build_traits,
    fit_generator,
    fit_predictor,
    load_generator,
    load_predictor,
)
from matopt.stages.trial import TrialSettings, run_trial
from matopt.training.report import Stopped


def test_a_trial_scores_both_models_and_never_sees_the_test_split(
    dataset: Dataset, physics: Physics, label: CountingLabel, context: ModelContext
) -> None:
    blind = replace(dataset, test=None)
    heard: set[str] = set()

    def report(step: int, /, **scalars: float) -> bool:
        heard.update(scalars)
        return False

    settings = TrialSettings(GENERATOR, PREDICTOR, TRAITS, 10, 0)
    result = run_trial(settings, blind, physics, label, context, report)
    artificial, moved = label.asked  # the latter of the validation set, for the response skill
    assert len(artificial) == 10 and len(moved) == 6 * len(dataset.validation)
    expected = {"r2", "r2/youngs_modulus", "response_skill", "response_skill/permeability", "morphology_distance"}
    assert expected | {"response_skill/constant_porosity", "trait/monotonicity/violation_rate"} <= set(result.metrics)
    assert all(np.isfinite(value) for value in result.metrics.values())
    assert result.metrics["r2"] == pytest.approx(
        np.mean([result.metrics["r2/youngs_modulus"], result.metrics["r2/permeability"]])
    )
    assert {"generator/loss", "predictor/loss"} <= heard
    assert result.generator_key in context.artifacts
    assert result.predictor_key in context.artifacts


def test_labels_are_taken_of_binarised_samples(
    dataset: Dataset, physics: Physics, label: CountingLabel, context: ModelContext
) -> None:
    result = run_trial(TrialSettings(GENERATOR, PREDICTOR, (), 6, 3), dataset, physics, label, context)
    raw = load_generator(result.generator_key, context).sample(6, 3)
    assert not torch.equal(raw, raw.round())  # grey, after so short a training
    assert np.array_equal(label.asked[0].phases, (raw[:, 0] >= 0.5).numpy())


def test_a_model_is_fitted_once_for_what_it_is_fitted_from(dataset: Dataset, context: ModelContext) -> None:
    reports: list[int] = []

    def report(step: int, /, **scalars: float) -> bool:
        reports.append(step)
        return False

    task = GeneratorTask(GENERATOR, dataset.train, dataset.validation, 0)
    key = fit_generator(task, context, report)
    count, made = len(reports), context.artifacts.path(key).stat().st_mtime_ns
    assert count > 0
    assert fit_generator(task, context, report) == key
    assert context.artifacts.path(key).stat().st_mtime_ns == made
    assert reports[count:] == reports[:count]  # it reports what its training did
    others = [
        replace(task, seed=1),
        replace(task, train=dataset.train[:20]),
        replace(task, generator=Component("morphology_vae", {"latent_dim": 4, "steps": 31, "detail_steps": 0})),
    ]
    assert len({key, *(fit_generator(other, context) for other in others)}) == 4


def test_a_training_that_is_told_to_stop_is_not_kept(dataset: Dataset, context: ModelContext) -> None:
    task = PredictorTask(PREDICTOR, (), dataset.train, dataset.validation, 0)
    with pytest.raises(Stopped):
        fit_predictor(task, context, lambda step, /, **scalars: True)
    assert not list(context.artifacts.root.rglob("*.pt"))


def test_a_trait_of_the_user_is_trained_for(dataset: Dataset, context: ModelContext) -> None:
    (context.folder / "mine.py").write_text(
        """
import torch
from matopt import Trait

class SolidIsGrain(Trait):
    name = "solid_is_grain"

    def residual(self, model, density):
        column = [p.name for p in model.properties].index("youngs_modulus")
        grain = model.properties[column].constant("grain_youngs_modulus")
        return (model.predict(torch.ones_like(density))[:, column] / grain - 1).abs()
"""
    )
    trait = Component("mine.py:SolidIsGrain", {"weight": 1.0})
    residuals = []
    for traits in ((), (trait,)):
        key = fit_predictor(PredictorTask(PREDICTOR, traits, dataset.train, dataset.validation, 0), context)
        (built,) = build_traits((trait,), context.folder)
        predictor = load_predictor(key, context)
        residuals.append(float(built.residual(predictor, dataset.validation.microstructures.density()).detach().mean()))
    assert residuals[1] < residuals[0]
