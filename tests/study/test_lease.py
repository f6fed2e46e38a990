"""One process at a time launches a study."""

import multiprocessing
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from matopt.data.labels.locks import ByteLocks
from matopt.errors import FailureError
from matopt.study.layout import Layout
from matopt.study.lease import hold_lease
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
