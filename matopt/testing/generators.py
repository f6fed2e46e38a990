"""What every generator must do, as tests to inherit."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
import torch

from matopt.errors import FailureError, InputError
from matopt.generators.base import Generator, LatentGenerator, PorosityGenerator, ResamplingGenerator
from matopt.microstructures import Microstructures
from matopt.testing.images import random_microstructures
from matopt.testing.modes import side_by_side

N_DRAWN = 70
"""Samples of one draw that are compared with each other: more than a generator is likely to draw in one batch."""


class GeneratorConformance:
    """The contract of :class:`matopt.generators.base.Generator`.

    Inherit it, and say with a fixture how a generator is made, with settings of a training of seconds::

        class TestMine(GeneratorConformance):
            @pytest.fixture(scope="class")
            def make(self):
                return lambda: Mine(steps=40)

    Override ``train`` as well where the generator cannot learn from images of 32 x 32.
    """

    @pytest.fixture(scope="class")
    def make(self) -> Callable[[], Generator]:
        """A function that returns a new generator, not fitted yet."""
        raise NotImplementedError("override the fixture 'make'")

    @pytest.fixture(scope="class")
    def train(self) -> Microstructures:
        """Few images to learn from."""
        return random_microstructures(6, (32, 32), seed=0)

    @pytest.fixture(scope="class")
    def has_exact_derivative(self) -> bool:
        """Override with False where the derivative of decoding is that of a stand-in; show then where it leads."""
        return True

    @pytest.fixture(scope="class")
    def fitted(self, make: Callable[[], Generator], train: Microstructures) -> Generator:
        """The generator that most tests look at."""
        return make().fit(train, seed=3)

    @pytest.fixture(scope="class")
    def latent(self, fitted: Generator) -> LatentGenerator:
        """The same, where it has a latent space."""
        if not isinstance(fitted, LatentGenerator):
            pytest.skip("this generator has no latent space")
        return fitted

    @pytest.fixture(scope="class")
    def resampling(self, fitted: Generator) -> ResamplingGenerator:
        """The same, where it can draw a part anew."""
        if not isinstance(fitted, ResamplingGenerator):
            pytest.skip("this generator draws no part anew")
        return fitted

    @pytest.fixture(scope="class")
    def porous(self, fitted: Generator) -> PorosityGenerator:
        """The same, where it can be asked for a porosity."""
        if not isinstance(fitted, PorosityGenerator):
            pytest.skip("this generator cannot be asked for a porosity")
        return fitted

    def test_samples_are_densities(self, fitted: Generator, train: Microstructures) -> None:
        """Of the images' shape, in [0, 1], without a gradient."""
        samples = fitted.sample(5, seed=1)
        assert samples.shape == (5, 1, *train.shape)
        assert samples.is_floating_point() and not samples.requires_grad
        assert samples.min() >= 0 and samples.max() <= 1

    def test_samples_follow_from_their_seed_alone(self, fitted: Generator) -> None:
        """The same again, others with another seed, and the caller's random state is left as it was."""
        first = fitted.sample(5, seed=1)
        torch.rand(3)
        before = torch.random.get_rng_state()
        assert torch.equal(fitted.sample(5, seed=1), first)
        assert torch.equal(torch.random.get_rng_state(), before)
        assert not torch.equal(fitted.sample(5, seed=2), first)

    def test_samples_of_one_draw_differ(self, fitted: Generator) -> None:
        """No batch of a draw repeats the one before."""
        samples = fitted.sample(N_DRAWN, seed=1).flatten(1)
        # One that learnt little may draw a few that are all grain.
        assert len(torch.unique(samples, dim=0)) > 0.75 * N_DRAWN

    def test_draws_are_binarised_samples_with_a_voxel_size(self, fitted: Generator, train: Microstructures) -> None:
        """A voxel is grain from one half on."""
        drawn = fitted.draw(5, seed=1)
        assert drawn.voxel_size == fitted.voxel_size == train.voxel_size
        assert (drawn.phases == (fitted.sample(5, seed=1)[:, 0] >= 0.5).cpu().numpy()).all()

    def test_the_same_seed_fits_the_same_generator(
        self, make: Callable[[], Generator], fitted: Generator, train: Microstructures
    ) -> None:
        """Whatever modes PyTorch is in and what goes on in other threads; the caller's random state is left alone."""
        torch.rand(3)
        before = torch.random.get_rng_state()
        drawn = side_by_side([lambda: make().fit(train, seed=3).sample(5, seed=1)] * 2)
        assert torch.equal(torch.random.get_rng_state(), before)
        assert all(torch.equal(samples, fitted.sample(5, seed=1)) for samples in drawn)

    def test_a_saved_state_makes_the_same_generator_anew(
        self, make: Callable[[], Generator], fitted: Generator
    ) -> None:
        """By way of a file that runs no code when it is read."""
        copy = make()
        copy.load_state_dict(_saved_and_loaded(fitted.state_dict()))
        assert copy.voxel_size == fitted.voxel_size
        assert torch.equal(copy.sample(5, seed=1), fitted.sample(5, seed=1))

    def test_a_report_hears_of_the_training_and_stops_it(
        self, make: Callable[[], Generator], train: Microstructures
    ) -> None:
        """A training that was told to stop reports no more, and what it has learnt so far can be drawn from."""
        heard: list[int] = []

        def stop(step: int, /, **scalars: float) -> bool:
            heard.append(step)
            return True

        generator = make()
        assert generator.fit(train, validation=train[:3], report=stop) is generator
        assert len(heard) == 1
        assert generator.sample(2, seed=0).shape == (2, 1, *train.shape)

    def test_nothing_is_drawn_before_something_was_learnt(self, make: Callable[[], Generator]) -> None:
        """The error says what to do: to fit it."""
        with pytest.raises(FailureError, match="fit"):
            make().sample(1, seed=0)

    def test_codes_have_the_latent_dimension(self, latent: LatentGenerator, train: Microstructures) -> None:
        """And are decoded to densities of the images' shape; encoding is not random."""
        with torch.no_grad():
            z = latent.encode(train.density())
            density = latent.decode(z)
            assert torch.equal(latent.encode(train.density()), z)
        assert z.shape == (len(train), latent.latent_dim)
        assert density.shape == (len(train), 1, *train.shape)
        assert density.min() >= 0 and density.max() <= 1

    def test_codes_are_decoded_one_by_one_as_in_a_batch(self, latent: LatentGenerator, train: Microstructures) -> None:
        """And densities are encoded so, up to rounding."""
        with torch.no_grad():
            z = latent.encode(train.density())
            torch.testing.assert_close(latent.encode(train[2:3].density()), z[2:3], rtol=1e-3, atol=1e-4)
            torch.testing.assert_close(latent.decode(z[2:3]), latent.decode(z)[2:3], rtol=1e-3, atol=1e-4)

    def test_decoding_is_differentiable(
        self, latent: LatentGenerator, train: Microstructures, has_exact_derivative: bool
    ) -> None:
        """Its derivative along a line of codes is that of finite differences."""
        if not has_exact_derivative:
            pytest.skip("the derivative is that of a stand-in")
        z = latent.encode(train.density()).detach().requires_grad_()
        weights = torch.rand(1, 1, *train.shape, generator=torch.Generator().manual_seed(0)).to(z.device) - 0.5
        (gradient,) = torch.autograd.grad((latent.decode(z) * weights).sum(), z)
        assert gradient.norm() > 0
        step = 1e-2 * gradient / gradient.norm()
        with torch.no_grad():
            change = ((latent.decode(z + step) - latent.decode(z - step)) * weights).sum()
        assert float(change) == pytest.approx(2 * float((gradient * step).sum()), rel=0.05)

    def test_samples_are_decoded_draws_of_the_prior(self, latent: LatentGenerator) -> None:
        """N(0, I): the mean densities of both come from one distribution, as far as their means tell."""
        z = torch.randn(N_DRAWN, latent.latent_dim, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            decoded, sampled = (d.flatten(1).mean(1) for d in (latent.decode(z), latent.sample(N_DRAWN, seed=1)))
        error = ((decoded.var() + sampled.var()) / N_DRAWN).sqrt()
        assert (decoded.mean() - sampled.mean()).abs() <= 4 * error

    def test_a_part_is_drawn_anew_and_the_rest_is_kept(
        self, resampling: ResamplingGenerator, train: Microstructures
    ) -> None:
        """From its seed alone; the caller's random state is left as it was."""
        density = train.density()
        region = _corner(train)
        before = torch.random.get_rng_state()
        drawn = resampling.resample(density, region, 1.0, seed=1).cpu()
        assert torch.equal(torch.random.get_rng_state(), before)
        assert drawn.shape == density.shape and drawn.min() >= 0 and drawn.max() <= 1
        assert torch.equal(drawn.where(~region, density), density)
        assert torch.equal(resampling.resample(density, region, 1.0, seed=1).cpu(), drawn)
        assert not torch.equal(resampling.resample(density, region, 1.0, seed=2).cpu(), drawn)

    def test_the_stronger_a_part_is_drawn_anew_the_more_of_it_is_forgotten(
        self, resampling: ResamplingGenerator, train: Microstructures
    ) -> None:
        """At strength 0 no more than voxels in doubt change."""
        density = train.density()
        region = torch.ones(1, 1, *train.shape, dtype=torch.bool)
        weak, strong = (
            ((resampling.resample(density, region, strength, seed=1).cpu() >= 0.5) != (density >= 0.5)).float().mean()
            for strength in (0.0, 1.0)
        )
        assert weak < 0.05 and strong > 2 * weak

    def test_samples_have_the_porosity_that_is_asked_for(
        self, porous: PorosityGenerator, train: Microstructures
    ) -> None:
        """One for all or one each, within a hundredth of their voxels; others are refused."""
        wanted = torch.linspace(0.1, 0.6, 8)
        for porosity in (wanted, 0.3):
            found = 1 - (porous.sample(8, seed=1, porosity=porosity) >= 0.5).flatten(1).float().mean(1)
            assert (found.cpu() - torch.as_tensor(porosity)).abs().max() < 0.01
        for porosity in (0.0, 1.0, torch.tensor([0.3])):
            with pytest.raises(InputError, match="porosity must be"):
                porous.sample(8, seed=1, porosity=porosity)


def _corner(train: Microstructures) -> torch.Tensor:
    region = torch.zeros(1, 1, *train.shape, dtype=torch.bool)
    region[(..., *(slice(n // 2) for n in train.shape))] = True
    return region


def _saved_and_loaded(state: dict) -> dict:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)
