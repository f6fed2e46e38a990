"""Products in half precision, where a device has instructions for them."""

from __future__ import annotations

import torch


def half_precision(device: torch.device) -> torch.autocast:
    """Use bfloat16 products where the device has instructions for them; elsewhere they are slower than float32."""
    if device.type == "cpu":
        capable = getattr(torch.cpu, "get_capabilities", dict)().get("avx512_bf16", False)  # not in every torch
    else:
        capable = device.type == "cuda"
    # PyTorch keeps parameters that it has converted until the outermost autocast ends, which may be around a whole
    # training (matopt.torch_modes): each step would then compute with the parameters of the first.
    return torch.autocast(device.type, torch.bfloat16, enabled=capable, cache_enabled=False)
