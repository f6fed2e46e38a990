"""What a study file may hold: its sections, their keys, types and limits."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    model_validator,
)

from matopt.devices import check_device_name
from matopt.physics.base import SIMULATORS
from matopt.study.config.component_fields import (
    BaselineField,
    DesignField,
    GeneratorField,
    PredictorField,
    SamplerField,
    SimulatorsField,
    SourceField,
    TraitsField,
    checking,
    default_sampler,
)
from matopt.study.config.components import build_component
from matopt.study.config.messages import nested
from matopt.study.config.study_file import LARGEST_INTEGER, Problem, shown
from matopt.study.samplers.base import SearchSpec
from matopt.study.space import DIMENSIONS, Dimension, read_dimension
from matopt.traits.base import TRAITS

LONGEST_STUDY_NAME = 200
"""Bytes: folders' names may have 255, and models' names in MLflow, which go on after the study's, 250."""

AtLeastOne = Annotated[int, Field(ge=1, le=LARGEST_INTEGER)]
NotNegative = Annotated[int, Field(ge=0, le=LARGEST_INTEGER)]
Direction = Literal["maximize", "minimize"]


def _name(text: str) -> str:
    if not text or not text.replace("-", "").replace("_", "").replace(".", "").isalnum() or not text[0].isalnum():
        raise ValueError(f"must be letters, digits, '-', '_' and '.', as it names a folder, got {shown(text)}")
    if (size := len(text.encode())) > LONGEST_STUDY_NAME:
        raise ValueError(f"must have {LONGEST_STUDY_NAME} bytes at most, as it names folders and models, got {size}")
    return text


