"""The modes of PyTorch that a caller may be in, all at once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Result = TypeVar("Result")


@contextmanager
def foreign_modes() -> Generator[None]:
    """A double default dtype, deterministic algorithms, another default device, inference mode and autocast."""
    dtype, deterministic = torch.get_default_dtype(), torch.are_deterministic_algorithms_enabled()
    torch.set_default_dtype(torch.float64)
    torch.use_deterministic_algorithms(True)
    try:
        with torch.device("meta"), torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            yield
    finally:
        torch.set_default_dtype(dtype)
        torch.use_deterministic_algorithms(deterministic)


def side_by_side(calls: Sequence[Callable[[], Result]]) -> list[Result]:
    """Call functions at the same time, each in a thread of its own, all in foreign modes."""

    def called(call: Callable[[], Result]) -> Result:
        with torch.device("meta"), torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            return call()

    with foreign_modes(), ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(called, calls))
