"""One process at a time launches a study."""

import multiprocessing
import os

import pytest

from matopt.errors import FailureError
from matopt.study.layout import Layout
from matopt.study.lock import launch_lock, lock_owner


def _hold(storage, queue, release):
    with launch_lock(Layout(storage, "s")):
        queue.put(os.getpid())
        release.wait()


def test_one_launch_at_a_time_and_a_dead_ones_lock_is_taken_over(tmp_path):
    layout = Layout(tmp_path, "s")
    layout.make()
    context = multiprocessing.get_context("spawn")
    queue, release = context.Queue(), context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, queue, release))
    holder.start()
    pid = queue.get(timeout=60)
    assert lock_owner(layout) == pid
    with pytest.raises(FailureError, match=f"running already, as process {pid}"), launch_lock(layout):
        pass
    holder.kill()
    holder.join()
    assert lock_owner(layout) is None
    with launch_lock(layout):
        assert lock_owner(layout) == os.getpid()
    assert not layout.lock.exists()
