"""Labels tell the values along other axes, by whatever way they come."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from matopt.data.labels.store import LabelStore
from matopt.data.sources.sandstone import Sandstone
from matopt.data.windows.window import Window
from matopt.microstructures import Microstructures
from matopt.physics.base import simulators
from matopt.physics.diffusivity import Diffusivity
from matopt.physics.permeability import Permeability
from matopt.physics.youngs_modulus import YoungsModulus
from matopt.properties import PropertyTable
from matopt.stages.codec import pack, unpack
from matopt.stages.data import Dataset, LabelledSet
from matopt.stages.dataset import SavedDataset
from matopt.stages.simulate import simulate

PHYSICS = [YoungsModulus(), Diffusivity(flow="all"), Diffusivity()]


def rock(dimensions: int) -> Microstructures:
    edge = {2: 32, 3: 12}[dimensions]
    return Sandstone().split(Window(edge, dimensions=dimensions), {"rock": 6}, 0)["rock"]


def test_values_along_other_axes_are_those_of_the_turned_samples() -> None:
    for dimensions, simulator in ((2, YoungsModulus()), (3, YoungsModulus()), (3, Permeability(flow="all"))):
        images = rock(dimensions)
        labels = simulate(images, [simulator])
        for axis in range(1, dimensions):
            turned = Microstructures(np.swapaxes(images.phases, 1, 1 + axis).copy(), images.voxel_size)
            truth = simulate(turned, [simulator])
            told = labels.along[:, 0, axis]
            known = np.isfinite(told)
            assert known.any()
            np.testing.assert_allclose(told[known], truth.values[known, 0], rtol=1e-3)


def test_a_store_tells_them_as_the_simulators_do(tmp_path: Path) -> None:
    images = rock(2)
    direct = simulate(images, PHYSICS)
    store = LabelStore(tmp_path)
    for labels in (
        simulate(images, PHYSICS, store),
        simulate(images, PHYSICS, store),
        simulate(images, PHYSICS, LabelStore(tmp_path)),
    ):
        np.testing.assert_array_equal(labels.values, direct.values)
        np.testing.assert_array_equal(labels.exchanged, direct.exchanged)
    assert direct.exchanged is not None
    assert np.isfinite(direct.exchanged[:, 0]).any() and np.isfinite(direct.exchanged[:, 1]).all()
    assert np.isnan(direct.exchanged[:, 2]).all()


def test_they_go_with_their_rows_through_sets_and_files() -> None:
    images = rock(2)
    labels = simulate(images, PHYSICS)
    labelled = LabelledSet(images, labels)
    both = labelled[3:] + labelled[:3]
    np.testing.assert_array_equal(both.labels.along, labels.along[[3, 4, 5, 0, 1, 2]])
    without = LabelledSet(images, PropertyTable(labels.properties, labels.values, labels.status, labels.residual))
    assert without.key != labelled.key
    mixed = (without + labelled).labels.along
    assert np.isnan(mixed[:6, :, 1]).all()
    np.testing.assert_array_equal(mixed[6:], labels.along)
    saved = unpack(SavedDataset, pack(SavedDataset.of(Dataset(labelled, both, without))))
    restored = saved.restored(labels.properties)
    assert [restored.train.key, restored.validation.key, restored.test.key] == [labelled.key, both.key, without.key]


def test_a_stiffness_that_vanishes_along_an_axis_tells_nothing() -> None:
    fibres = torch.zeros(1, 1, 8, 8, dtype=torch.float64)
    fibres[..., ::2] = 1
    simulator = simulators(["youngs_modulus"])[0]
    solution = simulator.solve(fibres, 1e-6)
    assert float(solution.values[0]) > 0
    assert np.isnan(simulator.exchanged(solution.tensor.numpy(), 2)).all()
