"""The chord-length distribution of a phase: how long the pieces are that it cuts out of straight lines."""

from __future__ import annotations

import torch

from matopt.descriptors.phases import PORE, binary_indicator, indicator


def chord_lengths(density: torch.Tensor, longest: int, phase: int = PORE, periodic: bool = False) -> torch.Tensor:
    """Measure the distribution of a phase's chord lengths along each axis.

    A chord is a run of voxels of the phase along a grid line with a voxel of the other phase at either end. In an
    image that is not periodic the border cuts chords, the long ones more often; so only whole chords are counted, and
    each length by its count over the number of places where a chord so long could have been seen whole.

    Args:
        density: ``(N, 1, *S)`` binary densities, zeros and ones.
        longest: the longest chord that is counted, in voxels; at most the shortest edge less 2, for the ends.
        phase: 0 (pore) or 1 (grain).
        periodic: the microstructure repeats.

    Returns:
        ``(N, d, longest)``: the share of chords with 1, 2, ..., ``longest`` voxels, for each of the d axes. The rest
        up to 1 is the share of longer chords. All zeros where there is no chord.

    Raises:
        ValueError: wrong shape or phase, grey voxels, or a length that the image does not hold.

    Source: Torquato and Lu, Phys. Rev. E 47, 2950 (1993); weighting by visible places as Miles, in *Stochastic
    Geometry* (1974), does for particles in a window.
    """
    inside = binary_indicator(density, phase).to(density.dtype)
    limit = min(inside.shape[1:]) - 2
    if not 1 <= longest <= limit:
        raise ValueError(
            f"longest must lie between 1 and {limit} for images of {tuple(inside.shape[1:])}; got {longest}"
        )
    return torch.stack([_along(inside.movedim(a, -1), longest, periodic) for a in range(1, inside.ndim)], dim=1)


def mean_chord_length(density: torch.Tensor, phase: int = PORE, periodic: bool = False) -> torch.Tensor:
    """The mean chord length along each axis, in voxels.

    The volume fraction over the number of chords that begin at a voxel. Chords that the border cuts count by the part
    of them that is seen, and so bias nothing.

    Args:
        density: ``(N, 1, *S)`` binary densities, zeros and ones.
        phase: 0 (pore) or 1 (grain).
        periodic: the microstructure repeats.

    Returns:
        ``(N, d)``, for each of the d axes; infinite where no chord begins.

    Raises:
        ValueError: wrong shape or phase.

    Source: Underwood, *Quantitative Stereology* (1970): the mean free path, volume fraction over intercepts.
    """
    inside = indicator(density, phase)
    fraction = inside.flatten(1).mean(1)
    lengths = []
    for axis in range(1, inside.ndim):
        along = inside.movedim(axis, -1)
        before = along.roll(1, -1) if periodic else along[..., :-1]
        begun = ((1 - before) * (along if periodic else along[..., 1:])).flatten(1).mean(1)
        lengths.append(torch.where(begun > 0, fraction / begun, torch.inf))
    return torch.stack(lengths, dim=1)


def _along(inside: torch.Tensor, longest: int, periodic: bool) -> torch.Tensor:
    """The distribution of chord lengths ``(N, longest)`` along the last axis of ``inside`` ``(N, *S)``."""
    size = inside.shape[-1]
    if periodic:
        inside = torch.cat([inside, inside[..., : longest + 1]], dim=-1)
    starts = (1 - inside[..., :-1]) * inside[..., 1:]  # the end before a chord, and its first voxel
    chords = (starts[..., :size] if periodic else starts).flatten(1).mean(1)
    run, values = starts, []
    for k in range(1, longest + 1):
        whole = run[..., :-1] * (1 - inside[..., k + 1 :])
        run = run[..., :-1] * inside[..., k + 1 :]
        values.append((whole[..., :size] if periodic else whole).flatten(1).mean(1))
    return torch.stack(values, dim=1) / chords.clamp(min=1e-30)[:, None]
