"""Several predictors of one kind as one: their mean, and intervals from how far they are apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch

from matopt.devices import device_named
from matopt.errors import InputError
from matopt.given import densities
from matopt.microstructures import Microstructures
from matopt.predictors.base import PREDICTORS, Predictor
from matopt.properties import Property, PropertyTable
from matopt.registry import Component
from matopt.training.report import OneAfterTheOther, Report, no_report
from matopt.traits.base import Trait

BATCH = 256
"""How many validation samples are predicted at once."""


@PREDICTORS.register("ensemble")
class Ensemble(Predictor):
    """Predictors that differ by the seed of their training alone (Lakshminarayanan et al., NeurIPS 2017).

    The prediction is the mean of the members on each property's scale (:attr:`Property.scale`).

    Where members disagree they know less, but their spread is no error: it is the smaller, the more alike they are.
    :meth:`interval` therefore scales it by what the validation set shows, with no assumption on how errors are
    distributed (normalised split conformal prediction, Lei et al., J. Am. Stat. Assoc. 113 (2018) 1094, section 5.2).
    For samples drawn like those of the validation, an interval of coverage c holds the truth of a share c of them; of
    others, as designs, it says what errors were like near the data. As members are chosen by the validation set too,
    the shares come out a little lower.

    Args:
        member: the kind of its members, a predictor by name.
        settings: of each member; those that are not given have their defaults.
        members: how many.

    Raises:
        InputError: a setting out of range, or one that the members do not take.
    """

    def __init__(self, member: str = "cnn", settings: Mapping[str, Any] | None = None, members: int = 5) -> None:
        if members < 2:
            raise InputError(f"ensemble: members must be at least 2, got {members}")
        self.members = members
        self.properties: tuple[Property, ...] = ()
        self._member = Component(member, dict(settings or {}))
        self._device = torch.device("cpu")
        self._fitted: list[Predictor] = []
        self._typical = torch.zeros(0, dtype=torch.float32, device="cpu")
        self._errors: list[torch.Tensor] = []
        self._new_member()

    def fit(
        self,
        train: Microstructures,
        labels: PropertyTable,
        validation: tuple[Microstructures, PropertyTable] | None = None,
        traits: Sequence[Trait] = (),
        report: Report = no_report,
        seed: int = 0,
    ) -> Self:
        """Fit the members one after the other, see :meth:`matopt.predictors.base.Predictor.fit`.

        They report one after the other, the steps of each going on from those of the one before.
        """
        self._fitted, self._errors = [], []
        told = OneAfterTheOther(report)
        for number in range(self.members):
            told.begin_next()
            member_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
            member = self._new_member().fit(train, labels, validation, traits, told, member_seed)
            self._fitted.append(member)
            if told.is_stopped:
                break  # What is trained so far predicts.
        self.properties = labels.properties
        if validation is not None:
            self._calibrate(*validation)
        return self

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        """Predict ``(N, P)`` values in SI units of densities ``(N, 1, *S)`` in [0, 1]: the mean of the members.

        Raises:
            InputError: not fitted, or densities of another shape than it was fitted to.
        """
        return self._values(self._on_scales(density).mean(0))

    def interval(
        self, density: torch.Tensor | Microstructures, coverage: float = 0.9
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Between which values properties are, in a share ``coverage`` of samples like those of the validation.

        Args:
            density: ``(N, 1, *S)`` in [0, 1], or N microstructures.
            coverage: in (0, 1). More than the validation set can tell, ``n / (n + 1)`` of its n values, is refused.

        Returns:
            ``(N, P)`` lower and upper values in SI units.

        Raises:
            InputError: as :meth:`predict`; fitted without validation set, or to one too small for this coverage.
        """
        on_scales = self._on_scales(densities("Ensemble", density))
        if not self._errors:
            raise InputError("ensemble: intervals need a validation set; give fit one")
        widths = []
        for p, errors in zip(self.properties, self._errors, strict=True):
            rank = math.ceil((len(errors) + 1) * coverage)
            if not (0 < coverage < 1 and rank <= len(errors)):
                raise InputError(
                    f"ensemble: {len(errors)} validation values of {p.name} tell intervals of a coverage above 0 and "
                    f"up to {len(errors) / (len(errors) + 1):.3f}, not of {coverage}"
                )
            widths.append(errors[rank - 1])
        mean = on_scales.mean(0)
        half = torch.stack(widths).to(mean) * self._difficulty(on_scales)
        return self._values(mean - half), self._values(mean + half)

    @property
    def foretold(self) -> tuple[str, ...]:
        """What its first member's training foretells."""
        return self._new_member().foretold

    def to(self, device: torch.device | str) -> Self:
        """Move to ``device``; returns itself."""
        self._device = device_named(device)
        for member in self._fitted:
            member.to(self._device)
        return self

    def state_dict(self) -> dict[str, Any]:
        """Give the members' states, what they are, and what the validation set showed."""
        return {
            "member": self._member.as_dict(),
            "states": [member.state_dict() for member in self._fitted],
            "typical": self._typical,
            "errors": self._errors,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what another ensemble learnt, from its :meth:`state_dict`."""
        settings = dict(state["member"])
        self._member = Component(settings.pop("kind"), settings)
        self._fitted = []
        for of_member in state["states"]:
            self._fitted.append(self._new_member())
            self._fitted[-1].load_state_dict(of_member)
        self.properties = self._fitted[0].properties if self._fitted else ()
        self.members = max(2, len(self._fitted))
        self._typical, self._errors = state["typical"], list(state["errors"])

    def _new_member(self) -> Predictor:
        return PREDICTORS.build(self._member).to(self._device)

    def _on_scales(self, density: torch.Tensor) -> torch.Tensor:
        """``(members, N, P)`` predictions on each property's scale."""
        if not self._fitted:
            raise InputError("ensemble: fit it, or load its state, before it predicts")
        values = torch.stack([member.predict(density) for member in self._fitted])
        columns = [c.log() if p.scale == "log" else c for p, c in zip(self.properties, values.unbind(2), strict=True)]
        return torch.stack(columns, 2)

    def _values(self, on_scales: torch.Tensor) -> torch.Tensor:
        columns = zip(self.properties, on_scales.unbind(1), strict=True)
        return torch.stack([c.exp() if p.scale == "log" else c for p, c in columns], 1)

    def _difficulty(self, on_scales: torch.Tensor) -> torch.Tensor:
        """``(N, P)`` spread of the members, and their typical one, without which agreement would be certainty."""
        spread = on_scales.std(0, correction=0)
        return spread + self._typical.to(spread)

    @torch.no_grad()
    def _calibrate(self, microstructures: Microstructures, labels: PropertyTable) -> None:
        """Keep the errors at the usable values of the validation set, over the difficulty, in rising order."""
        parts = [
            self._on_scales(microstructures[start : start + BATCH].density(self._device)).double().cpu()
            for start in range(0, len(microstructures), BATCH)
        ]
        on_scales = torch.cat(parts, 1)
        usable = torch.from_numpy(labels.is_usable)
        spread = on_scales.std(0, correction=0)
        smallest = torch.finfo(torch.float32).tiny
        typical = [s[u].mean() if u.any() else s.new_zeros(()) for s, u in zip(spread.T, usable.T, strict=True)]
        self._typical = torch.stack(typical).clamp_min(smallest)
        difficulty = self._difficulty(on_scales)
        self._errors = []
        for column, p in enumerate(self.properties):
            rows = usable[:, column]
            truth = torch.from_numpy(p.on_scale(labels.values[rows.numpy(), column]))
            error = (on_scales.mean(0)[rows, column] - truth).abs() / difficulty[rows, column]
            self._errors.append(error.sort().values)
