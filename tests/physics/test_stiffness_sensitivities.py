"""What a voxel, a block or a layer of grain is worth to Young's modulus, against differences and against solves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from moves import as_density, blocks, correlation, flipped, layers, places

from matopt.errors import InputError
from matopt.physics.youngs_modulus import YoungsModulus

TIGHT = YoungsModulus(1.0, 0.07, tolerance=1e-11)
TRUE = YoungsModulus(1.0, 0.07, tolerance=1e-5)
WINDOWS = ((230, 200, 150), (300, 100, 60), (370, 100, 60))


def rock_like(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """A smooth made-up rock ``(*S)`` bool, periodic, 75 % grain in one piece."""
    from scipy import ndimage

    field = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 1.2, mode="wrap")
    grain = field > np.quantile(field, 0.25)
    labels, _ = ndimage.label(np.pad(grain, [(0, n) for n in shape], mode="wrap"))
    largest = np.bincount(labels.ravel())[1:].argmax() + 1
    return (labels == largest)[tuple(slice(n, 2 * n) for n in shape)] | (labels == largest)[
        tuple(slice(0, n) for n in shape)
    ]


@pytest.mark.parametrize("shape", [(16, 14), (8, 7, 9)])
def test_the_gradient_of_a_binary_sample_is_its_one_sided_derivative_wherever_the_voxel_is(shape):
    sample = rock_like(shape, 1)
    density = as_density(sample[None]).requires_grad_()
    value = TIGHT.solve(density, 1.0).values
    (gradient,) = torch.autograd.grad(value.sum(), density)
    for name, place in places(sample).items():
        at, _ = flipped(sample, place, 4, 0)
        moved = density.detach().repeat(len(at), 1, *[1] * len(shape))
        step = -1e-5 if name.startswith("grain") else 1e-5
        moved[(torch.arange(len(at)), 0, *torch.from_numpy(at.T))] += step
        slopes = (TIGHT.solve(moved, 1.0).values - value.detach()) / step
        assert gradient[0, 0].detach()[tuple(at.T)].tolist() == pytest.approx(slopes.tolist(), rel=2e-3, abs=1e-7), name


@pytest.mark.parametrize("shape", [(16, 14), (8, 7, 9)])
def test_the_gradient_of_a_grey_sample_meets_central_differences_wherever_the_voxel_is(shape):
    sample = rock_like(shape, 2)
    noise = np.random.default_rng(0).random(shape)
    grey = np.where(sample, 0.9 + 0.1 * noise, 0.1 + 0.1 * noise)
    density = torch.from_numpy(grey)[None, None].requires_grad_()
    (gradient,) = torch.autograd.grad(TIGHT.solve(density, 1.0).values.sum(), density)
    for name, place in places(sample).items():
        at, _ = flipped(sample, place, 4, 0)
        ends = []
        for step in (1e-4, -1e-4):
            moved = density.detach().repeat(len(at), 1, *[1] * len(shape))
            moved[(torch.arange(len(at)), 0, *torch.from_numpy(at.T))] += step
            ends.append(TIGHT.solve(moved.clamp_max(1), 1.0).values)
        slopes = (ends[0] - ends[1]) / 2e-4
        is_inner = torch.from_numpy(grey[tuple(at.T)] < 0.9999)
        found = gradient[0, 0].detach()[tuple(at.T)]
        assert torch.allclose(found[is_inner], slopes[is_inner], rtol=1e-5, atol=1e-9), name


def test_flips_of_single_voxels_are_estimated_where_the_adjoint_fails(berea):
    found: dict[str, list[float]] = {}
    for seed, (z, y, x) in enumerate(WINDOWS):
        sample = berea[z, y : y + 40, x : x + 40]
        told = TRUE.sensitivity(as_density(sample[None]), 1.0)
        for name, place in list(places(sample).items())[:3]:
            at, moved = flipped(sample, place, 10, seed)
            change = TRUE.solve(as_density(moved), 1.0).values - told.solution.values
            for kind, estimate in (("flip", told.flip), ("derivative", told.derivative)):
                found.setdefault(f"{kind}, {name}", []).append(correlation(estimate[0, 0][tuple(at.T)], change))
        deep = torch.from_numpy(places(sample)["pore inside"])
        assert (told.flip[0, 0][deep] == 0).all() and (told.derivative[0, 0][deep] == 0).all()
    medians = {name: float(np.median(values)) for name, values in found.items()}
    assert all(medians[f"flip, {name}"] >= 0.95 for name in ("grain at pore", "grain inside", "pore at grain")), medians


@pytest.mark.parametrize(("boundary", "windows", "edge"), [("periodic", WINDOWS, 32), ("mirror", WINDOWS[2:], 40)])
def test_changes_of_blocks_and_layers_are_estimated(berea, boundary, windows, edge):
    simulator = YoungsModulus(1.0, 0.07, boundary, tolerance=1e-5)
    found: dict[str, list[float]] = {}
    for seed, (z, y, x) in enumerate(windows):
        sample = berea[z, y : y + edge, x : x + edge]
        density = as_density(sample[None])
        value = simulator.solve(density, 1.0).values
        for name, make in (("blocks", blocks), ("layers", layers)):
            for to in (True, False):
                moved = as_density(make(sample, to, 10, seed))
                change = simulator.solve(moved, 1.0).values - value
                estimate = simulator.estimated_changes(density, moved, torch.zeros(10, dtype=torch.int64), 1.0)
                assert (estimate * (1 if to else -1) > -1e-9).all()
                found.setdefault(f"{name} {to}", []).append(correlation(estimate, change))
    medians = {name: float(np.median(values)) for name, values in found.items()}
    assert all(m >= 0.9 for m in medians.values()), medians


def test_a_change_whose_patch_is_the_whole_of_a_mirrored_sample_is_solved_for():
    sample = rock_like((5, 6), 3)
    sample[2:4, 2:4] = True
    simulator = YoungsModulus(1.0, 0.07, "mirror", tolerance=1e-10)
    moved = as_density(np.repeat(sample[None], 2, 0))
    moved[0, 0, 2, 2] = 0
    moved[1, 0, 0, 0] = 1 - moved[1, 0, 0, 0]
    change = simulator.solve(moved, 1.0).values - simulator.solve(as_density(sample[None]), 1.0).values
    told = simulator.estimated_changes(as_density(sample[None]), moved, torch.zeros(2, dtype=torch.int64), 1.0)
    assert told[0].item() == pytest.approx(change[0].item(), rel=0.1)


def test_flips_of_grey_samples_are_refused():
    with pytest.raises(InputError, match="round the densities"):
        TRUE.sensitivity(torch.full((1, 1, 4, 4), 0.5), 1.0)
