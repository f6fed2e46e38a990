"""The network of the convolutional predictor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import nn

from matopt.predictors.convolutional.scoring import ScoringNetwork, linear_map


class Network(ScoringNetwork):
    """A convolutional network: strided convolutions with group normalisation, a global mean, a head of two layers.

    The head also gets the solid fraction, which normalisation hides. If it sees conductances too, it corrects a linear
    map of both (:meth:`begin`), by nothing to begin with. Activations are smooth (SiLU).

    Args:
        shape: of one sample; edges are halved until the shortest is 4 pixels or less.
        width: channels of the first convolution, a multiple of 4.
        n_outputs: how many numbers are predicted for each sample.
        is_periodic: samples go on beyond their border with what is on the other side, in place of nothing.
        sees_conductances: it is told :func:`conductances`.
    """

    def __init__(
        self,
        shape: Sequence[int],
        width: int,
        n_outputs: int,
        is_periodic: bool = False,
        sees_conductances: bool = False,
    ) -> None:
        super().__init__(len(shape), sees_conductances)
        convolution = nn.Conv2d if len(shape) == 2 else nn.Conv3d
        n_halvings = max(1, math.ceil(math.log2(min(shape) / 4)))
        layers: list[nn.Module] = []
        channels = 1
        for halving in range(n_halvings):
            wider = width * (halving + 1)
            if is_periodic:
                layers += [Wrap(), convolution(channels, wider, 3, stride=2)]
            else:
                layers += [convolution(channels, wider, 3, stride=2, padding=1)]
            layers += [nn.GroupNorm(4, wider), nn.SiLU()]
            channels = wider
        self.convolutions = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Linear(channels + self.n_known, 64), nn.SiLU(), nn.Linear(64, n_outputs))
        self.linear = nn.Linear(self.n_known, n_outputs) if sees_conductances else None
        self.STARTS_AT_ZERO = ("head.2.weight", "head.2.bias") if sees_conductances else ()
        # Channels last takes half the time of a training step on a CPU.
        self._layout = torch.channels_last if len(shape) == 2 else torch.channels_last_3d
        self.convolutions.to(memory_format=self._layout)  # ty: ignore[no-matching-overload]

    def forward(self, density: torch.Tensor, known: torch.Tensor | None = None) -> torch.Tensor:
        """Map densities ``(N, 1, *S)`` to ``(N, n_outputs)`` predictions; see :meth:`ScoringNetwork.forward`."""
        signed = (2 * density - 1).contiguous(memory_format=self._layout)
        features = self.convolutions(signed).flatten(2).mean(2)
        known = self.known(density) if known is None else known
        correction = self.head(torch.cat([features, known], dim=1))
        return correction if self.linear is None else self.linear(known) + correction

    @torch.no_grad()
    def begin(self, density: torch.Tensor, targets: torch.Tensor, usable: torch.Tensor) -> None:
        """Set the linear map by least squares, where there is one: the rest of the network learns what that leaves."""
        if self.linear is None:
            return
        known = self.known(density)
        for output, rows in enumerate(usable.T):
            weights, constant = linear_map(known[rows], targets[rows, output])
            self.linear.weight[output], self.linear.bias[output] = weights, constant

    def hidden(self) -> list[torch.Tensor]:
        """The weights between hidden layers."""
        _, *others = (m.weight for m in self.modules() if isinstance(m, nn.Conv2d | nn.Conv3d))
        return [*others, cast(nn.Linear, self.head[0]).weight]


class Wrap(nn.Module):
    """Continues samples on the torus by what a convolution of three voxels with stride two sees beyond their border.

    Of an even number of voxels that is one in front alone: what a circular padding adds behind is never read.
    """

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Add a layer of voxels in front of each axis of ``(N, C, *S)``, and behind those of odd length."""
        for axis in range(2, features.ndim):
            length = features.shape[axis]
            behind = [features.narrow(axis, 0, 1)] if length % 2 else []
            features = torch.cat([features.narrow(axis, length - 1, 1), features, *behind], axis)
        return features
