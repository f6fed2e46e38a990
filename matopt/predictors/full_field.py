"""A predictor that learns the fields behind properties."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
import torch

from matopt.errors import InputError
from matopt.given import densities
from matopt.microstructures import Microstructures
from matopt.predictors.base import PREDICTORS
from matopt.predictors.convolutional.branches import Branches, Group, groups
from matopt.predictors.convolutional.fields import LabelledFields
from matopt.predictors.convolutional.labelled import LabelledDensity
from matopt.predictors.convolutional.links import ConductingUNet
from matopt.predictors.convolutional.predictor import ConvolutionalPredictor
from matopt.predictors.convolutional.unet import Level, UNet
from matopt.properties import PropertyTable

BATCH = 64
"""Samples whose fields are solved for at once."""

STEPS = 900
"""Of a training where no other number is set."""

COSTLY_STEPS = 600
"""And where each takes longer: of volumes, and of networks that solve for a flow."""

AGREEMENT = 0.01
"""How far means of contributions may be from labels, as a share of these, on average over samples: solvers agree by far
better than that, but for a sample that hangs by a thread, whose value is next to nothing."""


@PREDICTORS.register("full_field")
class FullField(ConvolutionalPredictor):
    """A network that is taught where in a sample its property comes from.

    A value says one number of a sample. The field behind it, whose mean it is, says one of every voxel: the energy that
    is stored there, the dissipation, the velocity. The simulator has it when it has the value, and a network that
    predicts it learns from few samples what many values do not show (:attr:`Property.contributions`).

    The network (:class:`~matopt.predictors.convolutional.unet.UNet`) predicts the field; its mean is the prediction. Of
    conductivities between two faces (:attr:`Property.conducts_in`) it says how blocks conduct, and flow through these
    is solved for (:class:`~matopt.predictors.convolutional.links.ConductingUNet`). It learns the value and the root of
    the field, of samples that are moved by the symmetries of the property, as :class:`~matopt.predictors.cnn.CNN` does.
    Predictions are of the sample alone: means over its mirror images, which would be exactly invariant, take four times
    as long, and were no better.

    Fields of what it learns from are solved for once more by :meth:`fit`, along each axis that labels tell of: that
    takes as long as their labels did. A property without contributions is learnt by its values alone.

    Source: networks of this kind predict stress fields (Mohammadzadeh and Lejeune, Extreme Mech. Lett. 50 (2022)
    101566); here the field is a means, and its choice makes the mean exact (Hill, J. Mech. Phys. Solids 11 (1963) 357).

    Args:
        steps: of training; None for 900 of images, and for 600 of volumes and where flow is solved for, as each then
            takes longer.
        learning_rate, batch_size, weight_decay, resolution, trait_batch_size: see :class:`CNN`.
        width: channels of the finest level; deeper ones have up to three times as many.
        field_weight: of the error of the fields' roots beside that of the scores; 0 learns the values alone, and solves
            for nothing.

    Raises:
        InputError: a setting out of range.
    """

    KIND = "full_field"
    OTHERS = 1 / 4
    SHAPING = ("width", "resolution", "has_fields")

    def __init__(
        self,
        steps: int | None = None,
        width: int = 24,
        learning_rate: float = 0.03,
        batch_size: int = 8,
        weight_decay: float = 0.01,
        resolution: int | None = None,
        trait_batch_size: int = 8,
        field_weight: float = 10.0,
    ) -> None:
        super().__init__(steps, width, learning_rate, batch_size, weight_decay, resolution, trait_batch_size)
        if not 0 <= field_weight < math.inf:
            raise InputError(f"full_field: field_weight must be at least 0, got {field_weight}")
        self.field_weight = field_weight
        self.has_fields: tuple[bool, ...] = ()

    def field(self, density: torch.Tensor | Microstructures, name: str) -> torch.Tensor:
        """Predict what each voxel contributes to a property.

        Args:
            density: ``(N, 1, *S)`` in [0, 1], or N microstructures.
            name: of the property.

        Returns:
            ``(N, 1, *S')`` in SI units, at the resolution of the networks; its mean is the prediction of the value.

        Raises:
            InputError: not fitted, no such property, one that was learnt by its values alone, or another shape.
        """
        density, names = densities(self.KIND, density), [p.name for p in self.properties]
        if self._network is None or name not in names:
            raise InputError(f"full_field: it has not learnt {name!r}, but {', '.join(names) or 'nothing yet'}")
        column = names.index(name)
        if not self.has_fields[column]:
            raise InputError(f"full_field: {name} was learnt by its values alone, without a field")
        network = cast(UNet, self._network.networks[column])
        return network.field(self._pooled(density)) * self._level(column).unit

    def _branches(self, shape: tuple[int, ...]) -> Branches:
        def network(group: Group) -> UNet:
            (column,) = group.columns
            if group.sees_conductances and ConductingUNet.level_of_blocks(shape) is not None:
                return ConductingUNet(shape, self.width, self._level(column))
            level = self._level(column) if self.has_fields[column] else None
            return UNet(shape, self.width, level, group.symmetry.shifts, group.sees_conductances)

        found = groups(self.properties, self.shape, shared=False, symmetries=True)
        return Branches(found, network, is_symmetric=False)

    def _training_steps(self, groups: Sequence[Group]) -> int:
        is_costly = len(self.shape) == 3 or any(group.sees_conductances for group in groups)
        return self.steps or (COSTLY_STEPS if is_costly else STEPS)

    def _learnt(
        self, density: torch.Tensor, scores: tuple[torch.Tensor, torch.Tensor], table: PropertyTable
    ) -> LabelledDensity:
        fields = [self._fields(column, density, scores[1][:, column], table) for column in range(len(self.properties))]
        self.has_fields = tuple(field is not None for field in fields)
        is_relative = [p.scale == "log" for p in table.properties]
        return LabelledFields(density, scores, self._pooled, fields, is_relative, self.field_weight)

    def _level(self, column: int) -> Level:
        mean, deviation = (float(each[column]) for each in (self._scales.mean, self._scales.deviation))
        return Level.of(self.properties[column].scale == "log", mean, deviation)

    def _fields(
        self, column: int, density: torch.Tensor, usable: torch.Tensor, table: PropertyTable
    ) -> torch.Tensor | None:
        """Solve for what voxels contribute to a property, over its unit, along each axis that can be the first.

        Returns:
            ``(N, D, *S)``, 0 where a value is not ``usable`` ``(N, D)``; None where there is nothing to solve for.
        """
        contributions = self.properties[column].contributions
        if not self.field_weight or contributions is None:
            return None
        edges = density.shape[2:]
        fields, unit = density.new_zeros(len(density), usable.shape[1], *edges), self._level(column).unit
        for axis in [axis for axis, known in enumerate(usable.T) if known.any() and edges[axis] == edges[0]]:
            for rows in usable[:, axis].nonzero()[:, 0].split(BATCH):
                found = contributions(density[rows].transpose(2, 2 + axis), self.voxel_size)
                if found is None:
                    return None
                self._check(column, found, table.along[rows.cpu().numpy(), column, axis])
                fields[rows, axis] = found.transpose(2, 2 + axis)[:, 0] / unit
        return fields

    def _check(self, column: int, contributions: torch.Tensor, values: np.ndarray) -> None:
        """Refuse contributions that do not add up to the values: they would teach another property."""
        means = contributions.double().flatten(1).mean(1).cpu().numpy()
        if np.abs(means - values).sum() > AGREEMENT * np.abs(values).sum():
            name = self.properties[column].name
            raise InputError(
                f"full_field: contributions to {name} are {means.mean():.4g} a voxel where its labels are "
                f"{values.mean():.4g}; were these computed with other settings, or is its `contributions` another's?"
            )
