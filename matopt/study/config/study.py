"""A study: its file, read, checked, and ready to be run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from matopt.buckets.address import is_address, working_copy
from matopt.data.sources.base import SOURCES
from matopt.data.windows.window import Window
from matopt.design.optimisers.base import OPTIMISERS
from matopt.design.settings import DesignSettings
from matopt.design.spaces.base import SPACES
from matopt.errors import InputError
from matopt.generators.base import GENERATORS
from matopt.local_path import LONGEST_PATH, local_path
from matopt.physics.base import SIMULATORS
from matopt.predictors.base import PREDICTORS
from matopt.registry import Component, Registry
from matopt.stages.keys import component_identity
from matopt.stages.metrics.base import METRICS, split_objective
from matopt.stages.trial import TrialSettings
from matopt.study.config.checks import SEARCHABLE, check_fields, cross_problems, space_problems
from matopt.study.config.component_fields import Checking
from matopt.study.config.components import resolve_paths
from matopt.study.config.schema import StudyConfig
from matopt.study.config.study_file import Key, Problem, StudyText, read_study_file, read_value, split_key
from matopt.study.samplers.base import SAMPLERS, most_points
from matopt.study.space import DIMENSIONS, Plain
from matopt.traits.base import TRAITS

STAGES: dict[str, tuple[str, ...]] = {
    "data": ("seed", "data", "physics"),
    "search": ("seed", "data", "physics", *SEARCHABLE, "search"),
}
"""The sections that the results of these stages follow from; those of the other stages follow from their settings."""

LONGEST_TAIL = 1024
"""Bytes of the longest path below a storage folder: MLflow's copy of a model names the study twice."""


