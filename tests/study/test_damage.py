"""Files of a study that hold what was never written into them: a line that says which, and the other studies go on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
from contextlib import suppress
from pathlib import Path

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matopt.cli.tables import print_comparison, print_status, print_studies
from matopt.damaged import DamagedError
from matopt.errors import FailureError, InputError, InputWarning
from matopt.stages.artifacts import ArtifactStore
from matopt.stages.records import TrialResult
from matopt.study.layout import Layout, write_json
from matopt.study.lease import hold_lease
from matopt.study.search.ledger import Ledger, read_records
from matopt.study.state import LaunchState
from matopt.study.status import compare, list_studies, study_status
from matopt.study.tracking.sender import delivered, pending
from matopt.study.tracking.spool import SpoolWriter
from matopt.study.tracking.tracker import undelivered

FILES = ["state.json", "study.json", "launch.lease", "trials.journal", "spool/embedded/launch-1/events.jsonl"]
OBJECTIVES = {"r2": "maximize"}


def make_study(storage: Path, name: str) -> Layout:
    """Write what a launch writes that is killed in its search."""
    layout = Layout(storage, name)
    layout.make()
    state = LaunchState(layout)
    with state.stage("search"):
        state.note(search="key", searches={"settings": "key"}, trials=4, objectives=OBJECTIVES, report=["index.html"])
        state.progress(3, 4, "best r2 0.5")
    write_json(layout.config, {"name": name, "search": {"trials": 4, "space": {"a": {"int": [1, 2]}}}})
    ledger = Ledger(layout.journal, "key", OBJECTIVES)
    for number in range(3):
        trial = optuna.load_study(storage=ledger.storage, study_name="key").ask()
        trial.suggest_float("x", 0, 1)
        ledger.complete(trial.number, TrialResult({"r2": 0.1 * number}, "g", "p", 1.0, 0.25))
    (layout.spools / "embedded" / "launch-1").mkdir(parents=True)
    spool = SpoolWriter(layout.spools / "embedded" / "launch-1")
    run = spool.start_run("trial/1", "trial 1", params={"a": 1}, tags={"stage": "trial"})
    spool.metrics(run, {"loss": 0.5})
    spool.artifact(run, layout.config, "figures")
    spool.end_run(run)
    spool.path.rename(layout.folder / FILES[-1])
    with hold_lease(layout):
        kept = layout.lease.read_bytes()
    layout.lease.write_bytes(kept)
    return layout


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("storage")
    for name in ("broken", "whole"):
        make_study(folder, name)
    shutil.copytree(folder / "studies" / "broken", folder / "kept")
    return folder


def restore(storage):
    shutil.rmtree(storage / "studies" / "broken")
    shutil.copytree(storage / "kept", storage / "studies" / "broken")
    return Layout(storage, "broken")


def garbled(content: bytes, kind: str, where: float, length: int, filler: bytes) -> bytes:
    at = int(where * len(content))
    if kind == "cut":
        return content[:at]
    if kind == "overwrite":
        return content[:at] + (filler * length)[:length] + content[at + length :]
    if kind == "insert":
        return content[:at] + filler * length + content[at:]
    return content[:at] + content[at + length :]


@given(
    file=st.sampled_from(FILES),
    kind=st.sampled_from(["cut", "overwrite", "insert", "remove"]),
    where=st.floats(0, 1),
    length=st.integers(1, 60),
    filler=st.one_of(st.just(b"\0"), st.just(b"9"), st.just(b"\n"), st.binary(min_size=1, max_size=9)),
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_study_with_any_file_garbled_anywhere_is_told_in_lines_and_so_are_the_others(
    storage, capsys, file, kind, where, length, filler
):
    layout = restore(storage)
    path = layout.folder / file
    path.write_bytes(garbled(path.read_bytes(), kind, where, length, filler))
    broken, whole = list_studies(storage)
    assert (broken.name, whole.name) == ("broken", "whole")
    assert whole.trials["complete"] == 3 and whole.best.number == 2 and not whole.damaged
    print_studies([broken, whole])
    print_status(broken)
    assert all("\n" not in line and str(layout.folder) in line for line in broken.damaged)
    with suppress(FailureError):
        print_comparison(compare(storage, ["whole", "broken"]))
    # The next launch: each step works, or says in a line why not.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        LaunchState(layout).note(stage="")
        with suppress(FailureError):
            ledger = Ledger(layout.journal, "key", OBJECTIVES)
            ledger.recover()
            ledger.records()
    for found in pending(layout.folder / "spool" / "embedded" / "launch-1"):
        assert isinstance(found, bytes) or {"do", "at"} <= set(found)
    capsys.readouterr()


@pytest.mark.parametrize("content", [b"", b'{"stage": "sea', b"[]", b"null", b'{"done": "x"}', b'{"times": {"a": {}}}'])
def test_a_damaged_state_is_named_by_the_status_and_set_aside_by_the_next_launch(storage, content):
    layout = restore(storage)
    layout.state.write_bytes(content)
    status = study_status(storage, "broken")
    assert len(status.damaged) == 1 and str(layout.state) in status.damaged[0]
    with pytest.warns(InputWarning, match=r"state\.json\.damaged now"):
        LaunchState(layout).note(stage="")
    assert layout.state.with_name("state.json.damaged").read_bytes() == content
    assert study_status(storage, "broken").damaged == ()


def test_the_end_of_a_ledger_that_a_power_cut_took_is_cut_off_and_said_and_the_rest_is_kept(storage):
    layout = restore(storage)
    before = read_records(layout.journal, "key")
    with layout.journal.open("ab") as file:
        file.write(b"\0" * 4096)
    assert read_records(layout.journal, "key") == before
    with pytest.warns(InputWarning, match="last 4096 bytes"):
        ledger = Ledger(layout.journal, "key", OBJECTIVES)
    assert ledger.records() == before
    assert layout.journal.with_name("trials.journal.damaged").read_bytes() == b"\0" * 4096


@pytest.mark.parametrize("rubbish", [b"\xff\xfe\0rubbish\n", b"{}\n", b"\n", b'{"op_code": 4}\n'])
def test_a_ledger_damaged_before_good_lines_is_never_guessed_at(storage, rubbish):
    layout = restore(storage)
    lines = layout.journal.read_bytes().splitlines(keepends=True)
    layout.journal.write_bytes(b"".join([*lines[:5], rubbish, *lines[5:]]))
    with pytest.raises(DamagedError, match="move it away"):
        Ledger(layout.journal, "key", OBJECTIVES)
    with pytest.raises(DamagedError, match="move it away"):
        read_records(layout.journal, "key")


def test_a_ledger_on_a_full_disk_has_no_half_line_and_goes_on_when_there_is_room(storage):
    layout = restore(storage)
    code = """
