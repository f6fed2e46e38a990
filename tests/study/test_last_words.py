"""What a process that is ended from below has said for it."""

import subprocess
import sys

import pytest
from ray.exceptions import ActorUnavailableError

from matopt.study.cluster.deaths import reason_of

PROGRAM = """
import os, signal
from matopt.study.cluster.last_words import LastWords
words = LastWords("killed")
"""


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("os._exit(3)", "killed\n"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed\n"),
        ("words.say('its node died'); os.abort()", "its node died\n"),
        ("words.unsay()", ""),
        ("words.say('its node died'); words.unsay(); os._exit(3)", ""),
    ],
)
def test_a_process_that_cannot_speak_any_more_has_a_line_said_for_it_and_one_that_leaves_has_none(end, said):
    done = subprocess.run([sys.executable, "-c", PROGRAM + end], stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.stderr == said


STUCK = """
import threading, time
from matopt.study.cluster import parts
from matopt.study.cluster.last_words import LastWords
parts._STUCK_SECONDS = 0.2

def before_end():
    print("runs are ended", flush=True)
    {then}

watch = lambda: "Ray is gone", 0.1, threading.Event(), LastWords("killed"), before_end
threading.Thread(target=parts._end_when_stuck, args=watch, daemon=True).start()
time.sleep(60)
"""


@pytest.mark.parametrize("then", ["pass", "raise OSError('a full disk')"])
def test_a_launch_that_waits_for_ever_is_ended_in_a_line_after_its_runs(then):
    done = subprocess.run([sys.executable, "-c", STUCK.format(then=then)], capture_output=True, text=True, timeout=50)
    assert done.returncode == 1
    assert done.stdout == "runs are ended\n"
    assert done.stderr == "matopt: Ray is gone; what was finished is kept, and the same command goes on from there\n"


@pytest.mark.parametrize("said", ["End of file", "Socket closed", "recvmsg:Connection reset by peer rpc_code: 14"])
def test_a_process_whose_connection_is_closed_by_its_system_was_killed(said):
    assert "was killed (SIGKILL)" in reason_of(ActorUnavailableError(f"RpcError: {said}", None))
