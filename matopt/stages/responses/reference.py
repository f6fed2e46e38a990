"""The responses of the physics: held-out microstructures, the same after small moves, and the properties of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from matopt.data import moves
from matopt.errors import InputError
from matopt.microstructures import Microstructures
from matopt.stages.data import LabelFunction, LabelledSet

CONSTANT_POROSITY = "constant_porosity"

KINDS: Mapping[str, moves.Move] = MappingProxyType(
    {"blocks": moves.turn_block, "boundary": moves.grow, CONSTANT_POROSITY: moves.exchange}
)
"""The kinds of move, by name: a block is filled or cut, a part is dilated or eroded, solid is moved elsewhere."""

WINDOWS = 100
"""How many microstructures are moved; more of them say more than more moves of each."""

STEPS = (1, 10)
"""How many moves in a row are made of each: one, and so many that it comes as far as designs do."""


@dataclass(frozen=True)
class Responses:
    """N microstructures, M moved ones, and what the physics says of both.

    Attributes:
        held_out: the N, labelled.
        moved: the M, labelled, their properties in the same order.
        origin: ``(M,)`` which of the N each was before its move.
        kinds: ``(M,)`` what was done to it, out of :data:`KINDS`.
        steps: ``(M,)`` how many times.
    """

    held_out: LabelledSet
    moved: LabelledSet
    origin: np.ndarray
    kinds: np.ndarray
    steps: np.ndarray


def responses(
    held_out: LabelledSet,
    label: LabelFunction,
    kinds: Sequence[str] = tuple(KINDS),
    steps: Sequence[int] = STEPS,
    windows: int = WINDOWS,
    seed: int = 0,
) -> Responses:
    """Move held-out microstructures, and have the physics solve what came of it.

    The moves follow from the microstructures and the seed, so that a label store gives their properties again: they are
    solved once for all models.

    Args:
        held_out: microstructures that no model has learnt from.
        label: computes or looks up the properties of the moved ones.
        kinds: of move, out of :data:`KINDS`.
        steps: how many moves in a row; each microstructure is moved so often by each kind of move.
        windows: how many of them are moved, at even distances, where there are so many.
        seed: of the moves.

    Raises:
        InputError: a kind that there is not, or no microstructure.
    """
    if unknown := sorted(set(kinds) - set(KINDS)):
        raise InputError(f"there are no moves {unknown[0]!r}; there are: {', '.join(KINDS)}")
    if not len(held_out):
        raise InputError("responses are of held-out microstructures; give it one at least")
    base = held_out.spread(windows)
    phases, origin, names, lengths = [], [], [], []
    for row, sample in enumerate(base.microstructures.phases):
        for number, (kind, move) in enumerate(KINDS.items()):
            for count in steps if kind in kinds else ():
                random, copy = np.random.default_rng([seed, row, number, count]), sample.copy()
                for _ in range(count):
                    move(copy, random)
                phases.append(copy)
                origin.append(row)
                names.append(kind)
                lengths.append(count)
    moved = Microstructures(np.stack(phases), base.microstructures.voxel_size)
    table = label(moved)
    if table.names != base.labels.names:
        raise InputError(f"responses: the samples have {base.labels.names}, the labels of moved ones {table.names}")
    return Responses(base, LabelledSet(moved, table), np.array(origin), np.array(names), np.array(lengths))
