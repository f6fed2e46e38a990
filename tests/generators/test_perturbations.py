"""Perturbed copies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from matopt.errors import InputError
from matopt.generators.perturbations import Perturbations
from matopt.microstructures import Microstructures
from matopt.testing.images import random_microstructures


def flipped(shape: tuple[int, ...], n: int, **settings: int | float) -> tuple[Microstructures, np.ndarray]:
    """A single authentic microstructure and ``(n, *S)`` where its copies differ from it."""
    authentic = random_microstructures(1, shape, seed=0)
    copies = Perturbations(**settings).fit(authentic).draw(n, seed=1)
    return authentic, copies.phases != authentic.phases


@pytest.mark.parametrize("shape", [(32, 32), (16, 16, 16)])
def test_every_copy_differs_in_few_places_at_the_border_of_the_phases(shape: tuple[int, ...]) -> None:
    authentic, changed = flipped(shape, 60, block=4, changes=2)
    voxels = changed.reshape(60, -1).sum(1)
    assert (voxels > 0).all() and np.median(voxels) < 0.2 * changed[0].size
    image = authentic.phases[0]
    rim = ndimage.maximum_filter(image, 3, mode="wrap") != ndimage.minimum_filter(image, 3, mode="wrap")
    assert (changed & rim).reshape(60, -1).any(1).all()
    # Both phases give and take.
    assert (changed & (image == 1)).any() and (changed & (image == 0)).any()


def test_each_authentic_microstructure_has_as_many_copies() -> None:
    authentic = random_microstructures(5, (24, 24), seed=0)
    copies = Perturbations(changes=1, block=2, part=0.2).fit(authentic).draw(50, seed=0)
    apart = (copies.phases[:, None] != authentic.phases[None]).mean((2, 3))
    assert np.array_equal(np.bincount(apart.argmin(1)), np.full(5, 10))


def test_microstructures_of_one_phase_are_changed_too() -> None:
    for phase in (0, 1):
        uniform = Microstructures(np.full((1, 8, 8), phase, np.uint8), 1e-6)
        assert (Perturbations(changes=1).fit(uniform).draw(9, seed=0).phases != phase).any((1, 2)).all()


@pytest.mark.parametrize("settings", [{"changes": 0}, {"block": 0}, {"part": 0.0}, {"part": 1.5}], ids=str)
def test_bad_settings_are_refused(settings: dict) -> None:
    with pytest.raises(InputError, match="perturbations need"):
        Perturbations(**settings)
