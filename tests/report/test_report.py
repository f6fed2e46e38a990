"""The report shows whatever there is, and says what there is not."""

from __future__ import annotations

import csv
import html
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from made_up import PROPERTIES, findings

from matopt.cli.report import report_writer
from matopt.errors import FailureError, InputError
from matopt.registry import Component
from matopt.report.figures.base import FIGURES
from matopt.report.findings import Findings
from matopt.report.page import write_report
from matopt.stages.records import DesignResult, TrialResult
from matopt.study.config.study import load_study
from matopt.study.records import TrialRecord

ORDER = [
    "samples", "properties", "augmentation", "parity", "responses", "traits", "morphing", "ascent", "designs",
    "closed_loop", "front", "film", "search", "curves",
]  # fmt: skip
TRIAL = TrialRecord(0, "complete", {}, TrialResult({"r2": 0.5}, "", "", 1, 0))
MINIMAL = Findings("tiny", "name: tiny", PROPERTIES[:1], ("r2",), (TRIAL,), 0)
STUDY = Path(__file__).parents[2] / "studies" / "quickstart.yaml"
MINE = """
from matopt.report.figures.base import Figure
from matopt.report.sections import Section
from matopt.report.style import canvas, write_table

class Counts(Figure):
    section = Section("Counts of my own")
    caption = "As many as there are."

    def __init__(self, height: float = 1.0):
        self.height = height

    def draw(self, folder, findings):
        path = folder / f"{self.name}.png"
        with canvas(path, 1) as (ax,):
            ax.bar([0], [self.height * len(findings.trials)])
        write_table(path.with_suffix(".csv"), ["trials"], [[len(findings.trials)]])
        return path

class Broken(Counts):
    def draw(self, folder, findings):
        raise ArithmeticError("no such number")

class Same(Counts):
    name = "search"
"""


def drawable(found: Findings) -> list[str]:
    """The figures that findings allow, in the order of the page."""
    names = {"search"} | ({"curves"} if any(trial.curve for trial in found.trials) else set())
    if found.design is not None:
        names |= {"morphing", "ascent", "designs", "film"} | ({"closed_loop"} if found.design.rounds else set())
        names |= {"front"} if found.design.against else set()
    if found.evaluation is not None:
        names |= {"samples", "properties", "augmentation", "responses"}
        if found.evaluation.audit:
            names.add("traits")
        known = found.evaluation.authentic.values.isfinite() & found.evaluation.predicted.isfinite()
        if (found.evaluation.authentic.usable & known).any():
            names.add("parity")
    return [name for name in ORDER if name in names]


def check_designs(table: pa.Table, design: DesignResult) -> None:
    """Every design is in the table at every step, with its microstructure."""
    runs = [*design.spaces, *design.baselines]
    assert len(table) == sum(run.predicted.numel() for run in runs)
    seed, column = len(runs[-1].predicted) - 1, len(runs[-1].checked) - 1
    phases = table["phases"].combine_chunks().to_numpy_ndarray()[-1]
    assert np.array_equal(phases, runs[-1].snapshots[seed, column].numpy())
    last = {name: table[name][-1].as_py() for name in ("role", "seed", "step", "property", "predicted", "limit")}
    assert last == {
        "role": runs[-1].role, "seed": seed, "step": runs[-1].checked[column], "property": design.property,
        "predicted": float(runs[-1].predicted[seed, column]), "limit": runs[-1].limit,
    }  # fmt: skip


@pytest.mark.filterwarnings("error")  # of what cannot be drawn matplotlib and NumPy only warn
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(found=findings())
def test_whatever_a_study_found_its_report_is_whole(found: Findings) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        page, *pictures = write_report(folder, found)
        text = html.unescape(page.read_text(encoding="utf-8"))
        assert [path.stem for path in pictures] == drawable(found)
        assert len(list(folder.iterdir())) == 1 + 2 * len(pictures) + (found.design is not None)
        for path in pictures:
            assert path.read_bytes().startswith(b"\x89PNG")
            with path.with_suffix(".csv").open(newline="") as file:
                assert len({len(row) for row in csv.reader(file)}) == 1
        places = [text.index(f'href="{path.stem}.csv"') for path in pictures]
        assert places == sorted(places)

        assert ("The study asks for no evaluation" in text) == (found.evaluation is None)
        assert (
            "Not shown: morphing and ascent and designs and closed loop and front and film, "
            "as the study asks for no design." in text
        ) == (found.design is None)
        assert ("Not shown: traits, as the study names no traits." in text) == (
            found.evaluation is not None and not found.evaluation.audit
        )
        assert ("Not shown: parity, as no property of a test microstructure could be simulated." in text) == (
            found.evaluation is not None and "parity" not in drawable(found)
        )
        assert ("Not shown: curves, as the search prunes no trials." in text) == ("curves" not in drawable(found))
        assert all(f"<td>{trial.number}</td>" in text for trial in found.trials)
        assert all((trial.error in text) for trial in found.trials)
        if found.design is not None:
            assert 'href="designs.parquet"' in text
            check_designs(pq.read_table(folder / "designs.parquet"), found.design)
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path


def test_a_figure_of_the_users_own_has_its_section_behind_the_others(mine: Path) -> None:
    figure = FIGURES.build(Component("mine.py:Counts", {"height": 2.0}), mine)
    page, *pictures = write_report(mine / "report", MINIMAL, [figure])
    assert [path.name for path in pictures] == ["search.png", "Counts.png"]
    text = page.read_text(encoding="utf-8")
    assert 0 < text.index("<h2>Search</h2>") < text.index("<h2>Counts of my own</h2>") < text.index("As many as there")
    assert 'href="Counts.csv"' in text


def test_a_figure_that_raises_leaves_the_page_whole_and_is_told_of(mine: Path) -> None:
    broken = FIGURES.build(Component("mine.py:Broken"), mine)
    with pytest.raises(
        FailureError, match=r"the report lacks Broken \(drawing it raised ArithmeticError: no such number"
    ):
        write_report(mine / "report", MINIMAL, [broken])
    text = (mine / "report" / "index.html").read_text(encoding="utf-8")
    assert 'href="search.png"' in text
    assert "Not shown: Broken, as drawing it raised ArithmeticError: no such number." in text


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ("[mine.py:Cuonts]", "report.figures[0]: {mine} has no class 'Cuonts'"),
        ("[parityy]", "report.figures[0]: no figures called 'parityy'; did you mean 'parity'?"),
        ("[search]", "report.figures[0]: a figure 'search' is drawn already; give this one another name"),
        ("[mine.py:Counts, mine.py:Same]", "report.figures[1]: a figure 'search' is drawn already"),
        (
            "[{kind: mine.py:Counts, heights: 2}]",
            "report.figures[0].heights: 'mine.py:Counts' has no such setting; did",
        ),
        ("[{kind: mine.py:Counts, height: x}]", 'report.figures[0].height: must be a number, got "x"'),
    ],
)
def test_a_figure_that_cannot_be_is_refused_before_the_study_runs(mine: Path, figures: str, said: str) -> None:
    lines = STUDY.read_text().splitlines()
    (mine / "study.yaml").write_text("\n".join([*lines, "report:", f"  figures: {figures}"]))
    study = load_study(mine / "study.yaml")
    with pytest.raises(InputError) as caught:
        report_writer(study)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{mine / 'study.yaml'}:{len(lines) + 2}: {said.format(mine=mine / 'mine.py')}")
