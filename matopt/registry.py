"""Registries of classes that a study names: generators, predictors, simulators, traits and the other families.

A member of a family is a class in one file of the family's folder, marked ``@FAMILY.register("name")``.
Other packages add members through the entry point group ``matopt.<family>``; a study names a class of
the user's own as ``path.py:Name``. The settings of a member are the keyword arguments of its class.

Where the family's base class declares ``name: str``, the registry sets it: to the registered name, to that of the
entry point, or to the class's own name where a file of the user's does not say another.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import json
import pkgutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar, cast

import numpy as np

from matopt.errors import InputError
from matopt.spelling import suggestion

T = TypeVar("T")
Member = TypeVar("Member", bound=type)


@dataclass(frozen=True)
class Component:
    """A member of a family by name, with its settings: what a study file holds in place of an object."""

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Give the component as plain JSON values, ``{"kind": ..., **settings}``."""
        return {"kind": self.kind, **self.settings}


class Registry(Generic[T]):
    """Holds the classes of one family by name.

    Args:
        family: the family's name, plural ("generators"); also its entry point group, ``matopt.<family>``.
        package: the package whose modules hold the family's own members. They are imported when the
            registry is first asked, not before.
    """

    def __init__(self, family: str, package: str) -> None:
        self.family = family
        self._package = package
        self._members: dict[str, type[T]] = {}
        self._discovered = False

    def register(self, name: str) -> Callable[[Member], Member]:
        """Return a class decorator that enters a class as the member ``name`` of this family.

        Raises:
            InputError: another class has this name already.
        """

        def mark(member: Member) -> Member:
            known = self._members.get(name)
            if known is not None and known.__qualname__ != member.__qualname__:
                raise InputError(
                    f"{self.family}: {name!r} is already the name of {known.__module__}.{known.__qualname__}"
                )
            _set_name(member, name)
            self._members[name] = cast(type[T], member)
            return member

        return mark

    def names(self) -> list[str]:
        """List the names that :meth:`find` knows, sorted."""
        self._discover()
        return sorted(self._members)

    def find(self, name: str, folder: Path | None = None) -> type[T]:
        """Find the class called ``name``.

        Args:
            name: a member's name, or ``path.py:Name`` for a class in a file.
            folder: what a relative ``path.py`` is relative to; the working directory by default.

        Raises:
            InputError: nothing has this name; the message says what comes nearest.
        """
        if ".py:" in name:
            return self._from_file(name, folder or Path.cwd())
        self._discover()
        if name not in self._members:
            raise InputError(f"no {self.family} called {name!r}; {suggestion(name, self.names())}")
        return self._members[name]

    def build(self, component: Component, folder: Path | None = None) -> T:
        """Build the object that ``component`` describes.

        Raises:
            InputError: unknown name, or settings that the class does not take.
        """
        member = self.find(component.kind, folder)
        try:
            return member(**component.settings)
        except TypeError as error:
            raise InputError(f"{self.family} {component.kind!r}: {error}") from error

    def _discover(self) -> None:
        if self._discovered:
            return
        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__, self._package + "."):
            if not module.ispkg:  # rooms of machinery, which members import
                importlib.import_module(module.name)
        for entry in entry_points(group=f"matopt.{self.family}"):
            try:
                member = entry.load()
                if entry.name not in self._members:
                    _set_name(member, entry.name)
                    self._members[entry.name] = member
            except Exception as error:
                source = entry.dist.name if entry.dist else entry.value
                raise InputError(
                    f"{self.family} {entry.name!r} of the package {source} cannot be loaded ({error}); "
                    "mend or uninstall that package"
                ) from error
        self._discovered = True

    def _from_file(self, spec: str, folder: Path) -> type[T]:
        path_text, _, name = spec.rpartition(":")
        path = (folder / path_text).resolve()
        if not path.is_file():
            raise InputError(f"{self.family}: no file {path} (from {spec!r})")
        module = _user_module(path)
        if not hasattr(module, name):
            raise InputError(f"{path} has no class {name!r} (from {spec!r})")
        member = getattr(module, name)
        if not hasattr(member, "name"):
            _set_name(member, name)
        return member


def _set_name(member: Any, name: str) -> None:
    """Set the attribute ``name`` of a class where one of its bases declares it without a value."""
    bases = member.__mro__ if isinstance(member, type) else ()
    if any("name" in inspect.get_annotations(base) and "name" not in vars(base) for base in bases):
        member.name = name


USER_MODULES = "matopt_user_"
"""How the names of modules from users' files begin. They end in a hash of the file's text."""


def _user_module(path: Path) -> ModuleType:
    """Import a user's file. The module's name follows the file's text, so that an edited file is a new module."""
    digest = hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()
    if (path, digest) not in _LOADED:
        spec = importlib.util.spec_from_file_location(f"{USER_MODULES}{path.stem}_{digest}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[module.__name__] = module  # dataclasses look their module up while they are made
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise InputError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
        finally:
            del sys.modules[module.__name__]  # so that objects are pickled by value: no worker could import it
        _LOADED[path, digest] = module
    return _LOADED[path, digest]


_LOADED: dict[tuple[Path, str], ModuleType] = {}


def content_key(*parts: Any) -> str:
    """Hash content: 32 hexadecimal digits that follow from ``parts`` (JSON values, in any key order)."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def plain_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Give settings as JSON values: numbers of NumPy, as its functions return them, become Python's."""
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in settings.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Component):
        return value.as_dict()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no content key")
