"""The parts of a study file whose keys the registries know: components, by kind."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, ValidationInfo

from matopt.data.sources.base import SOURCES, Source
from matopt.design.ascent import ascend
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

_GIVEN = ("within", "starts", "hold", "seeds", "seed", "device")
"""Arguments of the ascent that the design stage sets by itself."""


class Checking:
    """What validation needs besides the values.

    Args:
        folder: the study file's, which paths are relative to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._checked: dict[str, tuple[Component | None, list[Problem]]] = {}

    def component(self, registry: Registry, base: type, given: Any) -> Component:
        """The component of a section."""
        if not isinstance(given, dict):
            raise ValueError(f"must be a section with keys of its own, like {{kind: ...}}, got {shown(given)}")
        component, problems = self._check(registry, base, given)
        if component is None:
            raise nested(problems)
        return component

    def components(self, registry: Registry, base: type, given: Mapping[str, Any]) -> dict[str, Component]:
        """The components of a section in which each key is a kind and its value the settings."""
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

    def ascent_options(self, given: Mapping[str, Any], others: Sequence[str]) -> dict[str, Any]:
        """Settings of the ascent, out of a section that has ``others`` too."""
        known = {name: s for name, s in settings_of(ascend).items() if name not in _GIVEN and not s.is_required}
        problems = [
            Problem((name,), f"no such key; {suggestion(name, [*others, *known])}")
            for name in given
            if name not in known
        ]
        settings, found = check_settings("design", known, {n: v for n, v in given.items() if n in known}, self.folder)
        counts = [n for n in given if type(settings.get(n)) is int and settings[n] < 1]
        found += [Problem((name,), f"must be at least 1, got {settings[name]}") for name in counts]
        if problems or found:
            raise nested([*problems, *found])
        return settings

    def _check(
        self, registry: Registry, base: type, given: Mapping[str, Any]
    ) -> tuple[Component | None, list[Problem]]:
        """Check a component once for all the points of a search that share it."""
        key = f"{registry.family} {json.dumps(given, sort_keys=True)}"
        if key not in self._checked:
            self._checked[key] = check_component(registry, base, given, self.folder)
        return self._checked[key]


def checking(info: ValidationInfo) -> Checking:
    """What the validation in progress was given."""
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
