"""What a simulator is: the physics that maps densities to one property."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from matopt.errors import InputError
from matopt.properties import OK, Property
from matopt.provenance import origin
from matopt.registry import Registry, plain_settings
from matopt.torch_modes import keep_modes


@dataclass(frozen=True, eq=False)
class Solution:
    """What a simulator found for a batch of N samples.

    Attributes:
        values: ``(N,)`` the property along axis x, SI units, differentiable with respect to the density.
        tensor: ``(N, ...)`` the whole effective tensor; the simulator's docstring names its axes.
        status: ``(N,)`` strings out of :data:`matopt.properties.STATUSES`.
        residual: ``(N,)`` relative residual reached.
        iterations: ``(N,)`` iterations taken (the largest over load cases).
    """

    values: torch.Tensor
    tensor: torch.Tensor
    status: np.ndarray
    residual: np.ndarray
    iterations: np.ndarray

    @property
    def is_ok(self) -> np.ndarray:
        """Whether each sample was solved, ``(N,)`` bool."""
        return self.status == OK


def check_iteration(tolerance: float, max_iterations: int) -> None:
    """Refuse limits under which no iteration ends, or none begins.

    Raises:
        InputError: a tolerance that is not between 0 and 1, or no iterations.
    """
    if not 0 < tolerance < 1:
        raise InputError(f"tolerance must be between 0 and 1; got {tolerance}")
    if max_iterations < 1:
        raise InputError(f"max_iterations must be at least 1; got {max_iterations}")


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """What each voxel of a batch of N binary samples does to their property.

    Attributes:
        solution: of the samples as they are.
        derivative: ``(N, 1, *S)`` one-sided derivatives of the values with respect to the densities, into [0, 1].
        flip: ``(N, 1, *S)`` estimated changes of the values where one voxel is flipped, pore to grain or grain to pore.
    """

    solution: Solution
    derivative: torch.Tensor
    flip: torch.Tensor


class Simulator(ABC):
    """Physics: density to one property. Subclasses are frozen dataclasses of SI numbers, their settings.

    Methods run in the modes of :func:`matopt.torch_modes.plain`, whatever the caller's are.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        keep_modes(cls, learn=(), compute=("solve", "sensitivity", "estimated_changes", "contributions"))

    version: ClassVar[int] = 1
    """Raised whenever the same settings give other numbers, so that stored labels are computed anew."""

    @property
    @abstractmethod
    def property(self) -> Property:
        """The property that is computed, with its constants, its direction and its bounds."""

    @abstractmethod
    def solve(self, density: torch.Tensor, voxel_size: float) -> Solution:
        """Solve a batch on the device and in the precision of ``density``.

        Args:
            density: ``(N, 1, *S)`` solid fractions in [0, 1]; never edited.
            voxel_size: metres.

        Raises:
            ValueError: a density outside [0, 1] or not finite, or another shape.
        """

    def sensitivity(self, density: torch.Tensor, voxel_size: float) -> Sensitivity:
        """Solve binary samples, and tell what each of their voxels does to the property.

        What a sensitivity is, and how well the estimates hold, is said in ``docs/sensitivities.md``. Both are 0 in
        samples that are not ``ok``.

        Args:
            density: ``(N, 1, *S)`` of zeros and ones.
            voxel_size: metres.

        Raises:
            InputError: a density that is neither 0 nor 1, or a simulator or setting without estimates.
            ValueError: as :meth:`solve`.
        """
        raise InputError(f"{type(self).__name__} has no estimates of flips; solve the changed samples")

    def estimated_changes(
        self, density: torch.Tensor, moved: torch.Tensor, sample: torch.Tensor, voxel_size: float
    ) -> torch.Tensor:
        """Estimate the changes of the values ``(M,)`` where binary samples are changed in some of their voxels.

        The fields are solved for at the samples as they are, once, and settle around each change alone. The estimates
        are 0 for samples that are not ``ok``.

        Args:
            density: ``(N, 1, *S)`` samples of zeros and ones.
            moved: ``(M, 1, *S)`` the same after each change.
            sample: ``(M,)`` int64, which of the samples each is a change of.
            voxel_size: metres.

        Raises:
            InputError: as :meth:`sensitivity`.
            ValueError: as :meth:`solve`.
        """
        raise InputError(f"{type(self).__name__} has no estimates of changes; solve the changed samples")

    def stands_for(self, dimensions: int) -> str:
        """In a few words, what values of samples of 2 or 3 dimensions stand for: the direction, and what is assumed."""
        return "along x"

    def notes(self, phases: np.ndarray) -> list[str]:
        """What there is to know of the values of single samples that their status does not say; "" where nothing is.

        Args:
            phases: ``(N, *S)``, 1 in grains, 0 in pores.
        """
        return [""] * len(phases)

    def exchanged(self, tensor: np.ndarray, dimensions: int) -> np.ndarray:
        """Read from effective tensors the values of the same samples with axis 0 and another axis of space exchanged.

        Args:
            tensor: ``(N, ...)`` as solved, or ``(N, K)`` with the entries of each in a row.
            dimensions: of the samples, d.

        Returns:
            ``(N, d - 1)`` SI values, for axes 1 to d - 1; NaN where the tensor does not tell, as it does not here.
        """
        return np.full((len(tensor), dimensions - 1), np.nan)

    def settings(self) -> dict[str, Any]:
        """All that a label depends on besides the image and its voxel size, as JSON values.

        Of a simulator that is not matopt's own its source is a part.

        Raises:
            InputError: its source cannot be read.
        """
        source = origin(type(self))
        named = {"simulator": type(self).__name__, "version": self.version} | ({"source": source} if source else {})
        return named | plain_settings(vars(self))


@dataclass(frozen=True)
class Physics:
    """Several simulators at one voxel size, called like a predictor: what the traits of predictors are compared with.

    Attributes:
        simulators: one for each property.
        voxel_size: metres.
    """

    simulators: tuple[Simulator, ...]
    voxel_size: float

    @property
    def properties(self) -> tuple[Property, ...]:
        """The columns of :meth:`predict`."""
        return tuple(s.property for s in self.simulators)

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        """Solve for the values ``(N, P)`` in SI units, differentiable with respect to ``density`` ``(N, 1, *S)``."""
        return torch.stack([s.solve(density, self.voxel_size).values for s in self.simulators], dim=1)


SIMULATORS: Registry[Simulator] = Registry("simulators", "matopt.physics")


def simulators(names: Sequence[str]) -> tuple[Simulator, ...]:
    """The simulators of these properties, with their default settings."""
    return tuple(SIMULATORS.find(name)() for name in names)
