"""Grey levels to pore and grain."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.filters import threshold_otsu

from matopt.data.images.segmentation import otsu, to_phases
from matopt.errors import InputError

TRUTH = (gaussian_filter(np.random.default_rng(0).standard_normal((80, 90)), 2) > -0.08).astype(np.uint8)
NOISY = 60 + 120 * TRUTH + np.random.default_rng(1).normal(0, 8, TRUTH.shape)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.uint16, np.int64, np.float32, np.float64])
def test_the_higher_of_two_levels_is_grain(dtype):
    np.testing.assert_array_equal(to_phases(TRUTH.astype(dtype)), TRUTH)
    np.testing.assert_array_equal(to_phases(TRUTH.astype(dtype), grain="below"), 1 - TRUTH)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32])
def test_otsu_separates_two_noisy_levels(dtype):
    grey = NOISY.astype(dtype)
    assert 80 < otsu(grey) < 160
    np.testing.assert_array_equal(to_phases(grey, threshold="otsu"), TRUTH)
    np.testing.assert_array_equal(to_phases(grey, threshold=120), TRUTH)
    np.testing.assert_array_equal(to_phases(grey, threshold=120, grain="below"), 1 - TRUTH)


def test_otsu_of_two_levels_lies_between_them():
    np.testing.assert_array_equal(to_phases(TRUTH * np.uint8(255), threshold="otsu"), TRUTH)
    np.testing.assert_array_equal(to_phases(TRUTH.astype(bool), threshold="otsu"), TRUTH)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32])
def test_otsu_is_that_of_scikit_image(dtype):
    """There taken of the whole image at once; here a slice at a time."""
    grey = NOISY.astype(dtype)
    bin_width = 0 if grey.itemsize <= 2 else float(np.ptp(grey)) / 256
    assert otsu(grey) == pytest.approx(threshold_otsu(grey), abs=bin_width)


def test_a_map_names_every_level():
    grey = TRUTH.astype(np.int32) * 2
    grey[:5] = 7
    found = to_phases(grey, phases={0: "pore", 2: "grain", "7": "pore"})
    np.testing.assert_array_equal(found[5:], TRUTH[5:])
    assert not found[:5].any()
    with pytest.raises(InputError, match=rf"^{5 * 90} voxels have grey levels that `phases` does not name: 7$"):
        to_phases(grey, phases={0: "pore", 2: "grain"})


def test_several_levels_without_a_rule_are_refused_with_the_line_to_add():
    with pytest.raises(InputError, match="add the line `threshold: otsu`"):
        to_phases(NOISY.astype(np.uint8))
    with pytest.raises(InputError, match="add the line `threshold: otsu`"):
        to_phases(NOISY)


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({}, "single grey level"),
        ({"threshold": "otsu"}, "single grey level"),
        ({"threshold": 300}, "all of it is pore"),
        ({"phases": {3: "grain"}}, "all of it is grain"),
    ],
)
def test_one_phase_alone_is_refused(rule, told):
    with pytest.raises(InputError, match=told):
        to_phases(np.full((9, 9), 3, np.uint8), **rule)


def test_levels_that_are_not_finite_are_counted():
    grey = NOISY.copy()
    grey[3, 4:9], grey[0, 0] = np.nan, -np.inf
    with pytest.raises(InputError, match="voxels without a level: 5 NaN, 1 infinite"):
        to_phases(grey, threshold="otsu")


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"threshold": "triangle"}, "threshold is 'triangle'; it is a grey level or `otsu`"),
        ({"threshold": True}, "threshold is True; it is a grey level or `otsu`"),
        ({"grain": "left"}, "grain is 'left'; it lies `above` or `below` the threshold"),
        ({"phases": {0: "void", 1: "grain"}}, "phases: 'void' is not a phase; write pore or grain"),
        ({"phases": {"dark": "pore"}}, "phases: 'dark' is not a grey level"),
        ({"phases": {0: "pore", 1: "grain"}, "threshold": 0}, "`phases` and `threshold` are two ways to say one thing"),
    ],
)
def test_rules_that_cannot_be_followed_are_refused(rule, told):
    with pytest.raises(InputError, match=f"^{told}"):
        to_phases(TRUTH, **rule)


@pytest.mark.parametrize("threshold", [np.int64(120), np.float32(120), threshold_otsu(NOISY.astype(np.uint8))])
def test_a_threshold_may_be_a_number_of_numpy(threshold):
    np.testing.assert_array_equal(to_phases(NOISY.astype(np.uint8), threshold=threshold), TRUTH)


def test_what_is_outside_is_no_phase():
    """Levels are told from each other inside alone, whether by a map, by a threshold or as the only two left."""
    outside = np.zeros(TRUTH.shape, bool)
    outside[:, :30] = True
    expected = np.where(outside, 2, TRUTH)
    classes = np.where(outside, 0, TRUTH + 1).astype(np.uint8)
    np.testing.assert_array_equal(to_phases(classes, {0: "outside", 1: "pore", 2: "grain"}), expected)
    np.testing.assert_array_equal(to_phases(classes, {0: "outside"}), expected)
    grey = np.where(outside, 0, NOISY)
    np.testing.assert_array_equal(to_phases(grey, {0: "outside"}, threshold="otsu"), expected)
    np.testing.assert_array_equal(to_phases(grey, {0: "outside"}, threshold="otsu", grain="below") == 0, expected == 1)
    with pytest.raises(InputError, match="all of it is grain or outside; check the threshold or the phases"):
        to_phases(classes, {0: "outside", 1: "grain", 2: "grain"})


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64])
def test_a_few_levels_are_listed_with_their_shares_and_no_threshold(dtype):
    classes = np.zeros((10, 10), dtype)
    classes[:4, :5], classes[:1, 5:] = 1, 2
    with pytest.raises(
        InputError, match=r"0 \(75 %\), 1 \(20 %\), 2 \(5 %\); say what each is, as `phases: \{0: pore, "
    ) as e:
        to_phases(classes)
    assert "threshold" not in str(e.value)
