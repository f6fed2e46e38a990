"""The interface of all generators, and their registry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar, Self, TypeVar

import torch

from matopt.errors import FailureError, InputError
from matopt.given import require_microstructures
from matopt.microstructures import Microstructures
from matopt.registry import Registry
from matopt.torch_modes import keep_modes
from matopt.training.report import Report, no_report

Learnt = TypeVar("Learnt")


def require_learnt(found: Learnt | None) -> Learnt:
    """Give what a generator has learnt.

    Raises:
        FailureError: nothing has been learnt yet.
    """
    if found is None:
        raise FailureError("this generator has learnt nothing yet; call fit or load_state_dict first")
    return found


class Generator(ABC):
    """A learned distribution of microstructures. Settings are keyword arguments; :meth:`fit` learns the rest.

    Methods run in the modes of :func:`matopt.torch_modes.plain`, whatever the caller's are. What is no microstructures,
    or none of them, is refused before a subclass's :meth:`fit` sees it.
    """

    draws_volumes: ClassVar[bool] = False
    """Whether samples are volumes, though images were learnt from."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        keep_modes(cls, learn=("fit",), compute=("sample", "encode", "decode", "resample"))
        if "fit" in vars(cls):
            cls.fit = _of_microstructures(vars(cls)["fit"])  # ty: ignore[invalid-assignment]

    @abstractmethod
    def fit(
        self,
        train: Microstructures,
        validation: Microstructures | None = None,
        report: Report = no_report,
        seed: int = 0,
    ) -> Self:
        """Learn the distribution of ``train``.

        The same data, settings and seed give the same generator on one machine.

        Args:
            train: the authentic microstructures.
            validation: others, of which figures may be reported; nothing is learnt from them.
            report: hears of the progress; True ends the training early.
            seed: of all randomness; the caller's random state is left as it is.

        Returns:
            itself.

        Raises:
            InputError: no microstructures.
        """

    @abstractmethod
    def sample(self, n: int, seed: int) -> torch.Tensor:
        """Draw ``n`` microstructures as densities ``(n, 1, *S)`` in [0, 1], grey where the generator is unsure.

        The same state and seed give the same samples; the caller's random state is left as it is.

        Raises:
            FailureError: nothing has been learnt yet.
        """

    def draw(self, n: int, seed: int) -> Microstructures:
        """Draw ``n`` artificial microstructures: samples, binarised at one half. Labels are always taken of these."""
        return Microstructures.from_density(self.sample(n, seed), self.voxel_size)

    @property
    @abstractmethod
    def voxel_size(self) -> float:
        """The voxel size of the microstructures that were learnt from, in metres."""

    @abstractmethod
    def to(self, device: torch.device | str) -> Self:
        """Move to ``device``; returns itself."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Give all that was learnt, image shape and voxel size included.

        Tensors and plain values, so that ``torch.load(..., weights_only=True)`` reads it.
        """

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what another generator of the same settings learnt, from its :meth:`state_dict`."""


class LatentGenerator(Generator):
    """A generator with a latent space, in which codes are distributed as N(0, I)."""

    latent_dim: int
    """Length of a code."""

    @abstractmethod
    def encode(self, density: torch.Tensor) -> torch.Tensor:
        """Map densities ``(N, 1, *S)`` to codes ``(N, latent_dim)``: posterior means where codes are uncertain."""

    @abstractmethod
    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Map codes ``(N, latent_dim)`` to densities ``(N, 1, *S)``; differentiable.

        Where densities come out binary, the derivative may be that of a smooth stand-in: it leads uphill.
        """


class ResamplingGenerator(Generator):
    """A generator that can draw a part of a microstructure anew, such that the whole stays in its distribution."""

    @abstractmethod
    def resample(self, density: torch.Tensor, region: torch.Tensor, strength: float, seed: int) -> torch.Tensor:
        """Draw ``region`` of each microstructure anew, given the rest, which is kept as it is.

        Args:
            density: ``(N, 1, *S)``.
            region: ``(N, 1, *S)`` or ``(1, 1, *S)`` bool, True where something new is drawn.
            strength: how much of what was there is forgotten: 0 nothing but single voxels in doubt, 1 everything.
            seed: of the draw; the caller's random state is left as it is.

        Returns:
            ``(N, 1, *S)`` densities in [0, 1], equal to ``density`` outside of ``region``.

        Raises:
            FailureError: nothing has been learnt yet.
            InputError: a strength outside [0, 1].
        """


class PorosityGenerator(Generator):
    """A generator whose samples can be asked for their porosity. Designs then start at, and draw, the one they hold."""

    @abstractmethod
    def sample(self, n: int, seed: int, *, porosity: torch.Tensor | float | None = None) -> torch.Tensor:
        """Draw as :meth:`Generator.sample` does.

        Args:
            n: how many.
            seed: of all randomness.
            porosity: that samples shall have, cut at one half: one for all, or ``(n,)``; by default as they come.

        Raises:
            FailureError: nothing has been learnt yet.
            InputError: a porosity outside (0, 1), or of another number than ``n``.
        """


def _of_microstructures(fit: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(fit)
    def called(self: Generator, train: Microstructures, *rest: Any, **named: Any) -> Any:
        require_microstructures(type(self).__name__, train)
        if len(train) == 0:
            raise InputError("a generator cannot learn from 0 microstructures; give it some of the material")
        return fit(self, train, *rest, **named)

    return called


GENERATORS: Registry[Generator] = Registry("generators", "matopt.generators")
