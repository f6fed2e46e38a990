"""Where nothing is left to the microstructure, a property is that of its phases."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from matopt.properties import Bounds, Property
from matopt.traits.base import TRAITS, PropertyModel, Trait, known_columns

SHARE = 0.05
"""Share of the sample that the disc or ball of the dilute limit takes."""

FACTOR = 2.0
"""The drop at the dilute limit is right within this factor: voxels, of samples of any size, leave less than it open."""


@TRAITS.register("limits")
class Limits(Trait):
    """How far properties are off at a sample of one phase, and by a wrong slope beside it.

    A property with bounds (:attr:`matopt.properties.Property.bounds`) is known where they meet: all grain and all pore.
    There the residual is ``|value - bound|`` over the larger value of the two phases. Beside them it has a known slope:
    a few discs or balls of the other phase change it as the bound says whose assemblage they are, the upper one in the
    phase that is better at it, the lower one in the other (Hashin and Shtrikman's bounds are exact to first order in
    the share). With ``s`` the change from one phase to a disc or ball of a twentieth, over that of the bound, the
    residual is how far ``s`` is outside of 1/2 to 2: a model without a response has 1/2. An end at which the bound has
    no slope says nothing.

    The mean over these of each property, and over the properties that have bounds. It follows from the shape of the
    samples alone, so that all samples of a batch have the same.

    Source: Hashin and Shtrikman, J. Mech. Phys. Solids 11 (1963) 127 and J. Appl. Phys. 33 (1962) 3125.
    """

    def applies_to(self, properties: Sequence[Property]) -> bool:
        """Whether any of the properties has bounds."""
        return any(p.bounds is not None for p in properties)

    def residual(self, model: PropertyModel, density: torch.Tensor) -> torch.Tensor:
        """``(N,)`` equal residuals, see the class.

        Raises:
            InputError: no property of the model has bounds, or they were lost when the model was saved.
        """
        columns = known_columns(self, model.properties, lambda p: p.bounds, "has bounds")
        samples = _limits(density)
        values = model.predict(samples)
        found = [_off(values[:, column], bounds, samples) for column, bounds in columns]
        return torch.stack(found).mean().expand(len(density))


def _off(value: torch.Tensor, bounds: Bounds, samples: torch.Tensor) -> torch.Tensor:
    lower, upper = bounds(samples)
    largest = float(upper.max())
    parts = [(value[end] - upper[end]).abs() / largest for end in (0, 1)]
    better = int(upper[1] > upper[0])  # the phase with more of the property: the bound of discs in it is the upper one
    for end in (0, 1):
        bound = upper if end == better else lower
        drop = bound[2 + end] - bound[end]
        if abs(float(drop)) > 1e-6 * largest:
            slope = (value[2 + end] - value[end]) / drop
            parts.append(torch.relu(slope - FACTOR) + torch.relu(1 / FACTOR - slope))
    return torch.stack(parts).mean()


def _limits(density: torch.Tensor) -> torch.Tensor:
    """``(4, 1, *S)``: all pore, all grain, a disc or ball of grain in pores, one of pore in grain."""
    shape = density.shape[2:]
    axes = [torch.arange(edge, device=density.device) + 0.5 - edge / 2 for edge in shape]
    distance = sum(x.square() for x in torch.meshgrid(*axes, indexing="ij"))
    assert isinstance(distance, torch.Tensor)
    inside = torch.zeros(math.prod(shape), dtype=density.dtype, device=density.device)
    inside[distance.flatten().argsort(stable=True)[: max(1, round(SHARE * len(inside)))]] = 1
    ball = inside.view(1, 1, *shape)
    return torch.cat([torch.zeros_like(ball), torch.ones_like(ball), ball, 1 - ball])
