"""The batches and loss terms of the variational autoencoders."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from matopt.generators.variational.aggregate_posterior import AggregatePosterior
from matopt.generators.variational.batches import batches, flip
from matopt.generators.variational.evidence_bound import divergence, reconstruction
from matopt.generators.variational.morphology_loss import spherical_interpolation


def test_reconstruction_and_divergence_are_the_textbook_ones() -> None:
    torch.manual_seed(0)
    logits, density = torch.randn(3, 1, 4, 4), torch.rand(3, 1, 4, 4).round()
    likelihood = torch.distributions.Bernoulli(logits=logits).log_prob(density).sum((1, 2, 3)).mean()
    assert float(reconstruction(logits, density)) == pytest.approx(-float(likelihood), rel=1e-5)
    mean, log_variance = torch.randn(7, 5), torch.randn(7, 5)
    exact = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum(1).mean()
    assert float(divergence(mean, log_variance)) == pytest.approx(float(exact), rel=1e-5)


def test_each_image_comes_once_a_round_and_as_one_of_its_mirror_images() -> None:
    images = torch.rand(10, 1, 4, 4)
    stream = batches(images, 4, flips=True, generator=torch.Generator().manual_seed(0))
    for _ in range(3):
        a_round = [next(stream) for _ in range(2)]
        assert sorted(torch.cat([b.index for b in a_round]).tolist()) == list(range(10))
        for batch in a_round:
            for index, way, density in zip(batch.index, batch.flip, batch.density, strict=True):
                dims = [[], [1], [2], [1, 2]][int(way)]
                assert torch.equal(density, images[index].flip(dims))
    unflipped = next(batches(images, 4, flips=False, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(unflipped.density, images[unflipped.index])
    assert torch.equal(flip(flip(images, torch.full((10,), 3)), torch.full((10,), 3)), images)


def test_aggregate_posterior_is_at_rest_where_its_moments_are_the_priors() -> None:
    torch.manual_seed(0)
    index = torch.arange(50)
    mean = torch.randn(50, 3)
    mean = (mean - mean.mean(0)) @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(mean.T, correction=0))).T
    half = torch.full((50, 3), 0.5)
    at_rest = AggregatePosterior(50, 3, torch.device("cpu"))(index, mean * 0.5**0.5, half.log())
    assert float(at_rest) < 1e-10
    shrunk = AggregatePosterior(50, 3, torch.device("cpu"))(index, mean * 0.5, (half * 1e-6).log())
    assert float(shrunk) == pytest.approx(3 * 0.75**2, rel=1e-4)


def test_aggregate_posterior_remembers_and_its_batches_add_up() -> None:
    """With all images seen, the gradients of the batches are, at their shares, the gradient of all images at once."""
    torch.manual_seed(0)
    mean, log_variance = torch.randn(12, 4), torch.randn(12, 4)
    whole = AggregatePosterior(12, 4, torch.device("cpu"))
    leaf = mean.clone().requires_grad_()
    value = whole(torch.arange(12), leaf, log_variance)
    value.backward()
    for index in torch.arange(12).split(4):
        part = mean[index].clone().requires_grad_()
        again = whole(index, part, log_variance[index])
        assert again.item() == pytest.approx(value.item(), rel=1e-5)
        again.backward()
        torch.testing.assert_close(part.grad / 3, leaf.grad[index])


def test_spherical_interpolation_keeps_the_distribution_of_independent_codes() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(20000, 2), torch.randn(20000, 2)
    assert torch.equal(spherical_interpolation(a, b, torch.zeros(1, 1)), a)
    torch.testing.assert_close(spherical_interpolation(a, b, torch.ones(1, 1)), b, atol=1e-6, rtol=0)
    middle = spherical_interpolation(a, b, torch.rand(20000, 1))
    torch.testing.assert_close(torch.cov(middle.T), torch.eye(2), atol=0.03, rtol=0)
