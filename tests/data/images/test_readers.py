"""Every format read, and every way in which a file is broken told in one line."""

import gzip
import io
import warnings
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter

from matopt.data.images import readers
from matopt.data.images.formats.vti import vti_bytes
from matopt.data.images.read_options import ReadOptions
from matopt.data.images.readers import content_hash, read_grey
from matopt.data.read import read
from matopt.errors import FailureError, InputError, InputWarning

VOLUME = (gaussian_filter(np.random.default_rng(0).standard_normal((7, 40, 50)), 1.5) > 0).astype(np.uint8)
SLICE = VOLUME[0]
FILES = ["plain.tif", "lzw.tiff", "imagej.tif", "slice.tif", "slice.png", "bits.png", "v.npy", "v.npz", "v5.mat",
         "v73.mat", "v.h5", "v.vti", "v.raw", "zipped.zip"]  # fmt: skip


def mat73(path: Path, variable: str, array: np.ndarray) -> None:
    """As MATLAB's ``save -v7.3`` does: a header of text, then HDF5 with the axes in MATLAB's order."""
    with h5py.File(path, "w", userblock_size=512) as file:
        file[variable] = array.T
        file["#refs#/a"] = np.zeros((3, 3))
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")


def write_all(folder: Path) -> dict[str, Path]:
    """One file of each format, of the whole volume or of a slice."""
    files = {name: folder / name for name in FILES}
    tifffile.imwrite(files["plain.tif"], VOLUME, photometric="minisblack")
    tifffile.imwrite(files["lzw.tiff"], VOLUME, photometric="minisblack", compression="lzw")
    tifffile.imwrite(files["imagej.tif"], VOLUME, imagej=True)
    tifffile.imwrite(files["slice.tif"], SLICE, compression="zlib")
    Image.fromarray(SLICE).save(files["slice.png"])
    Image.fromarray(SLICE.astype(bool)).save(files["bits.png"])
    np.save(files["v.npy"], VOLUME)
    np.savez_compressed(files["v.npz"], phases=VOLUME, voxel_size=1e-6)
    scipy.io.savemat(files["v5.mat"], {"rock": VOLUME, "size": 5.0}, do_compression=True)
    mat73(files["v73.mat"], "rock", VOLUME)
    with h5py.File(files["v.h5"], "w") as file:
        file.create_dataset("scans/rock", data=VOLUME, compression="gzip", fletcher32=True)
    files["v.vti"].write_bytes(vti_bytes(VOLUME, 1e-6))
    files["v.raw"].write_bytes(VOLUME.astype(">u2").tobytes())
    with zipfile.ZipFile(files["zipped.zip"], "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(files["plain.tif"], "scan/rock.tif")
        archive.writestr("__MACOSX/scan/._rock.tif", b"junk")
        archive.writestr("scan/README.txt", b"a rock")
    return files


def options_of(path: Path) -> ReadOptions:
    return ReadOptions(shape=VOLUME.shape, dtype=">u2") if path.suffix == ".raw" else ReadOptions()


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    return write_all(tmp_path_factory.mktemp("files"))


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_back_what_was_saved(files, name):
    expected = SLICE if name in ("slice.tif", "slice.png", "bits.png") else VOLUME
    np.testing.assert_array_equal(read_grey(files[name], options_of(files[name])), expected)


def test_reading_a_zip_writes_nothing(files):
    before = sorted(files["zipped.zip"].parent.iterdir())
    read_grey(files["zipped.zip"], ReadOptions())
    assert sorted(files["zipped.zip"].parent.iterdir()) == before


@pytest.mark.parametrize("ending", ["tif", "png"])
def test_a_folder_is_read_in_natural_order(tmp_path, ending):
    for i, image in enumerate(VOLUME, start=6):  # slice_6 ... slice_12: by the alphabet 10 would come before 6
        Image.fromarray(image).save(tmp_path / f"slice_{i}.{ending}")
    (tmp_path / "notes.txt").write_text("taken on a Monday")
    (tmp_path / ".hidden.png").write_bytes(b"junk")
    np.testing.assert_array_equal(read_grey(tmp_path, ReadOptions()), VOLUME)


def test_jpeg_is_read_to_within_its_loss(tmp_path):
    grey = (gaussian_filter(np.random.default_rng(0).standard_normal((64, 64)), 4) * 400 + 128).astype(np.uint8)
    Image.fromarray(grey).save(tmp_path / "a.jpg", quality=95)
    assert np.abs(read_grey(tmp_path / "a.jpg", ReadOptions()).astype(int) - grey).mean() < 3


def test_a_matrix_of_rows_becomes_images(tmp_path):
    scipy.io.savemat(tmp_path / "m.mat", {"xtr": VOLUME.reshape(7, 2000)})
    np.testing.assert_array_equal(read_grey(tmp_path / "m.mat", ReadOptions(shape=(7, 40, 50))), VOLUME)
    with pytest.raises(InputError, match=r"7 x 2000 voxels do not make shape \[7, 40, 51\]"):
        read_grey(tmp_path / "m.mat", ReadOptions(shape=(7, 40, 51)))


@pytest.mark.parametrize("name", ["v.npz", "v5.mat", "v73.mat", "v.h5", "v.vti"])
def test_a_missing_variable_is_told_with_those_there_are(files, name):
    held = {"v.npz": "phases", "v.h5": "scans/rock", "v.vti": "phase"}.get(name, "rock")
    with pytest.raises(InputError, match=f"has no variable 'nope'; it holds .*{held}"):
        read_grey(files[name], ReadOptions(variable="nope"))
    np.testing.assert_array_equal(read_grey(files[name], ReadOptions(variable=held)), VOLUME)


def test_two_variables_are_not_chosen_between(tmp_path):
    np.savez(tmp_path / "two.npz", a=VOLUME, b=SLICE)
    with pytest.raises(
        InputError, match=r"say which `variable` is the image; it holds a \(7 x 40 x 50\), b \(40 x 50\)"
    ):
        read_grey(tmp_path / "two.npz", ReadOptions())


@pytest.mark.parametrize(
    "how",
    [
        {"tile": (16, 16)},
        {"bigtiff": True},
        {"byteorder": ">"},
        {"rowsperstrip": 3, "compression": "zlib", "predictor": True},
        {"ome": True},
        {"planarconfig": "separate", "photometric": "rgb"},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_tiff_as_other_programs_write_it(tmp_path, how, dtype):
    image = (SLICE * 200).astype(dtype)
    data = np.stack([image] * 3) if "planarconfig" in how else image
    tifffile.imwrite(tmp_path / "a.tif", data, **how)
    read = read_grey(tmp_path / "a.tif", ReadOptions())
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, image)


def test_tiff_numbers_are_those_stored_however_they_are_to_be_shown(tmp_path):
    palette = np.zeros((3, 256), np.uint16)
    palette[1, 0] = 65535  # 0 is shown green, 1 black
    tifffile.imwrite(tmp_path / "palette.tif", SLICE, photometric="palette", colormap=palette)
    tifffile.imwrite(tmp_path / "grey.tif", SLICE, photometric="miniswhite")
    tifffile.imwrite(tmp_path / "bits.tif", SLICE.astype(bool), photometric="miniswhite")
    for name, told in (("palette.tif", "0 as #00ff00, 1 as #000000"), ("grey.tif", "white"), ("bits.tif", "white")):
        with pytest.warns(InputWarning, match=f"{name}: .*{told}.*the numbers that are stored count"):
            np.testing.assert_array_equal(read_grey(tmp_path / name, ReadOptions()), SLICE)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # who says what the levels are has nothing to be told
            read_grey(tmp_path / name, ReadOptions(phases={0: "pore", 1: "grain"}))


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_deep_png_keeps_its_levels(tmp_path, dtype):
    deep = SLICE.astype(dtype) * 40000
    Image.fromarray(deep.astype(np.uint16)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_grey(tmp_path / "a.png", ReadOptions()), deep)


# --- colours


def test_grey_saved_as_colour_is_grey(tmp_path):
    opaque = np.full_like(SLICE, 255)
    Image.fromarray(np.stack([SLICE * 255] * 3 + [opaque], -1)).save(tmp_path / "rgba.png")
    Image.fromarray(SLICE * 255).convert("P").save(tmp_path / "palette.png")
    tifffile.imwrite(tmp_path / "rgb.tif", np.stack([SLICE * 255] * 3, -1), photometric="rgb")
    for name in ("rgba.png", "palette.png", "rgb.tif"):
        np.testing.assert_array_equal(read_grey(tmp_path / name, ReadOptions()), SLICE * 255)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_real_colours_are_refused(tmp_path, name):
    blue = np.stack([SLICE * 200, SLICE * 200, SLICE * 0 + 90], -1)
    if name.endswith("png"):
        Image.fromarray(blue).save(tmp_path / name)
    else:
        tifffile.imwrite(tmp_path / name, blue, photometric="rgb")
    with pytest.raises(InputError, match="it is in colour, and no rule says which colour is pore"):
        read_grey(tmp_path / name, ReadOptions())


@pytest.mark.parametrize("photometric", ["separated", "cielab"])
def test_numbers_that_are_no_colours_of_light_are_refused(tmp_path, photometric):
    inks = np.stack([SLICE * 200] * (4 if photometric == "separated" else 3), -1)
    tifffile.imwrite(tmp_path / "a.tif", inks, photometric=photometric)
    with pytest.raises(InputError, match=r"its colours are (inks \(CMYK\)|CIELAB); save it in grey"):
        read_grey(tmp_path / "a.tif", ReadOptions())


def test_transparent_pixels_are_refused(tmp_path):
    Image.fromarray(np.stack([SLICE * 255, SLICE * 255], -1), mode="LA").save(tmp_path / "a.png")
    with pytest.raises(InputError, match="transparent"):
        read_grey(tmp_path / "a.png", ReadOptions())


# --- what is broken


def one_line(error: BaseException, path: Path) -> None:
    assert str(error).startswith(str(path)) and "\n" not in str(error), str(error)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n", "pointer of Git LFS"),
        ("/annex/objects/MD5E-s9--4d7a.tif\n", "pointer of git-annex"),
        ("\n<!DOCTYPE html><html><body>404</body></html>", "it is a web page in place of the file"),
    ],
)
@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.npy", "a.raw", "a.csv"])
def test_what_lies_in_place_of_a_file_is_named(tmp_path, name, content, told):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=told):
        read_grey(tmp_path / name, ReadOptions(shape=(4, 4), dtype="uint8") if name == "a.raw" else ReadOptions())


