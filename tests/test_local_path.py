"""Paths as people write them, wherever they write them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import matopt
from matopt.errors import InputError
from matopt.local_path import local_path


def test_home_and_variables_are_read_and_all_other_signs_are_part_of_the_name(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("SCRATCH", "/scratch/me")
    assert local_path("~/runs") == Path("/home/me/runs") and local_path("~") == Path("/home/me")
    assert local_path("$SCRATCH/runs") == local_path("${SCRATCH}/runs") == Path("/scratch/me/runs")
    for name in ("run#1", "a?b", "c%20d", "e f", "100%", "a~b", "x:y", "größe", "cost 5$", "-o"):
        assert local_path(name) == Path(name) and local_path(Path(name)) == Path(name)
    monkeypatch.chdir(tmp_path)
    assert local_path("./~x") == local_path(local_path("./~x")) == tmp_path / "~x"
    for name in ("$NOWHERE", "~nobody_of_this_name"):
        Path(name).mkdir()
        assert local_path(name) == Path(name), "there is one of this very name"
    assert local_path(tmp_path / "$NOWHERE" / "runs") == tmp_path / "$NOWHERE" / "runs"
    (tmp_path / "$SCRATCH").mkdir()
    assert local_path("$SCRATCH/runs") == Path("/scratch/me/runs")
    assert local_path(tmp_path / "$SCRATCH" / "runs") == tmp_path / "$SCRATCH" / "runs"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("s3://bucket/runs", "is an address (s3:)"),
        (Path("s3://bucket/runs"), "is an address (s3:)"),  # where a slash is lost
        ("gs://b", "is an address (gs:)"),
        ("https://zenodo.org/x.tif", "copy it to a folder or mount it"),
        ("file:///data/x.tif", "is an address (file:), and paths on this machine alone are read; leave that out"),
        ("$NOWHERE/runs", "the variable NOWHERE is not set"),
        ("${NOWHERE}", "the variable NOWHERE is not set"),
        ("~nobody_of_this_name/x", "there is no such user; write ./~nobody_of_this_name/x if"),
        ("a\0b", "holds a NUL character"),
        ("x" * 256, "a name may have 255 bytes"),
        ("ä" * 128, "a name may have 255 bytes"),
        ("x/" * 2100, "and a path 4095"),
    ],
)
def test_what_is_no_path_on_this_machine_is_one_line(text, message):
    with pytest.raises(InputError) as caught:
        local_path(text)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_arrays_and_labels_are_read_and_kept_where_a_person_says(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SCRATCH", str(tmp_path / "run #1?"))
    os.mkdir(os.environ["SCRATCH"])  # noqa: PTH102
    phases = np.kron(np.eye(4), np.ones((4, 4))).astype(np.uint8)
    np.save(tmp_path / "rock.npy", phases)
    images = matopt.Microstructures(matopt.read("~/rock.npy", "1 um").phases[None], 1e-6)
    matopt.write("$SCRATCH/rock.npz", images)
    np.testing.assert_array_equal(matopt.read("~/run #1?/rock.npz", "1 um").phases.squeeze(), phases)
    matopt.simulate(images, ["diffusivity"], matopt.LabelStore("$SCRATCH/labels"))
    assert list((tmp_path / "run #1?" / "labels" / "labels").glob("*.parquet"))
    for wrong in (lambda: matopt.read("s3://b/rock.npy", 1e-6), lambda: matopt.write("s3://b/rock.npz", images)):
        with pytest.raises(InputError, match=r"is an address \(s3:\)"):
            wrong()
