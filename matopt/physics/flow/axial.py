"""The flow along the normal of sections, as it was solved for."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from matopt.physics.flow import duct_flips
from matopt.physics.flow.boundary import Boundary, Continuation
from matopt.physics.flow.duct import Duct
from matopt.physics.numerics import local
from matopt.physics.numerics.conjugate_gradients import ConjugateGradientsResult
from matopt.physics.numerics.patches import around
from matopt.physics.numerics.settling import MARGIN


@dataclass(frozen=True, eq=False)
class Axial:
    """The flow along n sections, in voxel units.

    Attributes:
        density: ``(n, 1, *S)``.
        continuation: of the sections.
        duct: that was solved for.
        run: its velocities.
    """

    density: torch.Tensor
    continuation: Continuation
    duct: Duct
    run: ConjugateGradientsResult

    @staticmethod
    def solved(density: torch.Tensor, boundary: Boundary, tolerance: float, max_iterations: int) -> Axial:
        """Solve for the flow along sections ``(n, 1, *S)``; see :meth:`Duct.solve`."""
        continuation = Continuation.along_ducts(boundary)
        duct = Duct.of(continuation.apply(density)[:, 0], periodic=boundary != "mirror")
        return Axial(density, continuation, duct, duct.solve(tolerance, max_iterations))

    def mean(self) -> torch.Tensor:
        """The mean velocities ``(n,)`` float64."""
        return self.run.x.flatten(1).sum(1, dtype=torch.float64) / self._pixels

    def velocities(self) -> torch.Tensor:
        """The velocities ``(n, 1, *S)``, those of the images of a pixel together."""
        return self.continuation.take_back(self.run.x[:, None])

    def slope(self) -> torch.Tensor:
        """The derivative ``(n, 1, *S)`` of the mean velocities with respect to the densities."""
        return self._of_pixels(self.duct.sensitivity(self.run.x))

    def flips(self) -> torch.Tensor:
        """The changes ``(n, 1, *S)`` of the mean velocities where one pixel alone is opened or shut."""
        return self._of_pixels(duct_flips.flips(self.duct.solid, self.run.x, self._is_periodic))

    def changes(self, moved: torch.Tensor, sample: torch.Tensor) -> torch.Tensor:
        """Estimate the changes ``(m,)`` float64 of the mean velocities.

        Args:
            moved: ``(m, 1, *S)`` the sections after the changes.
            sample: ``(m,)`` which of the sections each is a change of.
        """
        solid, after = self.duct.solid, self.continuation.apply(moved)[:, 0]
        out = torch.zeros(len(after), dtype=torch.float64, device=solid.device)
        together = local.VOXELS_TOGETHER[solid.device.type]
        for patches in around(after != solid[sample], sample, MARGIN, self._is_periodic, together):
            out[patches.move] = duct_flips.changes(patches, solid, after, self.run.x, self._is_periodic)
        return out / self._pixels

    @property
    def _is_periodic(self) -> bool:
        return self.duct.operator.periodic

    @property
    def _pixels(self) -> int:
        return self.density[0].numel()

    def _of_pixels(self, values: torch.Tensor) -> torch.Tensor:
        """What pixels of the ducts do to the summed velocity, as what they do to the mean one."""
        return self.continuation.take_back(values[:, None]) / self._pixels
