"""Products in half precision, where a device has instructions for them."""

from __future__ import annotations

import torch

LEAST_EDGE = 3
"""Of volumes with one or two layers of places, oneDNN 3.12 (torch 2.13) leaves parts of the gradients of kernels of 3^3
unwritten in bfloat16: they hold what was in memory."""

LEAST_CHANNELS = 8
"""Norms over fewer make more of what is rounded off than gradients bear: over two, these were a quarter off."""


def half_precision(device: torch.device, edge: int, channels: int) -> torch.autocast:
    """Use bfloat16 products where the device has instructions for them; elsewhere they are slower than float32.

    Args:
        device: of the products.
        edge: the least edge, in places, of all that a network convolves; below :data:`LEAST_EDGE` products on a
            processor stay in float32.
        channels: the fewest of all layers between the first and the last; below :data:`LEAST_CHANNELS` products stay in
            float32.
    """
    if device.type == "cpu":
        capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # not in every torch
        capable = capabilities.get("avx512_bf16", False) and edge >= LEAST_EDGE
    else:
        capable = device.type == "cuda"
    enabled = capable and channels >= LEAST_CHANNELS
    # PyTorch keeps parameters that it has converted until the outermost autocast ends, which may be around a whole
    # training (matopt.torch_modes): each step would then compute with the parameters of the first.
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled, cache_enabled=False)