@pytest.mark.parametrize("name", ["a.raw.gz", "a.zip"])
def test_what_is_packed_too_well_for_memory_is_refused_before_it_fills_it(tmp_path, monkeypatch, name):
    monkeypatch.setattr(readers, "machine_memory", lambda: 1 << 20)
    content = bytes(1 << 20)
    if name.endswith("zip"):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.raw", content)
    else:
        (tmp_path / name).write_bytes(gzip.compress(content))
    with pytest.raises(FailureError, match=rf"{name}.*: unpacked it holds 0.0 GiB or more, and this machine has 0.0"):
        read_grey(tmp_path / name, ReadOptions(shape=(1024, 1024), dtype="uint8"))


def test_a_picture_of_too_many_pixels_says_so(tmp_path, monkeypatch):
    Image.fromarray(np.kron(SLICE, np.ones((9, 9), np.uint8))).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(InputError, match=r"a.png: Image size \(\d+ pixels\) exceeds .*save it as TIFF"):
        read_grey(tmp_path / "a.png", ReadOptions())


def test_nothing_there(tmp_path):
    with pytest.raises(InputError, match="there is no such file or folder"):
        read_grey(tmp_path / "none.tif", ReadOptions())
    with pytest.raises(InputError, match=r"the folder holds no images \(.tif, .tiff, .png, .jpg, .jpeg, .bmp, .*\)"):
        read_grey(tmp_path, ReadOptions())


