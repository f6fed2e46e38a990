"""The parts of a study file whose keys the registries know: components, by kind."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, ValidationInfo

from matopt.data.sources.base import SOURCES, Source
from matopt.design.optimisers.base import OPTIMISERS, Optimiser
from matopt.design.settings import DesignSettings
from matopt.design.spaces.base import SPACES, Space
from matopt.errors import InputError
from matopt.generators.base import GENERATORS, Generator
from matopt.physics.base import SIMULATORS, Simulator
from matopt.predictors.base import PREDICTORS, Predictor
from matopt.registry import Component, Registry
from matopt.spelling import suggestion
from matopt.study.config.components import KIND, check_component, check_settings, settings_of
from matopt.study.config.messages import nested
from matopt.study.config.study_file import Problem, shown
from matopt.study.samplers.base import SAMPLERS, Sampler
from matopt.traits.base import TRAITS, Trait


class Checking:
    """Checks the components of a study file while pydantic validates it; each component once.

    Args:
        folder: the study file's, which paths are relative to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._checked: dict[str, tuple[Component | None, list[Problem]]] = {}

    def component(self, registry: Registry, base: type, given: Any) -> Component:
        """Check a section that holds one component, ``{kind: ..., **settings}``, and return it."""
        if not isinstance(given, dict):
            raise ValueError(f"must be a section with keys of its own, like {{kind: ...}}, got {shown(given)}")
        component, problems = self._check(registry, base, given)
        if component is None:
            raise nested(problems)
        return component

    def components(self, registry: Registry, base: type, given: Mapping[str, Any]) -> dict[str, Component]:
        """Check a section in which each key is a kind and its value the settings, and return its components."""
        members: dict[str, Component] = {}
        problems: list[Problem] = []
        for kind, settings in given.items():
            if not (settings is None or isinstance(settings, dict)):
                problems.append(
                    Problem((kind,), f"must be a section of its settings, like {{}}, got {shown(settings)}")
                )
                continue
            component, found = self._check(registry, base, {**(settings or {}), KIND: kind})
            problems += [Problem((kind, *(part for part in p.key if part != KIND)), p.message) for p in found]
            if component is not None:
                members[kind] = component
        if problems:
            raise nested(problems)
        return members

    def design(self, given: Any) -> DesignSettings:
        """Read the design section: its own keys, and beside them the settings of its optimiser."""
        if not isinstance(given, dict):
            raise ValueError(f"must be a section with keys of its own, got {shown(given)}")
        fields = settings_of(DesignSettings)
        spaces, space_problems = self._spaces(given.get("spaces", [space.kind for space in fields["spaces"].default]))
        optimiser, optimiser_problems = self._optimiser(given, list(fields))
        known = {name: setting for name, setting in fields.items() if name not in ("spaces", "optimiser")}
        numbers = {name: given[name] for name in given if name in known}
        settings, problems = check_settings("the design", known, numbers, self.folder)
        problems += space_problems + optimiser_problems
        if optimiser is not None and not problems:
            try:
                return DesignSettings(**settings, spaces=spaces, optimiser=optimiser)
            except InputError as error:  # its message begins with the name of the setting
                name, _, message = str(error).partition(" ")
                problems.append(Problem((name,), message))
        raise nested(problems)

    def _spaces(self, given: Any) -> tuple[tuple[Component, ...], list[Problem]]:
        if not isinstance(given, list) or not given:
            names = ", ".join(SPACES.names())
            return (), [Problem(("spaces",), f"must be a list of spaces, like [{names}], got {shown(given)}")]
        spaces: list[Component] = []
        problems: list[Problem] = []
        for index, item in enumerate(given):
            component, found = self._check(SPACES, Space, item if isinstance(item, dict) else {KIND: item})
            problems += [Problem(("spaces", index, *(k for k in p.key if k != KIND)), p.message) for p in found]
            if component is None:
                continue
            if component.kind in [space.kind for space in spaces]:
                problems.append(Problem(("spaces", index), f"{component.kind} is listed twice; keep one"))
            spaces.append(component)
        return tuple(spaces), problems

    def _optimiser(self, given: Mapping[str, Any], own: Sequence[str]) -> tuple[Component | None, list[Problem]]:
        """Check the optimiser of a design section; all keys but the section's ``own`` are its settings."""
        kind = given.get("optimiser", settings_of(DesignSettings)["optimiser"].default.kind)
        if not isinstance(kind, str):
            message = f"must be the name of an optimiser, whose settings stand beside it, got {shown(kind)}"
            return None, [Problem(("optimiser",), message)]
        try:
            member = OPTIMISERS.find(kind, self.folder)
        except InputError as error:
            return None, [Problem(("optimiser",), str(error))]
        known = list(settings_of(member)) if isinstance(member, type) else []
        if taken := [name for name in known if name in own]:
            return None, [Problem(("optimiser",), f"its setting {taken[0]!r} is a key of every design; rename it")]
        settings = {name: value for name, value in given.items() if name in known}
        unknown = [name for name in given if name not in own and name not in known]
        problems = [Problem((name,), f"no such key; {suggestion(name, [*own, *known])}") for name in unknown]
        component, found = self._check(OPTIMISERS, Optimiser, {KIND: kind, **settings})
        problems += [Problem(p.key if p.key and p.key[0] != KIND else ("optimiser",), p.message) for p in found]
        return component, problems

    def _check(
        self, registry: Registry, base: type, given: Mapping[str, Any]
    ) -> tuple[Component | None, list[Problem]]:
        """Check a component once for all the points of a search that share it."""
        key = f"{registry.family} {json.dumps(given, sort_keys=True)}"
        if key not in self._checked:
            self._checked[key] = check_component(registry, base, given, self.folder)
        return self._checked[key]


