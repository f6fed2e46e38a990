"""One process at a time launches a study, of one host or of two."""

import json
import multiprocessing
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import pytest

from matopt.data.labels.locks import ByteLocks
from matopt.errors import FailureError, InputWarning
from matopt.study import lease as lease_module
from matopt.study import lease_file
from matopt.study.holder import this_process
from matopt.study.layout import Layout
from matopt.study.lease import LeaseLost, hold_lease
from matopt.study.lease_file import lease_status
from matopt.study.tracking.spool import SpoolWriter


def _hold(storage, queue, release):
    with hold_lease(Layout(storage, "s")):
        queue.put(os.getpid())
        release.wait()


def test_what_one_of_a_group_leaves_another_can_read_and_lock_as_far_as_the_umask_says(tmp_path):
    layout, before = Layout(tmp_path, "s"), os.umask(0o002)
    try:
        layout.make()
        with hold_lease(layout), ByteLocks(layout.labels / "claims.lock"):
            spool = SpoolWriter(layout.spools)
            for path in (layout.lease, layout.labels / "claims.lock", spool.path):
                assert stat.S_IMODE(path.stat().st_mode) == 0o664, path.name
    finally:
        os.umask(before)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be two users")
def test_a_lock_that_another_user_keeps_for_himself_stops_nobody():
    folder = Path(tempfile.mkdtemp())
    try:
        folder.chmod(0o777)
        (folder / "claims.lock").touch(0o600)
        code = (
            "import os, sys, pathlib; from matopt.data.labels.locks import ByteLocks; os.setuid(65534)\n"
            "print(ByteLocks(pathlib.Path(sys.argv[1], 'claims.lock')).acquire('ab' * 8))"
        )
        done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True)
        assert done.stdout == "True\n", done.stderr
    finally:
        shutil.rmtree(folder)


def test_one_launch_at_a_time_and_a_dead_ones_lock_is_taken_over(tmp_path):
    layout = Layout(tmp_path, "s")
    layout.make()
    context = multiprocessing.get_context("spawn")
    queue, release = context.Queue(), context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, queue, release))
    holder.start()
    pid = queue.get(timeout=60)
    assert lease_status(layout).holder.pid == pid
    with pytest.raises(FailureError, match=f"running already, as process {pid}"), hold_lease(layout):
        pass
    holder.kill()
    holder.join()
    assert not lease_status(layout).is_held
    with hold_lease(layout):
        assert lease_status(layout).holder.pid == os.getpid()
    assert not layout.lease.exists()


HOLDER = """
import sys, time
from pathlib import Path
from matopt.study import lease
from matopt.study.layout import Layout
lease.BEAT_SECONDS = 0.1
layout = Layout(Path(sys.argv[1]), "s")
with lease.hold_lease(layout) as held, open(sys.argv[2], "a") as log:
    while True:
        held.check()
        log.write("line\\n"), log.flush()
        time.sleep(0.01)
"""


@pytest.fixture
def layout(tmp_path, monkeypatch):
    """A study's folder, and a patience of seconds in place of minutes."""
    monkeypatch.setattr(lease_module, "BEAT_SECONDS", 0.2)
    monkeypatch.setattr(lease_module, "WATCH_SECONDS", 1.0)
    monkeypatch.setattr(lease_file, "STALE_SECONDS", 3.0)
    layout = Layout(tmp_path / "runs", "s")
    layout.make()
    return layout


def leave_lease_of(layout, host, hours_ago):
    """Leave a lease as another host's launch would, last touched hours ago by a clock of its own."""
    made = {**json.loads(this_process().to_json()), "host": host, "pid": 4711}
    layout.lease.write_text(json.dumps(made))
    touched = time.time() - hours_ago * 3600
    os.utime(layout.lease, (touched, touched))


def can_be_another_host():
    return subprocess.run(["unshare", "--uts", "true"], capture_output=True).returncode == 0


@pytest.mark.parametrize("hours_ago", [1.0, -1.0], ids=["an hour ago", "an hour ahead"])
def test_a_lost_hosts_lease_is_taken_over_and_said_whatever_its_clock(layout, hours_ago):
    leave_lease_of(layout, "lost", hours_ago)
    found = lease_status(layout)
    assert found.holder.host == "lost" and found.is_held == (hours_ago < 0)
    with pytest.warns(InputWarning, match=r"launch on lost \(process 4711\) was last heard of"), hold_lease(layout):
        assert lease_status(layout).holder == this_process_of(layout)
    assert list(layout.folder.glob("*lease*")) == []


