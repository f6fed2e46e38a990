"""What ``matopt data check`` says of a file."""

import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image
from scipy.ndimage import gaussian_filter

from matopt.data.check import check
from matopt.data.images.read_options import ReadOptions
from matopt.data.read import read
from matopt.data.sources.base import SOURCES
from matopt.data.windows.window import Window
from matopt.data.write import write
from matopt.errors import InputError
from matopt.microstructures import Microstructures
from matopt.registry import Component


def rock(*shape: int, sigma: float = 2.0, level: float = -0.08) -> np.ndarray:
    field = gaussian_filter(np.random.default_rng(0).standard_normal(shape), sigma, mode="wrap")
    return (field > level).astype(np.uint8) * 255


def test_the_report_tells_what_was_planted(tmp_path):
    """Pores as straight channels along x alone, 16 apart: they span x and no other axis."""
    channels = np.full((48, 64, 64), 200, np.uint8)
    channels[:, 4::16, 4::16] = 10
    np.save(tmp_path / "a.npy", channels)
    report = check(tmp_path / "a.npy", ReadOptions(), "1 um")
    assert report.shape == (48, 64, 64) and report.dtype == "uint8" and report.levels == (10, 200)
    assert report.porosity == pytest.approx(1 / 256)
    assert report.percolation == {"pore": (1, 0, 0), "grain": (1, 1, 1)}
    assert "pore         percolates along x\n" in str(report)
    assert "pore is 10, grain is 200" in str(report)


def test_the_report_names_thin_pores_and_grain_that_hangs_on_corners(tmp_path):
    """Channels 2 and 5 wide, and two blocks of grain that share a corner of a voxel."""
    image = np.ones((40, 40), np.uint8)
    image[:, 4:6] = image[:, 20:25] = 0
    np.save(tmp_path / "a.npy", image)
    assert "thin pores   29% of the pore space is thinner than 3 voxels; permeability" in str(
        check(tmp_path / "a.npy", ReadOptions())
    )
    corner = np.zeros((40, 40), np.uint8)
    corner[:20, :20] = corner[20:, 20:] = 1
    np.save(tmp_path / "b.npy", corner)
    text = str(check(tmp_path / "b.npy", ReadOptions()))
    assert "grain reaches across along x and y through edges and corners of voxels alone" in text
    assert "grain        does not percolate" in text and "thin pores   0% of the pore space" in text


def test_the_report_measures_the_interface(tmp_path):
    """Layers of 4 pore voxels out of 16, seen edge on: lines across them have an interface every 8 voxels."""
    layers = np.ones((128, 128), np.uint8)
    for first in range(8, 12):
        layers[:, first::16] = 0
    np.save(tmp_path / "a.npy", layers)
    found = check(tmp_path / "a.npy", ReadOptions()).interface
    assert found.specific_surface == pytest.approx(0.95 / 8, rel=0.01)  # Crofton's 5 % too little for flat faces
    # A mean over lines of both axes: half of them never leave a phase and have no chords, but all its voxels.
    assert found.chord_length == {"pore": pytest.approx(8, rel=0.01), "grain": pytest.approx(24, rel=0.01)}
    assert found.lineal_path == {"pore": None, "grain": None}
    text = str(check(tmp_path / "a.npy", ReadOptions(), "2 um"))
    assert "of interface per area" in text and f"on average {2 * found.chord_length['pore']:.3g} um in pore" in text
    assert f"surface      {found.specific_surface / 2:.3g} per um" in text


def test_lengths_of_discs_are_those_of_geometry(tmp_path):
    """Pores of radius 8, far apart: chords of a disc are pi r / 2 on average, a circle's length is 2 pi r."""
    y, x = np.mgrid[:400, :400]
    disc = np.hypot(y % 40 - 19.5, x % 40 - 19.5) < 8
    np.save(tmp_path / "a.npy", (~disc).astype(np.uint8))
    found = check(tmp_path / "a.npy", ReadOptions()).interface
    assert found.specific_surface == pytest.approx(2 * np.pi * 8 / 40**2, rel=0.05)
    assert found.chord_length["pore"] == pytest.approx(np.pi * 8 / 2, rel=0.05)
    assert 8 < found.lineal_path["pore"] < 16 and found.lineal_path["grain"] is None  # lines between the rows of discs


def test_percolation_of_images_is_a_share(tmp_path):
    images = np.full((4, 32, 32), 1, np.uint8)
    images[0, :, 5] = images[1, 5, :] = images[2, :, 5] = 0
    images[3, 5, 5] = 0
    np.save(tmp_path / "a.npy", images)
    report = check(tmp_path / "a.npy", ReadOptions(stack="images"))
    assert report.percolation["pore"] == (0.5, 0.25)
    assert report.percolation["grain"] == (0.75, 0.5)


