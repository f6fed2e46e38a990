"""What a process that is ended from below has said for it."""

import subprocess
import sys

import pytest

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
