"""The network of conductivities, whose blocks are solved for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_cnn import blobs

from matopt.microstructures import Microstructures
from matopt.physics.diffusivity import Diffusivity
from matopt.physics.permeability import Permeability
from matopt.physics.youngs_modulus import YoungsModulus
from matopt.predictors.convolutional.conductances import CONTRAST, conductances, dissipation
from matopt.predictors.convolutional.links import BLOCKS, ConductingUNet
from matopt.predictors.convolutional.unet import Level
from matopt.predictors.full_field import FullField
from matopt.stages.simulate import simulate

LEVEL = Level(is_log=True, unit=1.0, deviation=1.0)


@pytest.mark.parametrize("shape", [(9, 6), (5, 6, 4)])
def test_what_blocks_dissipate_is_what_the_simulator_solves_for(shape: tuple[int, ...]) -> None:
    """Both are cell-centred, with harmonic means between neighbours."""
    conductivity = 0.1 + 0.9 * torch.rand(3, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    solver = Diffusivity(grain_diffusivity=0.0, tolerance=1e-9)
    true = solver.contributions(1 - conductivity[:, None], 1e-6)
    found = dissipation([conductivity] * len(shape)).sum(1, keepdim=True)
    torch.testing.assert_close(found, true.to(found), rtol=1e-6, atol=1e-8)


def test_what_blocks_dissipate_can_be_differentiated_twice() -> None:
    """Traits are trained by derivatives of gradients."""
    generator = torch.Generator().manual_seed(0)
    conductivity = [0.1 + torch.rand(1, 3, 4, generator=generator, dtype=torch.float64) for _ in range(2)]
    given = tuple(part.requires_grad_() for part in conductivity)
    assert torch.autograd.gradcheck(lambda *c: dissipation(c), given)
    assert torch.autograd.gradgradcheck(lambda *c: dissipation(c), given)


def test_before_it_learns_its_values_are_those_of_merged_blocks() -> None:
    """Of 32 x 32 voxels those are all that both solve for."""
    network, density = untrained((32, 32)), blobs(6, (32, 32), 0).density()
    told = conductances(density, BLOCKS[2])[:, 2]  # along x, pores conduct
    torch.testing.assert_close(network(density)[:, 0], told)


@pytest.mark.parametrize("shape", [(32, 32), (21, 33), (70, 64), (12, 16, 9)])
def test_fields_are_positive_and_have_the_value_for_their_mean_at_odd_edges_too(shape: tuple[int, ...]) -> None:
    network, density = untrained(shape), blobs(3, shape, 0).density()
    torch.nn.init.normal_(network.correction.weight, generator=torch.Generator().manual_seed(1))
    field = network.field(density)
    assert field.shape == density.shape and bool((field > 0).all())
    torch.testing.assert_close(network.scores(field), field.flatten(1).mean(1, keepdim=True).log())


def untrained(shape: tuple[int, ...]) -> ConductingUNet:
    torch.manual_seed(0)
    network = ConductingUNet(shape, 4, LEVEL)
    torch.nn.init.zeros_(network.correction.weight)
    torch.nn.init.zeros_(network.correction.bias)
    return network.requires_grad_(False)


@pytest.mark.parametrize("grain_conducts", [False, True])
def test_it_finds_out_which_phase_conducts_and_how_well(grain_conducts: bool) -> None:
    network, density = untrained((32, 32)), blobs(30, (32, 32), 0).density()
    moved = 1 - density if grain_conducts else density
    true = 7 * Diffusivity(grain_diffusivity=1 / CONTRAST).solve(moved, 1e-6).values[:, None]
    network.begin(density, true.log(), torch.ones_like(true, dtype=torch.bool))
    assert bool(network.grain_conducts) == grain_conducts
    assert float(network.factor.exp()) == pytest.approx(7, rel=0.2)


def test_flow_along_the_first_axis_conducts_and_flow_along_the_normal_of_a_section_does_not() -> None:
    conducts = {
        Diffusivity(): (2, 3),
        Permeability(): (3,),
        Permeability(flow="all"): (3,),
        Permeability(section="transverse"): (2, 3),
        Permeability(flow="y"): (),
        YoungsModulus(): (),
    }
    assert {simulator: simulator.property.conducts_in for simulator in conducts} == conducts


def test_few_windows_teach_it_what_merging_leaves_unknown(berea: np.ndarray) -> None:
    train, test = windows(berea[:80:40]), windows(berea[240:360:40])
    labels, truth = simulate(train, ["diffusivity"]), np.log(simulate(test, ["diffusivity"]).values[:, 0])
    started, learnt = (logs(FullField(steps=steps, width=12).fit(train, labels), test) for steps in (1, 100))
    assert np.square(learnt - truth).mean() < 0.2 * np.square(started - truth).mean()
    assert np.square(learnt - truth).mean() < 0.02 * truth.var()


def windows(slices: np.ndarray) -> Microstructures:
    """25 of 64 x 64 voxels from each slice."""
    rows = slices[:, :320, :320].reshape(-1, 5, 64, 5, 64)
    return Microstructures(rows.transpose(0, 1, 3, 2, 4).reshape(-1, 64, 64), 5.345e-6)


def logs(model: FullField, test: Microstructures) -> np.ndarray:
    with torch.no_grad():
        return np.log(model.predict(test.density())[:, 0].double().numpy())


def test_samples_with_too_many_blocks_to_solve_for_are_learnt_without() -> None:
    assert ConductingUNet.level_of_blocks((8, 64, 64)) is None
    train = blobs(4, (8, 64, 64), 0)
    labels = simulate(train, ["diffusivity"])
    assert FullField(steps=1, width=4).fit(train, labels).predict(train.density()).shape == (4, 1)
