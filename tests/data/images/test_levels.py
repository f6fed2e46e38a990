"""What the levels of an image are taken for."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label
from scipy.spatial import cKDTree

from matopt.data.images.levels import levels_of
from matopt.data.images.segmentation import to_phases
from matopt.errors import InputError

RANDOM = np.random.default_rng(0)
ROCK = (gaussian_filter(RANDOM.standard_normal((6, 96, 96)), 2) > -0.08).astype(np.uint8)
ROWS, COLUMNS = np.mgrid[:96, :96] - 47.5


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.uint16, np.int32, np.int64, np.float32])
def test_levels_are_counted_whatever_their_type(dtype):
    levels = levels_of(ROCK.astype(dtype))
    assert levels.values.tolist() == [0, 1]
    assert levels.counts.tolist() == [(ROCK == 0).sum(), (ROCK == 1).sum()]


def test_levels_of_either_sign_and_too_many_of_them():
    assert levels_of(np.array([[-3, 1], [1, 70000]])).counts.tolist() == [1, 2, 1]
    assert levels_of(np.array([[-1.5, 1], [1, 2]])).values.tolist() == [-1.5, 1, 2]
    assert levels_of(RANDOM.random((300, 300))).values is None


def grain_ids(numbered: str) -> np.ndarray:
    """Polygons round random points, numbered by chance; bricks, numbered along their rows; or pores, most of them
    specks, as connected parts are numbered."""
    if numbered == "specks":
        field = gaussian_filter(RANDOM.standard_normal((24, 64, 64)), 1)
        return label(field > np.quantile(field, 0.75))[0] % 256
    points = RANDOM.random((200, 2)) * 128
    if numbered == "along rows":
        return np.kron(np.arange(200).reshape(20, 10), np.ones((8, 16), int))
    return cKDTree(points).query(np.stack(np.mgrid[:128, :128], -1).reshape(-1, 2))[1].reshape(128, 128) + 1


@pytest.mark.parametrize("numbered", ["by chance", "along rows", "specks"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float64])
def test_grain_ids_are_named_as_what_they_are(numbered, dtype):
    ids = grain_ids(numbered).astype(dtype)
    assert levels_of(ids).are_labels
    with pytest.raises(InputError, match="levels number regions"):
        to_phases(ids)


@pytest.mark.parametrize(
    "grey",
    [
        gaussian_filter(RANDOM.standard_normal((128, 128)), 8) * 2000 + 128,  # smooth: neighbours are mostly alike
        60.0 + 120 * ROCK + RANDOM.normal(0, 8, ROCK.shape),
        np.clip(60.0 + 250 * ROCK + RANDOM.normal(0, 40, ROCK.shape), 0, 255),  # saturated
        gaussian_filter(ROCK * 255.0, 0.6),  # two phases with soft edges
        np.mgrid[:128, :200][1] + 0.0,  # each level in one piece
    ],
    ids=["smooth", "noisy", "saturated", "soft", "ramp"],
)
def test_grey_images_are_grey(grey):
    levels = levels_of(np.clip(grey, 0, 255).astype(np.uint8))
    assert not levels.are_labels and not levels.are_few


def test_noise_of_more_levels_than_voxels_is_grey():
    assert not levels_of(RANDOM.integers(0, 60000, (128, 128))).are_labels


@pytest.mark.parametrize(
    ("classes", "guess"),
    [
        (np.where(np.hypot(ROWS, COLUMNS) < 45, ROCK + 1, 0), {0: "outside", 1: "pore", 2: "grain"}),
        (np.where(np.hypot(ROWS, COLUMNS) < 45, ROCK, 2), {0: "pore", 1: "grain", 2: "outside"}),
        (ROCK + (RANDOM.random(ROCK.shape) < 0.3) * ROCK, {0: "pore", 1: "grain", 2: "grain"}),
        (np.where(RANDOM.random(ROCK.shape) < 0.01, 100, ROCK * 255), {0: "pore", 100: "pore", 255: "grain"}),
        (np.where(RANDOM.random(ROCK.shape) < 0.01, 200, ROCK * 255), {0: "pore", 200: "grain", 255: "grain"}),
    ],
    ids=["core", "core in white", "two minerals", "dark edges", "light edges"],
)
def test_phases_of_a_few_levels_are_guessed(classes, guess):
    levels = levels_of(classes)
    assert levels.are_few and levels.suggested_phases() == guess


def test_pores_of_the_surroundings_level_are_not_called_outside():
    """Level 0 is round the core, and its pores: no map can tell them apart."""
    core = np.where(np.hypot(ROWS, COLUMNS) < 45, ROCK * (1 + (RANDOM.random(ROCK.shape) < 0.3)), 0)
    levels = levels_of(core)
    assert levels.corner == 0 and levels.surroundings is None
    assert levels.suggested_phases() == {0: "pore", 1: "grain", 2: "grain"}
    assert levels_of(ROCK).corner is None
