"""Convolutional networks that predict every property at once."""

from __future__ import annotations

import torch

from matopt.predictors.base import PREDICTORS
from matopt.predictors.convolutional.branches import Branches, Group, groups
from matopt.predictors.convolutional.labelled import LabelledDensity
from matopt.predictors.convolutional.network import Network
from matopt.predictors.convolutional.predictor import ConvolutionalPredictor
from matopt.properties import PropertyTable


@PREDICTORS.register("cnn")
class CNN(ConvolutionalPredictor):
    """A convolutional network for images and volumes.

    Symmetry: mirroring a microstructure along any axis leaves a property along x as it is. What else does, the property
    says (:attr:`Property.symmetries`): shifts on the torus where its physics is periodic, exchanges of axes. Training
    sees samples moved in these ways, and with axes exchanged where the labels tell that value too
    (:attr:`PropertyTable.exchanged`). Predictions are means over all mirror images and exchanges, so exactly invariant
    to them; networks of periodic physics are so to shifts by their coarsest pixel, and learn to be to others.

    Training: weights between hidden layers learn by :class:`matopt.training.muon.Muon`, the other parameters by AdamW,
    both on a cosine schedule to 0. The network of a conductivity (:attr:`Property.conducts_in`) between two faces is
    told what 8 x 8 blocks conduct (:func:`matopt.predictors.convolutional.conductances.conductances`), begins at a
    linear map of that, and learns what it leaves.

    Scale: each property is learnt on its own scale (:attr:`Property.scale`), standardised by the training set.
    Predictions are SI values. Activations are smooth (SiLU), so predictions are twice differentiable in the density.

    Traits: every step, each trait with a positive weight adds ``weight * residual.mean()`` over a few training
    densities and their probes (:func:`matopt.training.probes.probes`), because a model satisfies near the data what the
    data show, and a design leaves the data. Validation adds the same of the validation set.

    Args:
        steps: of training.
        width: channels of the first convolution; the following ones have two, three and four times as many.
        learning_rate: of Muon's first step; AdamW has a sixteenth.
        batch_size: labelled samples a step.
        weight_decay: of AdamW, decoupled.
        resolution: larger samples are averaged down until their longest edge is this many pixels; None for 128 in
            images and 64 in volumes.
        trait_batch_size: densities a step that traits are asked for, half of them probes.
        shared: one network predicts all properties, by the symmetries that they have in common; else each property has
            a network of its own, which takes as many times as long and learns more of each.
        symmetries: False knows of no symmetry but mirror images.

    Raises:
        InputError: a setting out of range.
    """

    KIND = "cnn"
    SHAPING = ("width", "resolution", "shared", "symmetries")

    def __init__(
        self,
        steps: int = 600,
        width: int = 16,
        learning_rate: float = 0.05,
        batch_size: int = 32,
        weight_decay: float = 0.01,
        resolution: int | None = None,
        trait_batch_size: int = 8,
        shared: bool = False,
        symmetries: bool = True,
    ) -> None:
        super().__init__(steps, width, learning_rate, batch_size, weight_decay, resolution, trait_batch_size)
        self.shared = shared
        self.symmetries = symmetries

    def _branches(self, shape: tuple[int, ...]) -> Branches:
        found = groups(self.properties, self.shape, self.shared, self.symmetries)

        def network(group: Group) -> Network:
            return Network(shape, self.width, len(group.columns), group.symmetry.shifts, group.sees_conductances)

        return Branches(found, network, is_symmetric=True)

    def _learnt(
        self, density: torch.Tensor, scores: tuple[torch.Tensor, torch.Tensor], table: PropertyTable
    ) -> LabelledDensity:
        return LabelledDensity(density, scores, self._pooled, self.symmetries)
