"""The predictor that learns the fields behind properties."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch

from matopt.errors import InputError
from matopt.microstructures import Microstructures
from matopt.physics.base import Simulator, simulators
from matopt.physics.diffusivity import Diffusivity
from matopt.physics.permeability import Permeability
from matopt.physics.youngs_modulus import YoungsModulus
from matopt.predictors.cnn import CNN
from matopt.predictors.convolutional.symmetries import randomly_moved
from matopt.predictors.convolutional.unet import UNet, in_blocks, out_of_blocks
from matopt.predictors.full_field import FullField
from matopt.properties import PropertyTable
from matopt.registry import Component
from matopt.stages.r2 import r2
from matopt.stages.simulate import simulate
from matopt.testing.images import random_microstructures
from matopt.training.initial import build

SIMULATORS: list[Simulator] = [YoungsModulus(), Diffusivity(flow="all"), Permeability()]


def labelled(n: int, seed: int, *simulated: Simulator) -> tuple[Microstructures, PropertyTable]:
    microstructures = random_microstructures(n, (32, 32), seed)
    return microstructures, simulate(microstructures, list(simulated or SIMULATORS))


@pytest.fixture(scope="module")
def fitted() -> FullField:
    return FullField(steps=60, width=8).fit(*labelled(24, 0))


@pytest.mark.parametrize("simulator", [*SIMULATORS, Diffusivity(boundary="periodic")], ids=lambda s: type(s).__name__)
def test_a_sample_is_moved_with_its_field_as_the_physics_would_move_it(simulator: Simulator) -> None:
    p = replace(simulator, tolerance=1e-6).property
    density = random_microstructures(4, (16, 16), 1).density().double()
    random = torch.Generator().manual_seed(0)
    for axis in (0, 1):
        exchanged = density.transpose(2, 2 + axis)
        field = p.contributions(exchanged, 1e-6).transpose(2, 2 + axis)
        axes = torch.full((4,), axis)
        moved, with_it = randomly_moved(torch.cat([density, field], 1), p.symmetry(2), axes, random).split(1, 1)
        solved = p.contributions(moved.contiguous(), 1e-6)
        assert not torch.equal(moved, exchanged)
        torch.testing.assert_close(with_it, solved, rtol=0, atol=1e-3 * float(solved.mean()))


def test_fields_teach_what_values_do_not() -> None:
    # Twelve images: seed by seed better than the same network without fields, and than the one that learns values.
    test = labelled(60, 100, YoungsModulus())
    for seed in (0, 1):
        train = labelled(12, seed, YoungsModulus())
        taught, untaught, values_alone = (
            r2(model.fit(*train, seed=seed), *test)["youngs_modulus"]
            for model in (FullField(steps=150), FullField(steps=150, field_weight=0.0), CNN(steps=300))
        )
        assert taught > 0.9
        assert taught > max(untaught, values_alone)


def test_the_field_of_a_new_sample_is_foretold_voxel_by_voxel() -> None:
    model = FullField(steps=150).fit(*labelled(24, 0, YoungsModulus()))
    test, table = labelled(20, 100, YoungsModulus())
    told = model.field(test, "youngs_modulus")
    torch.testing.assert_close(told.mean((1, 2, 3)), model.predict(test.density())[:, 0], rtol=1e-4, atol=0)
    true = table.properties[0].contributions(test.density(), test.voxel_size)
    grain = test.density() == 1  # pores store none, which would be too easily said

    def error(foretold: torch.Tensor) -> float:
        return float((foretold.sqrt() - true.sqrt())[grain].square().mean())

    uniform = true.mean((1, 2, 3), keepdim=True) / test.density().mean((1, 2, 3), keepdim=True)
    assert error(told) < 0.5 * error(uniform.expand_as(true))  # as if it knew the value, and grain alone
    for name, message in (("permeability", "not learnt 'permeability', but youngs_modulus"), ("E", "not learnt 'E'")):
        with pytest.raises(InputError, match=message):
            model.field(test, name)
    with pytest.raises(InputError, match="values alone"):
        FullField(steps=1, field_weight=0.0).fit(test, table).field(test, "youngs_modulus")
    with pytest.raises(InputError, match="nothing yet"):
        FullField().field(test, "youngs_modulus")


def test_what_was_learnt_is_kept_with_the_levels_of_its_fields(fitted: FullField) -> None:
    density = random_microstructures(3, (32, 32), 5).density()
    file = io.BytesIO()
    torch.save(fitted.state_dict(), file)
    file.seek(0)
    copy = FullField()
    copy.load_state_dict(torch.load(file, weights_only=True))
    assert copy.has_fields == (True, True, True)
    assert torch.equal(copy.predict(density), fitted.predict(density))
    assert (copy.predict(density) > 0).all()


def test_predictions_know_the_symmetries_of_the_physics() -> None:
    train = labelled(24, 0, YoungsModulus(), Permeability())
    density = random_microstructures(20, (32, 32), 6).density()
    model = FullField(steps=200, width=8).fit(*train)
    told = model.predict(density)

    def changed(image: torch.Tensor) -> list[float]:
        """How much each property changes, over how much samples differ."""
        return ((model.predict(image) - told).square().mean(0).sqrt() / told.std(0)).tolist()

    assert max(changed(density.flip(2))) < 0.2  # learnt
    assert max(changed(density.roll((8, 16), (2, 3)))) < 1e-3  # built in, by the places of the coarsest level
    along_x, along_normal = changed(density.transpose(2, 3))
    assert along_normal < 0.2 < along_x


@pytest.mark.parametrize("shape", [(8, 8, 8), (9, 12, 16)])
def test_volumes_are_learnt_with_those_fields_that_there_are(shape: tuple[int, ...]) -> None:
    train = random_microstructures(6, shape, 0)
    model = FullField(steps=4, width=4).fit(train, simulate(train, list(SIMULATORS)))
    assert model.has_fields == (True, True, False)
    assert model.predict(train.density()).isfinite().all()


def test_labels_of_other_settings_are_refused() -> None:
    microstructures, table = labelled(4, 0, YoungsModulus())
    softer = YoungsModulus(youngs_modulus=70e9).property
    with pytest.raises(InputError, match=r"contributions to youngs_modulus are .* other settings"):
        FullField(steps=1).fit(microstructures, replace(table, properties=(softer,)))


def test_a_sample_that_hangs_by_a_thread_may_be_solved_less_well() -> None:
    microstructures, table = labelled(8, 0, YoungsModulus())
    told, values = table.properties[0].contributions, table.values.copy()
    values[0] *= 1e-6

    def within_a_tenth(density: torch.Tensor, voxel_size: float) -> torch.Tensor:
        field = told(density, voxel_size)
        is_weak = (density == torch.from_numpy(microstructures.phases[0]).float()).all((2, 3), keepdim=True)
        return torch.where(is_weak, 1.1e-6 * field, field)

    own = replace(table.properties[0], contributions=within_a_tenth)
    FullField(steps=1, width=4).fit(microstructures, replace(table, properties=(own,), values=values, exchanged=None))


def test_fields_of_values_that_are_not_ok_are_not_solved_for() -> None:
    microstructures, table = labelled(8, 0, YoungsModulus())
    asked: list[int] = []
    told = table.properties[0].contributions

    def listening(density: torch.Tensor, voxel_size: float) -> torch.Tensor | None:
        asked.append(len(density))
        return told(density, voxel_size)

    status = table.status.copy()
    status[:3] = "not_converged"
    own = replace(table, properties=(replace(table.properties[0], contributions=listening),), status=status)
    FullField(steps=1, width=4).fit(microstructures, own)
    assert table.exchanged is not None
    assert asked == [5, np.isfinite(table.exchanged[3:]).sum()]  # along both axes


def test_a_field_weight_out_of_range_is_refused() -> None:
    for weight in (-1.0, np.inf, np.nan):
        with pytest.raises(InputError, match="field_weight must be at least 0"):
            FullField(field_weight=weight)


@pytest.mark.parametrize("shape", [(8, 6), (4, 6, 2)])
def test_blocks_hold_their_voxels_side_by_side(shape: tuple[int, ...]) -> None:
    fields = torch.rand(2, 3, *shape, generator=torch.Generator().manual_seed(0))
    blocks = in_blocks(fields)
    assert blocks.shape == (2, 3 * 2 ** len(shape), *[edge // 2 for edge in shape])
    assert torch.equal(out_of_blocks(blocks), fields)
    corner = fields[(0, 0, *[slice(0, 2)] * len(shape))].flatten()
    assert torch.equal(blocks[(0, slice(0, 2 ** len(shape)), *[0] * len(shape))], corner)


@pytest.mark.parametrize("shape", [(4, 4), (7, 13), (33, 8), (5, 9, 8)])
def test_fields_have_the_shape_of_their_sample_at_odd_edges_too(shape: tuple[int, ...]) -> None:
    for is_periodic in (True, False):
        network = build(lambda is_periodic=is_periodic: UNet(shape, 4, None, is_periodic, False), seed=0)
        assert network.field(torch.rand(2, 1, *shape)).shape == (2, 1, *shape)


def test_an_ensemble_of_them_can_be_named_in_a_study(tmp_path) -> None:
    from matopt.predictors.base import PREDICTORS

    settings = {"member": "full_field", "settings": {"steps": 2, "width": 4}, "members": 2}
    train = labelled(8, 0, *simulators(["youngs_modulus"]))
    assert PREDICTORS.build(Component("ensemble", settings), tmp_path).fit(*train).predict(train[0].density()).shape


@pytest.mark.parametrize(
    ("shape", "simulator", "steps"),
    [
        ((16, 16), YoungsModulus(), 900),
        ((16, 16), Diffusivity(), 600),
        ((8, 8, 8), YoungsModulus(), 600),
    ],
    ids=["image", "image, solved for", "volume"],
)
def test_a_training_is_shorter_where_its_steps_are_longer(
    shape: tuple[int, ...], simulator: Simulator, steps: int
) -> None:
    train = random_microstructures(4, shape, 0)
    heard: list[int] = []
    FullField(width=4).fit(
        train, simulate(train, [simulator]), report=lambda step, **scalars: bool(heard.append(step)) or True
    )
    assert heard == [steps // 20]
