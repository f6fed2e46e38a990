import math
import signal
import subprocess
import sys
import time

import optuna
import pytest

from matopt.errors import FailureError
from matopt.stages.records import TrialResult
from matopt.study.records import best, failures
from matopt.study.search.ledger import Ledger, read_records

OBJECTIVES = {"r2": "maximize", "distance": "minimize"}


def outcome(r2, distance=0.1):
    return TrialResult({"r2": r2, "distance": distance}, "g", "p", 1.0, 0.25)


def ask(ledger):
    study = optuna.load_study(storage=ledger.storage, study_name=ledger.key)
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    return trial.number


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "trials.journal"


def test_a_ledger_is_read_as_it_was_written(journal):
    ledger = Ledger(journal, "a", OBJECTIVES)
    for r2 in (0.2, 0.9, 0.5):
        ledger.complete(ask(ledger), outcome(r2))
    ledger.fail(ask(ledger), "ValueError: no\nsuch thing")
    again = read_records(journal, "a")
    assert again == ledger.records()
    assert [r.state for r in again] == ["complete"] * 3 + ["failed"]
    assert again[1].outcome == outcome(0.9)
    assert best(again, OBJECTIVES) == again[1]
    assert again[3].error == "ValueError: no such thing"
    assert failures(again) == "1 of 4 trials failed (ValueError: no such thing)" and failures(again[:3]) == ""
    ledger.fail(ask(ledger), "ValueError: no such thing")
    assert failures(ledger.records()) == "2 of 5 trials failed (2 times: ValueError: no such thing)"
    assert read_records(journal, "b") == []


def test_trials_left_running_or_failed_are_repeated_at_their_points_and_counted_once(journal):
    ledger = Ledger(journal, "a", OBJECTIVES)
    ledger.complete(ask(ledger), outcome(0.5))
    running = ask(ledger)
    failed = ask(ledger)
    ledger.fail(failed, "no")
    points = {r.number: r.params for r in ledger.records()}

    resumed = Ledger(journal, "a", OBJECTIVES)
    assert resumed.recover() == 2
    assert Ledger(journal, "a", OBJECTIVES).recover() == 0  # recovering twice queues nothing twice
    assert resumed.missing(3) == 2
    for old in (running, failed):
        new = ask(resumed)
        assert resumed.records()[-1].number >= new > old
        resumed.complete(new, outcome(0.6))
        assert {r.number: r.params for r in resumed.records()}[new] == points[old]
    assert resumed.missing(3) == 0
    assert [r.state for r in resumed.records()] == ["complete"] * 3


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_an_objective_that_is_no_number_is_refused(journal, bad):
    ledger = Ledger(journal, "a", OBJECTIVES)
    number = ask(ledger)
    with pytest.raises(FailureError, match="distance"):
        ledger.complete(number, outcome(0.1, bad))
    with pytest.raises(FailureError, match="distance"):
        ledger.complete(number, TrialResult({"r2": 1.0}, "g", "p", 1.0, 0.0))
    assert ledger.records()[0].state == "running"


def test_half_a_line_and_a_dead_writers_lock_are_overcome_at_once(journal):
    ledger = Ledger(journal, "a", OBJECTIVES)
    ledger.complete(ask(ledger), outcome(0.5))
    whole = ledger.records()
    with journal.open("ab") as file:
        file.write(b'{"op_code":4,"worker_id":"x')
    journal.with_name(journal.name + ".lock").symlink_to(journal)
    start = time.perf_counter()
    resumed = Ledger(journal, "a", OBJECTIVES)
    assert resumed.records() == whole
    resumed.complete(ask(resumed), outcome(0.7))
    assert len(read_records(journal, "a")) == 2
    assert time.perf_counter() - start < 5


WRITER = """
import itertools, sys, pathlib, optuna
from matopt.stages.records import TrialResult
from matopt.study.search.ledger import Ledger
ledger = Ledger(pathlib.Path(sys.argv[1]), "a", {"r2": "maximize"})
study = optuna.load_study(storage=ledger.storage, study_name="a")
ledger.recover()
for count in itertools.count():
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    ledger.complete(trial.number, TrialResult({"r2": 0.5}, "g", "p", 1.0, 0.0))
    if count == 0:
        print("begun", flush=True)
"""


def test_a_writer_killed_at_any_time_leaves_a_ledger_that_goes_on(journal):
    complete = 0
    for delay in (0.05, 0.11, 0.17):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(journal)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout.readline() == "begun\n"
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        ledger = Ledger(journal, "a", {"r2": "maximize"})
        ledger.recover()
        states = [r.state for r in ledger.records()]
        assert set(states) <= {"complete", "waiting"} and states.count("waiting") <= 1
        assert states.count("complete") > complete
        complete = states.count("complete")