import resource, signal, sys
from pathlib import Path
from matopt.errors import FailureError
from matopt.study.search.ledger import Ledger
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
ledger = Ledger(path, "key", {"r2": "maximize"})
size = path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 70, resource.RLIM_INFINITY))
try:
    ledger.again(0)
except FailureError as error:
    print(error)
assert path.stat().st_size == size
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
ledger.again(0)
"""
    done = subprocess.run([sys.executable, "-c", code, str(layout.journal)], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout == f"{layout.journal} cannot be written: File too large; raise the limit (`ulimit -f`)\n"
    assert read_records(layout.journal, "key")[-1].state == "waiting"


@pytest.mark.parametrize("content", [b"", b"PK\3\4 half", b"\0" * 100])
def test_a_damaged_artifact_is_set_aside_so_that_it_is_made_anew(tmp_path, content):
    store = ArtifactStore(tmp_path)
    store.save("abc", {"a": 1})
    store.path("abc").write_bytes(content)
    with pytest.raises(DamagedError, match=r"abc\.pt\.damaged now; launch the study again"):
        store.load("abc")
    assert "abc" not in store
    store.save("abc", TRIAL := {"metrics": {}, "generator_key": "g", "predictor_key": "p", "seconds": 1.0})
    assert store.load("abc") == TRIAL


def test_a_note_of_what_was_delivered_that_cannot_be_true_loses_no_event(storage):
    layout = restore(storage)
    path = layout.folder / FILES[-1]
    for note in ("99999999999999999999999", str(path.stat().st_size + 1), "7", "", "-3", "\0\0"):
        path.with_suffix(".delivered").write_text(note)
        assert delivered(path) == 0
        assert undelivered(layout)[0].waiting == 4


def test_an_event_behind_the_zeros_of_a_power_cut_is_kept_and_one_that_names_another_folder_is_none(storage):
    layout = restore(storage)
    path = layout.folder / FILES[-1]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"\0" * 40 + b"".join(lines).replace(b'"files/', b'"../../'))
    kinds = [event["do"] if isinstance(event, dict) else "damaged" for event in pending(path.parent)]
    assert kinds == ["start", "metrics", "damaged", "end"]


def test_the_command_line_lists_all_studies_and_names_the_damaged_one(storage):
    layout = restore(storage)
    layout.state.write_bytes(b"")
    layout.journal.write_bytes(b"\xff\n" + layout.journal.read_bytes())
    command = [sys.executable, "-m", "matopt", "study", "list", "--storage", str(storage)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"})
    assert done.returncode == 0 and done.stderr == ""
    assert "whole" in done.stdout and f"broken: {layout.state} is damaged" in done.stdout


def test_a_file_in_place_of_a_folder_and_a_folder_in_place_of_a_file_are_told(storage):
    layout = restore(storage)
    for path in (layout.state, layout.config, layout.lease, layout.journal):
        path.unlink()
        path.mkdir()
    (storage / "studies" / "note.txt").write_text("a file")
    status = study_status(storage, "broken")
    assert len(status.damaged) >= 3
    with pytest.raises((FailureError, InputError)):
        Ledger(layout.journal, "key", OBJECTIVES)
