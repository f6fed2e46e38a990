"""Other processors, as far as their rounding goes: sums and products in another order."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

PRODUCTS = {"mm", "addmm", "bmm", "baddbmm", "mv", "addmv", "dot", "vdot", "linalg_vecdot", "convolution"}
SUMS = {"sum", "mean", "cumsum", "scatter_add", "scatter_add_", "index_add", "index_add_", "linalg_vector_norm"}
TRANSFORMS = {"_fft_r2c", "_fft_c2r", "_fft_c2c"}
"""Operations of ATen that libraries for processors carry out in an order of their own."""

_BITS = {torch.float32: torch.int32, torch.float64: torch.int64}


class LastPlaceNoise(TorchDispatchMode):
    """Adds noise to products and sums, of a unit in the last place of the terms that they add up.

    So much, and no more, may another order of summation change: little of a sum of like terms, much of one that all but
    vanishes. What is added follows from the number itself and the seed, so that the same work gives the same result
    again, in a batch and alone, as it does on any one processor. Sums of whole numbers, and those that are whole, as of
    pores and grains, are exact in any order, and stay so.

    Args:
        seed: another one is another processor.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed
        self._drift = 0.5 if seed % 2 else -0.5

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, kwargs = func.overloadpacket.__name__, kwargs or {}
        if name in PRODUCTS | SUMS:
            terms = func(*map(_magnitude, args), **{key: _magnitude(value) for key, value in kwargs.items()})
            found = func(*args, **kwargs)
            if name in SUMS and found.dtype in _BITS:
                if all(map(_is_whole, args)):
                    return found
                terms = torch.where(found == found.round(), 0, terms)
            return self._perturbed(found, terms)
        found = func(*args, **kwargs)
        if name in TRANSFORMS:
            parts = torch.view_as_real(found) if found.is_complex() else found
            self._perturbed(parts, parts.square().mean().sqrt())
        return found

    def _perturbed(self, found: torch.Tensor, terms: torch.Tensor) -> torch.Tensor:
        if found.dtype in _BITS and found.layout == torch.strided:
            bits = found.contiguous().view(_BITS[found.dtype])
            noise = (bits * 1103515245 + 12345 * self._seed).bitwise_right_shift(16) % 256 / 255 - 0.5 + self._drift
            found.addcmul_(noise.to(found), terms.to(found), value=torch.finfo(found.dtype).eps)
        return found


def _is_whole(argument: Any) -> bool:
    return not isinstance(argument, torch.Tensor) or bool((argument == argument.round()).all())


def _magnitude(argument: Any) -> Any:
    """Without signs, so that an operation gives the sum of the magnitudes of its terms."""
    if isinstance(argument, torch.Tensor) and argument.dtype in _BITS:
        if argument.layout == torch.strided:
            return argument.abs()
        parts = argument.crow_indices(), argument.col_indices(), argument.values().abs()
        return torch.sparse_csr_tensor(*parts, size=argument.shape, check_invariants=False)
    return abs(argument) if isinstance(argument, float) else argument
