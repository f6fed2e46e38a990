"""The precision of the networks' products in training."""

from __future__ import annotations

import torch


def half_precision(device: torch.device) -> torch.autocast:
    """Use bfloat16 products where the device has instructions for them; elsewhere they are slower than float32."""
    if device.type == "cpu":
        capable = getattr(torch.cpu, "get_capabilities", dict)().get("avx512_bf16", False)  # not in every torch
    else:
        capable = device.type == "cuda"
    return torch.autocast(device.type, torch.bfloat16, enabled=capable)