def test_the_suggested_window_has_the_spread_that_is_predicted(tmp_path):
    np.save(tmp_path / "a.npy", rock(40, 320, 320, sigma=2.0))
    report = check(tmp_path / "a.npy", ReadOptions(), "1 um", sheet=tmp_path / "sheet.png")
    assert Image.open(tmp_path / "sheet.png").size == (6 * (report.window + 1) + 1,) * 2
    windows = read(tmp_path / "a.npy", "1 um").windows(report.window)
    assert len(windows) == report.number
    (every,) = windows.split(every=len(windows))
    assert every.porosity.std() == pytest.approx(report.spread, rel=0.2)


@pytest.mark.parametrize(
    "grey", [rock(40, 96, 96), rock(40, 96, 96) + np.random.default_rng(0).normal(0, 20, (40, 96, 96))]
)
def test_the_suggested_source_works_as_it_is(tmp_path, grey):
    np.save(tmp_path / "a.npy", grey)
    report = check(tmp_path / "a.npy", ReadOptions(), "2 um")
    block = yaml.safe_load(report.yaml)
    settings = block["source"]
    source = SOURCES.build(Component(settings.pop("kind"), settings))
    part = source.split(Window(**block["window"]), {"train": 2}, seed=0)["train"]
    assert part.shape == (report.window, report.window)
    assert source.scan.porosity == pytest.approx(report.porosity)


def test_an_unknown_voxel_size_must_be_put_in(tmp_path):
    np.save(tmp_path / "a.npy", rock(96, 96))
    settings = yaml.safe_load(check(tmp_path / "a.npy", ReadOptions()).yaml)["source"]
    with pytest.raises(InputError, match=r"voxel_size '\? um'"):
        SOURCES.build(Component(settings.pop("kind"), settings))


def test_hints(tmp_path):
    np.save(tmp_path / "rows.npy", rock(30, 64, 64).reshape(30, 4096))
    assert "`shape: [30, 64, 64]`" in str(check(tmp_path / "rows.npy", ReadOptions()))
    images = np.stack([rock(64, 64)] * 40)
    for i, image in enumerate(images):
        images[i] = np.roll(image, (i * 29, i * 17), (0, 1))
    np.save(tmp_path / "images.npy", images)
    assert "stack: images" in str(check(tmp_path / "images.npy", ReadOptions()))


@pytest.mark.parametrize(("shape", "sigma"), [((512, 512), (4, 2)), ((96, 96, 96), (1, 2, 2))])
def test_beds_are_noted(tmp_path, shape, sigma):
    np.save(tmp_path / "bedded.npy", rock(*shape, sigma=sigma))
    np.save(tmp_path / "alike.npy", rock(*shape, sigma=2))
    notes = [" ".join(check(tmp_path / name, ReadOptions()).hints) for name in ("bedded.npy", "alike.npy")]
    assert "its axes are told apart" in notes[0] and "mirror images" not in notes[0]
    assert "told" not in notes[1]


def test_a_scan_too_small_for_its_structures_gets_no_window(tmp_path):
    np.save(tmp_path / "a.npy", rock(40, 40, sigma=6, level=0))
    report = check(tmp_path / "a.npy", ReadOptions(), sheet=tmp_path / "sheet.png")
    assert Image.open(tmp_path / "sheet.png").size == (42, 42)
    assert report.window is None and "none suggested" in str(report) and "window" not in report.yaml


ROWS, COLUMNS = np.mgrid[:96, :96] - 47.5


def source_of(report):
    settings = dict(report.source)
    return SOURCES.build(Component(settings.pop("kind"), settings | {"voxel_size": "2 um"}))


@pytest.mark.parametrize("is_grey", [False, True])
def test_a_core_is_told_from_its_surroundings(tmp_path, is_grey):
    """Levels and their shares are listed, and what is suggested reads the sample alone, in windows that lie in it."""
    inside, phases = np.hypot(ROWS, COLUMNS) < 44, rock(24, 96, 96) // 255
    grey = 80 + 90 * phases + np.random.default_rng(0).normal(0, 9, phases.shape) if is_grey else phases + 1
    np.save(tmp_path / "core.npy", np.where(inside, grey, 0).astype(np.uint8))
    report = check(tmp_path / "core.npy", ReadOptions(), sheet=tmp_path / "sheet.png")
    expected = 1 - phases[:, inside].mean()
    assert report.porosity == pytest.approx(expected, abs=1e-3)
    assert report.source["phases"] == ({0: "outside"} if is_grey else {0: "outside", 1: "pore", 2: "grain"})
    assert report.source.get("threshold") == ("otsu" if is_grey else None)
    shares = [np.mean(np.where(inside, phases + 1, 0) == level) for level in range(3)]
    listed = "3: " + ", ".join(f"{level} ({100 * share:.3g} %)" for level, share in enumerate(shares))
    assert is_grey or (listed in str(report) and "`phases` is a guess" in str(report))
    source = source_of(report)
    assert source.scan.porosity == pytest.approx(expected, abs=1e-3)
    (part,) = source.split(Window(32, stride=16), {"train": 6}, seed=0).values()
    assert abs(part.porosity - expected).max() < 0.2
    assert Image.open(tmp_path / "sheet.png").size[0] > report.window


