"""The settings of components, checked against the signatures of their classes.

A class says what it takes by the arguments of its ``__init__``: names, annotated types, defaults. So a class of
another package, or of the user's own file, is checked as well as matopt's own.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from matopt.errors import InputError
from matopt.local_path import local_path
from matopt.registry import Component, Registry, file_and_class
from matopt.spelling import suggestion
from matopt.study.config.messages import problems_of
from matopt.study.config.study_file import LARGEST_INTEGER, Problem, shown

KIND = "kind"
T = TypeVar("T")


@dataclass(frozen=True)
class Setting:
    """Describes one argument of a class or function.

    Attributes:
        model: a pydantic model with one field, ``value``, of the annotated type.
        default: what it is where nothing is set.
        is_required, is_path: it has no default; it names a file or folder.
    """

    model: type[BaseModel]
    default: Any
    is_required: bool
    is_path: bool


@cache
def settings_of(member: Callable[..., Any]) -> dict[str, Setting]:
    """List the arguments of a class or function that a study may set, by name."""
    settings: dict[str, Setting] = {}
    for function in _initialisers(member):
        hints = _hints(member, function)
        parameters = list(inspect.signature(function).parameters.values())
        for parameter in parameters[1:] if isinstance(member, type) else parameters:
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or parameter.name in settings:
                continue
            has_default = parameter.default is not parameter.empty
            annotation = hints.get(parameter.name, _type_of(parameter.default) if has_default else Any)
            settings[parameter.name] = Setting(
                create_model("Setting", __config__=_STRICT, value=(annotation, ...)),
                parameter.default,
                not has_default,
                any(_is_path(a) for a in (annotation, *typing.get_args(annotation))),
            )
    return settings


def check_settings(
    owner: str, known: Mapping[str, Setting], given: Mapping[str, Any], folder: Path
) -> tuple[dict[str, Any], list[Problem]]:
    """Check what was given against what is known, and fill in the defaults.

    Args:
        owner: whose settings they are, for the errors: "generator 'vae'".
        known: from :func:`settings_of`.
        given: plain values out of a study file.
        folder: what relative paths are relative to.

    Returns:
        All settings whose values are plain, and the problems, with keys relative to the settings.
    """
    complete = {name: s.default for name, s in known.items() if not s.is_required and _is_plain(s.default)}
    problems = [
        Problem((name,), f"is missing; {owner} needs it")
        for name, s in known.items()
        if s.is_required and name not in given
    ]
    for name, value in given.items():
        if name not in known:
            hint = suggestion(name, list(known)) if known else "it has none"
            problems.append(Problem((name,), f"{owner} has no such setting; {hint}"))
            continue
        try:
            checked = known[name].model.model_validate_json(json.dumps({"value": value}))
        except ValidationError as error:
            found = problems_of(error, {"value": value}, lambda key: ())
            problems += [Problem((name, *problem.key[1:]), problem.message) for problem in found]
            continue
        understood = getattr(checked, "value")  # noqa: B009 (made by create_model, so unknown to the type checker)
        if _has_large_integer(understood):
            problems.append(
                Problem((name,), f"must be at most {LARGEST_INTEGER}, as a whole number, got {shown(value)}")
            )
        complete[name] = value if known[name].is_path else understood
        if known[name].is_path and isinstance(value, str) and (problem := _path_problem(value, folder)):
            problems.append(Problem((name,), problem))
    return {name: complete[name] for name in known if name in complete}, problems


def check_component(
    registry: Registry, base: type, given: Mapping[str, Any], folder: Path
) -> tuple[Component | None, list[Problem]]:
    """Check the component that ``{"kind": ..., **settings}`` describes, and fill in all its settings.

    The object is built once, so that what its class checks by itself is checked now.
    """
    kind = given.get(KIND)
    if not isinstance(kind, str):
        hint = f"there are: {', '.join(registry.names())}"
        return None, [Problem((KIND,), f"must be the name of one of the {registry.family}; {hint}")]
    try:
        member = registry.find(kind, folder)
    except InputError as error:
        return None, [Problem((KIND,), str(error))]
    if not (isinstance(member, type) and issubclass(member, base)):
        article = "an" if base.__name__[0] in "AEIOU" else "a"
        message = f"{kind} is not {article} {base.__name__}; derive it from {base.__module__}.{base.__name__}"
        return None, [Problem((KIND,), message)]
    written = {name: value for name, value in given.items() if name != KIND}
    settings, problems = check_settings(f"{kind!r}", settings_of(member), written, folder)
    if problems:
        return None, problems
    component = Component(kind, settings)
    try:
        build_component(registry, component, folder)
    except Exception as error:  # a user's class may raise anything
        message = str(error) if isinstance(error, InputError | ValueError) else f"{type(error).__name__}: {error}"
        named = [name for name in written if re.search(rf"\b{re.escape(name)}\b", message)]
        return None, [Problem(tuple(named) if len(named) == 1 else (), " ".join(message.split()))]
    return component, []


def build_component(registry: Registry[T], component: Component, folder: Path) -> T:
    """Build the object that a checked component describes.

    Args:
        registry: of the component's family.
        component: with paths as they are written.
        folder: what they are relative to: the study file's.
    """
    return registry.build(resolve_paths(registry, component, folder), folder)


def resolve_paths(registry: Registry, component: Component, folder: Path) -> Component:
    """Make the paths of a component absolute, so that it can be built from any working directory."""
    known = settings_of(registry.find(component.kind, folder))
    resolved = {
        name: _resolved(value, folder) if _is_place(value, known[name]) else value
        for name, value in component.settings.items()
    }
    return Component(component.kind, resolved)


def _resolved(value: str, folder: Path) -> str:
    if ".py:" in value:
        path, name = file_and_class(value, folder)
        return f"{path}:{name}"
    return str((folder / local_path(value)).resolve())


def _path_problem(value: str, folder: Path) -> str:
    """Say why a path cannot be read; empty where it can."""
    try:
        path = folder / local_path(value)
        return "" if path.exists() else f"there is no {path.resolve()}; paths are relative to {folder}"
    except (InputError, OSError, RuntimeError) as error:  # a name that is too long, a loop of links
        return str(error)


def _has_large_integer(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_has_large_integer, value))
    return isinstance(value, int) and abs(value) > LARGEST_INTEGER


def _is_place(value: Any, setting: Setting) -> bool:
    """Whether a value names a file or folder, or a class in a file, ``path.py:Name``."""
    return isinstance(value, str) and (setting.is_path or ".py:" in value)


_STRICT = ConfigDict(strict=True, arbitrary_types_allowed=True, allow_inf_nan=False)


def _initialisers(member: Callable[..., Any]) -> list[Callable[..., Any]]:
    """Return the function itself; of a class its ``__init__``, and while they take ``**settings`` its bases'."""
    if not isinstance(member, type):
        return [member]
    found: list[Callable[..., Any]] = []
    for owner in member.__mro__[:-1]:
        if "__init__" in vars(owner):
            found.append(vars(owner)["__init__"])
            kinds = [p.kind for p in inspect.signature(found[-1]).parameters.values()]
            if inspect.Parameter.VAR_KEYWORD not in kinds:
                break
    return found


def _hints(member: Callable[..., Any], function: Callable[..., Any]) -> dict[str, Any]:
    for source in (function, member):
        try:
            return typing.get_type_hints(source, include_extras=True)
        except NameError:  # a name that is imported for type checkers only
            continue
    return {}


def _type_of(default: Any) -> Any:
    return type(default) if isinstance(default, bool | int | float | str) else Any


def _is_path(annotation: Any) -> bool:
    return (typing.get_origin(annotation) or annotation) in (Path, os.PathLike)


def _is_plain(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True
