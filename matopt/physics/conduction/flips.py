"""How the dissipation changes where voxels of a sample conduct more or less, by what settles around them.

The dissipation is the least over the concentrations, so that each change is an extremum over the concentrations that it
frees, all others being held: of one voxel in closed form, of more in a patch, where it is solved for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

from matopt.physics.numerics.divergence_form import DivergenceForm, ends
from matopt.physics.numerics.patches import Patches
from matopt.physics.numerics.settling import Settling, inside

RESERVOIR = 1e30
"""Diffusivity beyond a fixed concentration, which is half a voxel away."""

UNTIED = 64
"""Rounding errors of a voxel's conductances; with fewer beyond the face to a neighbour it is tied to that alone."""


@dataclass(frozen=True, eq=False)
class Surrounded:
    """Diffusivities and concentrations of N samples with what lies around them.

    Attributes:
        local: ``(N, *S + 2)`` diffusivities, one layer more on each side; 0 where nothing carries.
        x: ``(N, *S + 2)`` fluctuations of the concentration around a unit gradient along x.
        periodic: whether the samples are; else concentrations are fixed at the ends of x, and the sides are sealed.
    """

    local: torch.Tensor
    x: torch.Tensor
    periodic: bool

    @staticmethod
    def of(local: torch.Tensor, x: torch.Tensor, periodic: bool) -> Surrounded:
        """Surround ``(N, *S)`` by their images, or by what is fixed and what is sealed."""
        if periodic:
            return Surrounded(_wrapped(local), _wrapped(x), True)
        return Surrounded(_sealed(local, (RESERVOIR, RESERVOIR)), _sealed(x, (0.5, -0.5)), False)

    @property
    def voxels(self) -> int:
        """How many a sample has."""
        return math.prod(n - 2 for n in self.local.shape[1:])

    def flips(self, flipped: torch.Tensor) -> torch.Tensor:
        """The changes ``(N, *S)`` of the mean dissipation where a voxel alone has another diffusivity, ``flipped``.

        The concentrations of the voxel and of its neighbours settle, and what lies around these is held. The neighbours
        have no faces to each other, so that the star of conductances is in closed form: each is in series with what it
        has to the voxels around it, whose mean concentration follows from its own balance.
        """
        own, faces = self._inner(self.local), _conductances(self.local)
        tiny = torch.finfo(own.dtype).tiny
        ties, before, after = self._ties(faces), _Star.like(own), _Star.like(own)
        for axis in range(1, own.ndim):
            for step in (-1, 1):
                g, tied = self._face(faces, axis, step), self._inner(ties, axis, step)
                rise = self._inner(self.x, axis, step) - self._inner(self.x) + (step if axis == 1 else 0)
                beyond = tied - g
                beyond = torch.where(beyond > UNTIED * torch.finfo(own.dtype).eps * tied, beyond, 0.0)
                source = rise * (1 + g / beyond.clamp_min(tiny))
                source = torch.where(beyond > 0, source, 0.0)
                now = _harmonic(flipped, self._inner(self.local, axis, step))
                before.add(g * (beyond / (g + beyond).clamp_min(tiny)), source)
                after.add(now * (beyond / (now + beyond).clamp_min(tiny)), source)
        return (after.energy() - before.energy()) / self.voxels

    def _ties(self, faces: list[torch.Tensor]) -> torch.Tensor:
        """The summed conductances ``(N, *S + 2)`` of each voxel to all of its neighbours."""
        total = torch.zeros_like(self._inner(self.local))
        for axis in range(1, self.local.ndim):
            for step in (-1, 1):
                total += self._face(faces, axis, step)
        return _wrapped(total) if self.periodic else _sealed(total, (RESERVOIR, RESERVOIR))

    def _face(self, faces: list[torch.Tensor], axis: int, step: int) -> torch.Tensor:
        """The conductances ``(N, *S)`` of the voxels' faces behind or ahead along an axis."""
        face = faces[axis - 1].narrow(axis, 0 if step < 0 else 1, self.local.shape[axis] - 2)
        for other in range(1, face.ndim):
            if other != axis:
                face = face.narrow(other, 1, face.shape[other] - 2)
        return face

    def _inner(self, values: torch.Tensor, axis: int = 1, step: int = 0) -> torch.Tensor:
        """The samples themselves, or what is a step away along an axis."""
        for a in range(1, values.ndim):
            values = values.narrow(a, 1 + (step if a == axis else 0), values.shape[a] - 2)
        return values

    def changes(self, patches: Patches, moved: torch.Tensor) -> torch.Tensor:
        """Estimate the changes ``(m,)`` float64 of the mean dissipation in patches.

        Args:
            patches: around the changes.
            moved: ``(M, *S)`` diffusivities after the changes.
        """
        spatial = len(patches.shape)
        surrounded = _wrapped(moved) if self.periodic else _sealed(moved, (RESERVOIR, RESERVOIR))
        before, x = self._cut(patches, self.local), self._cut(patches, self.x)
        after = self._cut(patches, surrounded, patches.move)
        position = torch.arange(x.shape[1], device=x.device).to(x).view(-1, *[1] * (spatial - 1))
        concentration = x + position
        old, new = (_conductances(local) for local in (before, after))
        change = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        force = torch.zeros_like(x)
        for axis, (was, now) in enumerate(zip(old, new, strict=True), start=1):
            behind, ahead = ends(concentration, axis)
            drop = ahead - behind
            change += ((now - was) * drop.square()).flatten(1).sum(1, dtype=torch.float64)
            out_behind, out_ahead = ends(force, axis)
            out_behind += now * drop
            out_ahead -= now * drop
        operator = DivergenceForm(tuple(new), torch.zeros_like(x), periodic=False)
        # What conducts more dissipates more than it does once it has settled: what is left is to be resolved.
        energy = torch.where(change > 0, change, torch.inf)
        return (change - Settling.of(operator, inside(x)).gain(force, energy)) / self.voxels

    def _cut(self, patches: Patches, values: torch.Tensor, of: torch.Tensor | None = None) -> torch.Tensor:
        """Cut patches with one layer around them."""
        if self.periodic:
            shifts = [1] * (values.ndim - 1)
            values = self._inner(values).roll(shifts, list(range(1, values.ndim)))
        return patches.cut(values, of, ahead=2).double()


