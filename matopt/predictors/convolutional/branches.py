"""The branches of a convolutional predictor: a network for each group of properties that share their symmetries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn

from matopt.predictors.convolutional.scoring import ScoringNetwork
from matopt.predictors.convolutional.symmetries import mirror_images, turns
from matopt.properties import Property, Symmetry


@dataclass(frozen=True)
class Group:
    """Properties that one network predicts, and what it may take their samples for.

    Attributes:
        columns: their places among all properties.
        symmetry: what changes none of their values, besides mirroring.
        sees_conductances: the network is told what a coarse solution says of them. It is solved between two faces, so
            that where shifts change nothing the network does better without.
    """

    columns: tuple[int, ...]
    symmetry: Symmetry
    sees_conductances: bool


def groups(properties: Sequence[Property], shape: Sequence[int], shared: bool, symmetries: bool) -> tuple[Group, ...]:
    """Group properties: each for itself, or all in one if ``shared``, with the symmetries that its members share.

    Without ``symmetries`` no group has any. Only axes of samples of equal edges can be exchanged.
    """
    columns = range(len(properties))
    members = [tuple(columns)] if shared else [(column,) for column in columns]
    found = []
    for group in members:
        symmetry = Symmetry.common([properties[c].symmetry(len(shape)) for c in group]) if symmetries else Symmetry()
        if len({shape[axis] for axis in symmetry.alike}) > 1:
            symmetry = Symmetry(symmetry.shifts)
        sees_conductances = any(len(shape) in properties[c].conducts_in for c in group) and not symmetry.shifts
        found.append(Group(group, symmetry, sees_conductances))
    return tuple(found)


class Branches(nn.Module):
    """The networks of all groups, which together predict every property.

    Args:
        groups: of the properties.
        network: makes that of a group, with a score for each member.
        is_symmetric: predictions are means over images of a sample, and so invariant; else those of the sample alone.
    """

    def __init__(self, groups: Sequence[Group], network: Callable[[Group], ScoringNetwork], is_symmetric: bool) -> None:
        super().__init__()
        self._is_symmetric = is_symmetric
        self.groups = tuple(groups)
        self.networks = nn.ModuleList(map(network, groups))

    def forward(self, density: torch.Tensor) -> torch.Tensor:
        """Map densities ``(N, 1, *S)`` to ``(N, P)`` standard scores."""
        return torch.cat([network(density) for network in self.networks], 1)

    def hidden(self) -> list[torch.Tensor]:
        """The weights between hidden layers, of all networks."""
        return [p for network in self.networks for p in cast(ScoringNetwork, network).hidden()]

    def mean(self, density: torch.Tensor, turned: bool = True) -> torch.Tensor:
        """Average the scores over all mirror images, which makes them invariant; so too to exchanges of axes if turned.

        There are up to six times as many images of a volume if turned. Where networks are not to be symmetric, the
        scores are those of the sample alone.
        """
        if not self._is_symmetric:
            return self(density)
        means = []
        for group, module in zip(self.groups, self.networks, strict=True):
            network = cast(ScoringNetwork, module)
            answers = []
            for sample in turns(density, group.symmetry if turned else Symmetry()):
                known = network.known(sample)
                answers += [network(image, known) for image in mirror_images(sample)]
            means.append(torch.stack(answers).mean(0))
        return torch.cat(means, 1)
