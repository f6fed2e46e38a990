"""Each addition is one file: those that the page on extending matopt shows run a study to its report."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import matopt
from matopt.cli.report import report_writer
from matopt.errors import InputError
from matopt.study.audit import audit_study
from matopt.study.config.study import Study, load_study
from matopt.study.launch import launch

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text()
FILES = {name: text for name, text in re.findall(r"```\w+\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)}

OWN_MODEL = """
import torch

class Own(torch.nn.Module):
    def forward(self, density):
        return 3 + 0 * density.flatten(1).sum(1, keepdim=True)

class Wide(Own):
    def forward(self, density):
        return density.flatten(1)
"""


def written(folder: Path) -> Path:
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


def loaded(folder: Path, *overrides: str) -> Study:
    return load_study(folder / "extended.yaml", [f"storage={folder / 'runs'}", *overrides])


def test_a_study_of_nothing_but_a_users_own_files_runs_to_its_report(tmp_path: Path) -> None:
    study = loaded(written(tmp_path))
    result = launch(study, make_report=report_writer(study))
    assert [t.state for t in result.trials] == ["complete", "complete"]
    metrics = result.best.outcome.metrics
    assert 0 <= metrics["surface_error.py:SurfaceError"] < 1 and metrics["r2/formation_factor"] <= 1
    assert {row.trait: row.physics_residual for row in result.evaluation.audit}["archie"] == 0
    (tmp_path / "own.py").write_text(OWN_MODEL)
    ours, own = audit_study(study), audit_study(study, str(tmp_path / "own.py:Own"))
    assert ours.skills == result.evaluation.skills and ours.violations == result.evaluation.audit
    assert {s.skill for s in own.skills} == {0.0} and [v.trait for v in own.violations] == [
        v.trait for v in ours.violations
    ]
    with pytest.raises(
        InputError, match=r"must give a tensor of shape \(8, 1\), a column each for formation_factor; got"
    ):
        audit_study(study, str(tmp_path / "own.py:Wide"))
    dilated, pixels = result.design.spaces
    assert (dilated.space, pixels.space) == ("dilation.py:Dilation", "pixel")
    assert (dilated.true[:, -1] >= dilated.true[:, 0]).all() and (dilated.predicted.diff() >= 0).all()
    page, *pictures = result.report
    with (page.parent / "porosities.csv").open() as file:
        kinds = {row["kind"] for row in csv.DictReader(file)}
    assert kinds == {"authentic", "shuffled.py:Shuffled"} and page.parent / "porosities.png" in pictures
    assert "Porosity of the authentic test set" in page.read_text() and "error of the surface" in page.read_text()


def test_a_file_of_a_users_own_format_is_read_by_name(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 2, (6, 7))
    np.savetxt(tmp_path / "rock.grid", image, fmt="%d")
    kind = f"{written(tmp_path) / 'text_grid.py'}:TextGrid"
    assert (matopt.read(tmp_path / "rock.grid", voxel_size="1 um", format=kind).phases == image).all()


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("physics.properties=[permeability]", r"traits.archie.py:Archie: it says nothing about permeability"),
        ("search.sampler=narow", r"no samplers called 'narow'"),
        ("search.objectives={surface_error.py:SurfaceError: maximize}", r"is better the other way: minimize"),
        ("design.optimiser=dilation.py:Dilation", r"dilation.py:Dilation is not an Optimiser"),
        ("report.figures=[porosities.py:Porosity]", r"porosities.py has no class 'Porosity'"),
    ],
)
def test_what_cannot_be_is_refused_before_the_study_runs(tmp_path: Path, override: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        report_writer(loaded(written(tmp_path), override))


def test_the_suite_of_the_page_passes_on_the_simulator_of_the_page(tmp_path: Path) -> None:
    folder = written(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_formation_factor.py"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and " passed" in done.stdout, done.stdout
