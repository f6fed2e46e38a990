"""What may be imported where, seen from outside."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("ray", "optuna", "mlflow", "matplotlib", "typer", "numba", "obstore", "torch")


def _loaded_after(code: str) -> set[str]:
    text = f"import sys\n{code}\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_matopt_loads_nothing_heavy() -> None:
    assert _loaded_after("import matopt") == set()


def test_the_science_runs_without_ray_optuna_mlflow_matplotlib_typer_and_obstore() -> None:
    stages = "import matopt.stages.evaluation, matopt.stages.design"
    every = f"import matopt\n{stages}\n[getattr(matopt, name) for name in matopt.__all__]"
    assert _loaded_after(every) == {"torch"}


def test_help_loads_typer_alone() -> None:
    assert _loaded_after("import matopt.cli") == {"typer"}


def test_the_report_loads_no_optuna_ray_or_mlflow() -> None:
    assert not {"optuna", "ray", "mlflow"} & _loaded_after("import matopt.report.page")
