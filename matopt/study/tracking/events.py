"""The events of the spool: what each kind says, and how they are read back from a file that may be damaged."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args

Status = Literal["FINISHED", "FAILED", "KILLED"]

MAX_NAME = 250
"""Characters of a name in MLflow."""

_NAME = re.compile(r"[\w.\- :]+(/[\w.\- :]+)*", re.ASCII)
_COPY = re.compile(r"files/[0-9a-f]{32}/[^/]+")


def is_name(name: str) -> bool:
    """Tell whether MLflow takes a name: of a metric, a parameter, a tag, a folder."""
    return len(name) <= MAX_NAME and _NAME.fullmatch(name) is not None and not {".", ".."} & set(name.split("/"))


def read_events(path: Path, offset: int = 0) -> Iterator[tuple[int, dict[str, Any] | bytes]]:
    """Read the whole lines of a spool file from ``offset`` on: the offset after each, and its event.

    A last line without an end is not there yet, or was torn by a crash: it is left alone. A line that is no
    event comes as its bytes. Zeros before an event, which a power cut leaves, are passed over.
    """
    with path.open("rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            try:
                found = json.loads(line.lstrip(b"\0"))
            except (ValueError, RecursionError):
                found = line
            yield offset, found if _is_event(found) else line


def _is_event(found: Any) -> bool:
    """Tell whether a line says all that its kind of event must say: what is sent, and deleted, goes by it."""
    if not isinstance(found, dict) or not _is_whole(found.get("at")) or not isinstance(found.get("do"), str):
        return False
    fields = _FIELDS.get(found["do"], {})
    return bool(fields) and all(name in found and is_right(found[name]) for name, is_right in fields.items())


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_token(value: Any) -> bool:
    return isinstance(value, str) and value.isalnum()


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and abs(value) < 2**63


def _are_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _are_numbers(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(number, float | int) for number in value.values())


def _is_copy(value: Any) -> bool:
    return isinstance(value, str) and _COPY.fullmatch(value) is not None


_FIELDS: dict[str, dict[str, Callable[[Any], bool]]] = {
    "start": {
        "run": _is_token,
        "key": lambda value: isinstance(value, str) and is_name(value),
        "name": _is_text,
        "parent": lambda value: value is None or _is_token(value),
        "params": _are_texts,
        "tags": _are_texts,
    },
    "metrics": {"run": _is_token, "values": _are_numbers, "step": _is_whole, "tags": _are_texts},
    "artifact": {"run": _is_token, "file": _is_copy, "folder": _is_text},
    "model": {"run": _is_token, "file": _is_copy, "name": _is_text, "tags": _are_texts},
    "end": {"run": _is_token, "status": lambda value: value in get_args(Status)},
}
