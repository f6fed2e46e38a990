"""Windows and splits: nothing leaks, counts hold, and a zoom keeps what matters."""

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

import matopt
from matopt.data.windows.scan import Scan
from matopt.errors import InputError


def blobs(*shape: int, sigma: float = 2.0, seed: int = 0) -> np.ndarray:
    field = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), sigma, mode="wrap")
    return (field > 0).astype(np.uint8)


def voxels(windows, corners: np.ndarray) -> np.ndarray:
    """A mask of the scan: what the windows at these corners are cut from."""
    mask = np.zeros(windows.scan.volume.shape, bool)
    size = windows.window.size
    depth = size if windows.window.dimensions == 3 else 1
    for a, b, c in corners:
        cut = mask[a : a + depth, b : b + size, c : c + size]
        assert cut.shape == (depth, size, size), "the window leaves the scan"
        cut[:] = True
    return mask


@st.composite
def scans(draw):
    shape = draw(st.tuples(*[st.integers(1, 26)] * 3))
    return Scan(
        blobs(*shape, sigma=1.0, seed=draw(st.integers(0, 3))), 1e-6, draw(st.sampled_from(["volume", "images"]))
    )


@st.composite
def splits(draw):
    scan = draw(scans())
    dimensions = draw(st.sampled_from([2, 3])) if scan.is_volume else 2
    window = {
        "size": draw(st.integers(1, min(scan.volume.shape[-dimensions:]))),
        "stride": draw(st.none() | st.integers(1, 12)),
        "dimensions": dimensions,
        "slice_step": draw(st.none() | st.integers(1, 5)) if dimensions == 2 and scan.is_volume else None,
    }
    numbers = draw(st.lists(st.integers(0, 9), min_size=1, max_size=3))
    counts = dict(zip(["train", "validation", "test"], numbers, strict=False))
    return scan, window, counts, draw(st.none() | st.integers(0, 4)), draw(st.integers(0, 5))


@settings(max_examples=400, deadline=None)
@given(splits())
def test_splits_share_no_voxel_and_keep_their_distance(case):
    scan, window, counts, buffer, seed = case
    windows = scan.windows(**window)
    try:
        chosen = windows.choose(counts, seed, buffer)
    except InputError:
        return
    assert list(chosen) == list(counts)
    masks = {}
    for name, corners in chosen.items():
        assert len(corners) == counts[name]
        assert len({tuple(corner) for corner in corners}) == counts[name], "a window is taken twice"
        masks[name] = voxels(windows, corners)
    used = {name: mask for name, mask in masks.items() if mask.any()}
    for first in used:
        for second in used:
            if first < second:
                assert not (used[first] & used[second]).any()
                assert _apart(scan, used[first], used[second], buffer)


def _apart(scan, first: np.ndarray, second: np.ndarray, buffer: int | None) -> bool:
    """Whether along some axis all of one lies before all of the other with the buffer between; or other images."""
    if not scan.is_volume and not (first.any((1, 2)) & second.any((1, 2))).any():
        return True
    for axis in range(0 if scan.is_volume else 1, 3):
        gap = scan.decorrelation_length(axis) if buffer is None else buffer
        one, other = (np.flatnonzero(mask.any(tuple({0, 1, 2} - {axis}))) for mask in (first, second))
        if other[0] - one[-1] - 1 >= gap or one[0] - other[-1] - 1 >= gap:
            return True
    return False


@settings(max_examples=200, deadline=None)
@given(splits())
def test_a_split_that_cannot_be_filled_says_what_could(case):
    scan, window, counts, buffer, seed = case
    windows = scan.windows(**window)
    try:
        windows.choose(counts, seed, buffer)
    except InputError as error:
        message = str(error)
        if "not even one window each" in message:
            with pytest.raises(InputError):
                windows.choose({name: min(1, count) for name, count in counts.items()}, seed, buffer)
        else:
            told = message.split("; it holds ")[1].split(" (")[0]
            could = {name: int(count) for name, count in (part.split() for part in told.split(", "))}
            assert list(could) == list(counts)
            assert sum(could.values()) < sum(counts.values())
            windows.choose(could, seed, buffer)


def test_the_message_names_what_to_change():
    windows = Scan(blobs(60, 64, 64), 1e-6).windows(32, slice_step=10)
    with pytest.raises(InputError) as error:
        windows.split(train=9000, test=4000)
    assert "cannot hold train 9000, test 4000" in str(error.value)
    assert "lower the counts, the stride (32), the slice_step (10) or the size (32)" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("dimensions", "counts"), [(2, (30, 15)), (2, (80, 40)), (3, (6, 4))])
def test_the_change_that_is_named_is_enough(dimensions, counts):
    scan = Scan(blobs(100, 64, 64), 1e-6)
    window = {"size": 32, "dimensions": dimensions, "slice_step": 10 if dimensions == 2 else None}
    with pytest.raises(InputError, match="would hold them") as error:
        scan.windows(**window).split(train=counts[0], test=counts[1])
    remedy = yaml.safe_load("{" + str(error.value).split("`")[1] + "}")
    train, test = scan.windows(**window | remedy).split(train=counts[0], test=counts[1])
    assert (len(train), len(test)) == counts


