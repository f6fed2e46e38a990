"""Clusters, the Euler number and the cluster function against scikit-image, brute force and each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import measure

from matopt.descriptors.cluster_function import two_point_cluster
from matopt.descriptors.clusters import connected_clusters
from matopt.descriptors.correlation import two_point_correlation
from matopt.descriptors.euler import euler_number
from matopt.descriptors.lineal_path import lineal_path

SHAPES = [(40, 37), (13, 15, 11)]


def noise(*shape: int, solid: float = 0.6, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(5, 1, *shape, generator=generator) < solid).double()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("phase", [0, 1])
def test_clusters_are_those_of_scikit_image(shape: tuple[int, ...], phase: int) -> None:
    density = noise(*shape)
    found = connected_clusters(density, phase)
    for number, image in enumerate(density[:, 0].numpy() == phase):
        label, count = measure.label(image, connectivity=1, return_num=True)
        sizes = np.bincount(label.ravel())[1:]
        assert found.count[number] == count
        assert sorted(found.size[found.sample == number].tolist()) == sorted(sizes)
        assert found.small_count[number] == (sizes < (6 if len(shape) == 2 else 15)).sum()
        pairs = np.unique(np.stack([label.ravel(), found.label[number].numpy().ravel()]), axis=1)
        assert pairs.shape[1] == count + 1  # one to one


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("phase", [0, 1])
def test_the_euler_number_is_that_of_scikit_image(shape: tuple[int, ...], phase: int) -> None:
    density = noise(*shape, solid=0.4)
    expected = [measure.euler_number(image == phase, connectivity=1) for image in density[:, 0].numpy()]
    assert euler_number(density, phase).tolist() == expected


def test_a_ring_has_a_hole_a_torus_a_loop_and_a_shell_a_cavity() -> None:
    y, x, z = torch.meshgrid(*[torch.arange(21.0) - 10] * 3, indexing="ij")
    torus = ((y**2 + x**2).sqrt() - 6) ** 2 + z**2 <= 6
    shell = ((y**2 + x**2 + z**2).sqrt() - 7).abs() <= 1.5
    ball = y**2 + x**2 + z**2 <= 50
    solid = torch.stack([torus, shell, ball]).double()[:, None]
    assert euler_number(solid, phase=1).tolist() == [0, 2, 1]
    assert euler_number(solid[:2, :, :, :, 10], phase=1).tolist() == [0, 0]
    assert connected_clusters(solid, phase=1).count.tolist() == [1, 1, 1]
    assert connected_clusters(solid, phase=0).count.tolist() == [1, 2, 1]


@pytest.mark.parametrize("shape", [(12, 10), (7, 6, 8)])
def test_the_cluster_function_counts_pairs_in_one_cluster(shape: tuple[int, ...]) -> None:
    density = noise(*shape, solid=0.4)
    found = two_point_cluster(density, 4)
    for image, curves in zip(density[:, 0].numpy(), found.numpy(), strict=True):
        label = measure.label(image == 0, connectivity=1)
        for axis, curve in enumerate(curves):
            lines = np.moveaxis(label, axis, 0)
            for z in range(5):
                pairs = [
                    a == b != 0
                    for i in range(len(lines) - z)
                    for a, b in zip(lines[i].flat, lines[i + z].flat, strict=True)
                ]
                assert curve[z] == pytest.approx(np.mean(pairs), abs=1e-6)


def test_the_cluster_function_lies_between_lineal_path_and_s2_and_is_s2_of_one_cluster() -> None:
    density = noise(32, 32, solid=0.4, seed=1)
    clustered, path = two_point_cluster(density, 10), lineal_path(density, 10)
    s2 = two_point_correlation(density, 10)
    s2 = torch.stack([s2[:, 10:, 10], s2[:, 10, 10:]], 1)
    assert ((path <= clustered + 1e-6) & (clustered <= s2 + 1e-6)).all()
    assert (clustered < s2 - 1e-3).any() and (clustered > path + 1e-3).any()

    comb = torch.ones(1, 1, 16, 16, dtype=torch.float64)
    comb[:, :, :, ::4], comb[:, :, 5] = 0, 0  # teeth that a back joins
    s2 = two_point_correlation(comb, 6)
    torch.testing.assert_close(
        two_point_cluster(comb, 6).double(), torch.stack([s2[:, 6:, 6], s2[:, 6, 6:]], 1), atol=1e-6, rtol=0
    )
    comb[:, :, 5] = 1
    comb[:, :, :, ::4] = 0
    assert two_point_cluster(comb, 6)[0, 1, 4] == 0  # teeth alone: none reaches the next


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="binary"):
        connected_clusters(torch.full((1, 1, 4, 4), 0.5))
    with pytest.raises(ValueError, match="length must"):
        two_point_cluster(torch.ones(1, 1, 8, 9), 8)
