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


def test_files_are_named_by_patterns_and_one_that_cannot_be_read_stops_no_other(run: Run, tmp_path: Path) -> None:
    for number in (2, 10):
        _image(tmp_path / f"rock_{number}.png", seed=number)
    (tmp_path / "rock_3.png").write_bytes(b"no picture")
    code, out, err = run("data", "check", "rock_*.png")
    assert code == 2 and out.index("rock_2.png\n") < out.index("rock_10.png\n") and out.count("  shape ") == 2
    broken, last = err.splitlines()
    assert broken.startswith("matopt: rock_3.png: it is damaged")
    assert last == "matopt: 1 of 3 files could not be read; the lines above say why"
    assert not (tmp_path / "contact_sheet.png").exists()
    (tmp_path / "rock_3.png").unlink()
    arguments = ("--voxel-size", "2 um", "--property", "diffusivity", "--window", 24)
    code, out, _ = run("label", "rock_*.png", *arguments)
    assert code == 0 and "diffusivity along x, sealed, grain 0.01: 8 ok" in out
    samples = pyarrow.csv.read_csv(tmp_path / "labels.csv")["sample"].to_pylist()
    assert samples[:2] == ["rock_2.png 0 0 0", "rock_2.png 0 0 24"] and samples[4] == "rock_10.png 0 0 0"
    code, _, err = run("label", "sand_*.png", *arguments)
    assert code == 2 and "sand_*.png: no file matches this pattern" in _one_line(err)


def test_a_folder_that_is_read_is_never_written_into(run: Run, tmp_path: Path) -> None:
    for number in range(4):
        _image(tmp_path / f"{number}.png", seed=number)
    before = sorted(tmp_path.iterdir())
    for _ in range(2):  # the second time it can still be read
        code, out, _ = run("data", "check", ".")
        assert code == 0 and "contact sheet: none, as it would lie among the slices" in out
    assert sorted(tmp_path.iterdir()) == before
    code, _, err = run("data", "export", ".", "--voxel-size", "1 um", "--out", "rock.tif")
    assert code == 2 and "rock.tif: it would be taken for a slice of ." in _one_line(err)
    assert run("data", "export", ".", "--voxel-size", "1 um", "--out", "rock.vti")[0] == 0


def test_phases_offset_and_resampling_are_typed_as_in_a_study(run: Run, tmp_path: Path) -> None:
    rock = np.kron(np.random.default_rng(0).random((6, 24, 24)) > 0.3, np.ones((4, 4, 4))).astype(np.uint8)
    rock[..., 64:] = 2
    (tmp_path / "rock.raw").write_bytes(b"h" * 16 + (rock + 1).tobytes())
    raw: tuple[object, ...] = ("rock.raw", "--shape", "24x96x96", "--dtype", "uint8")
    code, _, err = run("data", "check", *raw)
    assert code == 2 and "add `offset: 16`" in _one_line(err)
    raw += ("--offset", 16, "--phases", "1=pore, 2=grain,3=outside")
    code, out, _ = run("data", "check", *raw)
    assert code == 0 and "phases: {1: pore, 2: grain, 3: outside}" in out and "offset: 16" in out
    assert f"porosity {1 - rock[..., :64].mean():.4f}" in out
    code, _, err = run("label", *raw, "--voxel-size", "2 um")
    assert code == 2 and "part of the image is outside the sample; cut windows" in _one_line(err)
    arguments = ("--voxel-size", "4 x 2 x 2 um", "--window", 32, "--dimensions", 3)
    code, _, err = run("data", "export", *raw, *arguments, "--out", "cuts.npz")
    assert code == 2 and "no cubes but 4 x 2 x 2 um" in _one_line(err)
    code, out, _ = run("data", "export", *raw, *arguments, "--out", "cuts.npz", "--resample")
    assert code == 0 and "6 of 32 x 32 x 32 voxels" in out  # of 48 x 96 x 64 that are inside
    for typed in ("1", "1=pore;2=grain"):
        code, _, err = run("data", "check", *raw[:-1], typed)
        assert code == 2 and "phases" in _one_line(err)


def test_what_is_noteworthy_is_a_line_and_no_stop(run: Run, tmp_path: Path) -> None:
    assert run("data", "export", _image(tmp_path / "rock.png"), "--voxel-size", "2 um", "--out", "rock.tif")[0] == 0
    code, _, err = run("data", "export", "rock.tif", "--voxel-size", "3 um", "--out", "rock.npz")
    assert code == 0
    assert _one_line(err) == (
        "matopt: note: rock.tif: the file says that its voxels are 2 um, but the voxel size given makes them 3 um"
    )


def test_formats_are_listed_with_their_endings(run: Run) -> None:
    code, out, _ = run("data", "formats")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == FORMATS.names()
    assert ".tif, .tiff" in out
    (hdf5,) = [line for line in out.splitlines() if line.startswith("hdf5")]
    assert ".h5, .hdf5" in hdf5 and ".dream3d" in hdf5 and hdf5.endswith("takes --variable")


