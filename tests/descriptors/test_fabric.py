"""Which images of a material are as likely as itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from matopt.data.windows.scan import Scan
from matopt.descriptors import fabric
from matopt.descriptors.fabric import axes_alike, mirror_images_alike, told_from


def fields(n: int, shape: tuple[int, ...], widths: tuple[float, ...], angle: float = 0.0) -> torch.Tensor:
    """Levelled Gaussian fields, smoothed by so many voxels along each axis and then turned in the last two axes."""
    random, densities = np.random.default_rng(0), []
    for _ in range(n):
        field = ndimage.gaussian_filter(random.standard_normal([2 * edge for edge in shape]), widths)
        turned = ndimage.rotate(field, angle, axes=(-1, -2), reshape=False, order=1)
        inner = turned[tuple(slice(edge // 2, edge // 2 + edge) for edge in shape)]
        densities.append(inner > -0.5 * inner.std())
    return torch.from_numpy(np.stack(densities))[:, None].float()


def triangles(n: int) -> torch.Tensor:
    """Pores that all point to the first border."""
    random = np.random.default_rng(0)
    row, column = np.indices((64, 64))
    densities = np.ones((n, 1, 64, 64), np.float32)
    for density in densities[:, 0]:
        for tip, middle, height in zip(*random.integers(0, 64, (2, 12)), random.integers(5, 12, 12), strict=True):
            density[(row >= tip) & (row < tip + height) & (2 * abs(column - middle) <= row - tip)] = 0
    return torch.from_numpy(densities)


@pytest.mark.parametrize("n", [4, 20, 200])
def test_what_is_alike_along_all_axes_is_told_from_none_of_its_images(n: int) -> None:
    images = fields(n, (64, 64), (3, 3))
    assert mirror_images_alike(images) and axes_alike(images)
    assert n < 200 or abs(told_from(images, lambda x: x.flip(2)) - 0.5) < 0.12


@pytest.mark.parametrize(
    ("images", "is_mirrored", "is_exchanged"),
    [
        pytest.param(fields(200, (64, 64), (3.6, 3)), True, False, id="stretched by a fifth"),
        pytest.param(fields(20, (64, 64), (4.5, 3)), True, False, id="stretched by half, few images"),
        pytest.param(fields(20, (64, 64), (4.5, 3), 45), False, True, id="slanted by 45 degrees"),
        pytest.param(fields(20, (64, 64), (6, 2), 30), False, False, id="slanted by 30 degrees"),
        pytest.param(triangles(20), False, False, id="pores that point one way"),
        pytest.param(fields(12, (24, 24, 24), (1.5, 3, 3)), True, False, id="bedded volumes"),
        pytest.param(fields(12, (24, 24, 24), (3, 3, 3)), True, True, id="volumes alike along all axes"),
    ],
)
def test_a_fabric_is_seen_by_the_images_that_it_rules_out(
    images: torch.Tensor, is_mirrored: bool, is_exchanged: bool
) -> None:
    assert mirror_images_alike(images) == is_mirrored
    assert axes_alike(images) == is_exchanged


def test_nothing_is_said_of_what_is_too_little() -> None:
    bedded = fields(20, (64, 64), (9, 1))
    assert axes_alike(bedded[:1]) and axes_alike(bedded[:8, :, :2, :2])
    assert not axes_alike(bedded[:9])


def test_a_fabric_is_seen_in_volumes_of_which_parts_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    bedded, alike = (fields(12, (40, 40, 40), widths) for widths in ((1, 2, 2), (2, 2, 2)))
    monkeypatch.setattr(fabric, "MOST_VOXELS", 12 * 2 * 16**3)
    assert not axes_alike(bedded) and mirror_images_alike(bedded)
    assert axes_alike(alike) and mirror_images_alike(alike)


def test_berea_is_nearly_alike_along_all_axes_however_large_its_windows_are(berea: np.ndarray) -> None:
    scan = Scan(berea[:200:10], 1e-6, "images")
    images = [scan.windows(size, stride=32).split(windows=200)[0].density() for size in (64, 128)]
    blocks = torch.from_numpy(
        np.stack([berea[z : z + 32, y : y + 32, :32] for z in range(0, 320, 32) for y in (0, 99)])
    )
    for sample in (*images, blocks[:, None].float()):
        assert mirror_images_alike(sample) and axes_alike(sample)
    shares = [told_from(windows, lambda x: x.transpose(2, 3)) for windows in images]
    assert abs(shares[0] - shares[1]) < 0.1 and max(shares) < 0.75