@pytest.mark.parametrize("name", FILES)
def test_an_empty_file(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"empty \(0 bytes\)"):
        read_grey(tmp_path / name, ReadOptions())


def test_an_unknown_ending(tmp_path):
    (tmp_path / "a.xyz").write_bytes(b"1")
    with pytest.raises(InputError, match=r"the ending '.xyz' is unknown; there are .tif, .*\.vti, and .zip"):
        read_grey(tmp_path / "a.xyz", ReadOptions())


@pytest.mark.parametrize("name", FILES)
def test_another_file_under_this_ending(tmp_path, name):
    (tmp_path / name).write_bytes(b"This is not the file that you are looking for." * 20)
    with pytest.raises(InputError) as error:
        read_grey(tmp_path / name, options_of(tmp_path / name))
    one_line(error.value, tmp_path / name)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0.001, 0.999))
def test_a_file_cut_short_is_refused_unless_its_image_is_whole(files, tmp_path, name, share):
    """Some end in what the image does not need, and only that may be missing."""
    data = files[name].read_bytes()
    (tmp_path / name).write_bytes(data[: max(1, int(len(data) * share))])
    try:
        image = read_grey(tmp_path / name, options_of(files[name]))
    except InputError as error:
        one_line(error, tmp_path / name)
    else:
        assert share > 0.9
        np.testing.assert_array_equal(image, read_grey(files[name], options_of(files[name])))


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_with_damaged_bytes_is_an_image_or_one_clear_line(files, tmp_path, name, data):
    """Formats without checksums cannot tell; none may crash, or raise what the command line does not know."""
    content = bytearray(files[name].read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[at] ^= data.draw(st.integers(1, 255))
    (tmp_path / name).write_bytes(content)
    try:
        image = read_grey(tmp_path / name, options_of(files[name]))
    except (InputError, FailureError) as error:
        one_line(error, tmp_path / name)
    else:
        assert image.ndim in (2, 3)


@pytest.mark.parametrize("name", ["slice.png", "zipped.zip", "v.npz"])
def test_formats_with_checksums_find_any_damage_to_the_image(files, tmp_path, name):
    content = bytearray(files[name].read_bytes())
    content[len(content) // 3] ^= 0x55
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=r"(it is damaged, or no|the zip cannot be read) .*; copy it anew$"):
        read_grey(tmp_path / name, ReadOptions())


def test_slices_of_several_shapes(tmp_path):
    Image.fromarray(SLICE).save(tmp_path / "1.png")
    Image.fromarray(SLICE[:-1]).save(tmp_path / "2.png")
    with pytest.raises(InputError, match=r"2.png: it is 39 x 50 uint8, but 1.png is 40 x 50 uint8"):
        read_grey(tmp_path, ReadOptions())


def test_slices_of_several_kinds(tmp_path):
    Image.fromarray(SLICE).save(tmp_path / "1.png")
    tifffile.imwrite(tmp_path / "2.tif", SLICE)
    with pytest.raises(InputError, match=r"the folder mixes .png, .tif"):
        read_grey(tmp_path, ReadOptions())


def test_a_broken_slice_is_named(tmp_path):
    for i in range(3):
        Image.fromarray(SLICE).save(tmp_path / f"{i}.png")
    (tmp_path / "1.png").write_bytes((tmp_path / "1.png").read_bytes()[:-60])
    with pytest.raises(InputError) as error:
        read_grey(tmp_path, ReadOptions())
    one_line(error.value, tmp_path / "1.png")


@pytest.mark.parametrize(("names", "told"), [([], "holds no image"), (["a.png", "b.tif"], "holds a.png, b.tif")])
def test_a_zip_of_none_or_two(tmp_path, names, told):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("notes.txt", "x")
        for name in names:
            archive.writestr(name, b"x")
    with pytest.raises(InputError, match=f"must hold exactly one image; this one {told}"):
        read_grey(tmp_path / "a.zip", ReadOptions())


def test_a_raw_file_of_another_size(files):
    with pytest.raises(InputError, match="it holds 28000 bytes, but 7 x 40 x 51 uint8 are 14280"):
        read_grey(files["v.raw"], ReadOptions(shape=(7, 40, 51), dtype="uint8"))
    with pytest.raises(InputError, match="they would be right for numbers of 16 bits, as uint16"):
        read_grey(files["v.raw"], ReadOptions(shape=VOLUME.shape, dtype="uint8"))
    with pytest.raises(InputError, match="does not say what it holds; add `shape"):
        read_grey(files["v.raw"], ReadOptions())
    with pytest.raises(InputError, match="dtype 'uint9' is unknown"):
        read_grey(files["v.raw"], ReadOptions(shape=VOLUME.shape, dtype="uint9"))


def test_a_header_of_a_raw_file_is_guessed_and_left_out(tmp_path):
    (tmp_path / "a.raw").write_bytes(b"h" * 512 + VOLUME.tobytes())
    with pytest.raises(InputError, match="if the 512 bytes more are a header, add `offset: 512`"):
        read_grey(tmp_path / "a.raw", ReadOptions(shape=VOLUME.shape, dtype="uint8"))
    with pytest.raises(InputError, match="if the 12 bytes more are a header, add `offset: 512`"):
        read_grey(tmp_path / "a.raw", ReadOptions(shape=VOLUME.shape, dtype="uint8", offset=500))
    options = ReadOptions(shape=np.array(VOLUME.shape), dtype="uint8", offset=np.int64(512))
    np.testing.assert_array_equal(read_grey(tmp_path / "a.raw", options), VOLUME)
    with pytest.raises(InputError, match="offset is -1"):
        ReadOptions(offset=-1)


def test_what_is_packed_by_gzip_is_read_as_what_it_holds(files, tmp_path):
    for name, held in (("v.raw", VOLUME), ("imagej.tif", VOLUME), ("slice.png", SLICE)):
        packed = tmp_path / f"{name}.gz"
        packed.write_bytes(gzip.compress(files[name].read_bytes()))
        np.testing.assert_array_equal(read_grey(packed, options_of(files[name])), held)
        packed.write_bytes(packed.read_bytes()[:-9])
        with pytest.raises(InputError, match="cannot be unpacked"):
            read_grey(packed, options_of(files[name]))


def test_fields_of_matlab_structs_are_variables(tmp_path):
    scans = np.array([{"im": VOLUME, "voxel": 5.0}, {"im": SLICE, "voxel": 5.0}], object)
    scipy.io.savemat(tmp_path / "a.mat", {"sample": {"im": VOLUME, "by": "me", "part": {"cut": SLICE}}, "scans": scans})
    for variable, held in (("sample.im", VOLUME), ("sample.part.cut", SLICE), ("scans(2).im", SLICE)):
        np.testing.assert_array_equal(read_grey(tmp_path / "a.mat", ReadOptions(variable=variable)), held)
    told = r"it holds sample\.im \(7 x 40 x 50\), sample\.part\.cut \(40 x 50\), scans\(1\)\.im"
    with pytest.raises(InputError, match=told):
        read_grey(tmp_path / "a.mat", ReadOptions())
    scipy.io.savemat(tmp_path / "b.mat", {"sample": {"im": VOLUME, "by": "me"}})
    np.testing.assert_array_equal(read_grey(tmp_path / "b.mat", ReadOptions()), VOLUME)
    mat73(tmp_path / "c.mat", "sample/im", VOLUME)
    np.testing.assert_array_equal(read_grey(tmp_path / "c.mat", ReadOptions(variable="sample.im")), VOLUME)


def test_files_that_are_not_read_say_how_to_convert(tmp_path):
    for name, told in (
        ("a.dcm", "3D Slicer"),
        ("a.VOL", "format: raw"),
        ("a.stl", "a surface"),
        ("a.svg", "a drawing"),
    ):
        (tmp_path / name).write_bytes(b"1")
        with pytest.raises(InputError, match=rf"{name}: {name[1:]} files are not read: .*{told}"):
            read_grey(tmp_path / name, ReadOptions())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 2 3\n4 5 6\n", [[1, 2, 3], [4, 5, 6]]),
        ("# a comment\n1;2\n3;4\n", [[1, 2], [3, 4]]),
        ("\ufeff1.5,2,3,\n4,5,6,\n", [[1.5, 2, 3], [4, 5, 6]]),
        ("ncols 2\nnrows 2\ncellsize 5\n1 2\n3 4", [[1, 2], [3, 4]]),
        ("0" * 20 + "\n" + "1" * 20, [[0] * 20, [1] * 20]),
        ("1,0;0,5\n0,0;1,0\n", [[1, 0.5], [0, 1]]),
        ("1,0 0,5\n0,0\t1,0\n", [[1, 0.5], [0, 1]]),
        ("1, 0, 5\n0, 0, 1\n", [[1, 0, 5], [0, 0, 1]]),
        ("1,0\n0,1\n", [[1, 0], [0, 1]]),
        ("a b\n1 2\n", "line 1 is no row of numbers: 'a b'"),
        ("1 2 3\n1 2\n", "line 2 has 2 numbers, but the first row has 3"),
        ("1 2 3\n" * 9, "9 lines of 3 numbers are no rows of an image; give its `shape`"),
        ("# nothing\n", "it holds no numbers"),
    ],
)
def test_grids_of_text(tmp_path, text, expected):
    (tmp_path / "a.txt").write_text(text)
    if isinstance(expected, str):
        with pytest.raises(InputError, match=f"a.txt: {expected}"):
            read_grey(tmp_path / "a.txt", ReadOptions())
    else:
        np.testing.assert_array_equal(read_grey(tmp_path / "a.txt", ReadOptions()), expected)


