"""Devices as people name them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from matopt.errors import InputError
from matopt.spelling import closest

if TYPE_CHECKING:
    import torch

_NAME = re.compile(r"(cpu|mps)(:0)?|cuda(:(0|[1-9][0-9]{0,2}))?")
_MEANT = {"gpu": "cuda", "nvidia": "cuda", "processor": "cpu", "metal": "mps", "apple": "mps"}


def check_device_name(name: str) -> str:
    """Return ``name`` where it names a device, whether this machine has it or not: cpu, cuda, cuda:1, mps.

    Raises:
        InputError: it names none; the message says what was probably meant.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        word = str(name).strip().lower()
        near = word if _NAME.fullmatch(word) else _MEANT.get(word) or closest(word, ("cpu", "cuda", "cuda:0", "mps"))
        hint = f"; did you mean {near!r}?" if near else ""
        raise InputError(f"must be cpu, cuda, cuda:0 or mps, got {json.dumps(str(name))}{hint}")
    return name


def device_named(name: str | torch.device) -> torch.device:
    """The device of this machine that is called ``name``.

    Raises:
        InputError: it names none, or none that this machine has, as PyTorch sees it.
    """
    import torch

    if isinstance(name, torch.device):
        if name.type not in ("cpu", "cuda", "mps"):
            return name  # whoever made it knows why
        name = str(name)
    try:
        check_device_name(name)
    except InputError as error:
        raise InputError(f"device {error}") from None
    device = torch.device(name)
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if not count:
            why = "PyTorch sees no GPU" if torch.version.cuda else "this build of PyTorch is for processors alone"
            raise InputError(f"device {name!r}: {why}; take 'cpu', or let `matopt doctor` look")
        if device.index is not None and device.index >= count:
            raise InputError(f"device {name!r}: there are {count}, cuda:0 to cuda:{count - 1}; they count from 0")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise InputError(f"device {name!r}: PyTorch sees no Apple GPU; take 'cpu', or let `matopt doctor` look")
    return device
