"""The checks of a study: each field, fields against each other, and the search space."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from matopt.design.optimisers.base import OPTIMISERS
from matopt.design.spaces.base import SPACES
from matopt.generators.base import GENERATORS
from matopt.physics.base import SIMULATORS
from matopt.predictors.base import PREDICTORS
from matopt.properties import Property
from matopt.registry import Component
from matopt.spelling import suggestion
from matopt.stages.metrics.base import METRICS, Metric, PredictorMetric, split_objective
from matopt.study.config.component_fields import Checking
from matopt.study.config.components import KIND, build_component, check_component
from matopt.study.config.messages import problems_of
from matopt.study.config.schema import StudyConfig
from matopt.study.config.study_file import Key, Problem, StudyText, dotted, shown, split_key
from matopt.study.samplers.base import SAMPLERS

SEARCHABLE = ("generator", "predictor", "augmentation", "traits")
"""The sections that a search may change. The others say what its trials are compared by."""

RENAMED = {"interpretability": "response_skill"}
"""Objectives of older study files, and what took their places."""


def check_fields(text: StudyText, checking: Checking) -> tuple[StudyConfig | None, list[Problem]]:
    """Read the configuration that a text means, and list what is wrong with its fields."""
    try:
        return StudyConfig.model_validate_json(json.dumps(text.tree), context=checking), []
    except ValidationError as error:
        return None, problems_of(error, text.tree, _known_keys)


def cross_problems(config: StudyConfig, folder: Path) -> list[Problem]:
    """Find what is wrong with fields that have to do with each other, though each is right by itself."""
    problems = []
    simulated = [build_component(SIMULATORS, simulator, folder).property for simulator in config.physics.values()]
    properties = [p.name for p in simulated]
    for name, direction in config.search.objectives.items():
        if message := _objective_problem(name, direction, properties, bool(config.traits), folder):
            problems.append(Problem(("search", "objectives", name), message))
    if config.search.select is not None and config.search.select not in config.search.objectives:
        hint = suggestion(config.search.select, list(config.search.objectives))
        problems.append(Problem(("search", "select"), f"{config.search.select!r} is not among the objectives; {hint}"))
    problems += _pruning_problems(config, folder)
    problems += _generator_problems(config, folder)
    if config.search.min_complete > config.search.trials:
        message = f"asks for more complete trials than the {config.search.trials} that are run"
        problems.append(Problem(("search", "min_complete"), message))
    sampler = build_component(SAMPLERS, config.search.sampler, folder)
    if refusal := sampler.refusal(config.search_spec):
        problems.append(Problem(("search", "sampler"), refusal))
    for split, n in config.data.split.model_dump().items():
        if n < 2 and (split != "test" or config.evaluation):
            problems.append(
                Problem(("data", "split", split), f"must be at least 2, as its spread is measured, got {n}")
            )
    kinds = _evaluated(config)
    for index, kind in enumerate(kinds):
        if kind in kinds[:index]:
            problems.append(Problem(("evaluation", "generators", index), f"{kind} is listed twice; keep one"))
    return problems + _design_problems(config, simulated, folder)


def _objective_problem(name: str, direction: str, properties: Sequence[str], has_traits: bool, folder: Path) -> str:
    """Say what is wrong with an objective: no such metric, the other direction, nothing to compute it from."""
    kind, part = split_objective(name)
    if kind in RENAMED:
        return f"{kind} is no longer computed, as it ranked a constant first; write {RENAMED[kind]}"
    if ".py:" in kind:
        component, problems = check_component(METRICS, Metric, {KIND: kind}, folder)
        if component is None:
            return problems[0].message
    elif kind not in METRICS.names():
        return f"no such objective; {suggestion(name, _objectives(properties))}"
    metric = METRICS.build(Component(kind), folder)
    if part:
        single = _single(type(metric), properties)
        if part not in single:
            return f"no such objective; {suggestion(name, _objectives(properties))}"
    if metric.direction != direction:
        return f"{name} is better the other way: {metric.direction}"
    if isinstance(metric, PredictorMetric) and metric.needs_traits and not has_traits:
        return f"{name} is computed of traits, and there are none; name some under 'traits'"
    return ""


def _evaluated(config: StudyConfig) -> list[str]:
    """List the kinds of the generators that are compared."""
    return [g if isinstance(g, str) else g.kind for g in config.evaluation.generators] if config.evaluation else []


def _design_problems(config: StudyConfig, simulated: Sequence[Property], folder: Path) -> list[Problem]:
    """Find what the designs want that no simulator, space, generator or optimiser has."""
    design = config.design
    if design is None:
        return []
    wanted = {("property",): design.property} | {("limits", name): name for name in design.limits}
    if design.against is not None:
        wanted["against",] = design.against
    properties = {p.name: p for p in simulated}
    problems = [
        Problem(("design", *place), f"{name!r} is not simulated; {suggestion(name, list(properties))}")
        for place, name in wanted.items()
        if name not in properties
    ]
    if design.against is not None and not problems:
        for place, name in {"goal": design.property, "against_goal": design.against}.items():
            goal = getattr(design, place)
            if properties[name].scale == "log" and not isinstance(goal, str) and goal <= 0:
                message = f"must be above 0, as {name} is weighed by its logarithm, got {goal:g}"
                problems.append(Problem(("design", place), message))
    if design.rounds and not any(SPACES.find(s.kind, folder).knows_material for s in design.spaces):
        known = [name for name in SPACES.names() if SPACES.find(name).knows_material]
        message = f"rounds are made in a space that knows the material; add {' or '.join(known)} to the spaces"
        problems.append(Problem(("design", "rounds"), message))
    generator = GENERATORS.find(config.generator.kind, folder)
    needs_draws = OPTIMISERS.find(design.optimiser.kind, folder).needs_draws
    for space in design.spaces:
        if needs_draws and not SPACES.find(space.kind, folder).knows_material:
            message = f"{design.optimiser.kind} needs a space that can draw microstructures, which {space.kind} cannot"
            problems.append(Problem(("design", "optimiser"), message))
        if missing := SPACES.find(space.kind, folder).missing_from(generator):
            others = [name for name in SPACES.names() if not SPACES.find(name).missing_from(generator)]
            message = f"{config.generator.kind} has no {missing}; write [{', '.join(others)}]"
            problems.append(Problem(("design", "spaces"), message))
    return problems


def _generator_problems(config: StudyConfig, folder: Path) -> list[Problem]:
    """Find generators of volumes in a study of images."""
    if config.data.window.dimensions == 3:
        return []
    named: list[tuple[Key, str]] = [(("generator",), config.generator.kind)]
    if (searched := config.search.space.get("generator.kind")) is not None:
        named += [(("search", "space"), str(kind)) for kind in searched.items]
    named += [(("evaluation", "generators", index), kind) for index, kind in enumerate(_evaluated(config))]
    return [
        Problem(place, f"{kind} draws volumes, and windows are images; take another, or data.window.dimensions: 3")
        for place, kind in named
        if GENERATORS.find(kind, folder).draws_volumes
    ]


def _pruning_problems(config: StudyConfig, folder: Path) -> list[Problem]:
    """Find the objectives that a trial is to be pruned for, and that no predictor's training foretells."""
    pruning, place = config.search.pruning, ("search", "pruning")
    if pruning is None:
        return []
    for name in pruning.objectives or ():
        if name not in config.search.objectives:
            hint = suggestion(name, list(config.search.objectives))
            return [Problem((*place, "objectives"), f"{name!r} is not among the objectives; {hint}")]
    searched = config.search.space.get("predictor.kind")
    predictors = [build_component(PREDICTORS, config.predictor, folder)]
    kinds = searched.items if searched is not None else ()
    predictors += [PREDICTORS.build(Component(str(kind)), folder) for kind in kinds if kind != config.predictor.kind]
    for predictor in predictors:
        known = [name for name in config.search.objectives if split_objective(name)[0] in predictor.foretold]
        for name in pruning.objectives or config.search.objectives:
            if name in known:
                continue
            blind = f"the training of {type(predictor).__name__} does not foretell {name}"
            if not known:
                return [Problem(place, f"{blind}, nor any other objective; write pruning: null")]
            wanted = [f for f in (pruning.objectives or known) if f in known] or known
            advice = f"to prune trials however good they would be at it, write objectives: [{', '.join(wanted)}]"
            return [Problem(place, f"{blind}; {advice}")]
    return []