def test_settings_that_a_format_has_no_use_for(files):
    with pytest.raises(InputError, match="leave `variable` out"):
        read_grey(files["slice.png"], ReadOptions(variable="x"))
    with pytest.raises(InputError, match="leave `dtype` out"):
        read_grey(files["plain.tif"], ReadOptions(dtype="uint8"))


def test_tiff_pages_of_several_sizes(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(SLICE)
        tiff.write(SLICE[:20])
    with pytest.raises(InputError, match="its pages do not make one image: 40 x 50, 20 x 50"):
        read_grey(tmp_path / "a.tif", ReadOptions())


def test_arrays_that_are_no_grey_levels(tmp_path):
    np.save(tmp_path / "c.npy", VOLUME.astype(complex))
    np.save(tmp_path / "o.npy", np.array([[{}, {}]]), allow_pickle=True)
    np.save(tmp_path / "line.npy", np.arange(9))
    for name, told in (("c.npy", "no grey levels"), ("o.npy", "damaged"), ("line.npy", "give its `shape`")):
        with pytest.raises(InputError, match=told):
            read_grey(tmp_path / name, ReadOptions())


def test_the_hash_follows_the_content_alone(files, tmp_path):
    copy = tmp_path / "elsewhere.tif"
    copy.write_bytes(files["plain.tif"].read_bytes())
    assert content_hash(copy) == content_hash(files["plain.tif"])
    copy.write_bytes(copy.read_bytes()[:-1] + b"!")
    assert content_hash(copy) != content_hash(files["plain.tif"])


def test_a_stream_of_pages_lost_from_a_tiff_is_noticed(tmp_path):
    """tifffile logs that it cannot find the next page and goes on with those before it."""
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as tiff:
        for image in VOLUME:
            tiff.write(image, contiguous=False, metadata=None)
    data = stream.getvalue()
    (tmp_path / "a.tif").write_bytes(data)
    np.testing.assert_array_equal(read_grey(tmp_path / "a.tif", ReadOptions()), VOLUME)
    (tmp_path / "a.tif").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"damaged or not whole|cut short"):
        read_grey(tmp_path / "a.tif", ReadOptions())


