"""Which of two implementations serves: operations on tensors, anywhere, or compiled loops, on a processor."""

from __future__ import annotations

import importlib
import warnings
from functools import cache
from types import FunctionType
from typing import Any, TypeVar

import torch

T = TypeVar("T", bound=type[Any] | FunctionType)


def implementation(by_tensors: T, device: torch.device) -> T:
    """The implementation that serves on a device of a class or function that is there twice.

    What is written in operations on tensors runs on every device. Its twin in compiled loops, which takes and gives the
    same, has the same name in the module ``compiled`` of the same package. That module is imported when a processor
    asks for it, not before; where Numba is missing, or is broken, tensors serve there too.
    """
    if device.type != "cpu" or not _numba_is_there():
        return by_tensors
    room = by_tensors.__module__.rpartition(".")[0]
    return getattr(importlib.import_module(f"{room}.compiled"), by_tensors.__name__)


@cache
def _numba_is_there() -> bool:
    try:
        import numba  # noqa: F401
    except ImportError as error:
        warnings.warn(f"Numba cannot be imported ({error}); simulators run without it, more slowly", stacklevel=2)
        return False
    return True
