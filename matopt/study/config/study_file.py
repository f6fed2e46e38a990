"""The text of a study file: YAML, with the place of every key kept for the errors."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from matopt.errors import InputError
from matopt.spelling import closest

Key = tuple[str | int, ...]
"""Where a value is: ("search", "space", "augmentation.size", "choice", 0)."""


LARGEST_INTEGER = 2**63 - 1
"""Whole numbers that are larger are no setting: libraries below take 64 bits."""


@dataclass(frozen=True)
class Problem:
    """Names one value that is wrong, and says what would be right."""

    key: Key
    message: str


@dataclass(frozen=True)
class StudyText:
    """The unchecked content of a study file, with the place of every key.

    Attributes:
        tree: dictionaries, lists, texts, numbers, booleans and None.
        places: where each key was set: "studies/quickstart.yaml:12", or "--set search.trials=4".
        name: the file's name, for what has no place.
    """

    tree: dict[str, Any]
    places: Mapping[Key, str] = field(default_factory=dict)
    name: str = "study"

    def with_value(self, key: Key, value: Any, place: str) -> StudyText:
        """Return a copy in which ``key`` has another value; sections that it needs are begun."""
        places = {k: p for k, p in self.places.items() if k[: len(key)] != key}
        for length in range(1, len(key) + 1):  # the sections that it begins are its doing too
            places.setdefault(key[:length], place)
        return StudyText(_replace(self.tree, key, value, place), places, self.name)

    def place(self, key: Key) -> str:
        """Say where ``key`` was set, or the nearest key that holds it."""
        for length in range(len(key), 0, -1):
            if key[:length] in self.places:
                return self.places[key[:length]]
        return self.name

    def error(self, problems: Sequence[Problem]) -> InputError:
        """Make an error with a line for each problem, in the order of the file: place, dotted key, what is wrong."""
        order = {key: number for number, key in enumerate(self.places)}
        ranked = sorted(problems, key=lambda p: order.get(p.key, -1))
        return InputError("\n".join(f"{self.place(p.key)}: {dotted(p.key)}: {p.message}" for p in ranked))


def read_study_file(path: Path) -> StudyText:
    """Read a study file.

    YAML as most people know it: ``1e-3`` is a number, ``yes`` and ``2026-01-01`` are texts. A key given twice, an
    anchor, a tag are errors.

    Raises:
        InputError: no such file, or not YAML; the message names the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        near = closest(path.name, [p.name for p in path.parent.glob("*.yaml")])
        hint = f"did you mean {path.with_name(near)}?" if near else "a study is a YAML file like quickstart.yaml"
        raise InputError(f"no study file {path}; {hint}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; a study is a YAML file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not text in UTF-8; a study is a YAML file") from None
    places: dict[Key, str] = {}
    tree = _parse(text, str(path), places)
    if not isinstance(tree, dict):
        raise InputError(f"{path} holds no study; it begins with a line like 'name: mine'")
    return StudyText(tree, places, str(path))


def read_value(text: str, place: str) -> Any:
    """Read one piece of YAML, as given on a command line, where nothing is a comment: ``/data/run #1`` is a text.

    Raises:
        InputError: not YAML.
    """
    if " #" in text and text.lstrip()[0] not in "\"'[{":
        return text.strip()
    return _parse(text, place, None)


def split_key(text: str, tree: Any) -> Key:
    """Split a dotted text into a key of ``tree``, whose own keys may hold dots ("traits.mine.py:Mine.weight")."""
    if not text:
        return ()
    if isinstance(tree, dict):
        for name in sorted(tree, key=len, reverse=True):
            if text == name or text.startswith(name + "."):
                return (name, *split_key(text[len(name) + 1 :], tree[name]))
    in_file = re.match(r"(.+?\.py:\w+)(?:\.|$)", text)  # "path.py:Name" is one name
    name = in_file[1] if in_file else text.partition(".")[0]
    return (name, *split_key(text[len(name) + 1 :], None))


def dotted(key: Key) -> str:
    """Write a key with dots: ``search.space.augmentation.size.choice[0]``."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".") or "the study"


def shown(value: Any) -> str:
    """Write a value as a study file would have it, on one line of 60 characters at most."""
    text = json.dumps(value, ensure_ascii=False)
    text = "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _replace(tree: Any, key: Key, value: Any, place: str) -> Any:
    if not key:
        return value
    tree = {} if tree is None else tree  # "monotonicity:" with nothing behind it is a section
    if not isinstance(tree, dict):
        raise InputError(f"{place}: {key[0]!r} cannot be set inside {shown(tree)}, which is a single value")
    return {**tree, key[0]: _replace(tree.get(key[0], {}), key[1:], value, place)}


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's own name)


# The core schema of YAML 1.2. PyYAML's own is that of 1.1, where 1e-3 is a text and "no" is false.
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str")} | {"!"}
_WORDS = {"": None, "~": None, "null": None, "true": True, "True": True, "false": False, "False": False}


def _parse(text: str, name: str, places: dict[Key, str] | None) -> Any:
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark is not None and places is not None else name
        problem = getattr(error, "problem", None) or "a character that no YAML file may hold"
        context = getattr(error, "context", None)
        raise InputError(f"{where}: not YAML: {problem}{f' ({context})' if context else ''}") from None
    except RecursionError:
        raise InputError(f"{name}: nested too deeply for a study") from None
    return _value(node, (), name, places, set())


def _value(node: Node | None, key: Key, name: str, places: dict[Key, str] | None, seen: set[int]) -> Any:
    if node is None:
        return None

    def wrong(message: str, at: Node = node) -> InputError:
        place = name if places is None else f"{name}:{at.start_mark.line + 1}"
        return InputError(f"{place}: {dotted(key)}: {message}")

    if id(node) in seen:
        raise wrong("anchors and aliases (& and *) are not read; write the value out")
    seen.add(id(node))
    if node.tag not in _TAGS:
        raise wrong(f"the tag {node.tag.replace('tag:yaml.org,2002:', '!!')} is not read; write the bare value")
    if isinstance(node, MappingNode):
        table: dict[str, Any] = {}
        for key_node, value_node in node.value:
            part = key_node.value
            if not isinstance(key_node, ScalarNode) or not isinstance(part, str) or not part:
                raise wrong("a key must be a word", key_node)
            if part in table:
                raise wrong(f"{part!r} is given twice; keep one", key_node)
            if places is not None:
                places[(*key, part)] = f"{name}:{key_node.start_mark.line + 1}"
            table[part] = _value(value_node, (*key, part), name, places, seen)
        return table
    if isinstance(node, SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            if places is not None:
                places[(*key, index)] = f"{name}:{item.start_mark.line + 1}"
            items.append(_value(item, (*key, index), name, places, seen))
        return items
    return _scalar(node, wrong)


def _scalar(node: Any, wrong: Any) -> Any:
    text = node.value
    if node.style is not None:  # quoted or a block: a text, whatever it looks like
        return text
    if text in _WORDS:
        return _WORDS[text]
    if not _FLOAT.fullmatch(text):
        return text
    value = float(text)
    if not math.isfinite(value):
        raise wrong(f"{text[:40]} is too large a number")
    return int(text) if _INT.fullmatch(text) else value
