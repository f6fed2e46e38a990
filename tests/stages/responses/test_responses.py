"""Responses are solved once for all models, and the skill is 1 for the physics, 0 for a constant, and never clipped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from matopt.data.labels.store import LabelStore
from matopt.errors import InputError
from matopt.microstructures import Microstructures
from matopt.physics.base import Physics, simulators
from matopt.properties import Property, PropertyTable
from matopt.stages.data import LabelledSet
from matopt.stages.responses.reference import CONSTANT_POROSITY, KINDS, STEPS, Responses, responses
from matopt.stages.responses.skill import ResponseSkill, mean_skill, response_skill, skill_interval, skill_of
from matopt.stages.simulate import simulate

NAMES = ["youngs_modulus", "diffusivity", "permeability"]


def rocks(n: int, size: int = 24) -> Microstructures:
    noise = np.random.default_rng(0).standard_normal((n, size, size))
    smooth = np.stack([ndimage.gaussian_filter(sample, 2, mode="wrap") for sample in noise])
    return Microstructures((smooth > -0.12).astype(np.uint8), 1e-6)


def label(microstructures: Microstructures) -> PropertyTable:
    return simulate(microstructures, NAMES)


@pytest.fixture(scope="module")
def found() -> Responses:
    held_out = rocks(10)
    return responses(LabelledSet(held_out, label(held_out)), label)


@pytest.fixture(scope="module")
def physics() -> Physics:
    return Physics(simulators(NAMES), 1e-6)


class Changed:
    """A model made of another's answers, and of the density."""

    def __init__(self, physics: Physics, change) -> None:
        self.properties = physics.properties
        self._physics = physics
        self._change = change

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        return self._change(self._physics.predict(density), density)


def test_the_physics_has_one_in_every_property_and_every_kind_of_move(found: Responses, physics: Physics) -> None:
    rows = response_skill(physics, found)
    every = {(kind, steps, name) for kind in KINDS for steps in STEPS for name in NAMES}
    assert {(row.kind, row.steps, row.property) for row in rows} == every
    # Labels and this model solve other batches: the tolerance of the solvers is what differs.
    assert all(row.skill == pytest.approx(1, abs=1e-3) and row.correlation > 0.999 for row in rows)
    assert mean_skill(rows) == pytest.approx(1, abs=1e-3)


def test_a_constant_has_zero_and_whoever_knows_porosity_alone_has_zero_at_constant_porosity(
    found: Responses, physics: Physics
) -> None:
    constant = Changed(physics, lambda values, density: torch.full_like(values, 2.0))
    assert all((row.skill, row.correlation) == (0, 0) for row in response_skill(constant, found))

    def laws(values: torch.Tensor, density: torch.Tensor) -> torch.Tensor:
        solid = density.double().flatten(1).mean(1)
        return torch.stack([1.5e11 * solid, (-2 * solid).exp(), (-12 * solid).exp()], 1)

    rows = response_skill(Changed(physics, laws), found)
    assert all(abs(row.skill) < 1e-9 for row in rows if row.kind == CONSTANT_POROSITY)
    assert min(row.skill for row in rows if row.kind == "boundary") > 0.2


def test_half_a_response_has_three_quarters_and_a_reversed_one_minus_three(found: Responses, physics: Physics) -> None:
    def powers(power: float):
        def change(values: torch.Tensor, density: torch.Tensor) -> torch.Tensor:
            linear = [p.scale == "linear" for p in physics.properties]
            return torch.where(torch.tensor(linear), power * values, values**power)

        return Changed(physics, change)

    for power, skill in ((0.5, 0.75), (-1.0, -3.0)):
        rows = response_skill(powers(power), found)
        assert all(row.skill == pytest.approx(skill, abs=5e-3) for row in rows)
        assert all(row.correlation == pytest.approx(np.sign(power), abs=1e-3) for row in rows)


def test_an_interval_holds_the_skill_of_all_windows_where_a_few_of_a_hundred_respond_the_most() -> None:
    random = np.random.default_rng(0)
    truth = random.standard_t(3, 20_000)
    told = 0.7 * truth + 0.5 * random.standard_normal(len(truth))
    whole = skill_of(told, truth)
    ends = []
    for _ in range(200):
        drawn = random.choice(len(truth), 100, replace=False)
        low, high = skill_interval(told[drawn], truth[drawn])
        assert low < skill_of(told[drawn], truth[drawn]) < high
        ends.append((low, high))
    held = np.mean([low <= whole <= high for low, high in ends])
    assert 0.88 < held < 0.99
    # A tenth as wide an interval, which says that the skill is known, would not hold it.
    assert np.mean([abs(whole - (low + high) / 2) < 0.05 * (high - low) for low, high in ends]) < 0.3


