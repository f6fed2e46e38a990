"""Metrics measure what they say, and a user's own is computed like the registry's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from small_study import GENERATOR, PREDICTOR, TRAITS, CountingLabel

from matopt.microstructures import Microstructures
from matopt.physics.base import Physics
from matopt.properties import Property, PropertyTable
from matopt.registry import Component
from matopt.stages.data import Dataset, LabelledSet
from matopt.stages.metrics.base import METRICS, Predictions, PredictorMetric, SampleMetric, Samples, split_objective
from matopt.stages.models import ModelContext
from matopt.stages.responses.skill import ResponseSkill
from matopt.stages.trial import TrialSettings, run_trial

MINE = """
import torch
from matopt.stages.metrics.base import PredictorMetric, SampleMetric

class Solid(SampleMetric):
    direction = "maximize"

    def value(self, samples):
        return float(samples.binary.mean())

class Bias(PredictorMetric):
    direction = "minimize"
    is_by_property = True

    def value(self, predictions):
        return max(self.by_property(predictions).values())

    def by_property(self, predictions):
        with torch.no_grad():
            predicted = predictions.predictor.predict(predictions.held_out.microstructures.density())
        true = predictions.held_out.labels.values
        return {p.name: float(abs(predicted[:, i].numpy() - true[:, i]).mean())
                for i, p in enumerate(predictions.held_out.labels.properties)}
"""


class Halves:
    """Predicts half of the solid fraction."""

    properties = (Property("solid", "s", "1", "1"),)

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        return density.double().flatten(1).mean(1, keepdim=True) / 2


def striped(*solid: int) -> torch.Tensor:
    """Squares of 12 voxels, of which so many rows are grain."""
    density = torch.zeros(len(solid), 1, 12, 12)
    for image, rows in zip(density, solid, strict=True):
        image[0, :rows] = 1
    return density


def of_samples(name: str, raw: torch.Tensor, authentic: torch.Tensor) -> float:
    metric = METRICS.build(Component(name))
    assert isinstance(metric, SampleMetric)
    return metric.value(Samples(raw, (raw >= 0.5).float(), authentic, authentic))


def of_predictions(
    name: str, skills: tuple[ResponseSkill, ...] = ()
) -> tuple[float, dict[str, float], dict[str, float]]:
    solid = striped(2, 4, 9)
    values = solid.flatten(1).mean(1, keepdim=True).double().numpy()
    table = PropertyTable(Halves.properties, values, np.full((3, 1), "ok"), np.zeros((3, 1)))
    predictions = Predictions(Halves(), LabelledSet(Microstructures.from_density(solid, 1e-6), table), (), skills)
    metric = METRICS.build(Component(name))
    assert isinstance(metric, PredictorMetric)
    return metric.value(predictions), dict(metric.by_property(predictions)), dict(metric.by_part(predictions))


def test_metrics_of_samples_compare_them_with_authentic_microstructures():
    authentic = striped(3, 6)
    assert of_samples("porosity_distance", striped(4, 7), authentic) == pytest.approx(1 / 12)
    assert of_samples("porosity_distance", authentic, authentic) == of_samples("s2_error", authentic, authentic) == 0
    assert of_samples("s2_error", striped(12, 12), authentic) == pytest.approx(1)  # of pores: there are none
    assert of_samples("grey_share", striped(6, 6) * 0.5, authentic) == 0.5
    assert of_samples("grey_share", authentic, authentic) == 0


def test_metrics_of_predictors_compare_them_with_the_physics():
    true = np.array([2, 4, 9]) / 12
    expected = 1 - ((true / 2) ** 2).sum() / ((true - true.mean()) ** 2).sum()
    assert of_predictions("r2") == (pytest.approx(expected, abs=1e-6), {"solid": pytest.approx(expected, abs=1e-6)}, {})
    given = [("blocks", "solid", 0.9), ("blocks", "other", -0.3), ("constant_porosity", "other", 0.6)]
    skills = tuple(ResponseSkill(kind, 1, name, skill, skill, skill, 0.0, 1) for kind, name, skill in given)
    whole, properties, parts = of_predictions("response_skill", skills)
    assert whole == pytest.approx(0.4)
    assert properties == {"solid": pytest.approx(0.9), "other": pytest.approx(0.15)}
    assert parts == {"blocks": pytest.approx(0.3), "constant_porosity": pytest.approx(0.6)}


def test_every_metric_says_which_way_is_better():
    assert {name: METRICS.find(name).direction for name in METRICS.names()} == {
        "r2": "maximize", "response_skill": "maximize", "morphology_distance": "minimize",
        "porosity_distance": "minimize", "s2_error": "minimize", "grey_share": "minimize",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("objective", "parts"),
    [
        ("r2", ("r2", "")),
        ("r2/diffusivity", ("r2", "diffusivity")),
        ("mine.py:Bias", ("mine.py:Bias", "")),
        ("../mine.py:Bias/diffusivity", ("../mine.py:Bias", "diffusivity")),
    ],
)
def test_an_objective_is_of_a_metric_and_perhaps_of_a_property(objective: str, parts: tuple[str, str]):
    assert split_objective(objective) == parts


def test_a_metric_of_the_users_own_is_computed_for_a_trial(
    dataset: Dataset, physics: Physics, label: CountingLabel, context: ModelContext
) -> None:
    Path(context.folder / "mine.py").write_text(MINE)
    mine = (Component("mine.py:Solid"), Component("mine.py:Bias"))
    found = run_trial(TrialSettings(GENERATOR, PREDICTOR, TRAITS, 0, 0, mine), dataset, physics, label, context).metrics
    assert 0 < found["mine.py:Solid"] <= 1
    single = [found[f"mine.py:Bias/{p.name}"] for p in physics.properties]
    assert found["mine.py:Bias"] == max(single) > min(single) > 0
    assert set(METRICS.names()) < set(found)
