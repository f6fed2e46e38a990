"""The axes of arrays: their order, and those that are not space."""

import warnings

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter

from matopt.data.images.read_options import ReadOptions
from matopt.data.images.readers import read_grey
from matopt.data.read import read
from matopt.errors import InputError, InputWarning

ROCK = (gaussian_filter(np.random.default_rng(0).standard_normal((24, 40, 48)), 2) > 0).astype(np.uint8)


@pytest.mark.parametrize("given", [(48, 40, 24), (40, 48, 24), (48, 24, 40)])
def test_a_shape_in_another_order_is_said_with_the_likelier_one(tmp_path, given):
    ROCK.tofile(tmp_path / "a.raw")
    with pytest.warns(InputWarning, match=r"hardly alike in shape .* but they are in \[24, 40, 48\]"):
        read(tmp_path / "a.raw", "1 um", shape=given, dtype="uint8")


@pytest.mark.parametrize(("order", "other"), [("<u2", ">u2"), (">u2", "<u2")])
def test_bytes_in_another_order_are_said(tmp_path, order, other):
    grey = (gaussian_filter(np.random.default_rng(0).standard_normal(ROCK.shape), 2) * 9000 + 3000).astype(order)
    grey.tofile(tmp_path / "a.raw")
    with pytest.warns(InputWarning, match=f"neighbours are hardly alike in {other}, but they are in {order}"):
        read_grey(tmp_path / "a.raw", ReadOptions(shape=ROCK.shape, dtype=other))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(read_grey(tmp_path / "a.raw", ReadOptions(shape=ROCK.shape, dtype=order)), grey)


def test_the_right_order_and_noise_are_left_alone(tmp_path, recwarn):
    ROCK.tofile(tmp_path / "a.raw")
    np.random.default_rng(0).integers(0, 2, ROCK.shape, np.uint8).tofile(tmp_path / "noise.raw")
    for name in ("a.raw", "noise.raw"):
        read(tmp_path / name, "1 um", shape=np.array(ROCK.shape), dtype="uint8")
    assert not recwarn


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (
            np.stack([ROCK[0], 1 - ROCK[0]], -1),
            r"axis 2 of its 40 x 48 x 2 points looks like one-hot phases; save `array.a",
        ),
        (
            np.stack([ROCK[0], 1 - ROCK[0]]),
            r"looks like one-hot phases; save `array.argmax\(0\)`; .* `shape: \[2, 40, 48\]`",
        ),
        (np.eye(3)[ROCK[0] * 2].transpose(2, 0, 1), r"axis 0 .*one-hot phases"),
        (np.random.default_rng(0).random((40, 48, 3)), r"axis 2 of its 40 x 48 x 3 points looks like channels"),
        (np.random.default_rng(0).random((40, 48, 2)), r"looks like channels; save one of them, as `array\[:, :, 0\]`"),
        (
            np.random.default_rng(0).random((9, 3, 32, 32)),
            r"9 x 3 x 32 x 32.*axis 1 looks like ch.*`array\[:, 0\]`",
        ),
        (np.stack([ROCK, 1 - ROCK], -1), r"axis 3 looks like one-hot phases; save `array.argmax\(3\)`"),
        (np.random.default_rng(0).random((5, 32, 32, 32)), r"5 x 32 x 32 x 32, .* save one image or one volume"),
    ],
    ids=["hot last", "hot first", "hot 3 phases", "colours", "two", "batch", "hot volume", "volumes"],
)
def test_axes_that_are_not_space_are_named(tmp_path, array, told):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(InputError, match=told):
        read_grey(tmp_path / "a.npy", ReadOptions())
    if array.ndim == 3:  # whoever says that it is space is believed
        assert read_grey(tmp_path / "a.npy", ReadOptions(shape=array.shape)).shape == array.shape


def test_axes_of_one_point_and_grey_channels_are_left_out(tmp_path):
    for name, array in (("a", ROCK[:, None]), ("b", ROCK[None, ..., None]), ("c", ROCK[..., None])):
        np.save(tmp_path / f"{name}.npy", array)
        np.testing.assert_array_equal(read_grey(tmp_path / f"{name}.npy", ReadOptions()), ROCK)
    np.save(tmp_path / "grey.npy", np.stack([ROCK[0]] * 3, -1))
    np.testing.assert_array_equal(read_grey(tmp_path / "grey.npy", ReadOptions()), ROCK[0])


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("how", ["pages", "appended"])
def test_a_tiff_in_series_of_one_shape_is_one_stack(tmp_path, how, colour):
    pages = [np.stack([page] * 3, -1) if colour else page for page in ROCK]
    options = {"photometric": "rgb" if colour else "minisblack"}
    if how == "pages":
        with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
            for page in pages:
                tiff.write(page, **options)
    else:
        for page in pages:
            tifffile.imwrite(tmp_path / "a.tif", page, append=True, **options)
    np.testing.assert_array_equal(read_grey(tmp_path / "a.tif", ReadOptions()), ROCK)


def test_a_tiff_of_several_stacks_or_types_is_no_stack(tmp_path):
    for name, parts, told in (
        ("stacks.tif", [ROCK[:6], ROCK[:6]], r"6 x 40 x 48 \(2 times\)"),
        ("types.tif", [ROCK[0], ROCK[0].astype(np.uint16)], "do not make one image"),
    ):
        with tifffile.TiffWriter(tmp_path / name) as tiff:
            for part in parts:
                tiff.write(part)
        with pytest.raises(InputError, match=told):
            read_grey(tmp_path / name, ReadOptions())