def _uri(text: str | None) -> str | None:
    if text is not None and not text.startswith(("http://", "https://")):
        raise ValueError(f"must be null (a file in the storage folder) or http(s)://..., got {shown(_public(text))}")
    if text is not None and _public(text) != text:
        raise ValueError(
            f"holds a user or a password, which would be in the report and in every file of the study; say"
            f" {shown(_public(text))} and set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        )
    return text


def _public(uri: str) -> str:
    """Leave a URI's user, password and query out: the two before an @, as browsers take them, and what looks so."""
    scheme, mark, rest = uri.rpartition("://")
    return scheme + mark + rest.rpartition("@")[2].partition("?")[0]


def _device_of_processes(name: str) -> str:
    if ":" in check_device_name(name):
        kind = name.partition(":")[0]
        raise ValueError(
            f"must be cpu, cuda or mps, got {shown(name)}: Ray gives each process its device; write {kind}"
            + ", and choose GPUs by CUDA_VISIBLE_DEVICES where Ray starts" * (kind == "cuda")
        )
    return name


def _some(items: Any) -> Any:
    if not items:
        raise ValueError("is empty; name one at least")
    return items


def _different(items: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(items)) < len(items):
        raise ValueError(f"holds something twice: {list(items)}")
    return _some(items)


def _dotted_names(space: Any) -> Any:
    """Refuse sections in a search space, whose keys are whole dotted names."""
    problems = []
    for name, value in space.items() if isinstance(space, dict) else ():
        inner, names = value, [name]
        while isinstance(inner, dict) and len(inner) >= 1 and not set(inner) & set(DIMENSIONS):
            first, inner = next(iter(inner.items()))
            names.append(first)
        if len(names) > 1 and isinstance(inner, dict):
            message = f"must not be a section; write the dotted name, {'.'.join(names)}: {shown(inner)}"
            problems.append(Problem((name,), message))
    if problems:
        raise nested(problems)
    return space


def _accuracy() -> dict[str, Direction]:
    return {"r2": "maximize"}


class Section(BaseModel):
    """Base of all sections: no unknown keys, no silent conversions, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class WindowSection(Section):
    """Sets how microstructures are cut; see :class:`matopt.data.windows.window.Window`."""

    size: AtLeastOne
    stride: AtLeastOne | None = None
    zoom: AtLeastOne = 1
    dimensions: Literal[2, 3] = 2
    slice_step: AtLeastOne | None = None


class SplitSection(Section):
    """Sets how many microstructures each split has."""

    train: AtLeastOne
    validation: AtLeastOne
    test: AtLeastOne


class DataSection(Section):
    """Sets where authentic microstructures come from, and how they are cut and split."""

    source: SourceField
    window: WindowSection
    split: SplitSection


class AugmentationSection(Section):
    """Sets how many artificial microstructures join the predictor's training set."""

    size: NotNegative = 100


class PruningSection(Section):
    """Sets when a trial is pruned: stopped in its predictor's training, as it is not among the best there.

    ``objectives`` are those that a trial may be pruned for, all by default; a training must foretell each. ``first`` is
    the share of a training at which it is judged first, and again at shares ``factor`` times as large, and one of
    ``factor`` trials goes on. The first ``startup`` trials that come to a share go on from it anyway.
    """

    objectives: Annotated[tuple[str, ...], AfterValidator(_different)] | None = None
    first: Annotated[float, Field(gt=0, lt=1)] = 0.5
    factor: Annotated[int, Field(ge=2, le=LARGEST_INTEGER)] = 2
    startup: AtLeastOne = 4


class SearchSection(Section):
    """Sets what the trials vary, how their points are chosen and what they are judged by.

    ``trials`` is a total, of which ``min_complete`` must be complete in the end, or the launch has failed;
    ``replacements`` is how many other points may be tried, over all launches, in place of those whose trials fail (as
    many as trials by default); ``startup`` points are random before a sampler trusts its model; ``select`` is the
    objective that picks the best trial (the first by default); ``pruning`` stops bad trials early, which null leaves.
    Where space or objectives change, the trials of earlier launches that are points of the new search are kept.
    """

    trials: AtLeastOne = 1
    min_complete: AtLeastOne = 1
    replacements: NotNegative | None = None
    sampler: SamplerField = Field(default_factory=default_sampler)
    startup: AtLeastOne = 10
    space: Annotated[
        dict[
            str,
            Annotated[
                Dimension,
                PlainValidator(read_dimension),
                PlainSerializer(lambda dimension: {dimension.word: list(dimension.items)}),
            ],
        ],
        BeforeValidator(_dotted_names),
    ] = Field(default_factory=dict)
    objectives: Annotated[dict[str, Direction], AfterValidator(_some)] = Field(default_factory=_accuracy)
    select: str | None = None
    pruning: PruningSection | None = None


class EvaluationSection(Section):
    """Sets which generators are compared by what their samples are worth to the predictor."""

    generators: Annotated[tuple[BaselineField, ...], AfterValidator(_some)]
    sizes: Annotated[tuple[AtLeastOne, ...], AfterValidator(_different)] = (50, 100, 200, 500, 1000)
    draws: AtLeastOne = 10


class ResourcesSection(Section):
    """Sets how many processes of each kind there are, and what each may use.

    "auto" is what the cluster has room for when a launch starts: trials and predictors one for each GPU, or for each
    ``cpus_per_trial`` CPUs, and simulators as many; trials no more than the sampler can learn from, which is
    ``search.startup`` or a quarter of ``search.trials``. ``timeout`` is the patience with each of them, in seconds: for
    an answer to a call, for a sign of life of a trial, for a node that comes back or is to come, for a bucket that does
    not answer. ``trial_timeout`` is what a trial may take in all; by default as long as it shows signs of life.
    """

    device: Annotated[str, AfterValidator(_device_of_processes)] = "cpu"
    trials: AtLeastOne | Literal["auto"] = "auto"
    simulators: AtLeastOne | Literal["auto"] = "auto"
    predictors: AtLeastOne | Literal["auto"] = "auto"
    cpus_per_trial: AtLeastOne = 1
    timeout: Annotated[float, Field(gt=0, le=1e9)] = 3600.0
    trial_timeout: Annotated[float, Field(gt=0, le=1e9)] | None = None


class TrackingSection(Section):
    """Sets where MLflow records the study: null is a SQLite file in the storage folder, or a bucket's working copy."""

    uri: Annotated[str | None, AfterValidator(_uri)] = None


class ReportSection(Section):
    """Adds figures to those that every report has: ``path.py:Name``, or a section with a ``kind``."""

    figures: Annotated[tuple[str | dict[str, Any], ...], Field(strict=False)] = ()


class StudyConfig(Section):
    """The configuration of a study: all its sections, with defaults for those that are left out."""

    name: Annotated[str, AfterValidator(_name)]
    seed: NotNegative = 0
    storage: Annotated[str, Field(min_length=1)] = "runs"
    data: DataSection
    physics: SimulatorsField
    generator: GeneratorField
    predictor: PredictorField
    augmentation: AugmentationSection = Field(default_factory=AugmentationSection)
    traits: TraitsField = Field(default_factory=dict)
    search: SearchSection = Field(default_factory=SearchSection)
    evaluation: EvaluationSection | None = None
    design: DesignField = None
    resources: ResourcesSection = Field(default_factory=ResourcesSection)
    tracking: TrackingSection = Field(default_factory=TrackingSection)
    report: ReportSection = Field(default_factory=ReportSection)

    @model_validator(mode="after")
    def _traits_apply(self, info: ValidationInfo) -> Self:
        """Refuse traits that say nothing about the study's properties: every trial would fail by them."""
        folder = checking(info).folder
        properties = [build_component(SIMULATORS, simulator, folder).property for simulator in self.physics.values()]
        problems = [
            Problem(("traits", name), f"it says nothing about {' and '.join(p.name for p in properties)}; leave it out")
            for name, trait in self.traits.items()
            if not build_component(TRAITS, trait, folder).applies_to(properties)
        ]
        if problems:
            raise nested(problems)
        return self

    @property
    def search_spec(self) -> SearchSpec:
        """Describe the search to its sampler, with one trial at a time where the cluster is to say how many."""
        return SearchSpec(
            self.search.space,
            tuple(self.search.objectives),
            self.search.trials,
            self.search.startup,
            1 if self.resources.trials == "auto" else self.resources.trials,
            self.seed,
        )
