"""The local diffusion generator, fitted to images and volumes of seconds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from matopt.descriptors.patterns import pattern_classes, pattern_frequencies
from matopt.errors import FailureError, InputError
from matopt.generators.diffusion.correction import Correction
from matopt.generators.diffusion.pattern_odds import no_potential
from matopt.generators.diffusion.porosities import PorosityLaw, normal_of
from matopt.generators.local_diffusion import LocalDiffusion
from matopt.testing.images import random_microstructures


@pytest.fixture(scope="module")
def fitted() -> LocalDiffusion:
    return LocalDiffusion(steps=300, channels=16).fit(random_microstructures(40, (32, 32), seed=0), seed=3)


def interfaces(density: torch.Tensor) -> torch.Tensor:
    """Share of neighbouring voxels along axis 0 that differ, of each binarised sample."""
    grain = density >= 0.5
    return (grain[:, :, 1:] != grain[:, :, :-1]).float().flatten(1).mean(1)


def test_samples_look_more_like_the_texture_than_noise_of_its_porosity(fitted: LocalDiffusion) -> None:
    authentic = random_microstructures(60, (32, 32), seed=1).density()
    drawn = fitted.sample(60, seed=0)
    p = authentic.mean()
    noise = 2 * p * (1 - p)
    ours, theirs = interfaces(drawn).mean(), interfaces(authentic).mean()
    assert (ours - theirs).abs() < 0.25 * (noise - theirs)
    assert (drawn.mean() - p).abs() < 0.1


def test_samples_have_the_patterns_of_the_texture_more_than_an_uncorrected_denoiser_has(fitted: LocalDiffusion) -> None:
    """Of as many other authentic ones the distance is chance alone."""
    authentic, other = (random_microstructures(200, (32, 32), seed=s).density() for s in (11, 12))
    plain = LocalDiffusion(channels=16)
    state = fitted.state_dict()
    weight = state["correction"]["weight"]
    plain.load_state_dict({**state, "correction": Correction(weight).state_dict()})
    corrected, uncorrected = (generator.sample(200, seed=9) for generator in (fitted, plain))
    floor, ours, without = (patterns_apart(drawn, authentic) for drawn in (other, corrected, uncorrected))
    assert floor < ours < 0.6 * without


def patterns_apart(density: torch.Tensor, authentic: torch.Tensor) -> float:
    """The chi-squared distance of the shares of patterns that have both phases."""
    first, second = (pattern_frequencies((d >= 0.5).float()).mean(0) for d in (density, authentic))
    mixed = torch.ones_like(first, dtype=torch.bool)
    mixed[pattern_classes()[[0, -1]]] = False
    first, second = (p[mixed] / p[mixed].sum() for p in (first, second))
    return float(((first - second) ** 2 / (first + second).clamp(min=1e-9)).sum())


def test_any_shape_is_drawn(fitted: LocalDiffusion) -> None:
    assert fitted.sample(2, seed=0, shape=(50, 23)).shape == (2, 1, 50, 23)
    with pytest.raises(InputError, match="draws 2 dimensions"):
        fitted.sample(1, seed=0, shape=(16, 16, 16))


def test_opposite_borders_of_periodic_samples_meet_like_neighbours(fitted: LocalDiffusion) -> None:
    periodic, open_ended = (fitted.sample(60, seed=0, periodic=periodic)[:, 0] >= 0.5 for periodic in (True, False))
    inside = (periodic[:, 1:] != periodic[:, :-1]).float().mean()
    joined, apart = ((x[:, 0] != x[:, -1]).float().mean() for x in (periodic, open_ended))
    assert joined < 1.5 * inside < 0.7 * apart
    with pytest.raises(InputError, match="multiples of 4"):
        fitted.sample(1, seed=0, shape=(30, 32), periodic=True)


def test_a_porosity_that_is_asked_for_is_met(fitted: LocalDiffusion) -> None:
    asked = torch.linspace(0.1, 0.5, 9)
    drawn = fitted.sample(9, seed=0, porosity=asked) >= 0.5
    assert ((1 - drawn.float().flatten(1).mean(1)) - asked).abs().max() < 0.01
    with pytest.raises(InputError, match="porosity must be 2 numbers"):
        fitted.sample(2, seed=0, porosity=torch.tensor([0.2, 0.3, 0.4]))


def test_an_energy_moves_samples_to_where_it_is_low(fitted: LocalDiffusion) -> None:
    def upper(density: torch.Tensor) -> torch.Tensor:
        return density[:, 0, :16].flatten(1).mean(1)

    plain = fitted.sample(30, seed=0)
    guided = fitted.sample(30, seed=0, energy=lambda density: 2000 * upper(density))
    assert upper(guided).mean() < upper(plain).mean() - 0.2


def test_codes_of_microstructures_bring_them_back(fitted: LocalDiffusion) -> None:
    """All but few voxels, and the codes are no longer than noise."""
    density = random_microstructures(8, (32, 32), seed=5).density()
    z = fitted.encode(density)
    back = fitted.decode(z) >= 0.5
    assert (back != (density >= 0.5)).float().mean() < 0.03
    assert z.std() == pytest.approx(1, abs=0.1)
    assert torch.equal(
        fitted.sample(3, seed=7),
        fitted.decode(torch.randn(3, 1, 32, 32, generator=torch.Generator().manual_seed(7)).flatten(1)),
    )


def test_decoding_has_its_derivative_where_patterns_are_not_counted() -> None:
    """Porosities, which the mean of the noise says, are part of it. Counted patterns make densities jump."""
    train = random_microstructures(6, (32, 32), seed=0)
    generator = LocalDiffusion(steps=20, channels=8, sampling_steps=6).fit(train, seed=0)
    generator.load_state_dict({**generator.state_dict(), "correction": {"weight": 1.0, "potential": no_potential()}})
    z = generator.encode(train.density()).requires_grad_()
    weights = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0)) - 0.3
    (gradient,) = torch.autograd.grad((generator.decode(z) * weights).sum(), z)
    of_mean = gradient.mean(1, keepdim=True).expand_as(gradient)
    for direction in (gradient, of_mean):
        step = 1e-2 * direction / direction.norm()
        with torch.no_grad():
            change = float(((generator.decode(z + step) - generator.decode(z - step)) * weights).sum())
        assert change == pytest.approx(2 * float((gradient * step).sum()), rel=0.02)


def test_what_is_drawn_anew_joins_what_is_kept(fitted: LocalDiffusion) -> None:
    """Across the border of the region nearly as few neighbours differ as inside, where chance would have many more."""
    density = random_microstructures(60, (32, 32), seed=1).density()
    region = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    region[..., 16:, :] = True
    drawn = fitted.resample(density, region, 1.0, seed=0) >= 0.5
    assert (drawn != (density >= 0.5))[..., 16:, :].float().mean() > 0.2
    across = (drawn[:, :, 15] != drawn[:, :, 16]).float().mean()
    inside, p = interfaces(density).mean(), density.mean()
    assert across - inside < 0.35 * (2 * p * (1 - p) - inside)


def test_volumes_are_learnt_by_the_same_code() -> None:
    train = random_microstructures(8, (16, 16, 16), seed=0)
    generator = LocalDiffusion(steps=60, channels=8, batch_size=8).fit(train, seed=0)
    drawn = generator.sample(3, seed=0, shape=(20, 16, 12), periodic=True)
    assert drawn.shape == (3, 1, 20, 16, 12)
    p = float(train.density().mean())
    assert interfaces(drawn).mean() < 0.7 * 2 * p * (1 - p)


@pytest.mark.parametrize("dims", [2, 3])
def test_porosities_vary_as_those_of_blocks_of_their_size(dims: int) -> None:
    """However little has been learnt beside: twelve steps teach a denoiser nothing of bodies."""
    train = random_microstructures(30, (16,) * dims, seed=0)
    generator = LocalDiffusion(steps=12, channels=4).fit(train, seed=0)
    law = PorosityLaw.learnt(train.density())
    for shape in ((16,) * dims, (32, 24, 16)[:dims]):
        drawn = 1 - generator.sample(12, seed=1, shape=shape).flatten(1).mean(1)
        noise = torch.randn(12, 1, *shape, generator=torch.Generator().manual_seed(1))
        torch.testing.assert_close(drawn, law.porosities(normal_of(noise), shape), rtol=0, atol=5e-3)
    restored = LocalDiffusion()
    restored.load_state_dict(generator.state_dict())
    assert torch.equal(restored.sample(2, seed=3), generator.sample(2, seed=3))
    noise = torch.randn(2, 1, *train.shape, generator=torch.Generator().manual_seed(3))
    assert torch.equal(generator.decode(noise.flatten(1)), generator.sample(2, seed=3))


def test_a_stored_generator_keeps_the_noise_levels_that_it_was_taught() -> None:
    """Those of volumes began at 30, as of images, when they were not stored."""
    fitted = LocalDiffusion(steps=1, channels=1).fit(random_microstructures(2, (8, 8, 8), seed=0))
    state = fitted.state_dict()
    before = LocalDiffusion(channels=1)
    before.load_state_dict({name: value for name, value in state.items() if name != "highest"})
    at_30 = LocalDiffusion(channels=1)
    at_30.load_state_dict({**state, "highest": 30.0})
    assert torch.equal(before.sample(2, seed=0), at_30.sample(2, seed=0))
    assert not torch.equal(fitted.sample(2, seed=0), at_30.sample(2, seed=0))


def test_images_larger_than_what_is_trained_on_are_learnt() -> None:
    generator = LocalDiffusion(steps=1, channels=1, sampling_steps=2).fit(random_microstructures(2, (128, 64), seed=0))
    assert generator.sample(1, seed=0).shape == (1, 1, 128, 64)


def test_a_report_hears_of_held_out_images() -> None:
    heard: list[dict[str, float]] = []
    images = random_microstructures(8, (16, 16), seed=0)
    LocalDiffusion(steps=40, channels=8).fit(images, images[:4], lambda step, /, **s: heard.append(s))
    assert heard[-1]["validation_cross_entropy"] < heard[0]["validation_cross_entropy"]


def test_what_cannot_be_learnt_is_refused_in_one_line(fitted: LocalDiffusion) -> None:
    with pytest.raises(InputError, match="sampling_steps >= 2"):
        LocalDiffusion(sampling_steps=1)
    with pytest.raises(InputError, match="strength"):
        fitted.resample(torch.ones(1, 1, 32, 32), torch.ones(1, 1, 32, 32, dtype=torch.bool), 1.5, seed=0)
    with pytest.raises(FailureError, match="call fit"):
        LocalDiffusion().sample(1, seed=0)


def test_what_the_page_of_generators_shows_works() -> None:
    page = (Path(__file__).parents[2] / "docs" / "generators.md").read_text()
    for example in re.findall(r"```python\n(.*?)```", page.split("## Local diffusion")[1].split("\n## ")[0], re.DOTALL):
        exec(example, {})
