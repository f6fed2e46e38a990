"""What the stages of a study return: frozen records, which :mod:`matopt.stages.codec` saves and loads."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from matopt.stages.audit import AuditRow
from matopt.stages.responses.skill import ResponseSkill


@dataclass(frozen=True)
class TrialResult:
    """What a trial of the search found.

    Attributes:
        metrics: its scores on the validation set.
        generator_key, predictor_key: of its fitted models in the artifact store.
        seconds: how long it took.
        waiting: how much of that it waited for simulators that others kept busy.
    """

    metrics: dict[str, float]
    generator_key: str
    predictor_key: str
    seconds: float
    waiting: float = 0.0


@dataclass(frozen=True, eq=False)
class SampleSet:
    """Porosity and properties of N microstructures, and images of a few of them.

    Attributes:
        sheet: ``(K, *S)`` densities, raw where a generator drew them.
        porosity: ``(N,)``.
        values: ``(N, P)`` properties, SI units.
        usable: ``(N, P)`` bool, values that the simulators call ``ok``.
    """

    sheet: torch.Tensor
    porosity: torch.Tensor
    values: torch.Tensor
    usable: torch.Tensor


@dataclass(frozen=True, eq=False)
class GeneratorResult:
    """The samples of one generator, and how near they come to the test split.

    Attributes:
        name: of the generator in the study.
        key: of the fitted generator in the artifact store.
        scores: metric -> value, of its samples against the test split.
        samples: what it drew.
    """

    name: str
    key: str
    scores: dict[str, float]
    samples: SampleSet


@dataclass(frozen=True)
class CurvePoint:
    """The R2 of a predictor that was fitted to the authentic microstructures and some artificial ones.

    Attributes:
        generator: whose samples were added, or :data:`matopt.stages.evaluation.AUTHENTIC` where none were.
        size: how many were added.
        draw: the number of the random draw.
        r2: property -> R2 on the test split.
    """

    generator: str
    size: int
    draw: int
    r2: dict[str, float]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The evaluation of generators and of the best trial's predictor, on the test split.

    Attributes:
        properties: the names of the P columns.
        authentic: the test split.
        generators: in the order of the study.
        curve: what artificial microstructures are worth to a predictor, point by point.
        predicted: ``(N, P)`` what the best trial's predictor says of the test split.
        audit: its violations of traits; empty where the study has none.
        skills: how well it foretells what moves of the test split do.
    """

    properties: tuple[str, ...]
    authentic: SampleSet
    generators: tuple[GeneratorResult, ...]
    curve: tuple[CurvePoint, ...]
    predicted: torch.Tensor
    audit: tuple[AuditRow, ...]
    skills: tuple[ResponseSkill, ...]


@dataclass(frozen=True, eq=False)
class SpaceResult:
    """The designs of one space: N trajectories over T steps, checked by the physics at C of them.

    Attributes:
        space: its name.
        predicted: ``(N, T + 1)`` predicted values, SI.
        volume_fraction: ``(N, T + 1)`` solid fractions of the densities.
        distance: ``(N, T + 1)`` distances from the nearest authentic morphology; NaN without a trust region.
        checked: the C steps at which the physics was asked.
        snapshots: ``(N, C, *S)`` densities at these steps.
        ending: how each design ended.
        true: ``(N, C)`` what the simulators say of the binarised microstructures, SI.
        usable: ``(N, C)`` bool, whether they call it ``ok``.
        true_volume_fraction: ``(N, C)`` solid fractions of the binarised microstructures.
        morphology_distance: of all of them from the authentic ones, at each of the C steps.
    """

    space: str
    predicted: torch.Tensor
    volume_fraction: torch.Tensor
    distance: torch.Tensor
    checked: tuple[int, ...]
    snapshots: torch.Tensor
    ending: tuple[str, ...]
    true: torch.Tensor
    usable: torch.Tensor
    true_volume_fraction: torch.Tensor
    morphology_distance: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class DesignResult:
    """The designs of every space, as predicted and as the physics has them.

    Attributes:
        property: the name of what was raised.
        spaces: in the order of the study.
    """

    property: str
    spaces: tuple[SpaceResult, ...]
