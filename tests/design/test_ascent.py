"""Ascents of objectives whose maxima are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from matopt.descriptors.style import StyleFeatures
from matopt.design.ascent import Designs, ascend
from matopt.design.optimisers.steepest_ascent import SteepestAscent
from matopt.design.problem import CONSTRAINED, MOVING, OPTIMUM
from matopt.design.spaces.latent import prior_radius
from matopt.design.trust_region import MorphologyTrustRegion
from matopt.errors import InputError
from matopt.microstructures import Microstructures
from matopt.testing.designs import SIZE, CosineGenerator, FormulaPredictor, solid_fraction


def binary(n: int, seed: int = 0) -> Microstructures:
    return Microstructures(np.random.default_rng(seed).integers(0, 2, (n, SIZE, SIZE)).astype(np.uint8), 2e-6)


def porosity_and_contrast(density: torch.Tensor) -> torch.Tensor:
    """A simple style: mean and spread of the pixels."""
    flat = density.flatten(1)
    return torch.stack([flat.mean(1), flat.std(1)], 1)


MODEL = FormulaPredictor(solid_fraction)
GENERATOR = CosineGenerator()


@pytest.fixture
def region() -> MorphologyTrustRegion:
    return MorphologyTrustRegion(porosity_and_contrast, CosineGenerator().sample(60, seed=9))


def same(a: Designs, b: Designs) -> None:
    np.testing.assert_allclose(a.predicted, b.predicted, rtol=1e-6)
    np.testing.assert_allclose(a.volume_fraction, b.volume_fraction, rtol=1e-6)
    torch.testing.assert_close(a.snapshots, b.snapshots, rtol=1e-5, atol=1e-6)
    assert a.ending.tolist() == b.ending.tolist()


def test_predictions_rise_in_every_design_and_are_those_of_the_densities() -> None:
    designs = ascend(MODEL, "youngs_modulus", within=GENERATOR, region=None, seeds=20, steps=30, n_checked=4)
    assert designs.predicted.shape == designs.volume_fraction.shape == (20, 31)
    assert (np.diff(designs.predicted, axis=1) >= 0).all()
    assert (designs.predicted[:, -1] > designs.predicted[:, 0] + 1e9).all()
    np.testing.assert_allclose(designs.predicted, 5e10 * designs.volume_fraction, rtol=1e-5)
    assert designs.checked.tolist() == [0, 10, 20, 30]
    for column, step in enumerate(designs.checked):
        fraction = designs.snapshots[:, column].flatten(1).mean(1)
        np.testing.assert_allclose(fraction, designs.volume_fraction[:, step], rtol=1e-5)
    assert np.isnan(designs.distance).all()
    ends = designs.microstructures(-1)
    assert (ends.voxel_size, ends.shape) == (2e-6, (SIZE, SIZE))
    assert np.array_equal(ends.phases, (designs.snapshots[:, -1] >= 0.5).numpy().astype(np.uint8))


def test_a_known_maximum_inside_the_ball_is_found() -> None:
    best = GENERATOR.decode(0.6 * torch.randn(1, 9, generator=torch.Generator().manual_seed(5))).flatten()
    model = FormulaPredictor(lambda x: -((x - best) ** 2).sum(1))
    designs = ascend(model, "youngs_modulus", within=GENERATOR, region=None, seeds=10, steps=200)
    assert (designs.predicted[:, -1] > 0.02 * designs.predicted[:, 0]).all()
    assert (designs.ending == OPTIMUM).all()


def test_codes_stay_in_the_ball_and_slide_along_it() -> None:
    radius = prior_radius(9)
    designs = ascend(MODEL, "youngs_modulus", within=GENERATOR, region=None, seeds=10, steps=150)
    norms = GENERATOR.encode(designs.snapshots.flatten(0, 1)[:, None]).norm(dim=1)
    assert norms.max() < 1.01 * radius
    # The densest image of the ball is found by a search over directions, independently of any gradient.
    directions = torch.randn(20000, 9, generator=torch.Generator().manual_seed(0))
    sphere = GENERATOR.decode(radius * directions / directions.norm(dim=1, keepdim=True))
    assert designs.volume_fraction[:, -1].min() > sphere.flatten(1).mean(1).max()


def test_designs_stay_inside_the_trust_region(region: MorphologyTrustRegion) -> None:
    constrained = ascend(MODEL, "youngs_modulus", within=GENERATOR, region=region, seeds=30)
    limit = np.maximum(constrained.distance[:, :1], region.limit)
    assert (constrained.distance <= limit).all()
    assert (constrained.ending == CONSTRAINED).sum() > 20
    assert (constrained.predicted[:, -1] >= constrained.predicted[:, 0]).all()
    free = ascend(MODEL, "youngs_modulus", within=GENERATOR, region=None, seeds=30)
    distance = region.distance(free.snapshots[:, -1, None])
    assert (distance > region.limit).float().mean() > 0.5


def test_a_latent_ascent_stays_near_the_generators_samples_unless_let_go() -> None:
    samples = GENERATOR.sample(200, seed=3)
    region = MorphologyTrustRegion(StyleFeatures(samples), samples)
    designs = ascend(MODEL, "youngs_modulus", within=GENERATOR, seeds=8, seed=3)
    assert (designs.distance <= np.maximum(designs.distance[:, :1], region.limit + 1e-5)).all()
    assert (designs.ending == CONSTRAINED).all()


@pytest.mark.parametrize("within", [GENERATOR, None], ids=["latent", "pixel"])
def test_a_batch_equals_its_singles(within: CosineGenerator | None, region: MorphologyTrustRegion) -> None:
    model = FormulaPredictor(lambda x: x.mean(1) + x[:, ::7].var(1))
    starts = binary(5)

    def run(part: Microstructures, batch_size: int) -> Designs:
        return ascend(
            model, "youngs_modulus", within=within, starts=part, region=region, steps=20, batch_size=batch_size
        )

    batch = run(starts, 64)
    same(batch, run(starts, 2))
    for number in range(5):
        same(run(starts[[number]], 64), _row(batch, number))


def _row(designs: Designs, number: int) -> Designs:
    rows = slice(number, number + 1)
    return Designs(
        designs.property,
        designs.voxel_size,
        designs.predicted[rows],
        designs.volume_fraction[rows],
        designs.distance[rows],
        designs.checked,
        designs.snapshots[rows],
        designs.ending[rows],
    )


def test_the_same_seed_gives_the_same_designs(region: MorphologyTrustRegion) -> None:
    def run(seed: int) -> Designs:
        return ascend(MODEL, "youngs_modulus", within=GENERATOR, region=region, seeds=5, steps=10, seed=seed)

    same(run(1), run(1))
    assert not np.allclose(run(1).predicted, run(2).predicted)


def test_pixel_ascent_of_a_linear_property_ends_at_its_corner() -> None:
    weights = torch.randn(SIZE * SIZE, generator=torch.Generator().manual_seed(0))
    starts = binary(4)
    designs = ascend(
        FormulaPredictor(lambda x: x @ weights),
        "youngs_modulus",
        starts=starts,
        steps=300,
        optimiser=SteepestAscent(step_size=0.05),
    )
    assert torch.equal(designs.snapshots[:, 0], starts.density()[:, 0])
    assert designs.snapshots.min() >= 0 and designs.snapshots.max() <= 1
    np.testing.assert_allclose(designs.predicted[:, -1], weights.relu().sum().item(), rtol=2e-3)


def test_a_property_in_square_metres_ascends_like_any_other() -> None:
    starts = binary(3)
    runs = [
        ascend(FormulaPredictor(lambda x, s=s: s * x.mean(1)), "youngs_modulus", starts=starts, steps=5)
        for s in (1.0, 1e-18)
    ]
    np.testing.assert_allclose(runs[0].volume_fraction, runs[1].volume_fraction, rtol=1e-5)
    assert (runs[1].volume_fraction[:, -1] > runs[1].volume_fraction[:, 0]).all()
    assert (runs[1].ending == MOVING).all()


def test_what_cannot_be_ascended_is_refused() -> None:
    with pytest.raises(InputError, match="no property 'colour'"):
        ascend(MODEL, "colour", within=GENERATOR)
    with pytest.raises(InputError, match="microstructures to start from"):
        ascend(MODEL, "youngs_modulus")
    with pytest.raises(InputError, match="steps must be at least 1, got 0"):
        ascend(MODEL, "youngs_modulus", within=GENERATOR, steps=0)
    with pytest.raises(InputError, match="n_checked must be at least 2, got 1"):
        ascend(MODEL, "youngs_modulus", within=GENERATOR, n_checked=1)
    with pytest.raises(InputError, match="step_size must be above 0, got 0"):
        SteepestAscent(step_size=0)
