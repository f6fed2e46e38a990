"""Networks as they are before they learn: initial parameters from a seed alone, in single precision."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

Built = TypeVar("Built", bound=nn.Module)


def build(make: Callable[[], Built], seed: int) -> Built:
    """Build a network on the CPU whose initial parameters follow from ``seed`` alone.

    Weights and biases of linear and convolutional layers are uniform within the reciprocal root of a unit's inputs
    (LeCun et al. 1998), as PyTorch's own are; those of normalisations are ones and zeros. PyTorch's constructors draw
    from the state that all threads share. So ``make`` is called without memory to draw into, and the draws follow, in
    the order of the modules.

    A module that is to start with a parameter at zero names it in ``STARTS_AT_ZERO``.

    Args:
        make: constructs the module; layers of other kinds than these need a ``reset_parameters`` that draws nothing.
        seed: of the draws.
    """
    with torch.inference_mode(False), torch.device("meta"):
        module = make()
    module = module.to(torch.float32).to_empty(device="cpu")
    random = torch.Generator("cpu").manual_seed(seed)
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.Conv3d):
                draw_layer(layer.weight, layer.bias, random)
            elif callable(draw := getattr(layer, "draw", None)):
                draw(random)
            elif callable(reset := getattr(layer, "reset_parameters", None)):
                reset()
        for layer in module.modules():
            for name in getattr(layer, "STARTS_AT_ZERO", ()):
                layer.get_parameter(name).zero_()
    return module


def draw_layer(weight: torch.Tensor, bias: torch.Tensor | None, random: torch.Generator) -> None:
    """Draw the weights ``(outputs, inputs, ...)`` of a layer, and its biases."""
    bound = 1 / math.sqrt(weight[0].numel())
    for parameter in (weight, bias):
        if parameter is not None:
            # However the parameter lies in memory, its values come in the order of its indices.
            values = torch.empty(parameter.shape, dtype=torch.float32, device="cpu")
            parameter.copy_(values.uniform_(-bound, bound, generator=random))
