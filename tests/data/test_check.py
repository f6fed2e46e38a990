"""What ``matopt data check`` says of a file."""

import numpy as np
import pytest
import yaml
from PIL import Image
from scipy.ndimage import gaussian_filter

from matopt.data.check import check
from matopt.data.images.read_options import ReadOptions
from matopt.data.read import read
from matopt.data.sources.base import SOURCES
from matopt.data.windows.window import Window
from matopt.errors import InputError
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


def test_a_scan_too_small_for_its_structures_gets_no_window(tmp_path):
    np.save(tmp_path / "a.npy", rock(40, 40, sigma=6, level=0))
    report = check(tmp_path / "a.npy", ReadOptions(), sheet=tmp_path / "sheet.png")
    assert Image.open(tmp_path / "sheet.png").size == (42, 42)
    assert report.window is None and "none suggested" in str(report) and "window" not in report.yaml
