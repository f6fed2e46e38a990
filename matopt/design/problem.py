"""The problem that an optimiser solves: an objective over a design space, under constraints."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch

from matopt.design.binary import binarised
from matopt.design.draws import porosities
from matopt.design.objective import Objective, Scale
from matopt.design.spaces.base import Space
from matopt.design.trust_region import MorphologyTrustRegion
from matopt.errors import InputError
from matopt.traits.base import PropertyModel

RIM = 0.1
"""Within this share of the trust region's limit a gradient no longer leads outwards, and at the limit inwards."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """M designs, evaluated.

    Attributes:
        x: ``(M, D)`` coordinates, projected to what the space allows.
        density: ``(M, 1, *S)`` the binary microstructures that they stand for. All else is said of these.
        value: ``(M,)`` the objective, the larger the better: the predicted property itself where it alone is maximised.
            Minus infinity where the model was not asked, as the constraints are broken by more than at the start.
        predicted: ``(M,)`` the predicted property, SI; NaN where the model was not asked.
        against: ``(M,)`` the predicted other property that is wanted too; NaN where there is none.
        distance: ``(M,)`` distances from the authentic morphologies; NaN without a trust region.
        violation: ``(M,)`` by how much the constraints are broken, 0 where they hold.
        gradient: ``(M, D)`` of the objective with respect to ``x``, along what the constraints leave free, in units in
            which its largest component is about one; None where it was not asked for.
    """

    x: torch.Tensor
    density: torch.Tensor
    value: torch.Tensor
    predicted: torch.Tensor
    against: torch.Tensor
    distance: torch.Tensor
    violation: torch.Tensor
    gradient: torch.Tensor | None

    @property
    def is_inside(self) -> torch.Tensor:
        """``(M,)`` bool, whether all constraints hold."""
        return self.violation == 0

    def is_better_than(self, other: Candidates) -> torch.Tensor:
        """``(M,)`` bool, row by row: what breaks the constraints less is better, and among equals the higher value.

        Source: the feasibility rules of Deb, Comput. Methods Appl. Mech. Eng. 186, 311 (2000).
        """
        is_equal = self.violation == other.violation
        return (self.violation < other.violation) | (is_equal & (self.value > other.value))

    def taken(self, rows: torch.Tensor) -> Candidates:
        """Give the designs of these ``(K,)`` numbers."""
        tensors = (getattr(self, field.name) for field in fields(self))
        return Candidates(*(None if tensor is None else tensor[rows] for tensor in tensors))  # ty: ignore[invalid-argument-type]

    def updated(self, other: Candidates, chosen: torch.Tensor, rows: torch.Tensor | None = None) -> Candidates:
        """Put designs of ``other`` in the place of these.

        Args:
            other: K designs.
            chosen: ``(K,)`` bool, which of them take the place of one of these.
            rows: ``(K,)`` the places; by default there is one of ``other`` for each of these.
        """
        rows = torch.arange(len(self.x), device=self.x.device) if rows is None else rows
        tensors = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, mine in tensors.items():
            theirs = getattr(other, name)
            tensors[name] = None if mine is None or theirs is None else mine.index_put((rows[chosen],), theirs[chosen])
        return Candidates(**tensors)


class DesignProblem:
    """Bring a predicted property of N designs to where it is wanted, over the coordinates of a space.

    Designs are binary: what a model says of grey voxels is no property of a microstructure that could exist. The
    gradient is that of the binary microstructure with respect to its voxels, taken on to the coordinates through the
    grey density (straight through the cut).

    Constraints: the porosity of the start within the tolerance, the trust region, and limits on other properties. A
    design that starts outside of the trust region may not go further.

    Where two properties are wanted, each is taken on its scale, in standard deviations of the starts.

    Args:
        model: predicts the properties of the objective.
        objective: what is wanted.
        space: what the designs vary in, started.
        start: ``(N, D)`` their first coordinates.
        region: the trust region; None where there is none.
        batch_size: designs evaluated at once.

    Attributes:
        space: as given.
        start: the designs at the start, evaluated.
        solves: ``(N,)`` how often the model was asked about each design, its start included.

    Raises:
        InputError: the model lacks a property of the objective.
    """

    def __init__(
        self,
        model: PropertyModel,
        objective: Objective,
        space: Space,
        start: torch.Tensor,
        region: MorphologyTrustRegion | None,
        batch_size: int,
    ) -> None:
        known = [p.name for p in model.properties]
        for name in objective.names:
            if name not in known:
                raise InputError(f"design: the model has no property {name!r}; it has {', '.join(known)}")
        self.space = space
        self._model = model
        self._objective = objective
        self._tolerance = objective.porosity_tolerance or 0.0
        self._columns = {name: known.index(name) for name in objective.names}
        self._region = region
        self._batch_size = batch_size
        self._limit = torch.full((len(start),), torch.inf, device=start.device)
        self._porosity: torch.Tensor | None = None
        self._share = torch.linspace(0, 1, len(start), dtype=torch.float32, device=start.device)
        self._scales = (Scale(False), Scale(False))
        everything = torch.arange(len(start), device=start.device)
        start = space.project(start, everything)
        self.solves = torch.zeros(len(start), dtype=torch.long)
        if objective.porosity_tolerance is not None:
            with torch.no_grad():
                parts = zip(start.split(batch_size), everything.split(batch_size), strict=True)
                self._porosity = torch.cat([porosities(space.density(*part)) for part in parts])
        self.start = self.evaluate(start)
        self._limit = self.start.violation
        if objective.against is not None:
            first, second = (model.properties[self._columns[name]] for name in (objective.property, objective.against))
            self._scales = (Scale.of(first, self.start.predicted), Scale.of(second, self.start.against))
            columns = {objective.property: self.start.predicted, objective.against: self.start.against}
            self.start = replace(self.start, value=objective.merit(columns, self._share, self._scales))

    def evaluate(self, x: torch.Tensor, rows: torch.Tensor | None = None, with_gradient: bool = False) -> Candidates:
        """Project coordinates to what the space allows, and evaluate the designs that they stand for.

        Args:
            x: ``(M, D)`` coordinates.
            rows: ``(M,)`` the numbers of the designs that they belong to; by default they are one for each design.
            with_gradient: whether the gradient of the objective is wanted too.
        """
        rows = torch.arange(len(x), device=x.device) if rows is None else rows
        batches = zip(x.split(self._batch_size), rows.split(self._batch_size), strict=True)
        parts = [self._evaluated(*batch, with_gradient) for batch in batches]
        tensors = [torch.cat(column) for column in zip(*parts, strict=True)]
        return Candidates(*tensors[:-1], tensors[-1] if with_gradient else None)

    def move(self, designs: Candidates, seed: int) -> Candidates:
        """Change each design at random, as the space does, and evaluate what came of it."""
        everything = torch.arange(len(designs.x), device=designs.x.device)
        with torch.no_grad():
            return self.evaluate(self.space.move(designs.x, everything, seed))

    def draw(self, seed: int) -> Candidates:
        """Draw another microstructure of the material in place of each design, where the space can.

        Each has the porosity of the start that it takes the place of, as nearly as the space can, where that is held.
        """
        with torch.no_grad():
            return self.evaluate(self.space.draw(self._porosity, len(self.start.x), seed))

    def _evaluated(self, x: torch.Tensor, rows: torch.Tensor, with_gradient: bool) -> tuple[torch.Tensor, ...]:
        held = None if self._porosity is None else self._porosity[rows]
        x = self.space.project(x.detach(), rows).requires_grad_(with_gradient)
        with torch.set_grad_enabled(with_gradient):
            grey = self.space.density(x, rows)
            binary = binarised(grey.detach(), held, self._tolerance)
            density = grey + (binary - grey).detach() if with_gradient else binary
            distance = torch.full_like(x[:, 0], torch.nan).detach()
            if self._region is not None:
                distance = self._region.distance(density)
        violation = self._violation(binary, distance.detach(), held)
        asked = violation <= self._limit[rows]
        value = torch.full_like(violation, -torch.inf)
        predicted, against = (torch.full_like(violation, torch.nan) for _ in range(2))
        gradient = torch.zeros_like(x)
        if asked.any():
            with torch.set_grad_enabled(with_gradient):
                found = self._model.predict(density[asked])
                columns = {name: found[:, column] for name, column in self._columns.items()}
                merit = self._objective.merit(columns, self._share[rows][asked], self._scales)
            predicted[asked] = columns[self._objective.property].detach().to(predicted)
            if self._objective.against is not None:
                against[asked] = columns[self._objective.against].detach().to(against)
            value[asked] = merit.detach().to(value)
            violation[asked] += self._objective.excess({n: v.detach() for n, v in columns.items()}).to(violation)
            self.solves.index_add_(0, rows[asked].cpu(), torch.ones(int(asked.sum()), dtype=torch.long))
            if with_gradient:
                gradient = self._free(merit.sum(), x, grey, distance)
        return x.detach(), binary, value, predicted, against, distance.detach(), violation, gradient.detach()

    def _violation(self, binary: torch.Tensor, distance: torch.Tensor, held: torch.Tensor | None) -> torch.Tensor:
        violation = torch.zeros_like(distance)
        if held is not None:
            off = (porosities(binary) - held).abs()
            # A voxel more or less is not held against rounding.
            beyond = (off - self._tolerance).clamp_min(0)
            violation = violation + torch.where(beyond * binary[0].numel() > 1e-2, beyond, 0.0)
        if self._region is not None:
            violation = violation + (distance - self._region.limit).clamp_min(0) / self._region.spread
        return violation

    def _free(self, merit: torch.Tensor, x: torch.Tensor, grey: torch.Tensor, distance: torch.Tensor) -> torch.Tensor:
        """The gradient of the merit along what porosity and, at its rim, the trust region leave free.

        Rosen's gradient projection (1960), row by row, with a pull inwards at the region's limit, as steps are finite.
        """
        # Scaled first: the squares of SI permeabilities underflow.
        gradient = _scaled(torch.autograd.grad(merit, x, retain_graph=True)[0])
        normals = []
        if self._porosity is not None:
            normals.append(_unit(torch.autograd.grad(grey.flatten(1).mean(1).sum(), x, retain_graph=True)[0]))
            gradient = gradient - _along(gradient, normals[0]) * normals[0]
        if self._region is not None:
            outwards = torch.autograd.grad(distance.sum(), x)[0]
            if normals:
                outwards = outwards - _along(outwards, normals[0]) * normals[0]
            outwards = _unit(outwards)
            rim = RIM * abs(self._region.limit)
            share = ((distance.detach() - self._region.limit) / rim + 1).clamp(0, 1)[:, None]
            along = _along(gradient, outwards)
            tangent = gradient - along * outwards
            bent = tangent - share * tangent.norm(dim=1, keepdim=True) * outwards
            gradient = torch.where((share > 0) & (along > 0), bent, gradient)
        return gradient


def _scaled(gradient: torch.Tensor) -> torch.Tensor:
    return gradient / gradient.abs().amax(1, keepdim=True).clamp_min(torch.finfo(gradient.dtype).tiny)


def _unit(vector: torch.Tensor) -> torch.Tensor:
    vector = _scaled(vector)
    return vector / vector.norm(dim=1, keepdim=True).clamp_min(1e-12)


def _along(a: torch.Tensor, unit: torch.Tensor) -> torch.Tensor:
    return (a * unit).sum(1, keepdim=True)