def test_there_is_no_doubt_of_the_physics_and_of_a_constant(found: Responses, physics: Physics) -> None:
    assert all(1 - row.low < 2e-3 for row in response_skill(physics, found))
    constant = Changed(physics, lambda values, density: torch.full_like(values, 2.0))
    assert all((row.low, row.high) == (0, 0) for row in response_skill(constant, found))


def test_values_that_the_physics_does_not_call_ok_and_properties_that_do_not_respond_do_not_count(
    found: Responses, physics: Physics
) -> None:
    status = found.moved.labels.status.copy()
    status[::4, 0] = "not_converged"
    broken = replace(found, moved=LabelledSet(found.moved.microstructures, replace(found.moved.labels, status=status)))
    rows = {(row.kind, row.steps, row.property): row.samples for row in response_skill(physics, broken)}
    assert rows["blocks", 1, "youngs_modulus"] == 5 and rows["blocks", 1, "diffusivity"] == 10

    def solid(microstructures: Microstructures) -> PropertyTable:
        values = 1 - microstructures.porosity[:, None]
        return PropertyTable((Property("solid", "s", "1", "1"),), values, np.full(values.shape, "ok"), 0 * values)

    held_out = rocks(4)
    of_solid = responses(LabelledSet(held_out, solid(held_out)), solid)

    class Solid:
        properties = of_solid.held_out.labels.properties

        def predict(self, density: torch.Tensor) -> torch.Tensor:
            return density.flatten(1).mean(1, keepdim=True)

    assert {row.kind for row in response_skill(Solid(), of_solid)} == {"blocks", "boundary"}
    nothing = responses(LabelledSet(held_out, solid(held_out)), solid, [CONSTANT_POROSITY])
    with pytest.raises(InputError, match="no move changes a property"):
        response_skill(Solid(), nothing)


def test_moves_are_the_same_for_every_model_and_solved_once(tmp_path: Path) -> None:
    store, asked = LabelStore(tmp_path), []

    def stored(microstructures: Microstructures) -> PropertyTable:
        asked.append(store.lookup(microstructures, simulators(NAMES))[1].sum())
        return simulate(microstructures, NAMES, store)

    held_out = rocks(3, 16)
    labelled = LabelledSet(held_out, stored(held_out))
    first, second = (responses(labelled, stored, steps=[1]) for _ in range(2))
    assert first.moved.microstructures.hashes == second.moved.microstructures.hashes
    assert asked[1] > 0 and asked[2] == 0
    assert np.array_equal(np.unique(first.origin, return_counts=True)[1], [len(KINDS)] * 3)
    few = responses(labelled, stored, ["boundary"], steps=[1], windows=2)
    chosen = (first.kinds == "boundary") & (first.origin < 2)
    assert few.moved.microstructures.hashes == first.moved.microstructures[chosen].hashes


def test_what_is_moved_comes_from_all_of_the_held_out_and_not_from_its_beginning(found: Responses) -> None:
    few = responses(found.held_out, label, ["boundary"], steps=[1], windows=4)
    assert few.held_out.microstructures.hashes == tuple(found.held_out.microstructures.hashes[i] for i in (0, 2, 5, 7))
    assert few.moved.microstructures.hashes[3] != few.held_out.microstructures.hashes[3]


def test_what_cannot_be_compared_is_refused(found: Responses, physics: Physics) -> None:
    with pytest.raises(InputError, match="there are no moves 'flips'; there are: blocks, boundary, constant_porosity"):
        responses(found.held_out, label, ["flips"])
    with pytest.raises(InputError, match="one at least"):
        responses(found.held_out[:0], label)
    with pytest.raises(InputError, match="same in this order"):
        response_skill(Physics(physics.simulators[::-1], 1e-6), found)
    with pytest.raises(InputError, match="no response of permeability to moves of kind blocks"):
        mean_skill([ResponseSkill("blocks", 1, "youngs_modulus", 1.0, 1.0, 1.0, 1.0, 3)], "blocks", "permeability")