def test_surroundings_that_no_level_tells_from_a_phase_are_noted(tmp_path):
    np.save(tmp_path / "core.npy", np.where(np.hypot(ROWS, COLUMNS) < 44, rock(24, 96, 96), 0))
    text = str(check(tmp_path / "core.npy", ReadOptions()))
    assert "level 0 fills the corners of every slice" in text and "as 256, and add `phases: {256: outside}`" in text
    np.save(tmp_path / "rock.npy", rock(24, 96, 96))
    assert "corners" not in str(check(tmp_path / "rock.npy", ReadOptions()))


def test_a_threshold_over_a_few_levels_and_grain_ids_is_noted(tmp_path):
    np.save(tmp_path / "classes.npy", rock(96, 96) + rock(96, 96, sigma=5) // 255)
    hints = check(tmp_path / "classes.npy", ReadOptions(threshold="otsu")).hints
    assert any("a threshold takes 0 (" in hint and "`phases: {0: pore, " in hint for hint in hints)
    ids = np.kron(np.arange(400).reshape(20, 20) * 7 % 400, np.ones((6, 6), np.int32))
    np.save(tmp_path / "ids.npy", ids)
    with pytest.raises(InputError, match=r"ids.npy: its 400 levels number regions .*; if 0 is pore .* `threshold: 0`"):
        check(tmp_path / "ids.npy", ReadOptions())
    hints = check(tmp_path / "ids.npy", ReadOptions(threshold=200)).hints
    assert any("400 levels number regions (grain ids)" in hint for hint in hints)


def test_the_size_that_the_file_says_is_suggested_and_voxels_become_cubes(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif", rock(96, 64, 64)[1::4], imagej=True, resolution=(0.5, 0.5),
        metadata={"spacing": 8.0, "unit": "micron", "axes": "ZYX"},
    )  # fmt: skip
    report = check(tmp_path / "a.tif", ReadOptions())
    text = str(report)
    assert "voxels       8 x 2 x 2 um by the file" in text and "the voxel size is what the file says" in text
    assert report.source["voxel_size"] == "8 x 2 x 2 um" and report.source["resample"] is True
    assert "24 x 64 x 64 voxels resampled to 96 x 64 x 64" in text and report.voxel_size == pytest.approx(2e-6)
    write(tmp_path / "own.tif", Microstructures(rock(1, 24, 64, 64) // 255, "2 um"))
    report_of_own = str(check(tmp_path / "own.tif", ReadOptions()))
    assert "voxels       ? x 2 x 2 um" in report_of_own and "does not tell the distance of its slices" in report_of_own
    along, *across = report.decorrelation
    assert max(across) - 2 <= along <= max(across) + 4  # as in the rock that was cut into slices
    settings = dict(report.source)
    assert SOURCES.build(Component(settings.pop("kind"), settings)).scan.porosity == pytest.approx(report.porosity)


def test_what_is_wrong_with_slices_and_axes_is_a_note(tmp_path, monkeypatch, recwarn):
    volume = rock(8, 64, 64)
    (tmp_path / "slices").mkdir()
    for number, image in zip((1, 2, 3, 4, 6, 7, 8, 9), volume, strict=True):
        Image.fromarray(image).save(tmp_path / "slices" / f"{number}.png")
    assert "1 slice is missing (5), and those" in str(check(tmp_path / "slices", ReadOptions()))
    volume = rock(24, 48, 64)
    volume.tofile(tmp_path / "a.raw")
    report = check(tmp_path / "a.raw", ReadOptions(shape=(64, 48, 24), dtype="uint8"))
    assert any("hardly alike in shape [64, 48, 24], but they are in [24, 48, 64]" in hint for hint in report.hints)
    assert not recwarn
    monkeypatch.chdir(tmp_path)
    assert check("slices", ReadOptions()).source["path"] == str(tmp_path / "slices")


def test_nothing_is_drawn_among_the_slices(tmp_path, monkeypatch):
    for number, image in enumerate(rock(5, 64, 64)):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    before = sorted(tmp_path.iterdir())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"sheet.png: a contact sheet would be taken for a slice of \."):
        check(".", ReadOptions(), sheet=tmp_path / "sheet.png")
    assert sorted(tmp_path.iterdir()) == before
