"""Image files as a study's source."""

import json

import numpy as np
import pytest
import yaml
from PIL import Image
from scipy.ndimage import gaussian_filter

from matopt.data.check import check
from matopt.data.images.read_options import ReadOptions
from matopt.data.read import read
from matopt.data.sources.base import SOURCES, Source
from matopt.data.sources.files import Files
from matopt.data.windows.window import Window
from matopt.errors import InputError
from matopt.registry import Component, content_key
from matopt.study.config.components import check_component, resolve_paths


def rock(*shape: int, sigma: float = 2.0, level: float = -0.08) -> np.ndarray:
    field = gaussian_filter(np.random.default_rng(0).standard_normal(shape), sigma, mode="wrap")
    return (field > level).astype(np.uint8) * 255


@pytest.fixture
def volume(tmp_path):
    np.save(tmp_path / "rock.npy", rock(80, 64, 64))
    return tmp_path / "rock.npy"


def test_a_study_finds_the_source_by_its_name(volume):
    source = SOURCES.build(Component("files", {"path": volume, "voxel_size": "2 um"}))
    parts = source.split(Window(32, zoom=2), {"train": 8, "test": 4}, seed=1)
    assert {name: len(part) for name, part in parts.items()} == {"train": 8, "test": 4}
    assert parts["train"].shape == (64, 64) and parts["train"].voxel_size == pytest.approx(1e-6)
    assert not set(parts["train"].hashes) & set(parts["test"].hashes)


def test_the_source_splits_as_the_scan_does(volume):
    parts = Files(volume, "2 um").split(Window(32), {"train": 8, "test": 4}, seed=3)
    direct = read(volume, "2 um").windows(32).split(train=8, test=4, seed=3)
    for part, other in zip(parts.values(), direct, strict=True):
        np.testing.assert_array_equal(part.phases, other.phases)


def test_the_fingerprint_follows_content_and_settings_not_the_place(volume, tmp_path):
    def key(path, **settings):
        json.dumps(Files(path, **settings).fingerprint())
        return content_key(Files(path, **settings).fingerprint())

    base = key(volume, voxel_size="2 um")
    (tmp_path / "moved").mkdir()
    moved = tmp_path / "moved" / "other.npy"
    moved.write_bytes(volume.read_bytes())
    assert key(moved, voxel_size=2e-6) == base
    assert key(volume, voxel_size="3 um") != base
    assert key(volume, voxel_size="2 um", phases={0: "grain", 255: "pore"}) != base
    assert key(volume, voxel_size="2 um", stack="images") != base
    moved.write_bytes(volume.read_bytes()[:-1] + b"\x01")
    assert key(moved, voxel_size="2 um") != base


@pytest.mark.parametrize("settings", [{"voxel_size": "2"}, {"voxel_size": "2 um", "colour": "red"}, {}])
def test_settings_that_are_wrong_are_refused_before_the_file_is_read(settings):
    with pytest.raises(InputError):
        SOURCES.build(Component("files", {"path": "nowhere.tif", **settings}))


READER = """
import numpy as np
from matopt.data.images.formats.base import Format

class Text(Format):
    def read(self, stream, options):
        return np.loadtxt(stream)
"""


def test_a_study_names_a_reader_of_its_own_relative_to_its_file(tmp_path, monkeypatch):
    np.savetxt(tmp_path / "rock.txt", rock(64, 64))
    (tmp_path / "reader.py").write_text(READER)
    given = {"kind": "files", "path": "rock.txt", "voxel_size": "2 um", "format": "reader.py:Text"}
    component, problems = check_component(SOURCES, Source, given, tmp_path)
    assert not problems
    monkeypatch.chdir("/")
    source = SOURCES.build(resolve_paths(SOURCES, component, tmp_path))
    np.testing.assert_array_equal(source.scan.phases * 255, rock(64, 64))
    before = source.fingerprint()
    assert str(tmp_path) not in json.dumps(before)
    (tmp_path / "reader.py").write_text(READER + "# changed\n")
    assert source.fingerprint() != before


@pytest.mark.parametrize(
    ("name", "told"),
    [("reader.py:Nothing", "has no class 'Nothing'"), ("nowhere.py:Text", "no file"), ("nzp", "did you mean 'npz'")],
)
def test_a_format_that_is_not_there_is_refused_when_the_study_is_checked(tmp_path, name, told):
    np.savetxt(tmp_path / "rock.txt", rock(64, 64))
    (tmp_path / "reader.py").write_text(READER)
    given = {"kind": "files", "path": "rock.txt", "voxel_size": "2 um", "format": name}
    component, (problem,) = check_component(SOURCES, Source, given, tmp_path)
    assert component is None and told in problem.message


def test_errors_begin_with_the_path(tmp_path):
    np.save(tmp_path / "grey.npy", np.random.default_rng(0).random((9, 9)))
    with pytest.raises(InputError, match=r"grey.npy: it has more than two grey levels; add the line `threshold: otsu`"):
        read(tmp_path / "grey.npy", "1 um")
    with pytest.raises(InputError, match="stack is 'pile'"):
        read(tmp_path / "grey.npy", "1 um", threshold="otsu", stack="pile")
    with pytest.raises(InputError, match="shape is"):
        read(tmp_path / "grey.npy", "1 um", shape=[9, -9])


# --- what `data check` says


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


def test_the_suggested_window_has_the_spread_that_is_foretold(tmp_path):
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