def test_volumes_are_split_along_axis_0():
    windows = Scan(blobs(100, 64, 64), 1e-6).windows(32)
    chosen = windows.choose({"train": 20, "test": 10})
    assert chosen["train"][:, 0].max() + windows.scan.decorrelation_length(0) < chosen["test"][:, 0].min()


def test_images_go_whole_to_one_split_in_an_order_that_follows_the_seed():
    windows = Scan(blobs(30, 64, 64), 1e-6, stack="images").windows(32)
    first, again, other = (windows.choose({"train": 60, "test": 30}, seed) for seed in (0, 0, 1))
    assert not set(first["train"][:, 0]) & set(first["test"][:, 0])
    assert np.ptp(first["test"][:, 0]) > 15, "a block of images in a row may be from one place of the sample"
    np.testing.assert_array_equal(first["train"], again["train"])
    assert not np.array_equal(first["train"], other["train"])


def test_a_single_image_is_split_in_its_plane():
    scan = Scan(blobs(200, 200), 1e-6)
    train, test = scan.windows(32, stride=8).split(train=100, test=40)
    assert (len(train), len(test)) == (100, 40)


def test_cuts_are_what_lies_at_the_corners():
    scan = Scan(blobs(20, 30, 40), 2e-6)
    flat, cubes = scan.windows(8, stride=5), scan.windows(8, dimensions=3)
    for windows in (flat, cubes):
        chosen = windows.choose({"train": 5})["train"]
        cut = windows.cut(chosen)
        assert cut.voxel_size == 2e-6
        for (a, b, c), phases in zip(chosen, cut.phases, strict=True):
            volume = scan.phases[a : a + 8, b : b + 8, c : c + 8]
            np.testing.assert_array_equal(phases, volume if windows is cubes else volume[0])


def test_len_counts_the_windows_of_the_scan():
    scan = Scan(blobs(20, 30, 40), 1e-6)
    assert len(scan.windows(8, stride=4, slice_step=5)) == 4 * 6 * 9
    assert len(scan.windows(8, dimensions=3)) == 2 * 3 * 5
    assert len(Scan(blobs(30, 40), 1e-6).windows(10)) == 12


@pytest.mark.parametrize(
    ("stack", "window", "told"),
    [
        ("volume", {"size": 31}, r"31 voxels are more than the image has \(30 x 40\)"),
        ("volume", {"size": 21, "dimensions": 3}, r"more than the image has \(20 x 30 x 40\)"),
        ("volume", {"size": 0}, "size must be a whole number"),
        ("volume", {"size": 8, "stride": 2.5}, "stride must be a whole number"),
        ("volume", {"size": 8, "zoom": 1.5}, "zoom must be a whole number"),
        ("volume", {"size": 8, "dimensions": 1}, "dimensions must be 2 or 3"),
        ("volume", {"size": 8, "dimensions": 3, "slice_step": 2}, "slice_step is for slices of a volume"),
        ("images", {"size": 8, "slice_step": 2}, "slice_step is for slices of a volume"),
        ("images", {"size": 8, "dimensions": 3}, "images have no 3D windows"),
    ],
)
def test_windows_that_make_no_sense_are_refused(stack, window, told):
    with pytest.raises(InputError, match=told):
        Scan(blobs(20, 30, 40), 1e-6, stack).windows(**window)


def test_choosing_from_a_large_volume_takes_no_memory_for_windows():
    """45 million windows, of which three are cut."""
    phases = np.broadcast_to(blobs(400, 400), (400, 400, 400))
    windows = Scan(phases, 1e-6).windows(64, stride=1, slice_step=1)
    assert len(windows) == 400 * 337 * 337
    assert len(windows.split(train=2, test=1, buffer=10)[0]) == 2


def test_zoom_divides_the_voxel_size():
    (train,) = Scan(blobs(64, 64), 3e-6).windows(16, zoom=2).split(train=4)
    assert train.shape == (32, 32) and train.voxel_size == 1.5e-6


def test_windows_of_an_array_and_splits_that_are_not_named():
    image = blobs(64, 64)
    windows = matopt.read(image * 200, "2 um").windows(16)
    assert (windows.scan.phases == image).all() and windows.scan.voxel_size == pytest.approx(2e-6)
    assert (matopt.Scan(image > 0, "2 um").windows(16).split(a=3)[0].phases == windows.split(a=3)[0].phases).all()
    for unnamed in ((4, 2), (4,), ()):
        with pytest.raises(InputError, match=r"give each number of windows a name, as `windows.split\(train="):
            windows.split(*unnamed)
    with pytest.raises(InputError, match="the array: it has more than two grey levels"):
        matopt.read(np.arange(4096).reshape(64, 64), "2 um")
    with pytest.raises(InputError, match="give the path of a file, or a NumPy array, not a list"):
        matopt.read(image.tolist(), "2 um")
    with pytest.raises(InputError, match="an array has no dtype to choose; leave `dtype` out"):
        matopt.read(image, "2 um", dtype="uint8")
