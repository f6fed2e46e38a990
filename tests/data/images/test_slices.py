"""The order of slices, and what is wrong with it."""

import re

import numpy as np
import pytest
from PIL import Image

from matopt.data.images.read_options import ReadOptions
from matopt.data.images.readers import read_grey
from matopt.data.images.slices import ordered
from matopt.errors import InputWarning


@pytest.mark.parametrize(
    "names",
    [
        "s_1 s_2 s_3 s_4 s_5 s_6 s_7 s_8 s_9 s_10",
        "z_-10 z_-9 z_-8 z_-7",
        "z-2 z-1 z0 z1",  # some names lack the dash: it is a minus
        "slice-1 slice-2 slice-3",  # all have it: it is none
        "slice_-1 slice_+0 slice_+1",
        "-1 0 1 2",
        "z0.5 z1.0 z1.5 z2.0",
        "z=-1.5um z=-0.5um z=0.5um",
        "z_0,25 z_0,50 z_0,75 z_1,00",
        "scan2.0008 scan2.0009 scan2.0010",  # a dot that separates
        "2020-01-05_9 2020-01-05_10 2020-01-05_11",
        "z-0001_9.75um z-0002_10.00um z-0003_10.25um",  # a number and a position, of one series
        "top middle-of-it zero",
        "one",
    ],
)
def test_slices_are_in_the_order_of_their_numbers(names):
    expected = [f"{name}.tif" for name in names.split()]
    if names.startswith("top"):
        expected.sort()
    assert ordered(expected[::-1]) == (expected, None)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ("s1 s2 s4 s5 s9", r"4 slices are missing \(3, 6 to 8\)"),
        ("z_-4 z_-3 z_-1 z_0", r"1 slice is missing \(-2\)"),
        ("z0.5 z1.0 z2.0 z2.5", r"1 slice is missing \(1.5\)"),
        ("s0010 s0020 s0030 s0060", r"2 slices are missing \(40 to 50\)"),
        ("0 100 200 300", "rise by 100: .* `voxel_size: 100 x 1 x 1 um`"),
        ("1 01 2", "slice 1 is there twice"),
        ("a1_1 a1_2 a2_1", "differ in 2 numbers .*several series"),
        ("1.9 1.10 2.1", "differ in 2 numbers"),
        ("rec1 rec2 rec_spr", "names are of 2 kinds"),
    ],
)
def test_what_is_wrong_with_the_numbers_is_said(names, told):
    _, remark = ordered([f"{name}.bmp" for name in names.split()])
    assert remark is not None and re.search(told, remark), remark


def test_a_folder_with_a_gap_is_read_and_said_to_have_one(tmp_path):
    images = [np.kron(np.eye(8) * i + 1, np.ones((4, 4))).astype(np.uint8) for i in range(4)]
    for number, image in zip((-2, -1, 1, 10), images, strict=True):
        Image.fromarray(image).save(tmp_path / f"z_{number}.png")
    with pytest.warns(InputWarning, match=rf"^{tmp_path}: 9 slices are missing \(0, 2 to 9\)"):
        found = read_grey(tmp_path, ReadOptions())
    np.testing.assert_array_equal(found, np.stack(images))
