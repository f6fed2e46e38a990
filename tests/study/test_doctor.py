"""What the doctor finds, on folders and packages that really are ill."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from matopt.study.doctor import Finding, examine
from matopt.study.layout import Layout
from matopt.study.tracking.tracker import Tracker


def findings(storage: Path, start: bool = False) -> dict[str, Finding]:
    return {finding.name: finding for finding in examine(storage, start)}


def test_a_good_installation_has_no_failure(tmp_path: Path) -> None:
    found = findings(tmp_path / "not" / "yet")
    assert [finding for finding in found.values() if finding.state == "failure"] == []
    assert "mlflow 3." in found["packages"].found
    assert not (tmp_path / "not").exists(), "looking makes nothing"


def test_what_is_not_well_comes_with_advice(tmp_path: Path) -> None:
    assert all(finding.advice for finding in examine(tmp_path) if finding.state != "ok")
    assert not any(finding.advice for finding in examine(tmp_path) if finding.state == "ok")


def test_a_folder_in_place_of_mlflow_is_found_out(tmp_path: Path) -> None:
    folder = tmp_path / "mlflow"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    script = (
        "from pathlib import Path; from matopt.study.doctor import examine\n"
        "print([f.state for f in examine(Path('.')) if f.name == 'import mlflow'])"
    )
    repository = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{repository}"}
    shadowed = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert shadowed.stdout.strip() == "['failure']", shadowed.stderr


@pytest.mark.parametrize("ill", ["locked", "broken"])
def test_a_database_that_cannot_be_written_to_is_a_failure(tmp_path: Path, ill: str) -> None:
    path = tmp_path / "mlflow.db"
    connection = sqlite3.connect(path)
    if ill == "locked":
        connection.execute("BEGIN EXCLUSIVE")
    else:
        path.write_bytes(b"no database " * 100)
    assert findings(tmp_path)["MLflow store"].state == "failure"
    connection.close()


def test_what_waits_for_mlflow_is_told(tmp_path: Path) -> None:
    tracker = Tracker(Layout(tmp_path, "sandstone"), "http://127.0.0.1:9")
    tracker.start_run("trial/0", "trial 0")
    tracker.close(0)
    found = findings(tmp_path)["tracking"]
    assert found.state == "warning" and found.found.startswith("1 events wait")


def test_a_token_that_others_can_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(token))
    token.chmod(0o644)
    assert findings(tmp_path)["Ray's token"].advice == f"chmod 600 {token}"
    token.chmod(0o600)
    assert "Ray's token" not in findings(tmp_path)


@pytest.mark.slow
def test_ray_and_mlflow_start_for_a_trial(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path; from matopt.study.doctor import examine\n"
        f"print([(f.name, f.state) for f in examine(Path({str(tmp_path)!r}), start=True)][-2:])"
    )
    started = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert started.stdout.strip() == "[('Ray', 'ok'), ('MLflow', 'ok')]", started.stderr
