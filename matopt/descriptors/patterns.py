"""Frequencies of the patterns of 3 x 3 voxels: the finest detail of a texture, single voxels and corners."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch

from matopt.descriptors.phases import GRAIN, binary_indicator

PATTERNS = 2**9
"""A pattern's number has bit ``3 row + column`` where that voxel of its nine is grain."""


def pattern_classes() -> torch.Tensor:
    """Number the patterns ``(512,)`` such that those that a turn or a reflection maps onto each other share one."""
    bits = (torch.arange(PATTERNS)[:, None] >> torch.arange(9)) & 1
    square = bits.view(-1, 3, 3)
    images = [s.rot90(turns, (1, 2)) for s in (square, square.transpose(1, 2)) for turns in range(4)]
    codes = torch.stack([(image.reshape(-1, 9) << torch.arange(9)).sum(1) for image in images])
    return torch.unique(codes.amin(0), return_inverse=True)[1]


def pattern_planes(solid: torch.Tensor) -> Iterator[tuple[torch.Tensor, tuple[int, int]]]:
    """Give the planes across each axis of volumes ``(N, *S)``, or the one of images: views, and the axes of each.

    The two axes of a plane are the last of its view ``(N, ..., H, W)``.
    """
    for axes in itertools.combinations(range(1, solid.ndim), 2):
        yield solid.movedim(axes, (-2, -1)), axes


def pattern_numbers(plane: torch.Tensor, spacing: int = 1) -> torch.Tensor:
    """Number the patterns of planes ``(..., H, W)``, True in grain, by their place.

    Args:
        plane: the planes.
        spacing: of the voxels of a pattern: 1 for neighbours.

    Returns:
        ``(..., H - 2 spacing, W - 2 spacing)`` int16.
    """
    plane = plane.short()
    height, width = (n - 2 * spacing for n in plane.shape[-2:])
    numbers = plane.new_zeros(*plane.shape[:-2], height, width)
    for bit, place in enumerate(itertools.product(range(3), repeat=2)):
        row, column = (spacing * n for n in place)
        numbers += plane[..., row : row + height, column : column + width] << bit
    return numbers


def counted(numbers: torch.Tensor, kinds: int) -> torch.Tensor:
    """Count ``(N, kinds)`` how often each of the numbers below ``kinds`` occurs in each row ``(N, M)`` int64."""
    offset = kinds * torch.arange(len(numbers), device=numbers.device)
    counts = torch.bincount((numbers + offset[:, None]).flatten(), minlength=kinds * len(numbers))
    return counts.view(len(numbers), kinds)


def pattern_frequencies(density: torch.Tensor) -> torch.Tensor:
    """Measure how often each pattern of 3 x 3 voxels occurs, in all planes across an axis of a volume.

    Patterns that differ by quarter turns and reflections are counted together, which leaves 102.

    Args:
        density: ``(N, 1, *S)`` binary densities, zeros and ones; 3 voxels along each axis at least.

    Returns:
        ``(N, 102)`` float32: shares of all places, which sum to 1.

    Raises:
        ValueError: wrong shape, or grey voxels.
    """
    solid = binary_indicator(density, GRAIN)
    class_of = pattern_classes().to(density.device)
    classes = int(class_of.max()) + 1
    counts = torch.zeros(len(solid), classes, dtype=torch.int64, device=density.device)
    for plane, _ in pattern_planes(solid):
        counts += counted(class_of[pattern_numbers(plane).flatten(1).long()], classes)
    frequencies = counts.float()
    return frequencies / frequencies.sum(1, keepdim=True)


class PatternRoots(torch.nn.Module):
    """A block of style features that sees single voxels: square roots of the :func:`pattern_frequencies`.

    Roots, as they spread alike whatever the frequency. Patterns that fewer than half of the reference have are counted
    together, as debris: one by one they would make up the whole distance from a reference that happens to lack them.
    Grey voxels are thresholded at one half, so the block is for judging: no gradient passes.

    Args:
        reference: ``(N, 1, *S)`` densities of authentic microstructures.
    """

    def __init__(self, reference: torch.Tensor) -> None:
        super().__init__()
        occurs = _binarised_frequencies(reference) > 0
        self.register_buffer("is_common", occurs.float().mean(0) >= 0.5)
        self.is_common: torch.Tensor

    def forward(self, density: torch.Tensor) -> torch.Tensor:
        """Map densities ``(N, 1, *S)`` to ``(N, F)`` features: of F - 1 common patterns, and of all others."""
        frequencies = _binarised_frequencies(density)
        rare = frequencies[:, ~self.is_common].sum(1, keepdim=True)
        return torch.cat([frequencies[:, self.is_common], rare], dim=1).sqrt()


def _binarised_frequencies(density: torch.Tensor) -> torch.Tensor:
    return pattern_frequencies((density >= 0.5).to(density.dtype))
