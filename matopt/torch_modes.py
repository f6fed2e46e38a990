"""The modes of PyTorch in which matopt computes, whatever the caller's are."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
Result = TypeVar("Result")


@contextmanager
def plain(learns: bool = False) -> Generator[None]:
    """Compute without autocast, and make tensors on the CPU unless a device is named.

    These modes belong to the thread, and are the caller's again afterwards. What belongs to the process (the default
    dtype, the random state, the number of threads) is neither read nor set: dtypes and generators are always named.

    Args:
        learns: with gradients too, as a training needs them; else they are recorded where the caller wants them.
    """
    with ExitStack() as stack:
        for device in ("cpu", "cuda"):
            stack.enter_context(torch.autocast(device, enabled=False))
        stack.enter_context(torch.device("cpu"))
        if learns:
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.enable_grad())
        yield


def keep_modes(cls: type, learn: Sequence[str], compute: Sequence[str]) -> None:
    """Have a class call methods that it defines in :func:`plain` modes, those that ``learn`` with gradients.

    Bases of models call it for their subclasses, which then need not think of the modes that a caller may be in.
    """
    for names, wrap in ((learn, learning), (compute, in_plain_modes)):
        for name in names:
            if name in vars(cls):
                setattr(cls, name, wrap(vars(cls)[name]))


def in_plain_modes(function: Callable[P, Result]) -> Callable[P, Result]:
    """Call a function in :func:`plain` modes."""

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> Result:
        with plain():
            return function(*args, **kwargs)

    return called


def learning(function: Callable[P, Result]) -> Callable[P, Result]:
    """Call a function in :func:`plain` modes, with gradients."""

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> Result:
        with plain(learns=True):
            return function(*args, **kwargs)

    return called
