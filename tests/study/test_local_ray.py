"""Ray on one machine, as far as it can be looked at without starting it."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import matopt
from matopt.errors import FailureError
from matopt.provenance import code_version
from matopt.study.cluster import local_ray
from matopt.study.cluster.driver_path import driver_path, matopt_file
from matopt.study.cluster.ray_cluster import Cluster, _check_code
from matopt.study.cluster.whereabouts import Whereabouts, look


def test_waiting_has_an_end_with_likely_reasons():
    start = time.monotonic()
    message = r"Ray does not start here within 0 s; likely: .*Ray's own words are in /"
    with pytest.raises(FailureError, match=message), local_ray._in_time(0.3):
        time.sleep(20)
    assert time.monotonic() - start < 10
    with local_ray._in_time(0.3):
        pass
    time.sleep(0.5)  # nothing comes after


SLOW_NODE = """
import time, ray
from ray._private import services
from matopt.study.cluster.local_ray import start_local
found, begun = services.get_node, time.monotonic()
def late(*arguments):
    if time.monotonic() - begun < 35:
        time.sleep(0.5)
        raise RuntimeError("not yet")
    return found(*arguments)
services.get_node = late
start_local(1)
print(ray.get(ray.remote(lambda: 7).remote()))
ray.shutdown()
"""


@pytest.mark.faults
def test_a_node_that_takes_longer_than_ray_waits_is_started_again():
    done = subprocess.run([sys.executable, "-c", SLOW_NODE], capture_output=True, text=True, timeout=200)
    assert done.stdout.strip() == "7", done.stderr


def test_a_machine_without_loopback_is_told_at_once():
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-rn", "true"], capture_output=True).returncode:
        pytest.skip("this system lets nobody have a network of their own")
    code = "from matopt.study.cluster.local_ray import start_local; start_local(1)"
    done = subprocess.run([unshare, "-rn", sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert "FailureError: Ray does not start here: nothing can be reached at 127.0.0.1" in done.stderr


@pytest.mark.parametrize("variable", ["TMPDIR", "RAY_TMPDIR"])
def test_a_temporary_folder_whose_sockets_would_have_too_long_paths_is_left_alone(monkeypatch, tmp_path, variable):
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv(variable, "/tmp")
    assert local_ray._temp_dir() is None, "Ray's own choice"
    (long := tmp_path / ("x" * 90)).mkdir()
    (file := tmp_path / "file").touch()
    for folder in (long, file):
        monkeypatch.setenv(variable, str(folder))
        chosen = local_ray._temp_dir()
        assert chosen is not None and len(chosen) <= 41 and os.access(Path(chosen).parent, os.W_OK)


def test_other_processes_look_for_modules_where_this_one_does(monkeypatch, tmp_path):
    for name in ("matopt", "other"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, "/opt/mine"])
    path = driver_path()
    assert str(tmp_path) not in path and path[-1] == "/opt/mine"
    assert not any(Path(entry).is_relative_to(sys.prefix) for entry in path), "every process has the interpreter's"
    monkeypatch.setattr(sys, "path", ["", *sys.path])  # as in a notebook
    (tmp_path / "matopt" / "__init__.py").touch()  # and this is found before the one that was imported already
    path = driver_path()
    assert path[0] == str(Path(matopt.__file__).parents[1]) and path[1] == str(tmp_path)
    assert matopt_file() == Path(matopt.__file__).resolve()


@pytest.mark.parametrize(
    ("found", "is_here", "message"),
    [
        (
            Whereabouts("t", "/data/matopt/__init__.py", "0.0.9", None),
            True,
            "import matopt 0.0.9 in /data/matopt, this",
        ),
        (Whereabouts("t", None, None, None), True, "its processes import no matopt, this one"),
        (
            Whereabouts("t", "/data/matopt/__init__.py", "0.0.9", "abc"),
            False,
            "import matopt 0.0.9 in /data/matopt, this",
        ),
    ],
)
def test_a_node_with_another_matopt_is_refused_by_name(found, is_here, message):
    with pytest.raises(FailureError, match=message) as caught:
        _check_code("n1", found, is_here)
    assert "node n1 has another version of matopt: " in str(caught.value)
    assert f"this one {matopt.__version__} in {Path(matopt.__file__).parent}" in str(caught.value)


def test_a_process_looks_at_what_it_imports(tmp_path):
    (probe := tmp_path / "probe").write_text("token")
    found = look(str(probe), True)
    assert found == Whereabouts("token", matopt.__file__, matopt.__version__, code_version())
    assert look(str(tmp_path / "none"), False).token is None
    for is_here in (True, False):
        _check_code("n1", found, is_here)


def test_a_cluster_that_is_not_there_is_told_at_once(tmp_path):
    start = time.perf_counter()
    with pytest.raises(FailureError, match=r"no Ray cluster answers at 127\.0\.0\.1:9"):
        Cluster("127.0.0.1:9", tmp_path).start()
    assert time.perf_counter() - start < 15
