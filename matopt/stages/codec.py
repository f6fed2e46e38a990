"""Frozen records as payloads of tensors and plain values, and back."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, cast

import numpy as np
import torch

T = TypeVar("T")


def pack(record: Any) -> dict[str, Any]:
    """The payload of a record: what an artifact store keeps, and reads back without running any code of it.

    Args:
        record: a dataclass of tensors, arrays, plain values, and tuples, dictionaries and dataclasses of these.

    Raises:
        TypeError: a field of another kind.
    """
    return {field.name: _packed(getattr(record, field.name)) for field in fields(record)}


def unpack(kind: type[T], payload: Mapping[str, Any]) -> T:
    """The record of class ``kind`` whose payload this is.

    Raises:
        KeyError: a field is missing from the payload.
    """
    hints = typing.get_type_hints(kind)
    names = [field.name for field in fields(cast(Any, kind))]
    return kind(**{name: _unpacked(hints[name], payload[name]) for name in names})


def _packed(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return pack(value)
    if isinstance(value, np.ndarray):
        # Text has no tensor.
        return value.tolist() if value.dtype.kind == "U" else torch.from_numpy(value.copy())
    if isinstance(value, torch.Tensor):
        return value.detach().cpu()
    if isinstance(value, Mapping):
        return {name: _packed(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_packed(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{type(value).__name__} cannot be kept; use tensors, arrays, plain values or records of them")


def _unpacked(hint: Any, value: Any) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        return _unpacked(next(a for a in arguments if a is not type(None)), value)
    if isinstance(hint, type) and is_dataclass(hint):
        return unpack(hint, value)
    if hint is np.ndarray:
        return value.numpy() if isinstance(value, torch.Tensor) else np.array(value)
    if origin is tuple:
        kinds = arguments if arguments[-1:] != (Ellipsis,) else arguments[:1] * len(value)
        return tuple(_unpacked(kind, item) for kind, item in zip(kinds, value, strict=True))
    if origin in (dict, Mapping):
        return {name: _unpacked(arguments[1], item) for name, item in value.items()}
    if origin in (list, Sequence):
        return [_unpacked(arguments[0], item) for item in value]
    return value
