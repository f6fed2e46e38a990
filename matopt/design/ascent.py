"""Gradient ascent of a predicted property over a batch of designs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from matopt.descriptors.style import StyleFeatures
from matopt.design.hold import MorphologyHold
from matopt.design.parametrisation import Latent, Parametrisation, Pixel
from matopt.errors import InputError
from matopt.generators.base import LatentGenerator
from matopt.microstructures import Microstructures
from matopt.predictors.base import Predictor
from matopt.properties import Property

MOVING, OPTIMUM, HELD = "moving", "optimum", "held"
ENDINGS = (MOVING, OPTIMUM, HELD)
"""How a design ended: out of steps; no shorter step raised the prediction; every step that did left the authentic
morphologies."""

N_SAMPLES = 200
"""How many samples of a generator its hold is made from."""

SHORTEST = 2.0**-5
"""A design whose step has been cut to this share of its first stops."""


@dataclass(frozen=True, eq=False)
class Designs:
    """The trajectories of N designs over T steps. Step 0 is the start; a design that has stopped repeats its last step.

    Attributes:
        property: what was raised.
        voxel_size: metres.
        predicted: ``(N, T + 1)`` predicted values, SI.
        volume_fraction: ``(N, T + 1)`` solid fractions of the densities.
        distance: ``(N, T + 1)`` distances from the nearest authentic morphology; NaN without a hold.
        checked: ``(C,)`` the steps of which densities are kept, the first and the last among them.
        snapshots: ``(N, C, *S)`` densities at these steps.
        ending: ``(N,)`` strings out of :data:`ENDINGS`.
    """

    property: Property
    voxel_size: float
    predicted: np.ndarray
    volume_fraction: np.ndarray
    distance: np.ndarray
    checked: np.ndarray
    snapshots: torch.Tensor
    ending: np.ndarray

    def microstructures(self, column: int) -> Microstructures:
        """The designs at step ``checked[column]``, binarised: what the physics is asked of."""
        return Microstructures.from_density(self.snapshots[:, column, None], self.voxel_size)


@dataclass
class _State:
    """Designs as they are: coordinates ``(N, D)``, and of each its density, value, direction and distance."""

    x: torch.Tensor
    density: torch.Tensor
    value: torch.Tensor
    direction: torch.Tensor
    distance: torch.Tensor

    def update(self, rows: torch.Tensor, other: _State, chosen: torch.Tensor) -> None:
        """Put the ``chosen`` of ``other`` in the place of those of ``rows``."""
        for name, mine in vars(self).items():
            mine[rows[chosen]] = getattr(other, name)[chosen]


def ascend(
    model: Predictor,
    property_name: str,
    within: LatentGenerator | None = None,
    starts: Microstructures | None = None,
    hold: MorphologyHold | Literal["samples"] | None = "samples",
    seeds: int = 100,
    steps: int = 60,
    rate: float | None = None,
    n_checked: int = 5,
    seed: int = 0,
    batch_size: int = 64,
    device: torch.device | str = "cpu",
) -> Designs:
    """Raise a predicted property along its gradient, all designs side by side.

    Steepest ascent with a step of fixed length for each design, halved where it does not raise the prediction or leaves
    the hold, so that predictions never fall and no design depends on another.

    In latent space codes stay in the ball that holds 95 % of the prior, and the hold keeps their morphology among the
    authentic ones. The ball alone does not: it is so wide along any single direction that the stiffest image in it is
    solid grain. A design whose start is further away than the hold allows may not go further. Pixel space has no hold
    unless one is given.

    Args:
        model: a fitted predictor.
        property_name: which of its properties.
        within: a fitted generator, in whose latent space the ascent goes; without one it goes in pixel space.
        starts: microstructures to start from, encoded where there is a generator. Without them ``seeds`` codes are
            drawn from the prior.
        hold: what keeps designs to the material: made from authentic microstructures, or "samples" to have it made from
            samples of the generator; None lets go.
        seeds: how many designs, without ``starts``.
        steps: of the ascent.
        rate: root mean square change of a coordinate in a first step; by default 0.05 in latent, 0.02 in pixel space.
        n_checked: how many steps, evenly spaced from the start to the end, densities are kept of.
        seed: of the codes.
        batch_size: designs at once.
        device: where model and generator are.

    Raises:
        InputError: no such property, neither a generator nor starts, or a setting out of range.
    """
    names = [p.name for p in model.properties]
    if property_name not in names:
        raise InputError(f"ascent: the predictor has no property {property_name!r}; it has {', '.join(names)}")
    if steps < 1 or n_checked < 2 or seeds < 1:
        raise InputError("ascent: steps and seeds must be at least 1, n_checked at least 2")
    x, parametrisation, voxel_size = _start(within, starts, seeds, seed, device)
    column = names.index(property_name)

    keeper = _keeper(hold, within, seed)

    def state(x: torch.Tensor) -> _State:
        parts = [_evaluated(part, model, column, parametrisation, keeper) for part in x.split(batch_size)]
        return _State(*(torch.cat([vars(part)[name] for part in parts]) for name in vars(parts[0])))

    now = state(parametrisation.project(x))
    limit = now.distance.clamp_min(keeper.limit) if keeper else torch.full_like(now.distance, torch.inf)
    first = (rate if rate is not None else 0.05 if within is not None else 0.02) * x.shape[1] ** 0.5
    length = torch.full_like(now.value, first)
    ending = np.full(len(x), MOVING, dtype="<U7")
    checked = np.unique(np.linspace(0, steps, n_checked).round().astype(int))
    records = [_record(now)]
    snapshots = [now.density[:, 0].cpu().clone()]

    for step in range(1, steps + 1):
        rows = torch.from_numpy(np.flatnonzero(ending == MOVING)).to(x.device)
        if len(rows):
            then = state(parametrisation.project(now.x[rows] + length[rows, None] * now.direction[rows]))
            rises, is_near = then.value > now.value[rows], then.distance <= limit[rows]
            now.update(rows, then, rises & is_near)
            length[rows[~(rises & is_near)]] /= 2
            stops = length[rows] <= SHORTEST * first
            ending[rows[stops & rises].cpu().numpy()] = HELD
            ending[rows[stops & ~rises].cpu().numpy()] = OPTIMUM
        records.append(_record(now))
        if step in checked:
            snapshots.append(now.density[:, 0].cpu().clone())
    predicted, fraction, distance = (np.stack(r, 1) for r in zip(*records, strict=True))
    return Designs(
        property=model.properties[column],
        voxel_size=voxel_size,
        predicted=predicted,
        volume_fraction=fraction,
        distance=distance if keeper else np.full_like(distance, np.nan),
        checked=checked,
        snapshots=torch.stack(snapshots, 1),
        ending=ending,
    )


def _start(
    within: LatentGenerator | None, starts: Microstructures | None, seeds: int, seed: int, device: torch.device | str
) -> tuple[torch.Tensor, Parametrisation, float]:
    if within is None:
        if starts is None:
            raise InputError("ascent: give a generator to ascend within, or microstructures to start from")
        return starts.density(device).flatten(1), Pixel(starts.shape), starts.voxel_size
    if starts is None:
        x = torch.randn(seeds, within.latent_dim, generator=torch.Generator().manual_seed(seed)).to(device)
    else:
        with torch.no_grad():
            x = within.encode(starts.density(device))
    return x, Latent(within), within.voxel_size


def _keeper(
    hold: MorphologyHold | Literal["samples"] | None, within: LatentGenerator | None, seed: int
) -> MorphologyHold | None:
    if not isinstance(hold, str):
        return hold
    if within is None:
        return None
    samples = within.sample(N_SAMPLES, seed).detach()
    return MorphologyHold(StyleFeatures(samples), samples)


def _evaluated(
    x: torch.Tensor, model: Predictor, column: int, parametrisation: Parametrisation, hold: MorphologyHold | None
) -> _State:
    """The state of designs with coordinates ``x``."""
    x = x.detach().requires_grad_(True)
    density = parametrisation.density(x)
    value = model.predict(density)[:, column]
    (gradient,) = torch.autograd.grad(value.sum(), x)
    # Scaled first: the squares of SI permeabilities underflow. A gradient of zeros stays one.
    gradient = gradient / gradient.abs().amax(1, keepdim=True).clamp_min(torch.finfo(gradient.dtype).tiny)
    direction = gradient / gradient.norm(dim=1, keepdim=True).clamp_min(1e-12)
    with torch.no_grad():
        distance = hold.distance(density) if hold is not None else torch.zeros_like(value)
    return _State(x.detach(), density.detach(), value.detach(), direction, distance)


def _record(state: _State) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    fraction = state.density.flatten(1).mean(1)
    return tuple(v.double().cpu().numpy() for v in (state.value, fraction, state.distance))
