"""A predictor that cannot leave Voigt's and Reuss's bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch

from matopt.microstructures import Microstructures
from matopt.predictors.base import PREDICTORS, Predictor
from matopt.predictors.cnn import CNN
from matopt.properties import OK, Property, PropertyTable
from matopt.training.report import Report, no_report
from matopt.traits.base import PropertyModel, Trait

UNUSABLE = "not_converged"
"""The status of a value that says nothing of where between the bounds it is."""


@PREDICTORS.register("voigt_reuss")
class VoigtReuss(Predictor):
    """A convolutional network that says how far from Reuss's to Voigt's bound a property is.

    The bounds are the harmonic and the arithmetic mean of the values of the voxels' phases, which hold for every
    microstructure, layered ones too, where those of Hashin and Shtrikman are of isotropic ones. The network learns the
    logit of the share of the way between them, as :class:`CNN` learns a property; predictions are inside for any
    density. Where the bounds meet they are the prediction: all grain and all pore are exact. Beside void Reuss's bound
    is 0, and the share is that of Voigt's bound.

    What the values of the phases are, a property's bounds say (:attr:`Property.bounds`); a property without any is
    learnt as it is. What microstructures of one phase are worth is known, so they are not learnt from; neither are
    values that their solver leaves on a bound or beyond.

    Source: Keshav, Herb and Fritzen, arXiv 2504.00712 (2025), who bound the whole tensor by its spectral form. Here it
    is what labels hold: values along axes, each between the scalar bounds that follow from the tensor's. They do not
    make a tensor, and say nothing of shear.

    Args:
        steps, width: of the network, see :class:`CNN`.
    """

    def __init__(self, steps: int = 600, width: int = 16) -> None:
        self.properties: tuple[Property, ...] = ()
        self._between = _Between(())
        self._network = CNN(steps=steps, width=width)

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

        What is reported is of the network, as :meth:`CNN.fit` says: errors and R2 are of logits.
        """
        sets = [(train, labels)] + ([validation] if validation is not None else [])
        self.properties = labels.properties
        self._between = _Between(tuple(_phases(p, len(train.shape)) for p in labels.properties))
        shares = [(microstructures, self._between.logits(microstructures, table)) for microstructures, table in sets]
        inside = [_Inside(trait, self.properties, self._between) for trait in traits]
        self._network.fit(*shares[0], shares[1] if len(shares) > 1 else None, inside, report, seed)
        return self

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        """Predict ``(N, P)`` values in SI units of densities ``(N, 1, *S)`` in [0, 1], between the bounds.

        Raises:
            InputError: not fitted, or densities of another shape than it was fitted to.
        """
        return self._between.values(self._network.predict(density), density)

    def to(self, device: torch.device | str) -> Self:
        """Move to ``device``; returns itself."""
        self._network.to(device)
        return self

    def state_dict(self) -> dict[str, Any]:
        """Give what the network learnt, the properties and the values of their phases."""
        return {
            "network": self._network.state_dict(),
            "properties": [p.plain() for p in self.properties],
            "phases": self._between.phases,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what another predictor learnt, from its :meth:`state_dict`."""
        self.properties = tuple(map(Property.from_plain, state["properties"]))
        self._between = _Between(tuple(state["phases"]))
        self._network.load_state_dict(state["network"])


@dataclass(frozen=True)
class _Between:
    """Values of properties, and where they are between their bounds.

    Attributes:
        phases: of each property the values of pore and grain; None where they are not known.
    """

    phases: tuple[tuple[float, float] | None, ...]

    def values(self, logits: torch.Tensor, density: torch.Tensor) -> torch.Tensor:
        """Values ``(N, P)`` of the logits of shares; columns without bounds are left as they are."""
        columns = []
        for phases, column in zip(self.phases, logits.unbind(1), strict=True):
            if phases is not None:
                lower, upper = _bounds(density.to(column), phases)
                column = lower + (upper - lower) * column.sigmoid()
            columns.append(column)
        return torch.stack(columns, 1)

    def logits(self, microstructures: Microstructures, table: PropertyTable) -> PropertyTable:
        """The table with logits of shares in the place of the values of properties that have bounds."""
        along, status = table.along.copy(), table.status.astype(object)
        properties = list(table.properties)
        for column, phases in enumerate(self.phases[: len(properties)]):
            if phases is None:
                continue
            p = properties[column]
            properties[column] = replace(p, unit="1", scale="linear", bounds=None, contributions=None)
            lower, upper = (b.numpy()[:, None] for b in _bounds(microstructures.density().double(), phases))
            span = upper - lower
            share = (along[:, column] - lower) / np.where(span > 0, span, np.inf)
            is_inside = (share > 0) & (share < 1)
            inside = np.where(is_inside, share, 0.5)
            logit = np.log(inside / (1 - inside))
            along[:, column] = np.where(is_inside, logit, np.nan)
            along[:, column, 0] = logit[:, 0]
            status[~is_inside[:, 0] & (status[:, column] == OK), column] = UNUSABLE
        exchanged = None if table.exchanged is None else along[..., 1:]
        return PropertyTable(tuple(properties), along[..., 0], status.astype(str), table.residual, exchanged)


class _Inside(Trait):
    """A trait of the values, asked of a model of logits."""

    def __init__(self, trait: Trait, properties: tuple[Property, ...], between: _Between) -> None:
        super().__init__(trait.weight)
        self.name = trait.name
        self._trait = trait
        self._properties = properties
        self._between = between

    def residual(self, model: PropertyModel, density: torch.Tensor) -> torch.Tensor:
        return self._trait.residual(_Values(model, self._properties, self._between), density)


@dataclass(frozen=True)
class _Values:
    """A model of values, out of one of logits."""

    model: PropertyModel
    properties: tuple[Property, ...]
    between: _Between

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        return self.between.values(self.model.predict(density), density)


def _phases(p: Property, dimensions: int) -> tuple[float, float] | None:
    """The values of pore and of grain: where nothing but one phase is, the bounds meet."""
    if p.bounds is None:
        return None
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64).view(2, *[1] * (dimensions + 1))
    pore, grain = p.bounds(ends)[1].tolist()
    return pore, grain


def _bounds(density: torch.Tensor, phases: tuple[float, float]) -> tuple[torch.Tensor, torch.Tensor]:
    """``(N,)`` Reuss's and Voigt's bound of densities ``(N, 1, *S)``."""
    solid = density.flatten(1).mean(1)
    pore, grain = phases
    upper = solid * grain + (1 - solid) * pore
    if min(phases) > 0:
        return 1 / (solid / grain + (1 - solid) / pore), upper
    # Beside a void the harmonic mean is 0, unless there is none of it.
    is_void_free = (solid == 1) if pore == 0 else (solid == 0)
    return torch.where(is_void_free, upper, torch.zeros_like(upper)), upper