def test_a_reader_of_the_users_own_is_named_on_the_command_line(run: Run, tmp_path: Path) -> None:
    np.savetxt(tmp_path / "rock.txt", np.kron(np.eye(8), np.ones((4, 4))))
    (tmp_path / "reader.py").write_text(
        "import numpy as np\nfrom matopt.data.images.formats.base import Format\n"
        "class Text(Format):\n    def read(self, stream, options):\n        return np.loadtxt(stream)\n"
    )
    code, out, _ = run("data", "check", "rock.txt", "--format", "reader.py:Text")
    assert code == 0
    assert "32 x 32, float64" in out and f"{tmp_path}/reader.py:Text" in out


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
        (
            "source: {kind: sandstone}",
            "source: {kind: files, path: classes.npy, voxel_size: 1 um}",
            "more than two grey levels, 0 (",
        ),
        (
            "source: {kind: sandstone}",
            "source: {kind: files, path: classes.npy, voxel_size: 1 um, phases: {1: solid}}",
            "phases: 'solid' is not a phase; write pore or grain",
        ),
        ("trials: 4 ", "trails: 4 ", "trials"),
        ("seed: 0 ", "seed: zero ", "seed"),
    ],
)
def test_a_study_that_names_what_is_not_there_is_refused_by_line(
    run: Run, tmp_path: Path, old: str, new: str, said: str
) -> None:
    np.save(tmp_path / "classes.npy", np.kron(np.eye(8) + np.eye(8, k=1) * 2, np.ones((8, 8))).astype(np.uint8))
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


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_debug_in_any_place_shows_where_an_error_came_from(run: Run, place: int) -> None:
    words = ["data", "check", "nowhere.png"]
    code, _, err = run(*words[:place], "--debug", *words[place:])
    assert code == 2
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("matopt: nowhere.png")
    assert "Traceback" not in run(*words)[2]


def test_the_version_help_and_completion_are_where_people_look_for_them(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("--version")[:2] == (0, f"matopt {matopt.__version__}\n")
    for command in ((), ("study",), ("study", "launch"), ("label",)):
        assert run(*command, "-h")[:2] == run(*command, "--help")[:2]
    for name, value in {
        "COMP_WORDS": "matopt study la",
        "COMP_CWORD": "2",
        "_MATOPT_COMPLETE": "complete_bash",
    }.items():
        monkeypatch.setenv(name, value)
    assert run()[1].split() == ["launch"]


def test_a_reader_that_leaves_ends_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "matopt", "data", "formats"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        process.stdout.close()
        assert process.stderr.read() == "" and process.wait() == 0
    code = (
        "import sys, matopt.cli.streams as s\n"
        "with s.outliving_streams():\n"
        "    for n in range(3): print('said', n, file=sys.stderr)\n"
        "open('done', 'w')"
    )
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, cwd=tmp_path) as process:
        process.stderr.close()
        assert process.wait() == 0 and (tmp_path / "done").exists()


def test_a_signal_that_comes_upon_a_finaliser_ends_a_command_and_one_that_comes_twice_does_not_break_off_its_end() -> (
    None
):
    code = """
import os, signal, sys, time
import matopt.cli

class Held:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000): pass

def app(*arguments, **settings):
    held = Held()
    del held
    try:
        time.sleep(20)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.2)
        print("closed")

matopt.cli.app = app
matopt.cli.main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    said = "matopt: terminated; what was finished is kept, and the same command goes on from there\n"
    assert (done.returncode, done.stdout, done.stderr) == (143, "closed\n", said)


def test_several_properties_are_named_in_one_word_or_in_several(run: Run, tmp_path: Path) -> None:
    label = ("label", _image(tmp_path / "rock.png"), "--voxel-size", "2 um", "--store", "labels")
    code, out, _ = run(*label, "--property", "diffusivity,permeability", "--property", "diffusivity")
    told = [line.split()[0] for line in out.splitlines() if " 1 ok" in line]
    assert code == 0 and told == ["diffusivity", "permeability"]
    code, _, err = run(*label, "--property", "diffusivity,permeabilty")
    assert code == 2 and "did you mean 'permeability'?" in _one_line(err)
    code, _, err = run(*label, "--property", "diffusivity", "--device", "gpu")
    assert code == 2 and "did you mean 'cuda'?" in _one_line(err), "all labels are in the store"


@pytest.mark.parametrize("command", ["compare", "list"])
def test_no_studies_are_nothing_to_compare_or_to_list(run: Run, command: str) -> None:
    code, _, err = run("study", command)
    assert code == 2 and "no study was launched in runs" in _one_line(err)


def test_a_path_elsewhere_or_of_nobody_is_one_line(run: Run, tmp_path: Path) -> None:
    for arguments, said in (
        (("label", "s3://bucket/rock.png", "--voxel-size", "1 um"), "is an address (s3:)"),
        (("data", "check", _image(tmp_path / "rock.png"), "--sheet=~nobody_of_this_name/x.png"), "no such user"),
        (("study", "list", "--storage=ftp://bucket/runs"), "a storage is a folder, or s3://"),
        (("doctor", "--storage=$NOWHERE/runs"), "the variable NOWHERE is not set"),
    ):
        code, _, err = run(*arguments)
        assert code == 2 and said in _one_line(err)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rock.png"]


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
