"""Keys of results: a hash of all that a result follows from, so that nothing is computed twice and nothing is stale."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from matopt.data.sources.base import SOURCES
from matopt.design.optimisers.base import OPTIMISERS
from matopt.design.spaces.base import SPACES
from matopt.generators.base import GENERATORS
from matopt.physics.base import SIMULATORS, Simulator
from matopt.predictors.base import PREDICTORS
from matopt.provenance import code_digest, origin
from matopt.registry import Component, Registry, content_key, file_and_class
from matopt.stages.data import LabelledSet
from matopt.stages.metrics.base import METRICS
from matopt.traits.base import TRAITS

_FAMILIES: tuple[Registry[Any], ...] = (
    SOURCES, SIMULATORS, GENERATORS, PREDICTORS, TRAITS, METRICS, SPACES, OPTIMISERS,
)  # fmt: skip
"""What a result can be made with. A component does not say which of them it is of: all that know its kind count."""


def stage_key(stage: str, *inputs: Any, code: str, folder: Path) -> str:
    """Make the key of a stage's result: its name, the code that makes it and all that it was given.

    Args:
        stage: the stage's name.
        inputs: settings and tasks (dataclasses, every field of which counts), components, labelled sets, simulators,
            plain JSON values, and sequences and mappings of these.
        code: the module of matopt that makes the result. What it imports counts, and so do the classes that components
            name.
        folder: what a class in a user's file (``path.py:Name``) is relative to.

    Raises:
        TypeError: an input of another kind.
    """
    return content_key(stage, code_digest([code]), [identity(value, folder) for value in inputs])


def identity(value: Any, folder: Path) -> Any:
    """Reduce one input of a stage to the JSON values that stand for it."""
    if isinstance(value, Component):
        return component_identity(value, folder)
    if isinstance(value, LabelledSet):
        return value.key
    if isinstance(value, Simulator):
        return {**value.settings(), "code": _code(type(value))}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: identity(getattr(value, field.name), folder) for field in fields(value)}
    if isinstance(value, Mapping):
        return {name: identity(item, folder) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [identity(item, folder) for item in value]
    return value


def component_identity(component: Component, folder: Path) -> dict[str, Any]:
    """List what a component's behaviour follows from: kind, settings and the code of its class."""
    found = component.as_dict()
    if ".py:" in component.kind:
        path, _ = file_and_class(component.kind, folder)
        found["source"] = [hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest(), code_digest([], [path])]
    else:
        found["source"] = [
            _code(family.find(component.kind)) for family in _FAMILIES if component.kind in family.names()
        ]
    return found


def _code(member: type) -> list[str]:
    """Where a class comes from, and a hash of the code of matopt that it and its bases are written in."""
    return [origin(member), code_digest(base.__module__ for base in member.__mro__)]