def _objectives(properties: Sequence[str]) -> list[str]:
    """List the objectives of the registry's metrics, those of single properties too."""
    names = METRICS.names()
    return names + [f"{name}/{part}" for name in names for part in _single(METRICS.find(name), properties)]


def _single(metric: type[Metric], properties: Sequence[str]) -> list[str]:
    """List the properties and parts of which a metric gives single values."""
    if not issubclass(metric, PredictorMetric):
        return []
    return [*(properties if metric.is_by_property else ()), *metric.parts]


def space_problems(config: StudyConfig, text: StudyText, checking: Checking) -> list[Problem]:
    """Try the ends of every dimension, with every combination of kinds that the search may choose."""
    space = config.search.space
    problems: dict[str, Problem] = {}
    for name in space:
        if split_key(name, text.tree)[0] not in SEARCHABLE:
            message = f"a search may change only what is under {', '.join(SEARCHABLE)}"
            problems[name] = Problem(("search", "space", name), message)
    searched = {name: dimension for name, dimension in space.items() if name not in problems}
    kinds = [name for name in searched if name.endswith(".kind")]
    for combination in itertools.product(*(searched[name].probes for name in kinds)):
        base = text
        for name, value in zip(kinds, combination, strict=True):
            base = base.with_value(split_key(name, base.tree), value, name)
        if found := check_fields(base, checking)[1]:
            sections = [name.partition(".")[0] for name in kinds]
            chosen = sections.index(str(found[0].key[0])) if found[0].key[0] in sections else 0
            place = ("search", "space", kinds[chosen])
            reason = _reason(split_key(kinds[chosen], base.tree), combination[chosen], found[0])
            problems.setdefault(kinds[chosen], Problem(place, reason))
            continue
        for name in searched:
            for probe in () if name in kinds else searched[name].probes:
                key = split_key(name, base.tree)
                if found := check_fields(base.with_value(key, probe, name), checking)[1]:
                    problems.setdefault(name, Problem(("search", "space", name), _reason(key, probe, found[0])))
    return list(problems.values())


def _reason(key: Key, probe: Any, problem: Problem) -> str:
    where = "" if problem.key == key else f"{dotted(problem.key)}: "
    if "no such" in problem.message:
        return where + problem.message
    hint = "; search whole numbers by {int: [low, high]}" if "a whole number" in problem.message else ""
    return f"{shown(probe)} cannot be used: {where}{problem.message}{hint}"


def _known_keys(key: Key) -> list[str]:
    model: Any = StudyConfig
    for part in key:
        annotation = model.model_fields[part].annotation
        choices = [annotation, *getattr(annotation, "__args__", ())]
        model = next(c for c in choices if isinstance(c, type) and issubclass(c, BaseModel))
    return list(model.model_fields)