# --- a reader of the user's own

DUMP = '''
import numpy as np
from matopt.data.images.formats.base import Format

class Dump(Format):
    """Rows of digits, a voxel each, under a first line of text."""

    endings = (".dump",)
    is_slice = True

    def read(self, stream, options):
        return np.array([[int(c) for c in line] for line in stream.read().decode().splitlines()[1:]], np.uint8)

class NotAFormat:
    pass
'''


def dump(path: Path, image: np.ndarray) -> Path:
    path.write_text("step 1\n" + "\n".join("".join(map(str, row)) for row in image))
    return path


@pytest.fixture
def reader(tmp_path) -> str:
    (tmp_path / "reader.py").write_text(DUMP)
    return f"{tmp_path / 'reader.py'}:Dump"


def test_a_reader_of_the_users_own_is_named_by_its_file(tmp_path, reader, monkeypatch):
    options = ReadOptions(format=reader)
    folder = tmp_path / "slices"
    folder.mkdir()
    for i, image in enumerate(VOLUME):
        dump(folder / f"{i}.dump", image)
    (folder / "0.png").write_bytes(b"another kind, and no slice of this format")
    np.testing.assert_array_equal(read_grey(folder / "3.dump", options), VOLUME[3])
    np.testing.assert_array_equal(read_grey(folder, options), VOLUME)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(folder / "0.dump", "scan/0.dump")
    np.testing.assert_array_equal(read_grey(tmp_path / "a.zip", options), VOLUME[0])
    assert len(content_hash(folder, reader)) == 32
    monkeypatch.chdir(tmp_path)
    np.testing.assert_array_equal(read(folder / "3.dump", "1 um", format="reader.py:Dump").phases, VOLUME[3])
    np.testing.assert_array_equal(read_grey(dump(tmp_path / "a.txt", SLICE), options), SLICE)


def test_a_broken_file_of_the_users_own_format_is_one_line(tmp_path, reader):
    (tmp_path / "a.dump").write_text("step 1\n01\n0x")
    with pytest.raises(InputError, match=r"it is damaged, or no .dump file \(ValueError: ") as error:
        read_grey(tmp_path / "a.dump", ReadOptions(format=reader))
    one_line(error.value, tmp_path / "a.dump")


def test_what_is_no_format_is_refused(tmp_path, reader):
    with pytest.raises(InputError, match="NotAFormat is not a Format; derive it from matopt"):
        read_grey(tmp_path, ReadOptions(format=reader.replace("Dump", "NotAFormat")))
    with pytest.raises(InputError, match="no formats called 'tif'; did you mean 'tiff'"):
        read_grey(tmp_path, ReadOptions(format="tif"))


def test_a_named_format_is_taken_whatever_the_ending(files, tmp_path):
    copy = tmp_path / "a.dat"
    copy.write_bytes(files["v.h5"].read_bytes())
    np.testing.assert_array_equal(read_grey(copy, ReadOptions(format="hdf5")), VOLUME)
    with pytest.raises(InputError, match=r"it is damaged, or no .dat file \(TiffFileError"):
        read_grey(copy, ReadOptions(format="tiff"))
