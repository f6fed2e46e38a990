"""Image files as a study's source."""

import json

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

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


def test_settings_of_numpy_are_settings(volume):
    """As its functions return them: they are kept as JSON, and make the same key."""
    given = Files(volume, np.float32(2**-12), threshold=np.uint8(9), shape=np.array((80, 64, 64)), buffer=np.int64(3))
    plain = Files(volume, 2**-12, threshold=9, shape=(80, 64, 64), buffer=3)
    assert json.loads(json.dumps(given.fingerprint())) == plain.fingerprint()
    (part,) = given.split(Window(np.int64(32)), {"train": np.int64(2)}, np.int64(0)).values()
    assert part.shape == (32, 32)


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


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"voxel_size": "2"}, "voxel_size '2' is not a number with a unit"),
        ({"voxel_size": "2 um", "colour": "red"}, "unexpected keyword argument 'colour'"),
        ({"voxel_size": "2 um", "shape": [0, 4]}, r"shape is \[0, 4\]; write the voxels along each axis"),
        ({"voxel_size": "20 x 5"}, r"voxel_size '20 x 5' is not numbers with a unit; write it like '20 x 5 x 5 um'"),
        ({"voxel_size": "2 um", "format": "tif"}, "no formats called 'tif'; did you mean 'tiff'"),
        ({}, "missing 1 required positional argument: 'voxel_size'"),
    ],
)
def test_settings_that_are_wrong_are_refused_before_the_file_is_read(settings, told):
    with pytest.raises(InputError, match=told):
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


@pytest.mark.parametrize(
    ("setting", "value"),
    [("grain", "left"), ("stack", "pile"), ("threshold", "triangle"), ("shape", [4, 4.5]), ("phases", {"0": 1}),
     ("phases", {"1": "solid"}), ("buffer", "wide"), ("dtype", 8), ("path", 3), ("offset", -1), ("resample", "yes")],
)  # fmt: skip
def test_a_setting_of_another_type_is_refused_when_the_study_is_checked(volume, setting, value):
    given = {"kind": "files", "path": volume.name, "voxel_size": "2 um"} | {setting: value}
    _, problems = check_component(SOURCES, Source, given, volume.parent)
    assert problems
    assert all(problem.key[0] == setting for problem in problems)


def test_errors_begin_with_the_path(tmp_path):
    np.save(tmp_path / "grey.npy", np.random.default_rng(0).random((9, 9)))
    with pytest.raises(InputError, match=r"grey.npy: it has more than two grey levels; add the line `threshold: otsu`"):
        read(tmp_path / "grey.npy", "1 um")
    with pytest.raises(InputError, match="stack is 'pile'"):
        read(tmp_path / "grey.npy", "1 um", threshold="otsu", stack="pile")
    with pytest.raises(InputError, match="shape is"):
        read(tmp_path / "grey.npy", "1 um", shape=[9, -9])
