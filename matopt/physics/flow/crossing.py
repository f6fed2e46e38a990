"""The flow across samples along one axis or all, as it was solved for."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from matopt.physics.flow.brinkman import Brinkman
from matopt.physics.flow.conjugate_residuals import ConjugateResidualsResult
from matopt.physics.flow.stokes import Stokes
from matopt.physics.numerics import percolation
from matopt.physics.numerics.conjugate_gradients import ConjugateGradientsResult


@dataclass(frozen=True, eq=False)
class Crossing:
    """The flow across n periodic samples.

    Attributes:
        solid: ``(n, *S)`` densities.
        along: ``(n, d)`` bool, the axes along which pores reach across.
        stokes: the flow through those that do.
        axes: along which it was solved for.
        runs: the mean velocities ``(n,)`` and the fields under a pressure gradient along each.
    """

    solid: torch.Tensor
    along: torch.Tensor
    stokes: Stokes
    axes: tuple[int, ...]
    runs: list[tuple[torch.Tensor, ConjugateResidualsResult]]

    @staticmethod
    def solved(
        solid: torch.Tensor, axes: tuple[int, ...], grain_drag: float | None, tolerance: float, max_iterations: int
    ) -> Crossing:
        """Solve for the flow.

        Args:
            solid: ``(n, *S)`` densities.
            axes: along which.
            grain_drag: of a full voxel, see :class:`~matopt.physics.flow.brinkman.Brinkman`; None where grain stops it.
            tolerance: of the residual.
            max_iterations: at which a sample is given up.
        """
        if grain_drag is not None:
            along = torch.ones(len(solid), solid.ndim - 1, dtype=torch.bool, device=solid.device)
            stokes: Stokes = Brinkman.through(solid, grain_drag)
        else:
            found = percolation.wrapping((solid < 1).cpu().numpy())
            along = torch.from_numpy(found.along).to(solid.device)
            carries = along[:, axes].any(1).view(-1, *[1] * (solid.ndim - 1))
            stokes = Stokes.of(torch.where(torch.from_numpy(found.carrying).to(solid.device) & carries, solid, 1.0))
            del found
        runs = [stokes.solve(tolerance, max_iterations, axis, along[:, axis]) for axis in axes]
        return Crossing(solid, along, stokes, axes, runs)

    @property
    def first(self) -> torch.Tensor:
        """The fields under a pressure gradient along the first of the axes."""
        return self.runs[0][1].x

    def found(self) -> tuple[torch.Tensor, torch.Tensor, ConjugateGradientsResult]:
        """The tensor ``(n, axes, axes)``, whether a sample carries along the first axis, and the worst solve."""
        flows = [flow for _, flow in self.runs]
        tensor = self.runs[0][0].new_zeros(len(self.solid), len(flows), len(flows))
        for i, (mean, flow) in enumerate(self.runs):
            tensor[:, i, i] = mean
            for j in range(i):
                # Positive semidefinite, it is 0 where a diagonal entry is.
                axes = self.axes[i], self.axes[j]
                carry = self.along[:, axes[0]] & self.along[:, axes[1]]
                tensor[:, i, j] = torch.where(carry, self.stokes.mutual(flow.x, flows[j].x, axes), 0.0)
                tensor[:, j, i] = tensor[:, i, j]
        worst = ConjugateGradientsResult(
            self.first,
            torch.stack([flow.residual for flow in flows]).amax(0),
            torch.stack([flow.iterations for flow in flows]).amax(0),
        )
        return tensor, self.along[:, self.axes[0]], worst

    def with_part(self, values: torch.Tensor) -> torch.Tensor:
        """Values ``(n, *S)``, 0 in pores that lead nowhere, which have no part in the flow, and where none carries."""
        has_part = (self.stokes.solid < 1) | (self.solid == 1)
        carries = self.along[:, self.axes[0]].view(-1, *[1] * (self.solid.ndim - 1))
        return torch.where(has_part & carries, values, 0.0)
