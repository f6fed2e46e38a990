"""How stiff a grey voxel is: the share of the grain's stiffness at each density, 0 in voids and 1 in grain."""

from __future__ import annotations

from typing import Literal, get_args

import torch

GreyLaw = Literal["linear", "simp", "ramp"]

LAWS = get_args(GreyLaw)

POWER = 3.0
"""Of SIMP: the usual one, from which on isotropic microstructures of Poisson's ratio 1/3 can have that stiffness."""

CURVATURE = 2.0
"""Of RAMP: with it the law is Hashin and Shtrikman's upper bound of a porous solid of Poisson's ratio 1/3."""


def stiffness_share(density: torch.Tensor, law: GreyLaw) -> torch.Tensor:
    """The share of the grain's stiffness, of the shape of ``density``, and differentiable.

    ``linear`` is the mean of grain and void (Voigt), the stiffest that a mixture could be. ``simp`` is the density to
    the power of 3, ``ramp`` is ``s / (1 + 2 (1 - s))`` (Bendsoe and Sigmund, Arch. Appl. Mech. 69 (1999) 635; Stolpe
    and Svanberg, Struct. Multidisc. Optim. 22 (2001) 116): grey is worth less than it weighs, so that designs turn
    binary. The mean with Reuss's bound is none of them: beside a void that bound is 0 but for full grain.
    """
    if law == "simp":
        return density**POWER
    if law == "ramp":
        return density / (1 + CURVATURE * (1 - density))
    return density


def rate(density: torch.Tensor, law: GreyLaw) -> torch.Tensor:
    """The derivative of the share with respect to the density, of the shape of ``density``."""
    if law == "simp":
        return POWER * density ** (POWER - 1)
    if law == "ramp":
        return (1 + CURVATURE) / (1 + CURVATURE * (1 - density)).square()
    return torch.ones_like(density)
