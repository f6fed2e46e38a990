"""The ascent of a predicted property over a batch of designs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import numpy as np
import torch

from matopt.design.draws import porosities
from matopt.design.optimisers.base import Optimiser
from matopt.design.optimisers.moves import Moves
from matopt.design.problem import Candidates, DesignProblem
from matopt.design.settings import AscentSettings
from matopt.design.spaces.base import Material, Space
from matopt.design.spaces.latent import Latent
from matopt.design.spaces.pixel import Pixel
from matopt.design.spaces.resampling import Resampling
from matopt.design.trust_region import MorphologyTrustRegion
from matopt.devices import device_named
from matopt.generators.base import Generator, ResamplingGenerator
from matopt.microstructures import Microstructures
from matopt.properties import Property
from matopt.traits.base import PropertyModel


@dataclass(frozen=True, eq=False)
class Designs:
    """The trajectories of N designs over T steps. Step 0 is the start. All are binary microstructures.

    Attributes:
        property: what was to be improved.
        voxel_size: metres.
        predicted: ``(N, T + 1)`` predicted values, SI.
        predicted_against: ``(N, T + 1)`` those of the other property that is wanted too; None without one.
        volume_fraction: ``(N, T + 1)`` solid fractions.
        distance: ``(N, T + 1)`` distances from the authentic morphologies; NaN without a trust region.
        limit: the largest distance that the trust region allows; None without one.
        checked: ``(C,)`` the steps of which microstructures are kept, the first and the last among them.
        snapshots: ``(N, C, *S)`` uint8, the phases at these steps.
        solves: ``(N,)`` how often the model was asked about each design.
    """

    property: Property
    voxel_size: float
    predicted: np.ndarray
    predicted_against: np.ndarray | None
    volume_fraction: np.ndarray
    distance: np.ndarray
    limit: float | None
    checked: np.ndarray
    snapshots: torch.Tensor
    solves: np.ndarray

    def microstructures(self, column: int) -> Microstructures:
        """The designs at step ``checked[column]``, for the physics."""
        return Microstructures(self.snapshots[:, column].numpy(), self.voxel_size)


def ascend(
    model: PropertyModel,
    property_name: str,
    within: Generator | None = None,
    starts: Microstructures | None = None,
    region: MorphologyTrustRegion | Literal["samples"] | None = "samples",
    optimiser: Optimiser | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    **settings: Any,
) -> Designs:
    """Improve a predicted property within a generator, or voxel by voxel; the porosity of each start is held.

    Args:
        model: a fitted predictor, or :class:`matopt.physics.base.Physics`.
        property_name: which of its properties.
        within: a fitted generator. Parts are drawn anew by one that can, else its latent space is searched; without one
            the search goes in pixel space.
        starts: microstructures to start from; samples of the generator by default.
        region: the trust region, made from authentic microstructures, or "samples" to have that of samples of the
            generator; None lets go.
        optimiser: by default :class:`matopt.design.optimisers.moves.Moves`.
        seed: of the starts, and of the optimiser.
        device: where model and generator are.
        settings: of :class:`matopt.design.settings.AscentSettings`: ``goal``, ``porosity_tolerance``, ``limits``,
            ``against``, ``against_goal``, ``start_porosity``, ``seeds``, ``steps``, ``n_checked``, ``batch_size``.

    Raises:
        InputError: no such property or device, neither a generator nor starts, or a setting out of range.
    """
    device = device_named(device)
    space = Pixel() if within is None else Resampling() if isinstance(within, ResamplingGenerator) else Latent()
    material = Material(within, starts, device=device)
    if region == "samples":
        region = space.trust_region(material, seed)
    return optimise(
        model,
        AscentSettings(property=property_name, **settings),
        space,
        Moves() if optimiser is None else optimiser,
        material,
        region,
        seed,
    )


def optimise(
    model: PropertyModel,
    settings: AscentSettings,
    space: Space,
    optimiser: Optimiser,
    material: Material,
    region: MorphologyTrustRegion | None,
    seed: int,
    witness: PropertyModel | None = None,
    search_seed: int | None = None,
) -> Designs:
    """Improve a predicted property in any space, by any optimiser.

    Args:
        model: judges designs: a fitted predictor, the physics, or a judge that knows nothing.
        settings: what is wanted, how many designs and steps.
        space: what designs vary in.
        optimiser: what improves them.
        material: what designs start from.
        region: the trust region, like the :meth:`~matopt.design.spaces.base.Space.trust_region` of the space; None
            where designs may go anywhere.
        seed: of the starts.
        witness: whose predictions are kept of the designs; by default the model's.
        search_seed: of the optimiser; by default that of the starts.

    Raises:
        InputError: no such property, or the material lacks what the space needs.
    """
    if settings.start_porosity is not None:
        material = material.of_porosity(settings.start_porosity, settings.seeds, seed)
    start = space.start(material, settings.seeds, seed)
    problem = DesignProblem(model, settings, space, start, region, settings.batch_size)
    checked = np.unique(np.linspace(0, settings.steps, settings.n_checked).round().astype(int))
    iterates = islice(
        optimiser.run(problem, settings.steps, seed if search_seed is None else search_seed), settings.steps + 1
    )
    designs = next(iterates)
    curves, snapshots = [], []
    for step in range(settings.steps + 1):
        curves.append(_curves(designs, settings, witness))
        if step in checked:
            snapshots.append(designs.density[:, 0].to("cpu", torch.uint8))
        designs = next(iterates, designs)
    predicted, against, fraction, distance = (np.stack(curve, 1) for curve in zip(*curves, strict=True))
    return Designs(
        property=next(p for p in model.properties if p.name == settings.property),
        voxel_size=material.voxel_size,
        predicted=predicted,
        predicted_against=None if settings.against is None else against,
        volume_fraction=fraction,
        distance=distance,
        limit=None if region is None else region.limit,
        checked=checked,
        snapshots=torch.stack(snapshots, 1),
        solves=problem.solves.numpy(),
    )


def _curves(
    designs: Candidates, settings: AscentSettings, witness: PropertyModel | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Predicted values of the wanted properties, solid fractions and distances, each ``(N,)``."""
    predicted, against = designs.predicted, designs.against
    if witness is not None:
        names = [p.name for p in witness.properties]
        with torch.no_grad():
            found = torch.cat([witness.predict(part) for part in designs.density.split(settings.batch_size)])
        predicted = found[:, names.index(settings.property)]
        if settings.against is not None:
            against = found[:, names.index(settings.against)]
    fraction = 1 - porosities(designs.density)
    values = (predicted, against, fraction, designs.distance)
    return tuple(v.double().cpu().numpy() for v in values)
