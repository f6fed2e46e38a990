"""Convolutional networks that predict every property at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import nn
from torch.nn import functional

from matopt.devices import device_named
from matopt.errors import InputError
from matopt.microstructures import Microstructures
from matopt.predictors.base import PREDICTORS, Predictor
from matopt.predictors.convolutional.branches import Branches, groups
from matopt.predictors.convolutional.labelled import LabelledDensity
from matopt.predictors.convolutional.scales import Scales
from matopt.properties import Property, PropertyTable
from matopt.training.initial import build
from matopt.training.loop import train as minimise
from matopt.training.muon import Muon
from matopt.training.probes import half_probed, with_probes
from matopt.training.report import Report, no_report
from matopt.traits.base import Trait

REPORTS = 20
"""Of a training at most; with each of them the validation set is asked for."""

OTHERS = 1 / 16
"""Learning rate of AdamW over that of Muon."""


@PREDICTORS.register("cnn")
class CNN(Predictor):
    """A convolutional network for images and volumes.

    Symmetry: mirroring a microstructure along any axis leaves a property along x as it is. What else does, the property
    says (:attr:`Property.symmetries`): shifts on the torus where its physics is periodic, exchanges of axes. Training
    sees samples moved in these ways, and with axes exchanged where the labels tell that value too
    (:attr:`PropertyTable.exchanged`). Predictions are means over all mirror images and exchanges, so exactly invariant
    to them; networks of periodic physics are so to shifts by their coarsest pixel, and learn to be to others.

    Training: weights between hidden layers learn by :class:`matopt.training.muon.Muon`, the other parameters by AdamW,
    both on a cosine schedule to 0. The network of a conductivity (:attr:`Property.is_conduction`) between two faces is
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
        resolution: larger samples are averaged down until their longest edge is this many pixels.
        trait_batch_size: densities a step that traits are asked for, half of them probes.
        shared: one network predicts all properties, by the symmetries that they have in common; else each property has
            a network of its own, which takes as many times as long and learns more of each.
        symmetries: False knows of no symmetry but mirror images.

    Raises:
        InputError: a setting out of range.
    """

    def __init__(
        self,
        steps: int = 600,
        width: int = 16,
        learning_rate: float = 0.05,
        batch_size: int = 32,
        weight_decay: float = 0.01,
        resolution: int = 64,
        trait_batch_size: int = 8,
        shared: bool = False,
        symmetries: bool = True,
    ) -> None:
        counts = {"steps": steps, "batch_size": batch_size, "trait_batch_size": trait_batch_size}
        for name, count in counts.items():
            if count < 1:
                raise InputError(f"cnn: {name} must be at least 1, got {count}")
        if width < 4 or width % 4:
            raise InputError(f"cnn: width must be a multiple of 4, got {width}")
        if not 0 < learning_rate < math.inf or not 0 <= weight_decay < math.inf:
            raise InputError(
                f"cnn: learning_rate must be positive, weight_decay at least 0; got {learning_rate} and {weight_decay}"
            )
        if resolution < 8:
            raise InputError(f"cnn: resolution must be at least 8 pixels, got {resolution}")
        self.steps = steps
        self.width = width
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.resolution = resolution
        self.trait_batch_size = trait_batch_size
        self.shared = shared
        self.symmetries = symmetries
        self.properties: tuple[Property, ...] = ()
        self.voxel_size = float("nan")
        self.shape: tuple[int, ...] = ()
        self._device = torch.device("cpu")
        self._network: Branches | None = None
        self._scales = Scales(
            (), torch.zeros(0, dtype=torch.float32, device="cpu"), torch.ones(0, dtype=torch.float32, device="cpu")
        )

    def fit(
        self,
        train: Microstructures,
        labels: PropertyTable,
        validation: tuple[Microstructures, PropertyTable] | None = None,
        traits: Sequence[Trait] = (),
        report: Report = no_report,
        seed: int = 0,
    ) -> Self:
        """Learn to predict ``labels`` from ``train``, see :meth:`matopt.predictors.base.Predictor.fit`.

        Reported: "loss", "error" (mean squared, in standard deviations of each property's scale), "trait_<name>" (mean
        residual), and the same as "validation_..."; "validation_r2", and that of each property, where values differ.

        Raises:
            InputError: samples and labels do not belong together, or a property has fewer than two usable values.
            FailureError: the training diverged.
        """
        sets = [(train, labels)] + ([validation] if validation is not None else [])
        for microstructures, table in sets:
            if table.names != labels.names:
                raise InputError(
                    "cnn: the labels of training and validation microstructures are of different properties"
                )
            if microstructures.shape != train.shape or microstructures.voxel_size != train.voxel_size:
                raise InputError("cnn: training and validation microstructures differ in shape or voxel size")
        self.properties = labels.properties
        self.voxel_size = train.voxel_size
        self.shape = train.shape
        self._scales = Scales.fitted(labels).to(self._device)
        prepared = [
            LabelledDensity(m.density(self._device), self._scales.to_scores(t), self._pooled, self.symmetries)
            for m, t in sets
        ]
        self._network = self._new_network(seed)
        self._learn(self._network, prepared, [t for t in traits if t.weight > 0], report, seed)
        return self

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        """Predict ``(N, P)`` values in SI units of densities ``(N, 1, *S)`` in [0, 1].

        Raises:
            InputError: not fitted, or densities of another shape than it was fitted to.
        """
        if self._network is None:
            raise InputError("cnn: fit it, or load its state, before it predicts")
        return self._scales.to_values(self._network.mean(self._pooled(density)))

    @property
    def foretold(self) -> tuple[str, ...]:
        """R2 is known of the network in its middle."""
        return ("r2",)

    def to(self, device: torch.device | str) -> Self:
        """Move to ``device``; returns itself."""
        self._device = device_named(device)
        if self._network is not None:
            self._network.to(self._device)
        self._scales = self._scales.to(self._device)
        return self

    def state_dict(self) -> dict[str, Any]:
        """Give all that was learnt, with the shape, voxel size, properties and settings that :meth:`predict` needs."""
        return {
            "network": None if self._network is None else self._network.state_dict(),
            "mean": self._scales.mean,
            "deviation": self._scales.deviation,
            "properties": [p.plain() for p in self.properties],
            "voxel_size": self.voxel_size,
            "shape": self.shape,
            "width": self.width,
            "resolution": self.resolution,
            "shared": self.shared,
            "symmetries": self.symmetries,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what another predictor learnt, from its :meth:`state_dict`."""
        self.properties = tuple(map(Property.from_plain, state["properties"]))
        self.voxel_size = state["voxel_size"]
        self.shape = tuple(state["shape"])
        for name in ("width", "resolution", "shared", "symmetries"):
            setattr(self, name, state[name])
        self._scales = Scales(self.properties, state["mean"], state["deviation"]).to(self._device)
        self._network = None
        if state["network"] is not None:
            self._network = self._new_network(seed=0)
            self._network.load_state_dict(state["network"])
            self._network.eval().requires_grad_(False)

    def _new_network(self, seed: int) -> Branches:
        found = groups(self.properties, self.shape, self.shared, self.symmetries)
        return build(lambda: Branches(found, self._pooled_shape(), self.width), seed).to(self._device)

    def _pooled_shape(self) -> tuple[int, ...]:
        shrink = max(1.0, max(self.shape) / self.resolution)
        return tuple(max(1, round(edge / shrink)) for edge in self.shape)

    def _pooled(self, density: torch.Tensor) -> torch.Tensor:
        """``density`` averaged down to the resolution at which the networks see it."""
        if tuple(density.shape[2:]) != self.shape:
            raise InputError(f"cnn: it was fitted to samples of {self.shape}, not of {tuple(density.shape[2:])}")
        pool = functional.adaptive_avg_pool2d if len(self.shape) == 2 else functional.adaptive_avg_pool3d
        return pool(density.to(self._scales.mean), self._pooled_shape())  # ty: ignore[invalid-argument-type]

    def _learn(
        self, network: Branches, sets: Sequence[LabelledDensity], traits: Sequence[Trait], report: Report, seed: int
    ) -> None:
        model = _InTraining(self, network)
        generator = torch.Generator().manual_seed(seed)
        train = sets[0]
        train.begin(network)
        hidden = network.hidden()
        others = [p for p in network.parameters() if all(p is not h for h in hidden)]

        def terms(error: torch.Tensor, density: torch.Tensor) -> dict[str, torch.Tensor]:
            residuals = {trait.name: trait.residual(model, density).mean() for trait in traits}
            total = sum((trait.weight * residuals[trait.name] for trait in traits), start=error)
            return {"loss": total, "error": error, **{f"trait_{name}": r for name, r in residuals.items()}}

        def loss(step: int, progress: float) -> Mapping[str, torch.Tensor]:
            rows = torch.randint(len(train.density), (self.batch_size,), generator=generator)
            error = train.error_when_moved(network, rows, generator)
            return terms(error, half_probed(train.density[rows[: self.trait_batch_size]], step) if traits else error)

        def validate() -> Mapping[str, float]:
            held_out = sets[1]
            error, r2 = held_out.error(network)
            probed = with_probes(held_out.density[: self.trait_batch_size]) if traits else error
            known = {f"r2/{p.name}": value for p, value in zip(self.properties, r2, strict=True) if not value.isnan()}
            if len(known) == len(self.properties):
                known["r2"] = r2.mean()
            return {name: float(value) for name, value in (terms(error, probed) | known).items()}

        minimise(
            network,
            loss,
            steps=self.steps,
            optimizers=[
                Muon(hidden, self.learning_rate),
                torch.optim.AdamW(others, OTHERS * self.learning_rate, weight_decay=self.weight_decay, fused=True),
            ],
            every=max(1, self.steps // REPORTS),
            validate=validate if len(sets) > 1 else None,
            keep_best="loss" if len(sets) > 1 else None,
            report=report,
        )
        network.requires_grad_(False)  # Predictions are differentiated by the density from here on.


class _InTraining:
    """A network as a property model, without the mean over mirror images: what traits are evaluated on in training."""

    def __init__(self, cnn: CNN, network: nn.Module) -> None:
        self.properties = cnn.properties
        self._cnn = cnn
        self._network = network

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        return self._cnn._scales.to_values(self._network(self._cnn._pooled(density)))
