"""The ascent of a predicted property over a batch of designs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import numpy as np
import torch

from matopt.design.optimisers.base import Optimiser
from matopt.design.optimisers.steepest_ascent import SteepestAscent
from matopt.design.problem import Candidates, DesignProblem
from matopt.design.settings import AscentSettings
from matopt.design.spaces.base import Material, Space
from matopt.design.spaces.latent import Latent
from matopt.design.spaces.pixel import Pixel
from matopt.design.trust_region import MorphologyTrustRegion
from matopt.errors import InputError
from matopt.generators.base import LatentGenerator
from matopt.microstructures import Microstructures
from matopt.predictors.base import Predictor
from matopt.properties import Property


@dataclass(frozen=True, eq=False)
class Designs:
    """The trajectories of N designs over T steps. Step 0 is the start; a design that has stopped repeats its last step.

    Attributes:
        property: what was raised.
        voxel_size: metres.
        predicted: ``(N, T + 1)`` predicted values, SI.
        volume_fraction: ``(N, T + 1)`` solid fractions of the densities.
        distance: ``(N, T + 1)`` distances from the authentic morphologies; NaN without a trust region.
        checked: ``(C,)`` the steps of which densities are kept, the first and the last among them.
        snapshots: ``(N, C, *S)`` densities at these steps.
        ending: ``(N,)`` strings out of :data:`matopt.design.problem.ENDINGS`.
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
        """Binarise the designs at step ``checked[column]``, for the physics."""
        return Microstructures.from_density(self.snapshots[:, column, None], self.voxel_size)


def ascend(
    model: Predictor,
    property_name: str,
    within: LatentGenerator | None = None,
    starts: Microstructures | None = None,
    region: MorphologyTrustRegion | Literal["samples"] | None = "samples",
    optimiser: Optimiser | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    **settings: Any,
) -> Designs:
    """Raise a predicted property in the latent space of a generator, or voxel by voxel.

    Args:
        model: a fitted predictor.
        property_name: which of its properties.
        within: a fitted generator, in whose latent space the ascent goes; without one it goes in pixel space.
        starts: microstructures to start from, encoded where there is a generator. Without them codes are drawn from the
            prior.
        region: the trust region, made from authentic microstructures, or "samples" to have that of a latent space made
            from samples of its generator; None lets go.
        optimiser: by default :class:`matopt.design.optimisers.steepest_ascent.SteepestAscent`.
        seed: of the codes, and of the optimiser.
        device: where model and generator are.
        settings: of the ascent: ``seeds``, ``steps``, ``n_checked``, ``batch_size`` of
            :class:`matopt.design.settings.AscentSettings`.

    Raises:
        InputError: no such property, neither a generator nor starts, or a setting out of range.
    """
    space = Pixel() if within is None else Latent(quantile=0.95)
    material = Material(within, starts, device=device)
    if region == "samples":
        region = space.trust_region(material, seed)
    return optimise(
        model,
        AscentSettings(property=property_name, **settings),
        space,
        SteepestAscent() if optimiser is None else optimiser,
        material,
        region,
        seed,
    )


def optimise(
    model: Predictor,
    settings: AscentSettings,
    space: Space,
    optimiser: Optimiser,
    material: Material,
    region: MorphologyTrustRegion | None,
    seed: int,
) -> Designs:
    """Raise a predicted property in any space, by any optimiser.

    Args:
        model: a fitted predictor.
        settings: which property, how many designs and steps.
        space: what designs vary in.
        optimiser: what raises the property.
        material: what designs start from.
        region: the trust region, like the :meth:`~matopt.design.spaces.base.Space.trust_region` of the space; None
            where designs may go anywhere.
        seed: of the starts and of the optimiser.

    Raises:
        InputError: no such property, or the material lacks what the space needs.
    """
    names = [p.name for p in model.properties]
    if settings.property not in names:
        raise InputError(f"ascent: the predictor has no property {settings.property!r}; it has {', '.join(names)}")
    column = names.index(settings.property)
    start = space.start(material, settings.seeds, seed)
    problem = DesignProblem(model, column, space, start, region, settings.batch_size)
    checked = np.unique(np.linspace(0, settings.steps, settings.n_checked).round().astype(int))
    iterates = islice(optimiser.run(problem, settings.steps, seed), settings.steps + 1)
    designs = next(iterates)
    curves, snapshots = [], []
    for step in range(settings.steps + 1):
        curves.append(_curves(designs))
        if step in checked:
            snapshots.append(designs.density[:, 0].cpu().clone())
        designs = next(iterates, designs)
    predicted, fraction, distance = (np.stack(curve, 1) for curve in zip(*curves, strict=True))
    return Designs(
        property=model.properties[column],
        voxel_size=material.voxel_size,
        predicted=predicted,
        volume_fraction=fraction,
        distance=distance,
        checked=checked,
        snapshots=torch.stack(snapshots, 1),
        ending=designs.ending,
    )


def _curves(designs: Candidates) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    fraction = designs.density.flatten(1).mean(1)
    return tuple(v.double().cpu().numpy() for v in (designs.value, fraction, designs.distance))
