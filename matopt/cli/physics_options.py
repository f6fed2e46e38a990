"""The options of the command line that choose what is simulated, and how."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matopt.errors import InputError

if TYPE_CHECKING:
    from matopt.physics.base import Simulator


def chosen_simulators(properties: Sequence[str], settings: Sequence[str]) -> list[Simulator]:
    """Make the simulators of properties, all where none is named, with settings like "diffusivity.boundary=periodic".

    Raises:
        InputError: a setting that is none, or of a property that is not computed.
    """
    from matopt.physics.base import SIMULATORS, Simulator
    from matopt.spelling import suggestion
    from matopt.study.config.components import KIND, build_component, check_component
    from matopt.study.config.study_file import read_value

    names = list(properties) or SIMULATORS.names()
    given: dict[str, dict[str, Any]] = {name: {} for name in names}
    for text in settings:
        key, equals, value = text.partition("=")
        name, dot, setting = key.strip().rpartition(".")
        if not equals or not dot:
            raise InputError(f"--physics {text}: write it as diffusivity.grain_diffusivity=0")
        if name not in given:
            raise InputError(f"--physics {text}: {name} is not computed; {suggestion(name, names)}")
        given[name][setting] = read_value(value, f"--physics {text}")
    found = []
    for name, kind_settings in given.items():
        SIMULATORS.find(name)
        component, problems = check_component(SIMULATORS, Simulator, {KIND: name, **kind_settings}, Path())
        if component is None:
            first = problems[0]
            raise InputError(f"--physics {'.'.join(map(str, (name, *first.key)))}: {first.message}")
        found.append(build_component(SIMULATORS, component, Path()))
    return found
