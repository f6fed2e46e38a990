"""Images in two colours, and in grey."""

import warnings

import numpy as np
import pytest
import tifffile
from PIL import Image

from matopt.data.images.read_options import ReadOptions
from matopt.data.images.readers import read_grey
from matopt.data.read import read
from matopt.errors import InputError, InputWarning

PHASES = np.kron(np.random.default_rng(0).random((20, 20)) < 0.6, np.ones((8, 8), bool))
BLUE, GREY = (0x3B, 0x4C, 0xC0), (0xDD, 0xDD, 0xDD)
COLOURS = np.where(PHASES[..., None], np.array(GREY, np.uint8), np.array(BLUE, np.uint8))
FRAMED = COLOURS.copy()
FRAMED[0], FRAMED[-1] = 0, 0
NAMED = {"#3b4cc0": "pore", "#dddddd": "grain"}


def save(path, colours):
    if path.suffix == ".tif":
        deep = colours.astype(np.uint16) * 257 if path.stem == "deep" else colours
        tifffile.imwrite(path, deep, photometric="rgb")
    elif path.suffix == ".npy":
        np.save(path, colours)
    else:
        image = Image.fromarray(colours)
        (image.quantize(2) if path.suffix == ".gif" else image).save(path)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.gif", "a.tif", "deep.tif", "a.npy"])
def test_two_colours_are_named_by_their_share_and_told_by_phases(tmp_path, name):
    path = save(tmp_path / name, COLOURS)
    share = PHASES.mean()
    shares = f"#dddddd \\({share:.1%}\\) and #3b4cc0 \\({1 - share:.1%}\\)"
    with pytest.raises(InputError, match=f"{shares}: add `phases: {{'#dddddd': pore, '#3b4cc0': grain}}`"):
        read(path, "1 um")
    np.testing.assert_array_equal(read(path, "1 um", phases=NAMED).phases, PHASES)
    np.testing.assert_array_equal(read(path, "1 um", phases={" #DDD": "pore", "#3B4CC0": "grain"}).phases, ~PHASES)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_a_thin_third_colour_goes_to_the_nearest_and_is_said(tmp_path, name):
    path = save(tmp_path / name, FRAMED)
    with pytest.raises(InputError, match=r"#dd[cde0-9]{4} \(5.*and #3[0-9a-f]{5} \(4"):
        read(path, "1 um")
    with pytest.warns(InputWarning, match=r"a\.\w+: 1\.[0-9]% of the pixels have other colours than `phases` names"):
        found = read(path, "1 um", phases=NAMED).phases
    np.testing.assert_array_equal(found[1:-1], PHASES[1:-1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)  # a JPEG has some between the frame and the phases
        found = read(path, "1 um", phases=NAMED | {"#000000": "outside"}).phases
    assert (found[0] == 2).all() and (found[1:-1] == PHASES[1:-1]).mean() > 0.999


def test_smoothed_edges_between_two_colours_go_to_the_nearer(tmp_path):
    small = Image.fromarray(COLOURS[::4, ::4]).resize((120, 120), Image.Resampling.BICUBIC)
    small.save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"#dddddd \(.*and #3b4cc0 \("):
        read(tmp_path / "a.png", "1 um")
    with pytest.warns(InputWarning, match="of the pixels have other colours"):
        found = read(tmp_path / "a.png", "1 um", phases=NAMED).phases
    np.testing.assert_array_equal(found[1::3, 1::3], PHASES[::4, ::4])  # the middles of pixels that became nine


def test_colours_that_are_not_there_or_not_named_are_refused(tmp_path):
    path = save(tmp_path / "a.png", COLOURS)
    with pytest.raises(InputError, match="no pixel has the colour #ff0000 that `phases` names"):
        read(path, "1 um", phases={"#ff0000": "pore", "#dddddd": "grain"})
    three = COLOURS.copy()
    three[:40] = (200, 30, 30)
    told = r"25\.0% of the pixels have colours that `phases` does not name; it holds #.* and #.* and #.*each of them is"
    with pytest.raises(InputError, match=told):
        read(save(tmp_path / "b.png", three), "1 um", phases=NAMED)
    for phases, told in (
        ({"#3b4": "pore", 0: "grain"}, "colours, some are grey"),
        ({"#3b4cc": "pore"}, "not a colour"),
    ):
        with pytest.raises(InputError, match=told):
            ReadOptions(phases=phases)


def test_grey_pictures_may_be_told_by_colours_too(tmp_path):
    Image.fromarray(PHASES.astype(np.uint8) * 255).save(tmp_path / "a.png")
    found = read(tmp_path / "a.png", "1 um", phases={"#000000": "pore", "#ffffff": "grain"})
    np.testing.assert_array_equal(found.phases, PHASES)


@pytest.mark.parametrize("ending", ["bmp", "gif", "webp", "pgm", "ppm", "jp2"])
def test_pictures_of_other_kinds_are_read(tmp_path, ending):
    image = PHASES.astype(np.uint8) * 255
    options = {"lossless": True} if ending == "webp" else {}
    Image.fromarray(image).convert("RGB" if ending in ("ppm", "webp") else "L").save(
        tmp_path / f"a.{ending}", **options
    )
    np.testing.assert_array_equal(read_grey(tmp_path / f"a.{ending}", ReadOptions()), image)
