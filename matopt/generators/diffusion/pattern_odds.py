"""Samples of a denoiser with the patterns of 3 x 3 voxels of what it was taught, each as often as there."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch

from matopt.descriptors.patterns import PATTERNS, pattern_classes, pattern_frequencies, pattern_numbers, pattern_planes
from matopt.descriptors.phases import volume_fraction
from matopt.generators.diffusion.denoiser import Logit

HIGHEST_CORRECTED = 1.0
"""The noise level from which on patterns count: above it, which of them a voxel is in has not been settled."""

ROUNDS = ((0.7, 1), (0.5, 1), (0.4, 3), (0.35, 4), (0.25, 4))
"""Sample set by sample set: the share of the log ratio of frequencies that is added to a potential, and how many times
as large as the first the set is. Shares fall and sets grow, so that the chance of each averages out (Robbins and Monro
1951): what is left of it is that of 13 of the first together."""

LARGEST_RATIO = 1.0
"""Of log frequencies that one set of samples is believed."""

DOUBT = 10.0
"""Occurrences, of authentic and drawn ones together, of which half of their ratio is believed."""


def no_potential() -> torch.Tensor:
    """The potential that changes nothing: zeros ``(C,)``, one for each class of patterns."""
    return torch.zeros(int(pattern_classes().max()) + 1, dtype=torch.float32)


def with_patterns(logit: Logit, potential: torch.Tensor, periodic: bool = False) -> Logit:
    """Make a denoiser's samples ``exp(sum of the potentials of all patterns in them)`` times as likely.

    Where little noise is left, the log odds of a voxel rise by what its being grain adds to that sum, all other voxels
    being what they most likely are.

    Args:
        logit: the denoiser.
        potential: ``(C,)`` of each class of :func:`matopt.descriptors.patterns.pattern_classes`.
        periodic: opposite borders are joined; otherwise voxels at a border are in fewer patterns.
    """

    def weighted(y: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        found = logit(y, sigma)
        if float(sigma) > HIGHEST_CORRECTED:
            return found
        return found + pattern_odds(found.detach() > 0, potential, periodic)

    return weighted


def pattern_odds(solid: torch.Tensor, potential: torch.Tensor, periodic: bool) -> torch.Tensor:
    """How much more the potentials of all patterns add up to if a voxel is grain than if it is pore.

    Args:
        solid: ``(N, 1, *S)``, True in grain.
        potential: ``(C,)`` of each class.
        periodic: opposite borders are joined.

    Returns:
        ``(N, 1, *S)``; zeros in planes that hold no pattern.
    """
    of_pattern = potential.to(solid.device)[pattern_classes().to(solid.device)]
    number = torch.arange(PATTERNS, device=solid.device)
    odds = torch.zeros_like(solid[:, 0], dtype=potential.dtype)
    for plane, axes in pattern_planes(solid[:, 0]):
        if periodic:
            plane = torch.cat([plane[..., -1:, :], plane, plane[..., :1, :]], -2)
            plane = torch.cat([plane[..., -1:], plane, plane[..., :1]], -1)
        if min(plane.shape[-2:]) < 3:
            continue
        here = pattern_numbers(plane).long()
        of_plane = odds.movedim(axes, (-2, -1))
        for bit, (row, column) in enumerate(itertools.product(range(3), repeat=2)):
            gain = (of_pattern[number | 1 << bit] - of_pattern[number & ~(1 << bit)])[here]
            # At the middles of patterns now; the voxel of this bit lies beside them.
            gain = gain if periodic else torch.nn.functional.pad(gain, (1, 1, 1, 1))
            of_plane += gain.roll((row - 1, column - 1), (-2, -1))
    return odds[:, None]


def find_potential(draw: Callable[[torch.Tensor, int, int], torch.Tensor], train: torch.Tensor) -> torch.Tensor:
    """Find the potential with which samples have the patterns of the training microstructures.

    Of all distributions that have these frequencies, a weight of this form gives the one that is nearest to what the
    denoiser draws (maximum entropy). Patterns of one phase alone have no potential: what their number would say is the
    porosity, which is left as it is, and what a difference in porosity makes of the number of all others is taken out
    by its slope over porosity in training.

    Args:
        draw: gives samples ``(N, 1, *S)`` of a potential, from other noise for each number, and so many times as many
            as for the first.
        train: ``(M, 1, *S)`` training microstructures, as large as samples.

    Returns:
        ``(C,)``.
    """
    authentic, porosity = _mixed(train)
    number, from_mean = authentic.sum(1), porosity - porosity.mean()
    slope = (from_mean * number).mean() / from_mean.square().mean().clamp(min=1e-12)
    potential = no_potential()
    for draw_number, (rate, times) in enumerate(ROUNDS):
        drawn, drawn_porosity = _mixed((draw(potential, draw_number, times) >= 0.5).float())
        expected_number = number.mean() + slope * (drawn_porosity.mean() - porosity.mean())
        if number.sum() == 0 or expected_number <= 0:  # one phase alone, or a porosity that training says nothing of
            return potential
        shares = authentic.sum(0) / number.sum()
        expected, found = shares * expected_number * len(drawn), drawn.sum(0)
        ratio = ((expected + 0.5) / (found + 0.5)).log().clamp(-LARGEST_RATIO, LARGEST_RATIO)
        seen = expected + found
        potential = potential + (rate * ratio * seen / (seen + DOUBT)).to(potential)
    return potential


def _mixed(density: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """How often each class of both phases occurs ``(N, C)``, zero for the others; and the ``(N,)`` porosities."""
    frequencies = pattern_frequencies(density).double().cpu()
    frequencies[:, pattern_classes()[[0, PATTERNS - 1]]] = 0.0
    places = sum(plane[0, ..., 2:, 2:].numel() for plane, _ in pattern_planes(density[:, 0]))
    return frequencies * places, volume_fraction(density).double().cpu()
