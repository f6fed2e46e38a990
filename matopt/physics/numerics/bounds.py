"""What the bounds of Hashin and Shtrikman on stiffness and on conductivity have in common."""

from __future__ import annotations

import torch


def embedded_mean(modulus: torch.Tensor, surrounding: float) -> torch.Tensor:
    """``1 / <1 / (modulus + surrounding)> - surrounding``, the form of each such bound for any number of phases.

    Walpole, J. Mech. Phys. Solids 14 (1966) 151: each phase is embedded in a comparison medium, whose constraint acts
    like a modulus in parallel. The stiffest phase as that medium makes the upper bound, the softest the lower.

    Args:
        modulus: ``(N, V)`` of V voxels of equal volume, each a phase.
        surrounding: the constraint of the comparison medium, positive, in the same unit.

    Returns:
        ``(N,)``, differentiable.
    """
    # In units of the surrounding modulus, so that single precision neither overflows nor cancels.
    ratio = modulus / surrounding
    contrast = 1 / (1 / (1 + ratio)).mean(1) - 1
    return surrounding * contrast.clamp_min(0)