def checking(info: ValidationInfo) -> Checking:
    """Return the context of the validation in progress."""
    assert isinstance(info.context, Checking)
    return info.context


def _one(registry: Registry, base: type) -> PlainValidator:
    return PlainValidator(lambda value, info: checking(info).component(registry, base, value))


def _read_simulators(value: Any, info: ValidationInfo) -> dict[str, Component]:
    if not isinstance(value, dict) or not isinstance(value.get("properties"), list) or not value["properties"]:
        raise ValueError(f"must be a section with a list of properties; there are: {', '.join(SIMULATORS.names())}")
    names = value["properties"]
    problems = []
    for index, name in enumerate(names):
        try:
            SIMULATORS.find(str(name), checking(info).folder)
        except InputError as error:
            problems.append(Problem(("properties", index), str(error)))
        if name in names[:index]:
            problems.append(Problem(("properties", index), f"{name} is listed twice; keep one"))
    for key in value:
        if key != "properties" and key not in names:
            problems.append(Problem((key,), f"no such key; {suggestion(key, ['properties', *map(str, names)])}"))
    if problems:
        raise nested(problems)
    return checking(info).components(SIMULATORS, Simulator, {name: value.get(name) for name in names})


def _read_traits(value: Any, info: ValidationInfo) -> dict[str, Component]:
    if not isinstance(value, dict):
        raise ValueError(
            f"must be a section of traits and their settings, like {{monotonicity: {{}}}}, got {shown(value)}"
        )
    return checking(info).components(TRAITS, Trait, value)


def _read_sampler(value: Any, info: ValidationInfo) -> Component:
    return checking(info).component(SAMPLERS, Sampler, {KIND: value} if isinstance(value, str) else value)


def default_sampler() -> Component:
    """Return the sampler of a study that names none, with all its settings."""
    component, _ = check_component(SAMPLERS, Sampler, {KIND: "tpe"}, Path())
    assert component is not None
    return component


def _read_baseline(value: Any, info: ValidationInfo) -> Component | str:
    if not isinstance(value, str):
        return checking(info).component(GENERATORS, Generator, value)
    checking(info).component(GENERATORS, Generator, {KIND: value})
    return value


def _read_design(value: Any, info: ValidationInfo) -> DesignSettings | None:
    return None if value is None else checking(info).design(value)


def _design_as_section(settings: DesignSettings) -> dict[str, Any]:
    spaces = [space.as_dict() if space.settings else space.kind for space in settings.spaces]
    plain = asdict(settings) | {"spaces": spaces, "optimiser": settings.optimiser.kind}
    return plain | dict(settings.optimiser.settings)


_AS_DICT = PlainSerializer(lambda component: component if isinstance(component, str) else component.as_dict())
_AS_SETTINGS = PlainSerializer(lambda components: {kind: dict(c.settings) for kind, c in components.items()})
_AS_PHYSICS = PlainSerializer(
    lambda components: {"properties": list(components)} | {kind: dict(c.settings) for kind, c in components.items()}
)

SourceField = Annotated[Component, _one(SOURCES, Source), _AS_DICT]
GeneratorField = Annotated[Component, _one(GENERATORS, Generator), _AS_DICT]
PredictorField = Annotated[Component, _one(PREDICTORS, Predictor), _AS_DICT]
SamplerField = Annotated[Component, PlainValidator(_read_sampler), _AS_DICT]
SimulatorsField = Annotated[dict[str, Component], PlainValidator(_read_simulators), _AS_PHYSICS]
TraitsField = Annotated[dict[str, Component], PlainValidator(_read_traits), _AS_SETTINGS]
BaselineField = Annotated[Component | str, PlainValidator(_read_baseline), _AS_DICT]
DesignField = Annotated[
    DesignSettings | None,
    PlainValidator(_read_design),
    PlainSerializer(lambda settings: settings and _design_as_section(settings)),
]
