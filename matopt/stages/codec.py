"""The codec of records: frozen dataclasses to payloads of tensors and plain values, and back."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, cast

import numpy as np
import torch

T = TypeVar("T")


def pack(record: Any) -> dict[str, Any]:
    """Turn a record into its payload: what ``torch.save`` keeps, and loads again without running any code.

    Args:
        record: a dataclass of tensors, arrays, plain values, and tuples, dictionaries and dataclasses of these.

    Raises:
        TypeError: a field of another kind.
    """
    return {field.name: _packed(getattr(record, field.name)) for field in fields(record)}


def unpack(kind: type[T], payload: Mapping[str, Any]) -> T:
    """Build the record of class ``kind`` from its payload.

    What the payload has beyond the fields is left alone; a field that it lacks takes its default.

    Raises:
        KeyError: the payload lacks a field that has no default.
    """
    hints = typing.get_type_hints(kind)
    members = fields(cast(Any, kind))
    required = {m.name for m in members if m.default is MISSING and m.default_factory is MISSING}
    if missing := required - payload.keys():
        raise KeyError(f"the payload of {kind.__name__} lacks {', '.join(sorted(missing))}")
    return kind(**{m.name: _unpacked(hints[m.name], payload[m.name]) for m in members if m.name in payload})


def _packed(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return pack(value)
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "U":  # text has no tensor
            return {"text": value.ravel().tolist(), "shape": list(value.shape)}
        return torch.from_numpy(value.copy())
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().clone()  # of a view, all that it is a view of would be saved
    if isinstance(value, Mapping):
        return {name: _packed(item) for name, item in value.items()}
    if isinstance(value, np.generic):
        return _packed(value.item())
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_packed(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{type(value).__name__} cannot be saved; use tensors, arrays, plain values or records of them")


def _unpacked(hint: Any, value: Any) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        kinds = [kind for kind in arguments if kind is not type(None)]
        return value if value is None or len(kinds) > 1 else _unpacked(kinds[0], value)
    if isinstance(hint, type) and is_dataclass(hint):
        return unpack(hint, value)
    if hint is np.ndarray:
        return (
            value.numpy() if isinstance(value, torch.Tensor) else np.array(value["text"], str).reshape(value["shape"])
        )
    if origin is tuple:
        kinds = arguments if arguments[-1] is not Ellipsis else arguments[:1] * len(value)
        return tuple(_unpacked(kind, item) for kind, item in zip(kinds, value, strict=True))
    if origin in (dict, Mapping):
        return {name: _unpacked(arguments[1], item) for name, item in value.items()}
    if origin in (list, Sequence):
        return [_unpacked(arguments[0], item) for item in value]
    return value
