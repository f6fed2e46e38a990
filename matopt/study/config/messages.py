"""What pydantic found wrong, said so that it can be put right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from matopt.spelling import closest, suggestion
from matopt.study.config.study_file import Key, Problem, shown

_MESSAGES = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be a text",
    "path_type": "must be a path",
    "bool_type": "must be true or false",
    "list_type": "must be a list, like [1, 2]",
    "tuple_type": "must be a list, like [1, 2]",
    "dict_type": "must be a section with keys of its own",
    "model_type": "must be a section with keys of its own",
    "none_required": "must be null",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
}
_NESTED = "problems"


def nested(problems: Sequence[Problem]) -> PydanticCustomError:
    """Wrap several problems inside one value for a validator to raise; their keys are relative to the value."""
    return PydanticCustomError(_NESTED, "see the context", {"problems": list(problems)})


def problems_of(error: ValidationError, tree: Any, known: Callable[[Key], Sequence[str]]) -> list[Problem]:
    """Translate an error of pydantic's: one problem for each value that it complains of.

    Args:
        error: as pydantic raised it.
        tree: what was validated, plain values.
        known: the keys that the section at a key may have.
    """
    found: dict[Key, list[str]] = {}
    for detail in error.errors(include_url=False):
        key = _present(tuple(detail["loc"]), tree, keep_last=detail["type"] == "missing")
        if detail["type"] == _NESTED:
            for problem in detail["ctx"]["problems"]:
                found.setdefault((*key, *problem.key), []).append(problem.message)
        elif detail["type"] == "missing":
            found.setdefault(key, []).append("is missing; the study needs it")
        elif detail["type"] == "extra_forbidden":
            found.setdefault(key, []).append(f"no such key; {suggestion(str(key[-1]), known(key[:-1]))}")
        elif detail["type"] == "value_error":
            found.setdefault(key, []).append(str(detail["ctx"]["error"]))
        else:
            text = _MESSAGES.get(detail["type"], detail["msg"]).format(**detail.get("ctx", {}))
            found.setdefault(key, []).append(_with_value(text, detail))
    return [Problem(key, _either(messages)) for key, messages in found.items()]


def _with_value(text: str, detail: Any) -> str:
    expected = str(detail.get("ctx", {}).get("expected", "")).replace("'", "").replace(" or ", ", ").split(", ")
    near = closest(str(detail["input"]), expected)
    return f"{text}, got {shown(detail['input'])}" + (f"; did you mean {near!r}?" if near else "")


def _either(messages: Sequence[str]) -> str:
    """Join the messages of a union's branches: "must be a number, or a text, got [1]"."""
    branches = list(dict.fromkeys(messages))
    if len(branches) == 1 or not all(b.startswith("must be ") and ", got " in b for b in branches):
        return "; ".join(branches)
    wanted = [branch.rpartition(", got ")[0].removeprefix("must be ") for branch in branches]
    return f"must be {', or '.join(wanted)}, got {branches[-1].rpartition(', got ')[2]}"


def _present(location: Key, tree: Any, keep_last: bool) -> Key:
    """Strip a location of the names of union branches, which pydantic adds but no file has."""
    key: list[str | int] = []
    for part in location:
        is_item = isinstance(tree, list) and isinstance(part, int) and part < len(tree)
        if is_item or (isinstance(tree, dict) and part in tree):
            tree = tree[part]
        else:
            if keep_last and part == location[-1]:
                key.append(part)
            break
        key.append(part)
    return tuple(key)
