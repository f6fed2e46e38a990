"""Style vectors and the distance between morphologies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional

from matopt.descriptors.energy_distance import energy_distance, mean_distance
from matopt.descriptors.style import StyleFeatures, morphology_distance
from matopt.descriptors.style_blocks import FilterGrams, SegmentStatistics
from matopt.errors import InputError


def blobs(n: int, size: int, scale: float, seed: int, dimensions: int = 2) -> torch.Tensor:
    """Thresholded Gaussian fields, a fifth of them pore, of one length scale."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(n, *[size] * dimensions, generator=generator)
    grids = torch.meshgrid(*[torch.fft.fftfreq(size)] * dimensions, indexing="ij")
    weight = torch.exp(-((2 * np.pi * scale) ** 2) * sum(g.square() for g in grids) / 2)
    space = tuple(range(1, dimensions + 1))
    field = torch.fft.ifftn(torch.fft.fftn(noise, dim=space) * weight, dim=space).real
    level = torch.quantile(field.flatten(), 0.2)
    return (field > level).float()[:, None]


def test_gram_matrices_are_covariances_of_rectified_responses() -> None:
    image = blobs(1, 32, 2.0, seed=0).double()
    block = FilterGrams(2)
    features = block(image)[0].numpy()
    framed = functional.pad(image, [3] * 4, mode="replicate")
    # The finer levels take every third position; ten filters of 9 (7 and a rim) fit into 38.
    response = functional.conv2d(framed, block.kernels[0].double(), stride=3)[0, :, :10, :10].relu().flatten(1).numpy()
    rows, columns = np.triu_indices(16)
    np.testing.assert_allclose(features[:16], response.mean(1), rtol=1e-10)
    np.testing.assert_allclose(features[16:152], np.cov(response, bias=True)[rows, columns], rtol=1e-8, atol=1e-14)
    coarse = functional.avg_pool2d(functional.avg_pool2d(image, 2), 2)
    framed = functional.pad(coarse, [3] * 4, mode="replicate")
    response = functional.conv2d(framed, block.kernels[2].double())[0].relu().flatten(1).numpy()
    np.testing.assert_allclose(features[304:320], response.mean(1), rtol=1e-10)


def test_filters_do_not_see_a_uniform_shift_of_the_density() -> None:
    image = blobs(2, 32, 2.0, seed=1).double() * 0.5
    block = FilterGrams(2)
    torch.testing.assert_close(block(image), block(image + 0.3), atol=1e-6, rtol=1e-5)


def test_segment_statistics_are_those_counted_voxel_by_voxel() -> None:
    image = blobs(1, 24, 1.5, seed=2)[0, 0].numpy()
    pore = 1 - image
    n = 24
    features = iter(SegmentStatistics(2)(torch.from_numpy(image)[None, None].double())[0].tolist())
    assert next(features) == pytest.approx(pore.mean())
    assert next(features) == pytest.approx((pore**2).mean())
    assert next(features) == pytest.approx((image[1:] != image[:-1]).mean())
    assert next(features) == pytest.approx((image[:, 1:] != image[:, :-1]).mean())

    def share_of_runs(direction: tuple[int, int], offsets: list[int]) -> float:
        hits = []
        for i in range(n):
            for j in range(n):
                voxels = [(i + k * direction[0], j + k * direction[1]) for k in offsets]
                if all(0 <= a < n and 0 <= b < n for a, b in voxels):
                    hits.append(all(pore[v] == 1 for v in voxels))
        return float(np.mean(hits))

    directions = [(1, 1), (1, 0), (1, -1), (0, 1)]
    for direction in directions:
        for lag in (1, 2, 3, 4, 6, 8, 12):
            assert next(features) == pytest.approx(share_of_runs(direction, [0, lag]), abs=1e-6)
    for direction in directions:
        for length in (2, 4):
            assert next(features) == pytest.approx(share_of_runs(direction, list(range(length))))


@pytest.mark.parametrize("block", [FilterGrams(2), SegmentStatistics(2)])
def test_gradients_are_those_of_finite_differences(block: torch.nn.Module) -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 1, 16, 16, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(block, image, eps=1e-6, atol=1e-5)


def test_styles_depend_little_on_where_a_window_is_cut() -> None:
    """Cuts of one periodic texture lie nearer to each other than to cuts of a texture of another scale."""
    fine, coarse = blobs(8, 64, 1.5, seed=3), blobs(8, 64, 3.0, seed=4)
    features = StyleFeatures(torch.cat([fine, coarse]))
    shifted = features(fine.roll((13, 22), dims=(2, 3)))
    within = (features(fine) - shifted).norm(dim=1)
    between = torch.cdist(features(fine), features(coarse)).min(1).values
    assert (within < between).all()


