"""The response skill: how much of what a move does to a property a model foretells.

    skill = 1 - sum (d_model - d_physics)^2 / sum d_physics^2

over moved samples, with d the change of a property on its scale (:attr:`matopt.properties.Property.scale`): of the
value, or of its logarithm. It is R2 of changes with nothing subtracted: a model that answers nothing to any move, as a
constant, has 0, and the physics has 1. A model that answers at random, or the wrong way round, has less than 0; nothing
is clipped. R2 asks whether one sample is told from another; this asks whether a sample is told from its neighbours,
which is what a design goes by. At constant porosity a model that knows porosity alone has 0 too.

Samples after one move and after several in a row are told apart: the first asks for the slope, the second for what a
design adds up to, where a model whose errors at single voxels cancel is as good as the physics.

A response needs the physics to call both values ``ok``. A kind of move and a property without any, or whose response is
no more than rounding (:data:`ROUNDING`), has no skill: a solid fraction at constant porosity.

A few large responses make most of both sums, so that other samples would have another skill: each has the 95 % interval
of what sets of as many samples, drawn with replacement from those at hand, come to (Efron, Ann. Stat. 7, 1 (1979)).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from matopt.errors import InputError
from matopt.properties import Property
from matopt.stages.responses.reference import Responses
from matopt.traits.base import PropertyModel

RESAMPLINGS = 2000
"""How many sets are drawn for an interval."""

ROUNDING = 1e-5
"""Changes below this share of a property's values (of one, on a log scale) are none: what the solvers leave open."""


@dataclass(frozen=True)
class ResponseSkill:
    """How well a model foretells what moves of one kind do to one property.

    Attributes:
        kind: of move.
        steps: how many in a row.
        property: its name.
        skill: 1 for the physics, 0 for a constant; see the module.
        low, high: its 95 % interval over samples; of a single sample it tells nothing, and both are the skill.
        correlation: of the model's changes with the true ones; 0 where the model answers all moves alike.
        samples: how many moved samples count.
    """

    kind: str
    steps: int
    property: str
    skill: float
    low: float
    high: float
    correlation: float
    samples: int


def response_skill(model: PropertyModel, found: Responses, batch_size: int = 256) -> tuple[ResponseSkill, ...]:
    """Compare a model's responses with those of the physics, by kind of move, number of steps and property.

    Args:
        model: a fitted predictor, or whatever predicts the same properties.
        found: what the physics says.
        batch_size: densities at once.

    Raises:
        InputError: other properties than those of the responses, a prediction on a log scale that is not positive, or
            no response at all.
    """
    properties = found.held_out.labels.properties
    names = [[p.name for p in model.properties], [p.name for p in properties]]
    if names[0] != names[1]:
        raise InputError(f"responses: the model has {names[0]}, the physics {names[1]}; give the same in this order")
    before, after = (
        _predicted(model, part.microstructures.density(), batch_size) for part in (found.held_out, found.moved)
    )
    rows = []
    for kind, steps in dict.fromkeys(zip(found.kinds.tolist(), found.steps.tolist(), strict=True)):
        for column, p in enumerate(properties):
            usable = found.held_out.labels.is_usable[found.origin, column] & found.moved.labels.is_usable[:, column]
            chosen = np.flatnonzero(usable & (found.kinds == kind) & (found.steps == steps))
            start = found.origin[chosen]
            truth = _change(p, found.held_out.labels.values[start, column], found.moved.labels.values[chosen, column])
            if not len(chosen):
                continue
            level = 1.0 if p.scale == "log" else np.abs(found.held_out.labels.values[start, column]).mean()
            if np.sqrt((truth**2).mean()) > ROUNDING * level:
                told = _change(p, before[start, column], after[chosen, column])
                skill, (low, high) = float(skill_of(told, truth)), skill_interval(told, truth)
                correlation = _correlation(told, truth)
                rows.append(ResponseSkill(kind, steps, p.name, skill, low, high, correlation, len(chosen)))
    if not rows:
        raise InputError("responses: no move changes a property, or none of its values has the status ok")
    return tuple(rows)


def mean_skill(rows: Sequence[ResponseSkill], kind: str | None = None, property_: str | None = None) -> float:
    """Average the skills, over kinds of move, numbers of steps and properties; of one kind or property if named.

    Raises:
        InputError: there are none.
    """
    chosen = [r.skill for r in rows if kind in (None, r.kind) and property_ in (None, r.property)]
    if not chosen:
        raise InputError(f"there is no response of {property_ or 'any property'} to moves of kind {kind or 'any'}")
    return float(np.mean(chosen))


def skill_of(told: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Compute the skills ``(...)`` of changes ``told`` ``(N, ...)`` where the true ones are ``truth`` ``(N, ...)``."""
    return 1 - ((told - truth) ** 2).sum(0) / (truth**2).sum(0)


def skill_interval(told: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Find the 95 % interval of the skill of changes ``told`` ``(N,)`` where the true ones are ``truth`` ``(N,)``.

    Quantiles of the skills of resampled sets, always the same of as many samples. Sets without any response have no
    skill and are not counted.
    """
    drawn = np.random.default_rng(0).integers(len(truth), size=(RESAMPLINGS, len(truth)))
    drawn = drawn[(truth != 0)[drawn].any(1)].T
    low, high = np.quantile(skill_of(told[drawn], truth[drawn]), [0.025, 0.975])
    return float(low), float(high)


def _predicted(model: PropertyModel, density: torch.Tensor, batch_size: int) -> np.ndarray:
    with torch.no_grad():
        return np.concatenate([model.predict(part).double().cpu().numpy() for part in density.split(batch_size)])


def _change(p: Property, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return p.on_scale(after) - p.on_scale(before)


def _correlation(told: np.ndarray, truth: np.ndarray) -> float:
    if len(truth) < 2 or told.std() == 0 or truth.std() == 0:
        return 0.0
    return float(np.corrcoef(told, truth)[0, 1])
