"""Keys of results: a hash of all that a result follows from, so that nothing is computed twice and nothing is stale."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import matopt
from matopt.physics.base import Simulator
from matopt.registry import Component, content_key, file_and_class
from matopt.stages.data import LabelledSet

_NOT_SCIENCE = ("study", "report", "cli", "testing")


def stage_key(stage: str, *inputs: Any, folder: Path) -> str:
    """Make the key of a stage's result: its name, the code's version and all that it was given.

    Args:
        stage: the stage's name.
        inputs: settings and tasks (dataclasses, every field of which counts), components, labelled sets, simulators,
            plain JSON values, and sequences and mappings of these.
        folder: what a class in a user's file (``path.py:Name``) is relative to.

    Raises:
        TypeError: an input of another kind.
    """
    return content_key(stage, code_version(), [identity(value, folder) for value in inputs])


def identity(value: Any, folder: Path) -> Any:
    """Reduce one input of a stage to the JSON values that stand for it."""
    if isinstance(value, Component):
        return component_identity(value, folder)
    if isinstance(value, LabelledSet):
        return value.key
    if isinstance(value, Simulator):
        return value.settings()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: identity(getattr(value, field.name), folder) for field in fields(value)}
    if isinstance(value, Mapping):
        return {name: identity(item, folder) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [identity(item, folder) for item in value]
    return value


def component_identity(component: Component, folder: Path) -> dict[str, Any]:
    """List what a component's behaviour follows from: kind, settings and, of a class in a user's file, its text."""
    found = component.as_dict()
    if ".py:" in component.kind:
        path, _ = file_and_class(component.kind, folder)
        found["source"] = hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
    return found


@cache
def code_version() -> str:
    """Hash matopt's own source, as far as it can change a result."""
    package = Path(matopt.__file__).parent
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(package.rglob("*.py")):
        relative = path.relative_to(package)
        if relative.parts[0] not in _NOT_SCIENCE:
            digest.update(relative.as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