def test_each_block_weighs_the_same_over_the_reference() -> None:
    features = StyleFeatures(blobs(40, 32, 2.0, seed=5))
    styles = features(blobs(40, 32, 2.0, seed=5))
    width = features.whitening.shape[1]
    for block in (styles[:, :456], styles[:, 456:-width], styles[:, -width:]):
        assert float(block.square().sum(1).mean()) == pytest.approx(1.0, rel=0.05)
    whitened = styles[:, -width:]
    torch.testing.assert_close(whitened.T @ whitened / 39, torch.eye(width) / width, atol=2e-3, rtol=0)


def test_energy_distance_agrees_with_scipy_in_one_dimension() -> None:
    generator = np.random.default_rng(0)
    a, b = generator.normal(0, 1, 30), generator.normal(0.7, 2, 50)
    x, y = torch.from_numpy(a)[:, None], torch.from_numpy(b)[:, None]
    # scipy pairs each value with itself, too, and takes the root.
    biased = energy_distance(x, y) + mean_distance(x) / 30 + mean_distance(y) / 50
    assert float(biased) == pytest.approx(stats.energy_distance(a, b) ** 2, rel=1e-10)


def test_energy_distance_is_zero_on_average_for_one_distribution_of_any_size() -> None:
    generator = torch.Generator().manual_seed(0)
    draws = [
        float(energy_distance(torch.randn(4, 6, generator=generator), torch.randn(9, 6, generator=generator)))
        for _ in range(2000)
    ]
    assert abs(np.mean(draws)) < 4 * np.std(draws) / 2000**0.5
    shifted = [
        float(energy_distance(torch.randn(4, 6, generator=generator) + 0.5, torch.randn(9, 6, generator=generator)))
        for _ in range(500)
    ]
    assert np.mean(shifted) > 8 * np.std(shifted) / 500**0.5


def test_morphology_distance_tells_textures_apart_and_not_draws_of_one() -> None:
    features = StyleFeatures(blobs(60, 64, 2.0, seed=6))
    held_out = blobs(60, 64, 2.0, seed=7)
    same = morphology_distance(features, blobs(60, 64, 2.0, seed=8), held_out)
    coarser = morphology_distance(features, blobs(60, 64, 2.6, seed=9), held_out)
    coarsest = morphology_distance(features, blobs(60, 64, 5.0, seed=9), held_out)
    blurred = morphology_distance(features, functional.avg_pool2d(held_out.flip(2), 3, 1, 1), held_out)
    assert abs(same) < 0.02
    assert 0.05 < coarser < coarsest < 1.0
    assert blurred > 0.2
    assert morphology_distance(features, held_out.flip(2), held_out) < 0.02


def test_style_vectors_are_the_same_in_any_batch() -> None:
    features = StyleFeatures(blobs(20, 32, 2.0, seed=10))
    images = blobs(130, 32, 2.0, seed=11)
    torch.testing.assert_close(features.of_many(images)[77:78], features(images[77:78]), atol=1e-5, rtol=1e-4)


def test_volumes_have_styles_too() -> None:
    features = StyleFeatures(blobs(6, 16, 1.5, seed=12, dimensions=3))
    same, other = blobs(6, 16, 1.5, seed=13, dimensions=3), blobs(6, 16, 3.0, seed=14, dimensions=3)
    assert morphology_distance(features, same, other) > morphology_distance(features, same, same.flip(2)) + 0.05


def test_features_of_a_network_of_ones_own_take_the_blocks_place() -> None:
    class Responses(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Conv2d(1, 5, 3)

        def forward(self, density: torch.Tensor) -> torch.Tensor:
            return self.layer(density).relu().mean((2, 3))

    torch.manual_seed(0)
    reference = blobs(12, 32, 2.0, seed=15)
    features = StyleFeatures(reference, [Responses()], components=3)
    assert features(reference).shape == (12, 5 + 3)


@pytest.mark.parametrize("reference", [torch.ones(1, 1, 32, 32), torch.ones(5, 1, 32, 32)])
def test_a_reference_without_variety_is_refused(reference: torch.Tensor) -> None:
    with pytest.raises(InputError, match="at least two authentic microstructures that differ"):
        StyleFeatures(reference)
