import math
import signal
import subprocess
import sys
import time

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from matopt.errors import FailureError
from matopt.stages.records import TrialResult
from matopt.study.records import best, failures, prunings
from matopt.study.search.ledger import Ledger, read_records
from matopt.study.search.rungs import Rungs

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
    assert resumed.unfinished(3, 3)
    assert resumed.recover(least=3) == 2
    assert Ledger(journal, "a", OBJECTIVES).recover(least=3) == 0  # recovering twice queues nothing twice
    assert resumed.left(3, 3) == (0, 2)
    for old in (running, failed):
        new = ask(resumed)
        assert resumed.records()[-1].number >= new > old
        resumed.complete(new, outcome(0.6))
        assert {r.number: r.params for r in resumed.records()}[new] == points[old]
    assert resumed.left(3, 3) == (0, 0) and not resumed.unfinished(3, 3)
    assert [r.state for r in resumed.records()] == ["complete"] * 3


def told(*values):
    return {"progress": [0.25, 0.5, 1.0][: len(values)], "r2": list(values)}


@pytest.mark.parametrize("objectives", [OBJECTIVES, {"r2": "maximize"}], ids=["two", "one"])
def test_a_pruned_trial_is_tried_and_has_not_failed(journal, objectives):
    ledger, rungs = Ledger(journal, "a", objectives), Rungs({"r2": "maximize"}, 0.25, 2, 1)
    good, bad = ask(ledger), ask(ledger)
    assert ledger.judge(good, told(0.8), rungs) == "" and ledger.judge(bad, told(0.2), rungs) != ""
    ledger.prune(bad, "pruned", 7.5)
    ledger.complete(good, outcome(0.8), told(0.8, 0.9, 0.95))
    assert ledger.left(3, 3) == (0, 1) and ledger.left(2, 3) == (0, 0) and not ledger.unfinished(2, 3)

    again = Ledger(journal, "a", objectives)
    assert again.recover(least=3) == 0
    records = again.records()
    assert [r.state for r in records] == ["complete", "pruned"] and failures(records) == ""
    assert [r.curve for r in records] == [told(0.8, 0.9, 0.95), told(0.2)] and records[1].error == "pruned"
    assert prunings(records) == "1 of 2 trials were pruned, which saved 8 s of training"
    assert best(records, objectives) == records[0] and read_records(journal, "a") == records

    # Its values so far are Optuna's, where that has such: with one objective.
    pruned = again.storage.get_trial(1)
    assert pruned.state is TrialState.PRUNED
    assert (pruned.intermediate_values, pruned.values) == (({25: 0.2}, [0.2]) if len(objectives) == 1 else ({}, None))

    # What was running when the launch was killed is run again, and what its training foretold counts no more.
    running = ask(again)
    assert again.judge(running, told(0.9), rungs) == ""
    resumed = Ledger(journal, "a", objectives)
    assert resumed.recover() == 1
    repeated = ask(resumed)
    assert resumed.judge(repeated, told(0.85), rungs) == ""
    assert resumed.records()[-1].curve == told(0.85)


def test_a_point_is_given_up_after_a_few_attempts_of_all_launches_and_another_takes_its_place(journal):
    def end(kind):
        """How many attempts at one point launches make, each of which enters this end, or none where it is killed."""
        ledger, attempts = Ledger(journal, kind, OBJECTIVES), 0
        ask(ledger)
        while True:
            attempts += 1
            if kind != "stopped":
                ledger.fail(ledger.records()[-1].number, "no", kind)
            ledger = Ledger(journal, kind, OBJECTIVES)
            ledger.recover()
            if not any(r.state == "waiting" for r in ledger.records()):
                break
            ask(ledger)
        assert [r.state for r in ledger.records()] == ["failed"]
        assert ledger.left(1, 1) == (0, 0) and ledger.left(1, 2) == (0, 1)
        assert not ledger.unfinished(1, 1) and ledger.unfinished(1, 2)
        return attempts

    assert {kind: end(kind) for kind in ("failed", "lost", "stopped")} == {"failed": 3, "lost": 3, "stopped": 10}


def test_a_journal_of_an_earlier_version_goes_on(journal):
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(journal))), study_name="a", directions=["maximize", "minimize"]
    )
    for error in ("ValueError: no", "the launch that ran it was stopped", "its process died (out of memory?)"):
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        trial.set_user_attr("error", error)
        study.tell(trial.number, state=TrialState.FAIL)
    ledger = Ledger(journal, "a", OBJECTIVES)
    points = [r.params for r in ledger.records()]
    assert ledger.recover() == 3
    assert sorted(map(str, points)) == sorted(str(r.params) for r in ledger.records())
    assert {r.state for r in ledger.records()} == {"waiting"}


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
