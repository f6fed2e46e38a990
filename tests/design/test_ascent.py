"""Ascents of objectives whose maxima are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chi2

from matopt.descriptors.style import StyleFeatures
from matopt.design.ascent import HELD, MOVING, OPTIMUM, Designs, ascend
from matopt.design.hold import MorphologyHold
from matopt.design.parametrisation import Latent
from matopt.errors import InputError
from matopt.generators.base import LatentGenerator
from matopt.microstructures import Microstructures
from matopt.predictors.base import Predictor
from matopt.properties import Property

SIZE = 12
STIFFNESS = Property("youngs_modulus", "E", "Pa", "GPa", 1e-9)
OTHER = Property("diffusivity", "D", "1", "1")


class Waves(LatentGenerator):
    """Densities that are the logistic function of a sum of orthonormal cosines; code and image determine each other."""

    voxel_size = 2e-6

    def __init__(self, latent_dim: int = 9) -> None:
        self.latent_dim = latent_dim
        x = (torch.arange(SIZE) + 0.5) / SIZE
        modes = [torch.cos(torch.pi * k * x) / (SIZE * (0.5 if k else 1.0)) ** 0.5 for k in range(3)]
        self._modes = torch.stack([torch.outer(a, b).flatten() for a in modes for b in modes])[:latent_dim]

    def fit(self, train: Microstructures, validation: Any = None, report: Any = None, seed: int = 0) -> Waves:
        return self

    def sample(self, n: int, seed: int) -> torch.Tensor:
        return self.decode(torch.randn(n, self.latent_dim, generator=torch.Generator().manual_seed(seed)))

    def encode(self, density: torch.Tensor) -> torch.Tensor:
        return torch.logit(density.flatten(1), 1e-2) @ self._modes.T

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(z @ self._modes).view(len(z), 1, SIZE, SIZE)

    def to(self, device: Any) -> Waves:
        return self

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class Analytic(Predictor):
    """A property given by a formula of ``(N, pixels)`` densities, beside another one."""

    properties = (OTHER, STIFFNESS)

    def __init__(self, formula: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self._formula = formula

    def fit(self, *args: Any, **settings: Any) -> Analytic:
        return self

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        value = self._formula(density.flatten(1))
        return torch.stack([-value, value], 1)

    def to(self, device: Any) -> Analytic:
        return self

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


def solid(x: torch.Tensor) -> torch.Tensor:
    return 5e10 * x.mean(1)


def binary(n: int, seed: int = 0) -> Microstructures:
    return Microstructures(np.random.default_rng(seed).integers(0, 2, (n, SIZE, SIZE)).astype(np.uint8), 2e-6)


def porosity_and_contrast(density: torch.Tensor) -> torch.Tensor:
    """A simple style: mean and spread of the pixels."""
    flat = density.flatten(1)
    return torch.stack([flat.mean(1), flat.std(1)], 1)


@pytest.fixture
def hold() -> MorphologyHold:
    return MorphologyHold(porosity_and_contrast, Waves().sample(60, seed=9))


def same(a: Designs, b: Designs) -> None:
    np.testing.assert_allclose(a.predicted, b.predicted, rtol=1e-6)
    np.testing.assert_allclose(a.volume_fraction, b.volume_fraction, rtol=1e-6)
    torch.testing.assert_close(a.snapshots, b.snapshots, rtol=1e-5, atol=1e-6)
    assert a.ending.tolist() == b.ending.tolist()


def test_predictions_rise_in_every_design_and_are_those_of_the_densities() -> None:
    designs = ascend(Analytic(solid), "youngs_modulus", within=Waves(), hold=None, seeds=20, steps=30, n_checked=4)
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
    generator = Waves()
    best = generator.decode(0.6 * torch.randn(1, 9, generator=torch.Generator().manual_seed(5))).flatten()
    model = Analytic(lambda x: -((x - best) ** 2).sum(1))
    designs = ascend(model, "youngs_modulus", within=generator, hold=None, seeds=10, steps=200)
    assert (designs.predicted[:, -1] > 0.02 * designs.predicted[:, 0]).all()
    assert (designs.ending == OPTIMUM).all()


@pytest.mark.parametrize("latent_dim", [2, 8, 24, 100])
def test_the_ball_holds_95_percent_of_the_prior(latent_dim: int) -> None:
    radius = Latent(Waves(latent_dim)).radius
    assert radius == pytest.approx(chi2.ppf(0.95, latent_dim) ** 0.5, rel=0.01)


def test_codes_stay_in_the_ball_and_slide_along_it() -> None:
    generator = Waves()
    radius = Latent(generator).radius
    designs = ascend(Analytic(solid), "youngs_modulus", within=generator, hold=None, seeds=10, steps=150)
    norms = generator.encode(designs.snapshots.flatten(0, 1)[:, None]).norm(dim=1)
    assert norms.max() < 1.01 * radius
    # The densest image of the ball is found by a search over directions, independently of any gradient.
    directions = torch.randn(20000, 9, generator=torch.Generator().manual_seed(0))
    sphere = generator.decode(radius * directions / directions.norm(dim=1, keepdim=True))
    assert designs.volume_fraction[:, -1].min() > sphere.flatten(1).mean(1).max()


def test_designs_stay_within_the_hold(hold: MorphologyHold) -> None:
    generator, model = Waves(), Analytic(solid)
    held = ascend(model, "youngs_modulus", within=generator, hold=hold, seeds=30)
    limit = np.maximum(held.distance[:, :1], hold.limit)
    assert (held.distance <= limit).all()
    assert (held.ending == HELD).sum() > 20
    assert (held.predicted[:, -1] >= held.predicted[:, 0]).all()
    free = ascend(model, "youngs_modulus", within=generator, hold=None, seeds=30)
    distance = hold.distance(free.snapshots[:, -1, None])
    assert (distance > hold.limit).float().mean() > 0.5


def test_the_limit_is_a_quantile_of_the_authentic_energy_distances() -> None:
    authentic = torch.tensor([0.0, 1.0, 5.0]).view(3, 1, 1, 1)
    hold = MorphologyHold(lambda d: d.flatten(1), authentic, quantile=1.0)
    # Mean distances to the two others are 3, 2.5 and 4.5; over all pairs 10 / 3.
    assert hold.limit == pytest.approx(2 * 4.5 - 10 / 3)
    assert hold.distance(torch.tensor([[[[2.0]]], [[[8.0]]]])).tolist() == pytest.approx([4 - 10 / 3, 12 - 10 / 3])


def test_a_latent_ascent_is_held_to_the_generators_samples_unless_let_go() -> None:
    generator = Waves()
    samples = generator.sample(200, seed=3)
    hold = MorphologyHold(StyleFeatures(samples), samples)
    designs = ascend(Analytic(solid), "youngs_modulus", within=generator, seeds=8, seed=3)
    assert (designs.distance <= np.maximum(designs.distance[:, :1], hold.limit + 1e-5)).all()
    assert (designs.ending == HELD).all()


@pytest.mark.parametrize("within", [Waves(), None], ids=["latent", "pixel"])
def test_a_batch_equals_its_singles(within: Waves | None, hold: MorphologyHold) -> None:
    model = Analytic(lambda x: x.mean(1) + x[:, ::7].var(1))
    starts = binary(5)

    def run(part: Microstructures, batch_size: int) -> Designs:
        return ascend(model, "youngs_modulus", within=within, starts=part, hold=hold, steps=20, batch_size=batch_size)

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


def test_the_same_seed_gives_the_same_designs(hold: MorphologyHold) -> None:
    def run(seed: int) -> Designs:
        return ascend(Analytic(solid), "youngs_modulus", within=Waves(), hold=hold, seeds=5, steps=10, seed=seed)

    same(run(1), run(1))
    assert not np.allclose(run(1).predicted, run(2).predicted)


def test_pixel_ascent_of_a_linear_property_ends_at_its_corner() -> None:
    weights = torch.randn(SIZE * SIZE, generator=torch.Generator().manual_seed(0))
    starts = binary(4)
    designs = ascend(Analytic(lambda x: x @ weights), "youngs_modulus", starts=starts, steps=300, rate=0.05)
    assert torch.equal(designs.snapshots[:, 0], starts.density()[:, 0])
    assert designs.snapshots.min() >= 0 and designs.snapshots.max() <= 1
    np.testing.assert_allclose(designs.predicted[:, -1], weights.relu().sum().item(), rtol=2e-3)


def test_a_property_in_square_metres_ascends_like_any_other() -> None:
    starts = binary(3)
    runs = [
        ascend(Analytic(lambda x, s=s: s * x.mean(1)), "youngs_modulus", starts=starts, steps=5) for s in (1.0, 1e-18)
    ]
    np.testing.assert_allclose(runs[0].volume_fraction, runs[1].volume_fraction, rtol=1e-5)
    assert (runs[1].volume_fraction[:, -1] > runs[1].volume_fraction[:, 0]).all()
    assert (runs[1].ending == MOVING).all()


def test_what_cannot_be_ascended_is_refused() -> None:
    model = Analytic(solid)
    with pytest.raises(InputError, match="no property 'colour'"):
        ascend(model, "colour", within=Waves())
    with pytest.raises(InputError, match="microstructures to start from"):
        ascend(model, "youngs_modulus")
    with pytest.raises(InputError, match="steps and seeds"):
        ascend(model, "youngs_modulus", within=Waves(), steps=0)
    with pytest.raises(InputError, match="at least three authentic"):
        MorphologyHold(porosity_and_contrast, torch.zeros(2, 1, 4, 4))
