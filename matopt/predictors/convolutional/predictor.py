"""What all predictors by convolutional networks have in common: their training, and what is kept of it."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import torch
from torch import nn

from matopt.devices import device_named
from matopt.errors import InputError
from matopt.microstructures import Microstructures
from matopt.predictors.base import Predictor
from matopt.predictors.convolutional.branches import Branches, Group
from matopt.predictors.convolutional.labelled import LabelledDensity
from matopt.predictors.convolutional.pooling import pooled, pooled_shape
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


class ConvolutionalPredictor(Predictor):
    """Predicts by a network for each group of properties, which it trains on samples moved by their symmetries.

    Subclasses set what the following constructor sets, name themselves and their settings that a network follows from,
    and say what networks and samples are.

    Args:
        steps: of training.
        width: channels of a network's first layer, a multiple of 4.
        learning_rate: of Muon's first step; AdamW has :attr:`OTHERS` of it.
        batch_size: labelled samples a step.
        weight_decay: of AdamW, decoupled.
        resolution: larger samples are averaged down until their longest edge is this many pixels; None for what
            :data:`~matopt.predictors.convolutional.pooling.RESOLUTION` has.
        trait_batch_size: densities a step that traits are asked for, half of them probes.

    Raises:
        InputError: a setting out of range.
    """

    KIND: ClassVar[str]
    """Its name in the registry and in messages."""

    OTHERS: ClassVar[float] = 1 / 16
    """Learning rate of AdamW over that of Muon."""

    SHAPING: ClassVar[tuple[str, ...]] = ("width", "resolution")
    """Settings that its networks follow from, which are kept with what they have learnt."""

    def __init__(
        self,
        steps: int | None,
        width: int,
        learning_rate: float,
        batch_size: int,
        weight_decay: float,
        resolution: int | None,
        trait_batch_size: int,
    ) -> None:
        counts = {"steps": steps, "batch_size": batch_size, "trait_batch_size": trait_batch_size}
        for name, count in counts.items():
            if count is not None and count < 1:
                raise InputError(f"{self.KIND}: {name} must be at least 1, got {count}")
        if width < 4 or width % 4:
            raise InputError(f"{self.KIND}: width must be a multiple of 4, got {width}")
        if not 0 < learning_rate < math.inf or not 0 <= weight_decay < math.inf:
            raise InputError(
                f"{self.KIND}: learning_rate must be positive, weight_decay at least 0; got {learning_rate} and "
                f"{weight_decay}"
            )
        if resolution is not None and resolution < 8:
            raise InputError(f"{self.KIND}: resolution must be at least 8 pixels, got {resolution}")
        self.steps = steps
        self.width = width
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.resolution = resolution
        self.trait_batch_size = trait_batch_size
        self.properties: tuple[Property, ...] = ()
        self.voxel_size = float("nan")
        self.shape: tuple[int, ...] = ()
        self._device = torch.device("cpu")
        self._network: Branches | None = None
        self._scales = Scales(
            (), torch.zeros(0, dtype=torch.float32, device="cpu"), torch.ones(0, dtype=torch.float32, device="cpu")
        )

    @abstractmethod
    def _branches(self, shape: tuple[int, ...]) -> Branches:
        """Make new networks of samples of this shape, for the properties and scales that are set."""

    def _training_steps(self, groups: Sequence[Group]) -> int:
        """How many steps a training of networks of these groups takes."""
        assert self.steps is not None
        return self.steps

    @abstractmethod
    def _learnt(
        self, density: torch.Tensor, scores: tuple[torch.Tensor, torch.Tensor], table: PropertyTable
    ) -> LabelledDensity:
        """Prepare what is learnt from: densities, scores as :meth:`Scales.to_scores` gives them, and their labels."""

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
        self.properties = labels.properties
        self.voxel_size = train.voxel_size
        self.shape = train.shape
        self._scales = Scales.fitted(labels).to(self._device)
        prepared = [self._learnt(train.density(self._device), self._scales.to_scores(labels), labels)]
        if validation is not None:
            held_out, table = validation
            scores = self._scales.to_scores(table)
            prepared.append(LabelledDensity(held_out.density(self._device), scores, self._pooled, exchanges=False))
        self._network = self._new_network(seed)
        self._learn(self._network, prepared, [t for t in traits if t.weight > 0], report, seed)
        return self

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        """Predict ``(N, P)`` values in SI units of densities ``(N, 1, *S)`` in [0, 1].

        Raises:
            InputError: not fitted, or densities of another shape than it was fitted to.
        """
        if self._network is None:
            raise InputError(f"{self.KIND}: fit it, or load its state, before it predicts")
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
            **{name: getattr(self, name) for name in self.SHAPING},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what another predictor learnt, from its :meth:`state_dict`."""
        self.properties = tuple(map(Property.from_plain, state["properties"]))
        self.voxel_size = state["voxel_size"]
        self.shape = tuple(state["shape"])
        for name in self.SHAPING:
            setattr(self, name, state[name])
        self._scales = Scales(self.properties, state["mean"], state["deviation"]).to(self._device)
        self._network = None
        if state["network"] is not None:
            self._network = self._new_network(seed=0)
            self._network.load_state_dict(state["network"])
            self._network.eval().requires_grad_(False)

    def _new_network(self, seed: int) -> Branches:
        shape = pooled_shape(self.shape, self.resolution)
        return build(lambda: self._branches(shape), seed).to(self._device)

    def _pooled(self, density: torch.Tensor) -> torch.Tensor:
        """``density`` averaged down to the resolution at which the networks see it."""
        if tuple(density.shape[2:]) != self.shape:
            raise InputError(
                f"{self.KIND}: it was fitted to samples of {self.shape}, not of {tuple(density.shape[2:])}"
            )
        return pooled(density.to(self._scales.mean), pooled_shape(self.shape, self.resolution))

    def _learn(
        self, network: Branches, sets: Sequence[LabelledDensity], traits: Sequence[Trait], report: Report, seed: int
    ) -> None:
        model, steps = _InTraining(self, network), self._training_steps(network.groups)
        generator = torch.Generator().manual_seed(seed)
        train = sets[0]
        train.begin(network)
        hidden = network.hidden()
        others = [p for p in network.parameters() if all(p is not h for h in hidden)]

        def terms(errors: Mapping[str, torch.Tensor], density: torch.Tensor) -> dict[str, torch.Tensor]:
            residuals = {trait.name: trait.residual(model, density).mean() for trait in traits}
            error = torch.stack(list(errors.values())).sum()
            total = sum((trait.weight * residuals[trait.name] for trait in traits), start=error)
            return {"loss": total, **errors, **{f"trait_{name}": r for name, r in residuals.items()}}

        def loss(step: int, progress: float) -> Mapping[str, torch.Tensor]:
            rows = torch.randint(len(train.density), (self.batch_size,), generator=generator)
            errors = train.errors_when_moved(network, rows, generator)
            learnt = train.density[rows[: self.trait_batch_size]]
            return terms(errors, half_probed(learnt, step) if traits else learnt)

        def validate() -> Mapping[str, float]:
            held_out = sets[1]
            error, r2 = held_out.error(network)
            asked = held_out.density[: self.trait_batch_size]
            known = {f"r2/{p.name}": value for p, value in zip(self.properties, r2, strict=True) if not value.isnan()}
            if len(known) == len(self.properties):
                known["r2"] = r2.mean()
            return {
                name: float(value)
                for name, value in (terms({"error": error}, with_probes(asked) if traits else asked) | known).items()
            }

        minimise(
            network,
            loss,
            steps=steps,
            optimizers=[
                Muon(hidden, self.learning_rate),
                torch.optim.AdamW(others, self.OTHERS * self.learning_rate, weight_decay=self.weight_decay, fused=True),
            ],
            every=max(1, steps // REPORTS),
            validate=validate if len(sets) > 1 else None,
            keep_best="loss" if len(sets) > 1 else None,
            report=report,
        )
        network.requires_grad_(False)  # Predictions are differentiated by the density from here on.


class _InTraining:
    """A network as a property model, without the mean over mirror images: what traits are evaluated on in training."""

    def __init__(self, predictor: ConvolutionalPredictor, network: nn.Module) -> None:
        self.properties = predictor.properties
        self._predictor = predictor
        self._network = network

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        return self._predictor._scales.to_values(self._network(self._predictor._pooled(density)))