def this_process_of(layout):
    found = lease_status(layout).holder
    assert (found.pid, found.is_here) == (os.getpid(), True)
    return found


def test_a_host_that_is_heard_of_keeps_its_study_though_its_clock_is_an_hour_behind(layout):
    leave_lease_of(layout, "alive", 1.0)
    ended = threading.Event()

    def beat():
        late = time.time() - 3600
        while not ended.wait(0.2):
            late += 0.2
            os.utime(layout.lease, (late, late))

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        with pytest.raises(FailureError, match=r"running already on alive \(process 4711\)"), hold_lease(layout):
            pass
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize("content", [b"", b"\0" * 200, b'{"host": "n1', b"[]", b'{"pid": true}', b"\xff\xfe"])
def test_a_damaged_lease_that_nobody_touches_is_replaced(layout, content):
    layout.lease.write_bytes(content)
    os.utime(layout.lease, (0, 0))
    assert lease_status(layout).holder is None and not lease_status(layout).is_held
    with pytest.warns(InputWarning, match="is damaged"), hold_lease(layout) as lease:
        lease.check()


def test_a_claim_that_a_killed_process_left_is_overcome(layout, monkeypatch):
    monkeypatch.setattr(lease_file, "_CLAIM_SECONDS", 0.3)
    (layout.folder / ".launch.lease.claim").touch()
    with hold_lease(layout) as lease:
        lease.check()
    assert list(layout.folder.glob(".launch*")) == []


@pytest.mark.skipif(not can_be_another_host(), reason="needs the right to unshare the host's name")
def test_a_holder_that_was_suspended_and_taken_over_writes_nothing_more(layout, tmp_path):
    log = tmp_path / "log"
    # The shell's number is the holder's, as both are replaced by what they start.
    command = ["unshare", "--uts", "sh", "-c", 'hostname other && exec "$0" "$@"', sys.executable, "-c", HOLDER]
    with subprocess.Popen([*command, layout.storage, log], stderr=subprocess.PIPE, text=True) as holder:
        while not log.exists() or not log.stat().st_size:
            assert holder.poll() is None
            time.sleep(0.05)
        found = lease_status(layout)
        assert found.is_held and str(found).startswith(f"other (process {holder.pid}), heard of ")
        with pytest.raises(FailureError, match="running already on other"), hold_lease(layout):
            pass
        holder.send_signal(signal.SIGSTOP)
        with warnings.catch_warnings(record=True) as said, hold_lease(layout) as lease:
            warnings.simplefilter("always")
            before = log.stat().st_size
            holder.send_signal(signal.SIGCONT)
            assert holder.wait(30) == 1
            assert "taken over by" in holder.stderr.read().splitlines()[-1]
            assert log.stat().st_size == before
            lease.check()
        assert "launch on other" in str(said[-1].message)


@pytest.fixture
def interruptible():
    """SIGINT is not ignored, as it is in what a shell runs behind an ampersand."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_a_launch_whose_study_is_taken_over_is_interrupted_where_it_waits(layout):
    def take_over():
        time.sleep(0.5)
        leave_lease_of(layout, "thief", 0.0)

    threading.Thread(target=take_over).start()
    begun = time.monotonic()
    with pytest.raises(LeaseLost, match="taken over by thief"), hold_lease(layout):
        time.sleep(60)
    assert time.monotonic() - begun < 30
    assert layout.lease.exists(), "it is the other's"


def test_a_launch_whose_folder_is_removed_stops(layout):
    with hold_lease(layout) as lease:
        shutil.rmtree(layout.storage)
        with pytest.raises(LeaseLost, match="folder was removed"):
            lease.check()


def _race(storage, start, queue, done):
    start.wait()
    try:
        with hold_lease(Layout(storage, "s")):
            queue.put("held")
            done.wait()
    except FailureError as error:
        queue.put(str(error))


def test_of_many_that_find_a_dead_ones_lease_at_once_one_gets_it(layout):
    context = multiprocessing.get_context("fork")
    dead = context.Process(target=_die_holding, args=(layout.storage,))
    dead.start()
    dead.join()
    assert layout.lease.exists()
    start, done, queue = context.Event(), context.Event(), context.Queue()
    racers = [context.Process(target=_race, args=(layout.storage, start, queue, done)) for _ in range(8)]
    for racer in racers:
        racer.start()
    start.set()
    said = sorted(queue.get(timeout=60) for _ in racers)
    done.set()
    for racer in racers:
        racer.join()
    assert said[0] == "held" and all("running already, as process" in line for line in said[1:])


def _die_holding(storage):
    with hold_lease(Layout(storage, "s")):
        os._exit(1)
