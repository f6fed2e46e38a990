"""What is written is read back, by us and by others, and is whole or absent."""

import numpy as np
import pytest
import tifffile

from matopt.data.read import read
from matopt.data.write import write
from matopt.errors import FailureError, InputError
from matopt.microstructures import Microstructures

IMAGES = Microstructures((np.random.default_rng(0).random((5, 20, 24)) < 0.6).astype(np.uint8), 2e-6)
ROCK = Microstructures((np.random.default_rng(1).random((1, 12, 14, 16)) < 0.6).astype(np.uint8), 2e-6)


@pytest.mark.parametrize("name", ["a.npz", "a.tif", "a.TIFF"])
def test_images_come_back(tmp_path, name):
    write(tmp_path / name, IMAGES)
    scan = read(tmp_path / name, voxel_size=2e-6, stack="images")
    np.testing.assert_array_equal(scan.phases, IMAGES.phases)


@pytest.mark.parametrize("name", ["a.tif", "a.vti"])
def test_a_volume_comes_back(tmp_path, name):
    write(tmp_path / name, ROCK)
    np.testing.assert_array_equal(read(tmp_path / name, voxel_size=2e-6).phases, ROCK.phases[0])


def test_npz_keeps_batches_of_volumes_and_the_voxel_size(tmp_path):
    write(tmp_path / "a.npz", ROCK)
    with np.load(tmp_path / "a.npz") as archive:
        np.testing.assert_array_equal(archive["phases"], ROCK.phases)
        assert archive["voxel_size"] == 2e-6


def test_tiff_says_how_fine_it_is(tmp_path):
    write(tmp_path / "a.tif", IMAGES)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        numerator, denominator = tiff.pages[0].tags["XResolution"].value
        assert numerator / denominator == pytest.approx(5000, rel=1e-6)  # pixels of 2 um a centimetre
        assert set(np.unique(tiff.asarray())) == {0, 255}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a.vti", r"a.vti: a .vti file holds one 2D microstructure, not 5; write a file for each, or a .npz$"),
        ("a.png", r"a.png: cannot write '.png' files; there are .tif, .tiff, .npz, .vti$"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(tmp_path, name, told):
    with pytest.raises(InputError, match=told):
        write(tmp_path / name, IMAGES)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.npz"
    target.mkdir()  # a folder stands where the file would go
    with pytest.raises(FailureError, match="cannot be written"):
        write(target, IMAGES)
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(InputError, match="a name may have 255 bytes"):
        write(tmp_path / ("n" * 300 + ".npz"), IMAGES)
