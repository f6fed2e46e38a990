"""The two-point correlation function S2: the probability that both ends of a vector lie in a phase."""

from __future__ import annotations

import torch

from matopt.descriptors.phases import PORE, indicator


def two_point_correlation(
    density: torch.Tensor, radius: int, phase: int = PORE, periodic: bool = False
) -> torch.Tensor:
    """Measure the two-point correlation function S2 for all vectors up to ``radius`` voxels along each axis.

    ``S2(h)`` is the mean of ``I(x) I(x + h)`` over all ``x`` for which both ends are seen: over the whole torus for a
    periodic microstructure, else over the pairs inside the image. ``S2(0)`` is the volume fraction (of a binary
    microstructure), and far away S2 tends to its square.

    Args:
        density: ``(N, 1, *S)`` solid fractions.
        radius: voxels; less than the shortest edge, or at most half of it where ``periodic``.
        phase: 0 (pore) or 1 (grain).
        periodic: the microstructure repeats.

    Returns:
        ``(N, 2 radius + 1, ...)`` with d such axes; the middle is the zero vector. Differentiable.

    Raises:
        ValueError: wrong shape or phase, or a radius that the image does not hold.

    Source: Torquato, *Random Heterogeneous Materials* (2002), section 2.2; by the Wiener-Khinchin theorem as in
    Berryman, J. Appl. Phys. 57, 2374 (1985).
    """
    inside = indicator(density, phase)
    shape = tuple(inside.shape[1:])
    longest = min(shape) // 2 if periodic else min(shape) - 1
    if not 0 <= radius <= longest:
        raise ValueError(f"radius must lie between 0 and {longest} for images of {shape}; got {radius}")
    axes = tuple(range(1, inside.ndim))
    padded = shape if periodic else tuple(s + radius for s in shape)  # room for no pair to wrap around
    spectrum = torch.fft.rfftn(inside, s=padded, dim=axes)
    sums = torch.fft.irfftn(spectrum.abs().square(), s=padded, dim=axes)
    sums = torch.fft.fftshift(sums, dim=axes)
    for axis, size in zip(axes, padded, strict=True):
        middle = size // 2
        picked = (torch.arange(-radius, radius + 1, device=sums.device) + middle) % size
        sums = sums.index_select(axis, picked)
    return sums / _pairs(shape, radius, periodic, sums)


def radial_correlation(
    density: torch.Tensor, radius: int, phase: int = PORE, periodic: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Measure the two-point correlation function S2 as a function of distance, averaged over directions.

    The vectors whose length rounds to 0, 1, ..., ``radius`` voxels are put together, each weighted by its number of
    pairs.

    Args:
        density: ``(N, 1, *S)`` solid fractions.
        radius: voxels, as for :func:`two_point_correlation`.
        phase: 0 (pore) or 1 (grain).
        periodic: the microstructure repeats.

    Returns:
        ``(radius + 1,)`` mean lengths of the vectors put together, in voxels, and ``(N, radius + 1)`` values of S2
        there. The lengths are near 0, 1, 2, ... and not equal to them: the diagonal counts with the axes at 1.
    """
    correlation = two_point_correlation(density, radius, phase, periodic)
    shape = tuple(density.shape[2:])
    pairs = _pairs(shape, radius, periodic, correlation).expand(correlation.shape[1:]).flatten()
    steps = torch.arange(-radius, radius + 1, device=density.device, dtype=correlation.dtype)
    grids = torch.meshgrid(*[steps] * len(shape), indexing="ij")
    length = torch.stack([g.square() for g in grids]).sum(0).sqrt().flatten()
    ring = length.round().long()
    kept = ring <= radius
    ring, length, pairs = ring[kept], length[kept], pairs[kept]
    sums = correlation.new_zeros(len(correlation), radius + 1)
    sums = sums.index_add(1, ring, correlation.flatten(1)[:, kept] * pairs)
    total = pairs.new_zeros(radius + 1).index_add(0, ring, pairs)
    lengths = pairs.new_zeros(radius + 1).index_add(0, ring, length * pairs) / total
    return lengths, sums / total


def _pairs(shape: tuple[int, ...], radius: int, periodic: bool, like: torch.Tensor) -> torch.Tensor:
    """Count the pairs of voxels that each vector joins, in a shape that broadcasts to that of the vectors."""
    steps = torch.arange(-radius, radius + 1, device=like.device, dtype=like.dtype).abs()
    pairs = like.new_ones(())
    for axis, size in enumerate(shape):
        along = torch.full_like(steps, size) if periodic else size - steps
        pairs = pairs * along.reshape([-1 if a == axis else 1 for a in range(len(shape))])
    return pairs
