"""What the stages of a study return: frozen records, which :mod:`matopt.stages.codec` saves and loads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from matopt.design.objective import Goal
from matopt.microstructures import Microstructures
from matopt.stages.audit import AuditRow
from matopt.stages.responses.skill import ResponseSkill


@dataclass(frozen=True)
class TrialResult:
    """What a trial of the search found.

    Attributes:
        metrics: its scores on the validation set.
        generator_key, predictor_key: of its fitted models in the artifact store.
        seconds: how long it took.
        waiting: how much of that it waited for simulators that others kept busy, or for others to fit its models.
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
class Against:
    """The other property that was wanted of N designs, at C steps of their way.

    Attributes:
        predicted: ``(N, C)`` what the predictor says, SI; None where the judge knew nothing of it.
        true: ``(N, C)`` what the simulators say, SI.
        usable: ``(N, C)`` bool, whether they call it ``ok``.
    """

    predicted: torch.Tensor | None
    true: torch.Tensor
    usable: torch.Tensor


@dataclass(frozen=True, eq=False)
class SpaceResult:
    """The designs of one space in one role: N binary designs at C steps of their way, checked by the physics.

    Attributes:
        space: its name.
        role: "design", or the baseline that it is, see :class:`matopt.design.settings.DesignSettings`.
        checked: the C steps, the start and the end among them.
        predicted: ``(N, C)`` what the predictor says, SI, whoever judged.
        true: ``(N, C)`` what the simulators say, SI.
        usable: ``(N, C)`` bool, whether they call it ``ok``.
        volume_fraction: ``(N, C)`` solid fractions.
        distance: ``(N, C)`` distances from the authentic morphologies; NaN without a trust region.
        limit: the largest of these that the trust region allows; None without one.
        snapshots: ``(N, C, *S)`` uint8 phases.
        solves: ``(N,)`` how often the judge was asked about each design.
        morphology_distance: of all of them from held-out authentic ones, at each of the C steps.
        against: of the other property that was wanted; None where there was none.
    """

    space: str
    role: str
    checked: tuple[int, ...]
    predicted: torch.Tensor
    true: torch.Tensor
    usable: torch.Tensor
    volume_fraction: torch.Tensor
    distance: torch.Tensor
    limit: float | None
    snapshots: torch.Tensor
    solves: torch.Tensor
    morphology_distance: tuple[float, ...]
    against: Against | None = None

    @property
    def porosity(self) -> np.ndarray:
        """``(N, C)`` float64."""
        return 1 - self.volume_fraction.double().numpy()

    def ends(self, voxel_size: float) -> Microstructures:
        """The designs at the last step; ``voxel_size`` in metres."""
        return Microstructures(self.snapshots[:, -1].numpy(), voxel_size)


@dataclass(frozen=True, eq=False)
class Round:
    """Designs by a predictor that was taught solved microstructures more than the one before.

    Attributes:
        number: counted from 1.
        taught_by: what these were: "designs" of the rounds before, or as many "samples" of the generator.
        solves: how many, in all rounds up to this.
        designs: from the same starts as before the first round.
    """

    number: int
    taught_by: str
    solves: int
    designs: SpaceResult


@dataclass(frozen=True, eq=False)
class DesignResult:
    """The designs of every space and of every baseline, as predicted and as the physics has them.

    Attributes:
        property: the name of what was to be improved.
        goal: "maximize", "minimize" or a value, SI.
        porosity_tolerance: how far porosities were allowed to be from those of the starts; None where they were let go.
        spaces: the designs by the predictor, in the order of the study.
        baselines: what they are held against.
        rounds: the designs of the closed loop, in the first space that knows the material.
        against: the name of the other property that was wanted; None where there was none.
        against_goal: as ``goal``, of this one.
    """

    property: str
    goal: Goal
    porosity_tolerance: float | None
    spaces: tuple[SpaceResult, ...]
    baselines: tuple[SpaceResult, ...]
    rounds: tuple[Round, ...] = ()
    against: str | None = None
    against_goal: Goal = "maximize"