@dataclass(frozen=True, eq=False)
class Study:
    """A checked study: its configuration, and its parts as components that can be built.

    Attributes:
        config: all sections, with all defaults.
        text: what was written, and where; what ``config`` was made from.
        folder: of the study file, absolute; paths in it are relative to this.
        storage: the storage folder, absolute; relative to the working directory of the load. Of a bucket
            (``s3://bucket/prefix``) it is the working copy.
    """

    config: StudyConfig
    text: StudyText
    folder: Path
    storage: Path

    @property
    def as_json(self) -> dict[str, Any]:
        """The whole configuration as JSON values, defaults included, in the shape of the file."""
        return self.config.model_dump(mode="json")

    @property
    def source(self) -> Component:
        """The source of the authentic microstructures, with absolute paths."""
        return self._resolved(SOURCES, self.config.data.source)

    @property
    def window(self) -> Window:
        """The windows that microstructures are cut in."""
        return Window(**self.config.data.window.model_dump())

    @property
    def split(self) -> dict[str, int]:
        """Split -> how many microstructures it has."""
        return self.config.data.split.model_dump()

    @property
    def simulators(self) -> tuple[Component, ...]:
        """The simulators, one for each property, in order."""
        return tuple(self._resolved(SIMULATORS, s) for s in self.config.physics.values())

    @property
    def generator(self) -> Component:
        """The generator."""
        return self._resolved(GENERATORS, self.config.generator)

    @property
    def predictor(self) -> Component:
        """The predictor."""
        return self._resolved(PREDICTORS, self.config.predictor)

    @property
    def traits(self) -> tuple[Component, ...]:
        """The traits, in order."""
        return tuple(self._resolved(TRAITS, trait) for trait in self.config.traits.values())

    @property
    def sampler(self) -> Component:
        """The sampler that chooses the points of the search."""
        return self._resolved(SAMPLERS, self.config.search.sampler)

    @property
    def most_points(self) -> int:
        """At how many points its search may try trials, those in place of failed ones too."""
        asked = self.config.search.replacements
        sampler = SAMPLERS.build(self.sampler, self.folder)
        return most_points(sampler, self.config.search_spec, self.config.search.trials if asked is None else asked)

    @property
    def most_trials_at_once(self) -> int:
        """With how many trials at once its sampler still learns: those drawn at random, or a quarter of all."""
        search = self.config.search
        return min(search.trials, max(search.startup, search.trials // 4))

    @property
    def trial(self) -> TrialSettings:
        """What a trial fits, at the settings of the study."""
        size, seed = self.config.augmentation.size, self.config.seed
        return TrialSettings(self.generator, self.predictor, self.traits, size, seed, self.metrics)

    @property
    def metrics(self) -> tuple[Component, ...]:
        """The metrics of the user's own among the objectives; those of the registry are computed anyway."""
        kinds = dict.fromkeys(split_objective(name)[0] for name in self.config.search.objectives)
        return tuple(Component(kind) for kind in kinds if kind not in METRICS.names())

    @property
    def baselines(self) -> dict[str, Component]:
        """The generators of the evaluation, by kind. The study's own kind, named without settings, has the study's."""
        members = self.config.evaluation.generators if self.config.evaluation else ()
        found = {}
        for member in members:
            if member == self.config.generator.kind:
                member = self.config.generator
            component = Component(member) if isinstance(member, str) else member
            found[component.kind] = self._resolved(GENERATORS, component)
        return found

    @property
    def design(self) -> DesignSettings | None:
        """The designs; None where the study asks for none."""
        settings = self.config.design
        if settings is None:
            return None
        spaces = tuple(self._resolved(SPACES, space) for space in settings.spaces)
        return replace(settings, spaces=spaces, optimiser=self._resolved(OPTIMISERS, settings.optimiser))

    @property
    def objectives(self) -> dict[str, str]:
        """Metric -> "maximize" or "minimize"; the one that picks the best trial comes first."""
        objectives = dict(self.config.search.objectives)
        first = self.config.search.select or next(iter(objectives))
        return {first: objectives.pop(first), **objectives}

    def with_parameters(self, parameters: Mapping[str, Plain]) -> Study:
        """Set the study to a point of its search space, ``{"generator.morphology_weight": 3.0, ...}``, and check it.

        Raises:
            InputError: a parameter that the study does not have, or a value that it cannot have.
        """
        text = self.text
        for name, value in parameters.items():
            text = text.with_value(split_key(name, text.tree), value, f"parameter {name}={value!r}")
        return replace(self, config=_checked(text, Checking(self.folder)), text=text)

    def inputs(self, stage: str) -> dict[str, Any]:
        """Select the part of the study that a stage's result follows from, as JSON values for a content key.

        Paths count by what is written; the code of what the stage is made with counts too. Which trials were
        asked for, and how many there are, does not change what a trial finds: the search's total is left out.

        Args:
            stage: one of :data:`STAGES`.
        """
        whole = self.as_json
        part = {name: whole[name] for name in STAGES[stage]}
        members = [self.source, *self.simulators]
        if stage == "search":
            members += [self.generator, self.predictor, *self.traits, *self.metrics, *map(Component, METRICS.names())]
            space = self.config.search.space
            members += [Component(str(k)) for n, chosen in space.items() if n.endswith(".kind") for k in chosen.items]
            part["search"] = {key: whole["search"][key] for key in ("space", "objectives")}
        part["code"] = [component_identity(member, self.folder)["source"] for member in members]
        return part

    def _resolved(self, registry: Registry, component: Component) -> Component:
        return resolve_paths(registry, component, self.folder)


def load_study(path: Path | str, overrides: Sequence[str] = ()) -> Study:
    """Read a study file and check all of it: keys, types, limits, names, paths, the search space.

    Args:
        path: the study file.
        overrides: changes to it, ``"search.trials=4"``; the value is read as YAML.

    Raises:
        InputError: something cannot be used; one line for each, with file, line and key.
    """
    path = Path(path)
    text = read_study_file(path)
    for override in overrides:
        name, equals, value = override.partition("=")
        place = f"--set {_without_password(override)}"
        if not equals or not name.strip():
            raise InputError(f"{place}: write it as key=value, for example search.trials=4")
        text = text.with_value(_override_key(name.strip(), text.tree), read_value(value, place), place)
    folder = path.resolve().parent
    checking = Checking(folder)
    config = _checked(text, checking)
    problems = cross_problems(config, folder) + space_problems(config, text, checking)
    if problems:
        raise text.error(problems)
    return Study(config, text, folder, _storage(config, text))


def _override_key(name: str, tree: Mapping[str, Any]) -> Key:
    """Split the name of an override; in a search space, whose keys are dotted names, a new one is one key."""
    key = split_key(name, tree)
    if key[:2] != ("search", "space") or len(key) < 4 or key[2] in (tree.get("search") or {}).get("space", {}):
        return key
    setting, _, word = name.removeprefix("search.space.").rpartition(".")
    return ("search", "space", setting, word) if word in DIMENSIONS else ("search", "space", f"{setting}.{word}")


def _storage(config: StudyConfig, text: StudyText) -> Path:
    """The storage folder, or a bucket's working copy; absolute, where the names of all that is kept there find room."""
    key = ("storage",)
    try:
        named = config.storage
        storage = (working_copy(named) if is_address(named) else local_path(named)).resolve()
    except (InputError, OSError, RuntimeError) as error:  # the last of links that lead in a circle
        raise text.error([Problem(key, str(error))]) from None
    if len(os.fsencode(storage)) > LONGEST_PATH - LONGEST_TAIL:
        room = LONGEST_PATH - LONGEST_TAIL
        message = f"its path is {len(os.fsencode(storage))} bytes long; {room} leave room for the files in it"
        raise text.error([Problem(key, message)])
    return storage


def _checked(text: StudyText, checking: Checking) -> StudyConfig:
    config, problems = check_fields(text, checking)
    if config is None:
        raise text.error(problems)
    return config


def _without_password(override: str) -> str:
    """Leave an address out of an override, where its place is told: there may be a password in it."""
    name, _, value = override.partition("=")
    return f"{name}=..." if "@" in value or "://" in value else override
