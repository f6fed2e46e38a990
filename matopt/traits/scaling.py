"""A microstructure of twice the size has the property that follows from its unit."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from matopt.errors import InputError
from matopt.properties import Property
from matopt.traits.base import TRAITS, PropertyModel, Trait, known_columns


@TRAITS.register("scaling")
class Scaling(Trait):
    """How far properties are off where a microstructure is enlarged, relative to their size.

    A corner of each sample, half of each edge, binarised at one half as a grey voxel resists by its own size, is shown
    twice at the sample's own shape and voxel size: repeated, by itself where the physics is periodic and else
    by its mirror images, which changes no property; and with every voxel enlarged to two. Stiffness and relative
    diffusivity are the same in both; permeability goes with the square of a length
    (:attr:`matopt.properties.Property.length_power`). The residual is ``|a - b| / (|a| + |b|)`` of what the
    repeated sample says of the enlarged one and what the model does, from 0 to 1, the mean over the properties of which
    the power is known. Enlarged voxels are solved on a finer grid, so that the physics has a residual too: what its own
    grid leaves open at voxels of this size.
    """

    def applies_to(self, properties: Sequence[Property]) -> bool:
        """Whether of any of the properties it is known how it goes with lengths."""
        return any(p.length_power is not None for p in properties)

    def residual(self, model: PropertyModel, density: torch.Tensor) -> torch.Tensor:
        """``(N,)`` relative differences, see the class.

        Raises:
            InputError: no property of the model is known to go with a power of lengths, or an edge is odd.
        """
        columns = known_columns(self, model.properties, lambda p: p.length_power, "is known to scale")
        shape = density.shape[2:]
        if any(edge % 2 for edge in shape):
            raise InputError(f"{self.name}: samples need even edges to be halved; these are of {tuple(shape)}")
        corner = (density[(..., *(slice(edge // 2) for edge in shape))] >= 0.5).to(density.dtype)
        enlarged, repeated, mirrored = corner, corner, corner
        for axis in range(2, density.ndim):
            enlarged = enlarged.repeat_interleave(2, axis)
            repeated = torch.cat([repeated, repeated], axis)
            mirrored = torch.cat([mirrored, mirrored.flip(axis)], axis)
        is_periodic = [model.properties[i].symmetry(len(shape)).shifts for i, _ in columns]
        larger = model.predict(enlarged)
        of_periodic = model.predict(repeated) if any(is_periodic) else larger
        of_mirrored = larger if all(is_periodic) else model.predict(mirrored)
        parts = []
        for (column, power), shifts in zip(columns, is_periodic, strict=True):
            told = 2.0**power * (of_periodic if shifts else of_mirrored)[:, column]
            found = larger[:, column]
            parts.append((found - told).abs() / (found.abs() + told.abs()).clamp_min(torch.finfo(found.dtype).tiny))
        return torch.stack(parts).mean(0)