@dataclass(eq=False)
class _Star:
    """Conductances from voxels ``(N, *S)`` to concentrations around them."""

    weight: torch.Tensor
    first: torch.Tensor
    second: torch.Tensor

    @staticmethod
    def like(values: torch.Tensor) -> _Star:
        """Without any yet."""
        return _Star(*(torch.zeros_like(values) for _ in range(3)))

    def add(self, conductance: torch.Tensor, source: torch.Tensor) -> None:
        """Add one to each voxel."""
        self.weight += conductance
        self.first += conductance * source
        self.second += conductance * source.square()

    def energy(self) -> torch.Tensor:
        """The least dissipation, over the voxels' own concentrations."""
        mean = self.first.square() / torch.where(self.weight > 0, self.weight, 1.0)
        return (self.second - mean).clamp_min(0)


def _harmonic(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The conductance of the face between two voxels."""
    return 2 * a * b / (a + b).clamp_min(torch.finfo(a.dtype).tiny)


def _conductances(local: torch.Tensor) -> list[torch.Tensor]:
    """The conductances of inner faces, an axis each."""
    return [_harmonic(*ends(local, axis)) for axis in range(1, local.ndim)]


def _wrapped(values: torch.Tensor) -> torch.Tensor:
    """Repeat the opposite layers of ``(N, *S)`` around it."""
    return functional.pad(values[:, None], (1, 1) * (values.ndim - 1), mode="circular")[:, 0]


def _sealed(values: torch.Tensor, at_ends: tuple[float, float]) -> torch.Tensor:
    """Put numbers at the ends of the first axis of ``(N, *S)``, and 0 along its sides."""
    out = functional.pad(values, (1, 1) * (values.ndim - 1))
    out[:, 0], out[:, -1] = at_ends
    return out
