"""The command line: what it says, and how it ends."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
from PIL import Image

import matopt
from matopt.cli import main
from matopt.data.images.formats.base import FORMATS

STUDY = Path(__file__).parents[2] / "studies" / "quickstart.yaml"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run a command in an empty folder; its exit code, and what it printed."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["matopt", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return command


def _image(path: Path, size: int = 48, seed: int = 0) -> Path:
    phases = np.random.default_rng(seed).random((size // 4, size // 4)) > 0.2
    Image.fromarray(np.kron(phases, np.ones((4, 4))).astype(np.uint8) * 255).save(path)
    return path


def _study_of(tmp_path: Path, **changes: str) -> Path:
    text = STUDY.read_text().replace("source: {kind: sandstone, voxel_size: 5.345 um}", "source: {kind: sandstone}")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "study.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "command",
    [(), ("study",), ("study", "launch"), ("study", "status"), ("study", "list"), ("study", "compare"),
     ("study", "report"), ("data", "check"), ("data", "export"), ("data", "formats"), ("label",), ("doctor",),
     ("traits",), ("traits", "list"), ("traits", "show"), ("traits", "check"), ("traits", "audit")],
)  # fmt: skip
def test_every_command_explains_itself(run: Run, command: tuple[str, ...]) -> None:
    code, out, _ = run(*command, "--help")
    assert code == 0
    assert "Usage: matopt" in out
    assert len(out.splitlines()) > 5


def test_check_tells_what_a_file_holds_and_draws_it(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("data", "check", _image(tmp_path / "rock.png"), "--sheet", "sheet.png")
    assert code == 0
    assert "48 x 48" in out
    assert "source:" in out
    assert Image.open(tmp_path / "sheet.png").size[0] > 32


def test_export_converts_an_image_or_windows_of_it(run: Run, tmp_path: Path) -> None:
    phases = np.asarray(Image.open(_image(tmp_path / "rock.png"))) // 255
    code, out, _ = run("data", "export", "rock.png", "--voxel-size", "2 um", "--out", "rock.vti")
    assert code == 0 and "1 of 48 x 48 voxels: rock.vti" in out
    np.testing.assert_array_equal(matopt.read("rock.vti", "2 um").phases, phases)
    arguments = ("data", "export", "rock.png", "--voxel-size", "2 um", "--window", 24)
    assert run(*arguments, "--out", "rock.npz")[0] == 0
    with np.load("rock.npz") as archive:
        np.testing.assert_array_equal(archive["phases"][1], phases[:24, 24:])
        assert archive["voxel_size"] == 2e-6
    code, _, err = run(*arguments, "--out", "rock.vti")
    assert code == 2 and "rock.vti: a .vti file holds one 2D microstructure, not 4" in _one_line(err)


def test_formats_are_listed_with_their_endings(run: Run) -> None:
    code, out, _ = run("data", "formats")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == FORMATS.names()
    assert ".tif, .tiff" in out and ".h5, .hdf5         takes --variable" in out


def test_a_reader_of_the_users_own_is_named_on_the_command_line(run: Run, tmp_path: Path) -> None:
    np.savetxt(tmp_path / "rock.txt", np.kron(np.eye(8), np.ones((4, 4))))
    (tmp_path / "reader.py").write_text(
        "import numpy as np\nfrom matopt.data.images.formats.base import Format\n"
        "class Text(Format):\n    def read(self, stream, options):\n        return np.loadtxt(stream)\n"
    )
    code, out, _ = run("data", "check", "rock.txt", "--format", "reader.py:Text")
    assert code == 0
    assert "32 x 32, float64" in out and "format: 'reader.py:Text'" in out


@pytest.mark.parametrize("name", ["labels.csv", "labels.parquet"])
def test_label_turns_images_into_a_table_and_computes_nothing_twice(run: Run, tmp_path: Path, name: str) -> None:
    arguments = ("label", _image(tmp_path / "rock.png"), "--voxel-size", "2 um", "--window", 24, "--out", name)
    code, out, _ = run(*arguments)
    assert code == 0
    assert "youngs_modulus along x, periodic, plane strain: 4 ok" in out
    read = pyarrow.csv.read_csv if name.endswith("csv") else pyarrow.parquet.read_table
    table = read(tmp_path / name)
    assert table.num_rows == 4
    values = {"youngs_modulus along x, periodic, plane strain [GPa]", "permeability along the normal, as ducts [mD]"}
    assert {"sample", *values, "diffusivity status", "pore thinner than 3 voxels"} <= set(table.column_names)
    parts = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs" / "labels" / "labels").iterdir()}
    assert parts
    assert run(*arguments)[0] == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs" / "labels" / "labels").iterdir()} == parts
    assert read(tmp_path / name).equals(table)


def test_a_wall_across_an_image_is_named_and_settings_and_the_axis_are_chosen(run: Run, tmp_path: Path) -> None:
    phases = np.zeros((16, 16), np.uint8)
    phases[6:10] = 255  # nothing passes along x, all along y; the wall is stiff along y alone
    Image.fromarray(phases).save(tmp_path / "wall.png")
    arguments = ("label", "wall.png", "--voxel-size", "1 um")
    _, out, _ = run(*arguments, "--property", "diffusivity")
    assert "diffusivity along x, sealed, grain 0.01: 1 ok\n  1 of 1: no pore reaches across" in out
    assert "2D: values are those of a section that goes on alike along its normal" in out
    assert "no pore reaches across" in pyarrow.csv.read_csv(tmp_path / "labels.csv")["diffusivity note"][0].as_py()
    tight = ("--property", "diffusivity", "--physics", "diffusivity.grain_diffusivity=0")
    assert "diffusivity along x, sealed: 1 non_percolating\n2D" in run(*arguments, *tight)[1]
    assert "diffusivity along y, sealed: 1 ok\n2D" in run(*arguments, *tight, "--axis", "y")[1]
    assert pyarrow.csv.read_csv(tmp_path / "labels.csv")["diffusivity along y, sealed [1]"][0].as_py() == 0.75
    for wrong, said in (
        ("diffusivity.grain=0", "--physics diffusivity.grain: 'diffusivity' has no such setting"),
        ("diffusivity.boundary=open", "--physics diffusivity.boundary: "),
        ("permeability.section=transverse", "permeability is not computed"),
        ("grain_diffusivity", "write it as diffusivity.grain_diffusivity=0"),
    ):
        code, _, err = run(*arguments, "--property", "diffusivity", "--physics", wrong)
        assert code and said in _one_line(err)
    both = ("--axis", "y", "--physics", "diffusivity.flow=all")
    assert "leave the setting 'flow' of single ones out" in _one_line(run(*arguments, *both)[2])
    assert "images have no axis z" in _one_line(run(*arguments, "--axis", "z")[2])


def _one_line(error: str) -> str:
    """The one line of an error; more, or a traceback, fails."""
    (line,) = error.strip().splitlines()
    assert line.startswith("matopt: ")
    return line


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file"),
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n broken", "rock.png"),
    ],
)
def test_a_missing_empty_or_broken_file_is_one_line_and_exit_code_2(
    run: Run, tmp_path: Path, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "rock.png").write_bytes(content)
    code, _, err = run("data", "check", "rock.png")
    assert code == 2
    assert said in _one_line(err)


def test_a_truncated_image_is_one_line(run: Run, tmp_path: Path) -> None:
    path = _image(tmp_path / "rock.tif", 96)
    path.write_bytes(path.read_bytes()[:2000])
    code, _, err = run("label", path, "--voxel-size", "1 um")
    assert code == 2
    assert "rock.tif" in _one_line(err)


def test_one_phase_and_grey_levels_that_are_not_numbers_are_refused(run: Run, tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.ones((32, 32, 32), np.uint8))
    grey = np.random.default_rng(0).random((32, 32))
    grey[3, 4] = np.nan
    np.save(tmp_path / "nan.npy", grey)
    for name, said in (("one.npy", "one"), ("nan.npy", "1 ")):
        code, _, err = run("label", name, "--voxel-size", "1 um", "--threshold", "otsu")
        assert code == 2
        assert said in _one_line(err)


def test_a_window_larger_than_the_image_is_refused(run: Run, tmp_path: Path) -> None:
    code, _, err = run("label", _image(tmp_path / "rock.png"), "--voxel-size", "1 um", "--window", 64)
    assert code == 2
    assert "64 voxels are more than the image has (48 x 48)" in _one_line(err)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kind: morphology_vae", "kind: morfology_vae", "morphology_vae"),
        ("hashin_shtrikman: {weight", "hashin_strikman: {weight", "hashin_shtrikman"),
        ("properties: [youngs_modulus,", "properties: [young_modulus,", "youngs_modulus"),
        ("source: {kind: sandstone}", "source: {kind: files, path: nowhere.tif, voxel_size: 1 um}", "nowhere.tif"),
        ("trials: 4 ", "trails: 4 ", "trials"),
        ("seed: 0 ", "seed: zero ", "seed"),
    ],
)
def test_a_study_that_names_what_is_not_there_is_refused_by_line(
    run: Run, tmp_path: Path, old: str, new: str, said: str
) -> None:
    path = _study_of(tmp_path, **{old: new})
    number = next(n for n, line in enumerate(path.read_text().splitlines(), 1) if new in line)
    code, _, err = run("study", "launch", path)
    assert code == 2
    first = err.strip().splitlines()[0]
    assert f"study.yaml:{number}:" in first
    assert said in first
    assert not (tmp_path / "runs").exists()


def test_a_split_that_cannot_be_filled_says_with_what_it_could(run: Run, tmp_path: Path) -> None:
    _image(tmp_path / "rock.png", 256)
    path = _study_of(
        tmp_path,
        **{
            "source: {kind: sandstone}": "source: {kind: files, path: rock.png, voxel_size: 1 um}",
            "storage: runs": "storage: s",
        },
    )
    code, _, err = run("study", "launch", path)
    assert code == 2
    line = err.strip().splitlines()[-1]
    assert "cannot hold train 100, validation 100, test 100" in line
    assert "it holds" in line


def test_an_address_where_nobody_answers_is_a_failure(run: Run, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code, _, err = run("study", "launch", _study_of(tmp_path), "--address", f"127.0.0.1:{port}")
    assert code == 1
    assert f"127.0.0.1:{port}" in err.strip().splitlines()[-1]
    assert "Traceback" not in err


def test_a_storage_that_cannot_be_written_to_is_a_failure(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    code, _, err = run("study", "launch", _study_of(tmp_path), "--set", "storage=file/runs")
    assert code == 1
    assert "file/runs" in err.strip().splitlines()[-1]


def test_debug_shows_where_an_error_came_from(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "matopt", "--debug", "data", "check", "nowhere.png"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("matopt: nowhere.png")


def test_status_of_a_study_that_was_never_launched_says_so(run: Run, tmp_path: Path) -> None:
    code, _, err = run("study", "status", _study_of(tmp_path))
    assert code == 2
    assert "no study 'quickstart'" in _one_line(err)


def test_traits_are_listed_shown_and_checked(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("traits", "list")
    assert code == 0 and {"hashin_shtrikman", "limits", "scaling"} <= {line.split()[0] for line in out.splitlines()}
    code, out, _ = run("traits", "show", "monotonicity")
    assert code == 0 and out.startswith("monotonicity(weight: float = 0.0)") and "wrong way" in out
    code, _, err = run("traits", "show", "monotony")
    assert code == 2 and "did you mean 'monotonicity'?" in err
    (tmp_path / "mine.py").write_text(
        "from matopt import Trait\n\n"
        "class Positive(Trait):\n"
        "    def residual(self, model, density):\n"
        "        value = model.predict(density)\n"
        "        return ((-value).relu() / (1 + value.abs())).mean(1)\n\n"
        "class Negative(Positive):\n"
        "    def residual(self, model, density):\n"
        "        return super().residual(model, density) - 1\n"
    )
    assert run("traits", "check", "mine.py:Positive")[0] == 0
    code, _, err = run("traits", "check", "mine.py:Negative")
    assert (
        code == 1 and err == "matopt: mine.py:Negative does not keep to what traits are; the lines above say in what\n"
    )
