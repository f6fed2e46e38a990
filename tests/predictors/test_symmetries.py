"""What a property says of its symmetries, a predictor of it has learnt or has built in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_cnn import blobs

from matopt.microstructures import Microstructures
from matopt.physics.base import simulators
from matopt.predictors.cnn import CNN
from matopt.predictors.convolutional.symmetries import moved, randomly_moved
from matopt.properties import OK, Property, PropertyTable, Symmetry
from matopt.stages.r2 import r2
from matopt.stages.simulate import simulate

PLAIN = Property("edges", "n", "1", "1")


def edges(microstructures: Microstructures, axis: int) -> np.ndarray:
    """The share of neighbours along an axis of space, on the torus, that are of the other phase."""
    phases = microstructures.phases
    return (phases != np.roll(phases, 1, axis + 1)).mean(axis=tuple(range(1, phases.ndim)))


def table(microstructures: Microstructures, p: Property, *axes: int) -> PropertyTable:
    """The edges along axis 0, and those along further axes as values of the exchanged samples."""
    values = edges(microstructures, 0)[:, None]
    exchanged = np.stack([edges(microstructures, axis) for axis in axes], 1)[:, None] if axes else None
    return PropertyTable((p,), values, np.full(values.shape, OK), np.zeros(values.shape), exchanged)


def stretched(n: int, seed: int) -> Microstructures:
    """Blobs stretched fourfold along axis 1 of space."""
    return Microstructures(np.repeat(blobs(n, (32, 8), seed).phases, 4, axis=2), 2e-6)


@pytest.mark.parametrize("shape", [(6, 6), (4, 4, 4)])
def test_random_moves_are_symmetries_and_reach_all_of_them(shape: tuple[int, ...]) -> None:
    dimensions = len(shape)
    alike = tuple(range(dimensions))
    generator = torch.Generator().manual_seed(0)
    density = torch.rand(1, 1, *shape, generator=generator).repeat(2000, 1, *[1] * dimensions)
    seen = randomly_moved(density, Symmetry(alike=alike), torch.zeros(2000, dtype=torch.int64), generator)
    expected = torch.cat(list(moved(density[:1], Symmetry(alike=alike))))
    assert {tuple(x.flatten().tolist()) for x in seen} == {tuple(x.flatten().tolist()) for x in expected}
    assert len(expected) == {2: 8, 3: 48}[dimensions]

    shifted = randomly_moved(density, Symmetry(shifts=True), torch.ones(2000, dtype=torch.int64), generator)
    exchanged = density[0, 0].transpose(0, 1)
    places = (shifted[:, 0] == exchanged[(0,) * dimensions]).nonzero()[:, 1:]
    assert len({tuple(p.tolist()) for p in places}) == density[0].numel()
    for row in range(5):
        rolled = shifted[row, 0].roll([-int(p) for p in places[row]], list(range(dimensions)))
        mirrors = [exchanged.roll(0, 0)]
        for axis in range(dimensions):
            mirrors += [m.flip(axis).roll(1, axis) for m in mirrors]
        assert any(torch.equal(rolled, m) for m in mirrors)


@pytest.mark.parametrize("shared", [False, True])
def test_predictions_are_exactly_invariant_to_exchanges_of_axes_that_are_alike(shared: bool) -> None:
    p = replace(PLAIN, symmetries=(Symmetry(alike=(0, 1)), Symmetry()))
    train = blobs(20, (16, 16), 0)
    density = train.density()
    model = CNN(steps=20, width=4, shared=shared).fit(train, table(train, p))
    torch.testing.assert_close(model.predict(density.transpose(2, 3)), model.predict(density), rtol=1e-5, atol=1e-7)
    other = CNN(steps=20, width=4, symmetries=False).fit(train, table(train, p))
    assert (other.predict(density.transpose(2, 3)) / other.predict(density) - 1).abs().max() > 1e-3


def test_predictions_of_periodic_properties_hardly_change_on_the_torus() -> None:
    train, test = blobs(60, (32, 32), 0), blobs(40, (32, 32), 1)
    density = test.density()

    def change(symmetry: Symmetry, shift: int) -> float:
        p = replace(PLAIN, symmetries=(symmetry, symmetry))
        model = CNN(steps=150, width=8).fit(train, table(train, p))
        predicted = model.predict(density)
        return float((model.predict(density.roll((shift, shift), (2, 3))) - predicted).std() / predicted.std())

    # Exactly by the coarsest pixel, which is 8 voxels here; by less as well as it was learnt.
    assert change(Symmetry(shifts=True), 8) < 1e-4 < 1e-2 < change(Symmetry(), 8)
    assert change(Symmetry(shifts=True), 3) < change(Symmetry(), 3)


def test_the_value_along_another_axis_is_learnt_where_it_is_known() -> None:
    # All training samples are stretched along y, all that are tested along x: only the exchanged values tell of these.
    train, test = stretched(60, 0), stretched(40, 1)
    turned = Microstructures(test.phases.swapaxes(1, 2).copy(), test.voxel_size)
    truth = table(turned, PLAIN)
    known, unknown, gone = table(train, PLAIN, 1), table(train, PLAIN), table(train, PLAIN, 1)
    assert gone.exchanged is not None
    gone.exchanged[:] = np.nan
    models = [CNN(steps=150, width=8).fit(train, labels) for labels in (known, unknown, gone)]
    assert r2(models[0], turned, truth)["edges"] > 0.3
    assert r2(models[1], turned, truth)["edges"] < 0
    assert torch.equal(models[1].predict(test.density()), models[2].predict(test.density()))


def test_symmetries_of_the_physics_are_those_of_its_boundaries() -> None:
    stiffness, diffusion, flow = (s.property for s in simulators(["youngs_modulus", "diffusivity", "permeability"]))
    assert [p.symmetry(2).shifts for p in (stiffness, diffusion, flow)] == [True, False, True]
    assert [p.symmetry(3).shifts for p in (stiffness, diffusion, flow)] == [True, False, False]
    assert [p.symmetry(2).alike for p in (stiffness, diffusion, flow)] == [(), (), (0, 1)]
    assert all(p.symmetry(3).alike == (1, 2) for p in (stiffness, diffusion, flow))
    # What diffuses from face to face is another amount after a shift; what flows along a section is the same.
    rock = blobs(8, (24, 24), 3)
    shifted = Microstructures(np.roll(rock.phases, 12, 1), rock.voxel_size)
    here, there = (simulate(m, ["diffusivity", "permeability"]).values for m in (rock, shifted))
    diffusion_change, flow_change = np.abs(there / here - 1).max(0)
    assert diffusion_change > 0.02 and flow_change < 1e-5


def test_volumes_are_learnt_by_all_symmetries_of_their_physics() -> None:
    p = replace(PLAIN, symmetries=(Symmetry(), Symmetry(shifts=True, alike=(1, 2))))
    train = blobs(30, (12, 12, 12), 4)
    model = CNN(steps=40, width=4).fit(train, table(train, p, 1, 2))
    density = train.density()
    torch.testing.assert_close(model.predict(density.transpose(3, 4)), model.predict(density), rtol=1e-4, atol=1e-6)
    # Edges that differ cannot be exchanged, and are not.
    flat = Microstructures(train.phases[:, :, :8].copy(), train.voxel_size)
    assert CNN(steps=10, width=4).fit(flat, table(flat, p, 1, 2)).predict(flat.density()).isfinite().all()
